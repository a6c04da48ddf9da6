/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the way from an Actions payload to a request or a refusal. Takes a handful of typed
 * fields and ignores the rest, since GitHub adds some every year. Decides nothing about
 * trust: whatever is taken here may be forged, and the daemon asks GitHub again. */
#include "intake/event.h"

#include "base/git.h"
#include "base/json.h"
#include "base/name.h"
#include "command.h"
#include "intake/choices.h"

#include <stdio.h>
#include <string.h>

enum { PULL_MAX = 0x7fffffff }; /* the largest number of a pull request */

static int ignore(struct event *event, const char *why)
{
    event->ignored = true;
    snprintf(event->why, sizeof event->why, "%s", why);
    return 0;
}

static int read_repository(const json_t *payload, const struct json_at *root,
                           struct event *event, struct err *err)
{
    json_t *repository = NULL;
    if (json_get_object(payload, "repository", root, &repository, err) != 0)
        return -1;
    struct json_at at = {.parent = root, .key = "repository"};
    char name[JOB_REPOSITORY_BYTES] = "";
    if (json_get_string(repository, "full_name", &at, name, sizeof name, err) != 0)
        return -1;
    struct json_at here = {.parent = &at, .key = "full_name"};
    if (!name_is_repository(name, sizeof name))
        return json_error(&here, err, "expected owner/name, not `%s`", name);
    memcpy(event->repository, name, sizeof name);
    return 0;
}

/* ---- pull_request ---- */

static const struct action {
    const char *name;
    const char *ignored; /* why, or NULL: it is looked at */
} actions[] = {
    {"opened", NULL},
    {"synchronize", NULL},
    {"reopened", NULL},
    {"edited", NULL}, /* the base branch may be another one now */
    {"labeled", NULL},
    {"unlabeled", NULL},
    {"ready_for_review", NULL},
    {"closed", "the pull request is closed: a merge is looked at by the push to its branch"},
};

static int read_action(const json_t *payload, const struct json_at *root, struct event *event,
                       struct err *err)
{
    char name[64] = "";
    if (json_get_string(payload, "action", root, name, sizeof name, err) != 0)
        return -1;
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(name, actions[i].name) == 0)
            return actions[i].ignored == NULL ? 0 : ignore(event, actions[i].ignored);
    }
    struct json_at here = {.parent = root, .key = "action"};
    return json_error(&here, err,
                      "`%s` is not handled; use the types opened, synchronize, reopened, "
                      "edited, labeled, unlabeled, ready_for_review",
                      name);
}

/* Both places name the number; where they differ, somebody wrote the payload by hand. */
static int read_number(const json_t *payload, const json_t *pull, const struct json_at *root,
                       const struct json_at *at, struct event *event, struct err *err)
{
    long long number = 0;
    if (json_get_int(pull, "number", at, 1, PULL_MAX, &number, err) != 0)
        return -1;
    if (json_has(payload, "number")) {
        long long top = 0;
        if (json_get_int(payload, "number", root, 1, PULL_MAX, &top, err) != 0)
            return -1;
        struct json_at here = {.parent = at, .key = "number"};
        if (top != number)
            return json_error(&here, err, "is %lld, but the event's own number is %lld",
                              number, top);
    }
    event->pr = (int)number;
    return 0;
}

static int read_head(const json_t *pull, const struct json_at *at, struct event *event,
                     struct err *err)
{
    if (!json_has(pull, "head"))
        return 0;
    json_t *head = NULL;
    struct json_at here = {.parent = at, .key = "head"};
    if (json_get_object(pull, "head", at, &head, err) != 0)
        return -1;
    return json_has(head, "sha") ? json_get_sha(head, "sha", &here, event->head, err) : 0;
}

static int parse_pull_request(const json_t *payload, const struct json_at *root,
                              struct event *event, struct err *err)
{
    event->kind = JOB_CHECK;
    struct json_at at = {.parent = root, .key = "pull_request"};
    /* The number that stands beside it is enough: the daemon asks GitHub for the rest. */
    if (!json_has(payload, "pull_request") && json_has(payload, "number")) {
        long long number = 0;
        if (read_action(payload, root, event, err) != 0 ||
            json_get_int(payload, "number", root, 1, PULL_MAX, &number, err) != 0)
            return -1;
        event->pr = (int)number;
        return 0;
    }
    if (!json_has(payload, "pull_request"))
        return json_error(
            &at, err,
            "missing, expected an object (GitHub leaves it out for some merged "
            "pull requests and forks: start the workflow by hand with its number)");
    json_t *pull = NULL;
    if (json_get_object(payload, "pull_request", root, &pull, err) != 0 ||
        read_action(payload, root, event, err) != 0 ||
        read_number(payload, pull, root, &at, event, err) != 0)
        return -1;
    return read_head(pull, &at, event, err);
}

/* ---- workflow_dispatch ---- */

/* The digits of "7" or "#7", as people type it. */
static long long number_of_text(const char *text)
{
    if (*text == '#')
        text++;
    long long number = 0;
    for (; *text >= '0' && *text <= '9' && number <= PULL_MAX; text++)
        number = number * 10 + (*text - '0');
    return *text == '\0' ? number : 0;
}

/* The input where it says something: a form's empty field is "". *out is borrowed. */
static bool has_input(const json_t *inputs, const char *key, const json_t **out)
{
    *out = json_object_get(inputs, key);
    return *out != NULL && !json_is_null(*out) &&
           !(json_is_string(*out) && json_string_length(*out) == 0);
}

static int read_pull_input(const json_t *value, const struct json_at *here,
                           struct event *event, struct err *err)
{
    long long number = json_is_integer(value)  ? json_integer_value(value)
                       : json_is_string(value) ? number_of_text(json_string_value(value))
                                               : 0;
    if (number < 1 || number > PULL_MAX)
        return json_error(here, err, "expected the number of a pull request%s%.40s%s",
                          json_is_string(value) ? ", not `" : "",
                          json_is_string(value) ? json_string_value(value) : "",
                          json_is_string(value) ? "`" : "");
    event->pr = (int)number;
    return 0;
}

/* Whichever of the three says something; which pull request a branch or a commit means, is GitHub's to
 * say. */
static int parse_dispatch(const json_t *payload, const struct json_at *root,
                          struct event *event, struct err *err)
{
    event->kind = JOB_CHECK;
    json_t *inputs = NULL;
    struct json_at at = {.parent = root, .key = "inputs"};
    struct json_at here = {.parent = &at, .key = "pull-request"};
    if (json_has(payload, "inputs") &&
        json_get_object(payload, "inputs", root, &inputs, err) != 0)
        return -1;
    const json_t *pull, *ignored;
    bool by_pull = has_input(inputs, "pull-request", &pull);
    bool by_branch = has_input(inputs, "branch", &ignored);
    bool by_sha = has_input(inputs, "sha", &ignored);
    if (by_pull + by_branch + by_sha > 1)
        return json_error(&at, err, "expected one of pull-request, branch and sha, not more");
    if (choices_read(inputs, &at, &event->choices, err) != 0)
        return -1;
    if (by_pull)
        return read_pull_input(pull, &here, event, err);
    if (by_sha)
        return json_get_sha(inputs, "sha", &at, event->head, err);
    if (by_branch)
        return json_get_string(inputs, "branch", &at, event->branch, sizeof event->branch,
                               err);
    return json_error(&here, err,
                      "missing: start the workflow with the input `pull-request`, the "
                      "number of the pull request to measure, or with its `branch`, or with "
                      "`sha`, its head");
}

/* ---- issue_comment ---- */

/* An account that is gone is null. */
static int read_commenter(const json_t *comment, const struct json_at *at, struct event *event,
                          struct err *err)
{
    json_t *user = NULL;
    struct json_at here = {.parent = at, .key = "user"};
    if (!json_has(comment, "user"))
        return 0;
    return json_get_object(comment, "user", at, &user, err) != 0
               ? -1
               : json_get_string(user, "login", &here, event->commenter,
                                 sizeof event->commenter, err);
}

/* One that was changed is nobody's word: what stood there before, and who changed it, is not told. */
static int parse_comment(const json_t *payload, const struct json_at *root,
                         struct event *event, struct err *err)
{
    char action[64] = "";
    json_t *issue = NULL, *comment = NULL;
    long long number = 0;
    struct json_at at = {.parent = root, .key = "issue"};
    struct json_at here = {.parent = root, .key = "comment"};
    event->kind = JOB_CHECK;
    if (json_get_string(payload, "action", root, action, sizeof action, err) != 0 ||
        json_get_object(payload, "issue", root, &issue, err) != 0 ||
        json_get_int(issue, "number", &at, 1, PULL_MAX, &number, err) != 0 ||
        json_get_object(payload, "comment", root, &comment, err) != 0)
        return -1;
    const char *body = json_string_value(json_object_get(comment, "body"));
    if (body == NULL)
        return json_error(&here, err, "expected the text `body`");
    if (strcmp(action, "created") != 0)
        return ignore(event, "a comment counts as it was written, not as it was changed");
    if (!json_has(issue, "pull_request"))
        return ignore(event, "the comment is on no pull request");
    if (!command_is_run(body, event->head))
        return ignore(event, "the comment does not begin with " COMMAND_RUN);
    event->by_comment = true;
    event->pr = (int)number;
    return read_commenter(comment, &here, event, err);
}

/* ---- merge_group ---- */

/* Which branch is the group's and which one it goes to is said twice: in the group's name, and beside
 * it. Where they differ, somebody wrote the payload by hand. */
static int check_group_ref(const struct json_at *at, struct event *event, struct err *err)
{
    char folder[JOB_REF_BYTES + 32];
    int len = snprintf(folder, sizeof folder, "refs/heads/gh-readonly-queue/%s/",
                       event->base_ref);
    struct json_at here = {.parent = at, .key = "head_ref"};
    if (!name_is_branch(event->base_ref) || strncmp(event->ref, folder, (size_t)len) != 0 ||
        !name_is_branch(event->ref + strlen("refs/heads/")) ||
        strchr(event->ref + len, '/') != NULL)
        return json_error(&here, err, "expected a branch below `%.200s`, not `%s`", folder,
                          event->ref);
    return 0;
}

static int parse_group(const json_t *payload, const struct json_at *root, struct event *event,
                       struct err *err)
{
    static const char heads[] = "refs/heads/";
    char action[64] = "", base_ref[JOB_REF_BYTES] = "";
    json_t *group = NULL;
    struct json_at at = {.parent = root, .key = "merge_group"};
    event->kind = JOB_CHECK;
    if (json_get_string(payload, "action", root, action, sizeof action, err) != 0 ||
        json_get_object(payload, "merge_group", root, &group, err) != 0 ||
        json_get_string(group, "head_ref", &at, event->ref, sizeof event->ref, err) != 0 ||
        json_get_sha(group, "head_sha", &at, event->head, err) != 0 ||
        json_get_string(group, "base_ref", &at, base_ref, sizeof base_ref, err) != 0 ||
        json_get_sha(group, "base_sha", &at, event->base, err) != 0)
        return -1;
    bool full = strncmp(base_ref, heads, sizeof heads - 1) == 0;
    snprintf(event->base_ref, sizeof event->base_ref, "%s",
             base_ref + (full ? sizeof heads - 1 : 0));
    if (check_group_ref(&at, event, err) != 0)
        return -1;
    if (strcmp(action, "destroyed") == 0)
        return ignore(event, "the merge group is gone: a job for it ends by itself");
    struct json_at here = {.parent = root, .key = "action"};
    return strcmp(action, "checks_requested") == 0
               ? 0
               : json_error(&here, err, "`%s` is not handled; use the type checks_requested",
                            action);
}

/* ---- push ---- */

static const char trailer[] = PROMOTION_TRAILER ":";

bool event_is_promotion(const char *message)
{
    bool found = false;
    for (const char *line = message; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        if (len == 0 || (len == 1 && line[0] == '\r')) {
            const char *rest = line + strspn(line, "\r\n");
            if (*rest != '\0')
                found = false; /* that was not the last paragraph */
        } else if (strncmp(line, trailer, sizeof trailer - 1) == 0) {
            found = true;
        }
        line += len + (line[len] == '\n');
    }
    return found;
}

/* Every path of head_commit.`key` below baselines/? A key that is not there names none. */
static bool only_baselines(const json_t *commit, const char *key)
{
    static const char folder[] = EVENT_BASELINES;
    const json_t *paths = json_object_get(commit, key);
    if (!json_is_array(paths))
        return false; /* Actions leaves the lists out: then nobody knows */
    for (size_t i = 0; i < json_array_size(paths); i++) {
        const char *path = json_string_value(json_array_get(paths, i));
        if (path == NULL || strncmp(path, folder, sizeof folder - 1) != 0)
            return false;
    }
    return true;
}

static bool is_our_commit(const json_t *commit)
{
    const char *message = json_string_value(json_object_get(commit, "message"));
    return message != NULL && event_is_promotion(message) && only_baselines(commit, "added") &&
           only_baselines(commit, "modified") && only_baselines(commit, "removed");
}

/* A squash merge carries the words of the pull request's author: the trailer alone must not
 * keep a commit that changes more than baselines from being looked at, nor may the last commit
 * of a push hide those before it. */
static bool push_is_ours(const json_t *payload)
{
    const json_t *commits = json_object_get(payload, "commits");
    bool ours = is_our_commit(json_object_get(payload, "head_commit"));
    for (size_t i = 0; i < json_array_size(commits) && ours; i++)
        ours = is_our_commit(json_array_get(commits, i));
    return ours;
}

static int parse_push(const json_t *payload, const struct json_at *root, struct event *event,
                      struct err *err)
{
    event->kind = JOB_PROMOTE;
    char ref[JOB_REF_BYTES] = "", after[MODEL_SHA_BYTES] = "";
    bool deleted = false;
    if (json_get_string(payload, "ref", root, ref, sizeof ref, err) != 0 ||
        json_get_string(payload, "after", root, after, sizeof after, err) != 0)
        return -1;
    if (json_has(payload, "deleted") &&
        json_get_bool(payload, "deleted", root, &deleted, err) != 0)
        return -1;
    struct json_at here = {.parent = root, .key = "after"};
    if (!name_is_sha(after))
        return json_error(&here, err, "expected 40 hex digits, not `%s`", after);
    memcpy(event->ref, ref, sizeof ref);
    if (deleted || strcmp(after, GIT_ZERO_SHA) == 0)
        return ignore(event, "the push deleted a branch");
    memcpy(event->after, after, sizeof after);
    if (strncmp(ref, "refs/heads/", 11) != 0)
        return ignore(event, "the push is not to a branch");
    if (push_is_ours(payload))
        return ignore(event, "the push is a promotion of ours");
    return 0;
}

/* ---- all ---- */

static const struct kind {
    const char *name;
    int (*parse)(const json_t *, const struct json_at *, struct event *, struct err *);
} kinds[] = {
    {"pull_request", parse_pull_request},
    {"pull_request_target", parse_pull_request}, /* the same, to the base's workflow */
    {"issue_comment", parse_comment},
    {"workflow_dispatch", parse_dispatch},
    {"push", parse_push},
    {"merge_group", parse_group},
};

int event_parse(const char *name, const char *bytes, size_t len, struct event *out,
                struct err *err)
{
    const struct kind *kind = NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(name, kinds[i].name) == 0)
            kind = &kinds[i];
    if (kind == NULL)
        return err_set(err, ERR_INPUT,
                       "event `%.40s` is not handled; expected pull_request, "
                       "pull_request_target, issue_comment, merge_group, "
                       "workflow_dispatch or push",
                       name);
    char title[64];
    snprintf(title, sizeof title, "%s event", kind->name);
    JSON_AUTO *payload = NULL;
    if (json_parse(bytes, len, title, &payload, err) != 0)
        return -1;
    struct event event = {0};
    struct json_at root = {.key = title};
    snprintf(event.name, sizeof event.name, "%s", kind->name);
    if (read_repository(payload, &root, &event, err) != 0 ||
        kind->parse(payload, &root, &event, err) != 0)
        return -1;
    *out = event;
    return 0;
}
