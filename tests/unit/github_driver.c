/* SPDX-License-Identifier: Apache-2.0 */
/* publish/github and publish/outbox from the command line, for tests/e2e/test_github.py.
 *
 *     github_driver API REPOSITORY AUTHOR VERB ARGUMENT…
 *
 * The token is in $RATCHET_TOKEN; $GITHUB_MS, $HTTP_MS and $HTTP_BYTES replace limits.
 * Prints one JSON object:
 *
 *     {"ok": true, …}    {"ok": false, "class": "auth", "error": "…"} */
#include "base/file.h"
#include "base/json.h"
#include "publish/github.h"
#include "publish/github_app.h"
#include "publish/github_watch.h"
#include "publish/outbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct limits limits;
static struct github github;

static const char *const class_names[] = {
    [ERR_NONE] = "none",         [ERR_USAGE] = "usage",     [ERR_INPUT] = "input",
    [ERR_HOST] = "host",         [ERR_AUTH] = "auth",       [ERR_NOT_FOUND] = "not-found",
    [ERR_CONFLICT] = "conflict", [ERR_TIMEOUT] = "timeout", [ERR_LIMIT] = "limit",
    [ERR_INTERNAL] = "internal",
};

static void set_text(json_t *out, const char *key, const char *text)
{
    bool failed = false;
    json_put(out, key, json_string(text), &failed);
    if (failed)
        json_put(out, key, json_string("(not UTF-8)"), &failed);
}

static void set_int(json_t *out, const char *key, long long value)
{
    bool failed = false;
    json_put(out, key, json_integer(value), &failed);
}

static void set_bool(json_t *out, const char *key, bool value)
{
    bool failed = false;
    json_put(out, key, json_boolean(value), &failed);
}

static int number(const char *text)
{
    return (int)strtol(text, NULL, 10);
}

static void show_pull(json_t *out, const struct github_pull *pull)
{
    bool failed = false;
    json_t *labels = json_array();
    for (size_t i = 0; i < pull->label_count; i++)
        json_push(labels, json_string(pull->labels[i]), &failed);
    set_int(out, "number", pull->number);
    set_bool(out, "open", pull->open);
    set_bool(out, "merged", pull->merged);
    set_bool(out, "draft", pull->draft);
    set_text(out, "head", pull->head);
    set_text(out, "base_ref", pull->base_ref);
    set_text(out, "base_repository", pull->base_repository);
    set_text(out, "head_repository", pull->head_repository);
    set_text(out, "author", pull->author);
    json_put(out, "labels", labels, &failed);
}

static int do_get_pull(char **args, json_t *out, struct err *err)
{
    struct github_pull pull;
    if (github_get_pull(&github, number(args[0]), &pull, err) < 0)
        return -1;
    show_pull(out, &pull);
    return 0;
}

static int do_pull_of_commit(char **args, json_t *out, struct err *err)
{
    struct github_pull pull;
    if (github_pull_of_commit(&github, args[0], &pull, err) < 0)
        return -1;
    show_pull(out, &pull);
    return 0;
}

static int do_branch_tip(char **args, json_t *out, struct err *err)
{
    char sha[MODEL_SHA_BYTES] = "untouched";
    int result = github_branch_tip(&github, args[0], sha, err);
    set_text(out, "sha", sha);
    return result;
}

static int do_find_group(char **args, json_t *out, struct err *err)
{
    bool base_queued = false;
    int result = github_find_group(&github, args[0], args[1], args[2], args[3], &base_queued,
                                   err);
    set_bool(out, "base_queued", base_queued);
    return result;
}

static int do_set_status(char **args, json_t *out, struct err *err)
{
    (void)out;
    return github_set_status(&github, args[0], args[1], args[2], args[3],
                             args[4][0] == '\0' ? NULL : args[4], err);
}

static int do_guard_status(char **args, json_t *out, struct err *err)
{
    char seen[MODEL_TEXT_BYTES];
    int result = github_guard_status(&github, args[0], args[1], args[2], "as it is", NULL,
                                     seen, err);
    set_text(out, "seen", seen);
    return result;
}

static int upsert(char **args, bool only_update, json_t *out, struct err *err)
{
    BUF_AUTO body;
    buf_init(&body, 1 << 20);
    if (file_read(args[2], &body, err) < 0)
        return -1;
    struct github_comment comment = {.pr = number(args[0]),
                                     .marker = args[1],
                                     .body = body.data,
                                     .len = body.len,
                                     .only_update = only_update};
    int result = github_upsert_comment(&github, &comment, err);
    set_text(out, "url", result == 0 ? comment.url : "untouched");
    return result;
}

/* Branch and commit. */
static int do_pushed_at(char **args, json_t *out, struct err *err)
{
    char when[GITHUB_TIME_BYTES] = "";
    int result = github_pushed_at(&github, args[0], args[1], false, when, err);
    set_text(out, "when", when);
    return result;
}

/* Branch, or "", and then a commit. */
static int do_find_pull(char **args, json_t *out, struct err *err)
{
    int found = 77;
    int result = github_find_pull(&github, args[0], args[1], &found, err);
    set_int(out, "number", found);
    return result;
}

static int do_upsert(char **args, json_t *out, struct err *err)
{
    return upsert(args, false, out, err);
}

static int do_update_only(char **args, json_t *out, struct err *err)
{
    return upsert(args, true, out, err);
}

static int do_who_labeled(char **args, json_t *out, struct err *err)
{
    char login[64] = "untouched";
    char when[GITHUB_TIME_BYTES] = "";
    bool may_write = false;
    int result = github_who_labeled(&github, number(args[0]), args[1], login, when,
                                    &may_write, err);
    set_text(out, "login", login);
    set_text(out, "when", when);
    set_bool(out, "may_write", may_write);
    return result;
}

/* Number of a pull request. */
static int do_find_word(char **args, json_t *out, struct err *err)
{
    struct github_pull pull;
    struct github_word word = {.login = "untouched"};
    if (github_get_pull(&github, number(args[0]), &pull, err) != 0 ||
        github_find_word(&github, &pull, &word, err) != 0)
        return -1;
    set_text(out, "login", word.login);
    set_text(out, "why_not", word.why_not);
    return 0;
}

/* With the App's own token in $RATCHET_TOKEN; what it is given, and then revokes, is not printed. */
static int do_app_token(char **args, json_t *out, struct err *err)
{
    (void)args;
    struct github_installed installed = {0};
    if (github_app_token(&github, true, &installed, err) != 0)
        return -1;
    set_text(out, "author", installed.author);
    set_bool(out, "checks", installed.checks);
    github.token = installed.token;
    char sha[MODEL_SHA_BYTES];
    if (github_branch_tip(&github, "main", sha, err) != 0 ||
        github_app_revoke(&github, err) != 0)
        return -1;
    set_bool(out, "revoked", github_branch_tip(&github, "main", sha, err) != 0);
    return 0;
}

/* A check run, with the App's own token likewise. */
static int do_as_app(char **args, json_t *out, struct err *err)
{
    (void)out;
    struct github_installed installed = {0};
    if (github_app_token(&github, true, &installed, err) != 0)
        return -1;
    github.token = installed.token;
    github.author = installed.author;
    github.checks = installed.checks;
    return github_set_status(&github, args[0], args[1], args[2], args[3], NULL, err);
}

static int do_who_started(char **args, json_t *out, struct err *err)
{
    char login[GITHUB_LOGIN_BYTES] = "untouched";
    bool may_write = false;
    int result = github_who_started(&github, args[0], login, &may_write, err);
    set_text(out, "login", login);
    set_bool(out, "may_write", may_write);
    return result;
}

static int do_open_pull(char **args, json_t *out, struct err *err)
{
    char url[JOB_URL_BYTES] = "untouched";
    int result = github_open_pull(&github, args[0], args[1], args[2], args[3], url, err);
    set_text(out, "url", url);
    return result;
}

/* ---- the outbox: args[0] is its file, args[1] the job ---- */

static int do_put_comment(struct db *outbox, char **args, json_t *out,
                          struct err *err)
{
    (void)out;
    BUF_AUTO body;
    buf_init(&body, 1 << 20);
    if (file_read(args[4], &body, err) < 0)
        return -1;
    const struct outbox_comment comment = {.pr = number(args[2]),
                                           .marker = args[3],
                                           .body = body.data,
                                           .len = body.len,
                                           .sha = "known",
                                           .context = ""};
    return outbox_put_comment(outbox, number(args[1]), github.repository, &comment, err);
}

static int do_put_status(struct db *outbox, char **args, json_t *out, struct err *err)
{
    (void)out;
    return outbox_put_status(outbox, number(args[1]), github.repository, args[2], args[3],
                             args[4], args[5], args[6][0] == '\0' ? NULL : args[6], false, err);
}

static int do_send(struct db *outbox, char **args, json_t *out, struct err *err)
{
    struct outbox_result result;
    if (outbox_send(outbox, number(args[1]), &github, &result, err) < 0)
        return -1;
    set_int(out, "sent", result.sent);
    set_int(out, "refused", result.refused);
    set_int(out, "waiting", result.waiting);
    set_int(out, "again_s", result.again_s);
    set_text(out, "refusal", result.refusal);
    set_text(out, "comment_url", result.comment_url);
    return 0;
}

static int do_waiting(struct db *outbox, char **args, json_t *out, struct err *err)
{
    struct outbox_owed owed = {0};
    int result = outbox_owed(outbox, number(args[1]), &owed, err);
    set_bool(out, "waiting", owed.comment || owed.status);
    return result;
}

/* Asked twice: the second time with the etag of the first. */
static int do_list_pulls(char **args, json_t *out, struct err *err)
{
    static struct github_pulls pulls;
    struct github_known known = {.etag = ""};
    bool first = false, again = true;
    if (github_list_pulls(&github, args[0], 1, &known, &first, &pulls, err) < 0 ||
        github_list_pulls(&github, args[0], 1, &known, &again, &pulls, err) < 0)
        return -1;
    set_bool(out, "changed", first);
    set_bool(out, "changed_again", again);
    set_bool(out, "more", known.more);
    set_int(out, "count", (long long)pulls.count);
    if (pulls.count > 0)
        show_pull(out, &pulls.list[0]);
    return 0;
}

static int do_watch_tip(char **args, json_t *out, struct err *err)
{
    struct github_known known = {.etag = ""};
    bool first = false, again = true;
    char sha[MODEL_SHA_BYTES] = "";
    if (github_watch_tip(&github, args[0], &known, &first, sha, err) < 0 ||
        github_watch_tip(&github, args[0], &known, &again, sha, err) < 0)
        return -1;
    set_bool(out, "changed", first);
    set_bool(out, "changed_again", again);
    set_text(out, "sha", sha);
    return 0;
}

static int do_list_runs(char **args, json_t *out, struct err *err)
{
    static struct github_runs runs;
    struct github_known known = {.etag = ""};
    bool first = false, again = true;
    (void)args;
    if (github_list_runs(&github, 1, &known, &first, &runs, err) < 0 ||
        github_list_runs(&github, 1, &known, &again, &runs, err) < 0)
        return -1;
    set_bool(out, "changed", first);
    set_bool(out, "changed_again", again);
    set_bool(out, "more", known.more);
    set_int(out, "count", (long long)runs.count);
    set_int(out, "attempt", runs.list[0].attempt);
    set_text(out, "name", runs.list[0].name);
    set_text(out, "actor", runs.list[0].actor);
    set_text(out, "again", runs.list[0].again);
    return 0;
}

static int do_list_remarks(char **args, json_t *out, struct err *err)
{
    static struct github_remarks remarks;
    struct github_known known = {.etag = ""};
    bool first = false, again = true;
    (void)args;
    if (github_list_remarks(&github, 1, &known, &first, &remarks, err) < 0 ||
        github_list_remarks(&github, 1, &known, &again, &remarks, err) < 0)
        return -1;
    set_bool(out, "changed", first);
    set_bool(out, "changed_again", again);
    set_bool(out, "more", known.more);
    set_int(out, "count", (long long)remarks.count);
    set_text(out, "login", remarks.list[0].login);
    set_text(out, "line", remarks.list[0].line);
    set_int(out, "pr", remarks.list[0].pr);
    return 0;
}

static int do_get_commit(char **args, json_t *out, struct err *err)
{
    char parent[MODEL_SHA_BYTES];
    bool inside;
    BUF_AUTO message;
    buf_init(&message, 1 << 16);
    if (github_get_commit(&github, args[0], args[1], &message, parent, &inside, err) < 0)
        return -1;
    set_text(out, "message", message.data);
    set_text(out, "parent", parent);
    set_bool(out, "inside", inside);
    return 0;
}

static const struct verb {
    const char *name;
    int count;
    int (*run)(char **args, json_t *out, struct err *err);
    int (*run_box)(struct db *outbox, char **args, json_t *out, struct err *err);
} verbs[] = {
    {"get-pull", 1, do_get_pull, NULL},
    {"pull-of-commit", 1, do_pull_of_commit, NULL},
    {"branch-tip", 1, do_branch_tip, NULL},
    {"find-group", 4, do_find_group, NULL},
    {"set-status", 5, do_set_status, NULL},
    {"guard-status", 3, do_guard_status, NULL},
    {"upsert", 3, do_upsert, NULL},
    {"update-only", 3, do_update_only, NULL},
    {"find-pull", 2, do_find_pull, NULL},
    {"app-token", 0, do_app_token, NULL},
    {"as-app", 4, do_as_app, NULL},
    {"pushed-at", 2, do_pushed_at, NULL},
    {"who-labeled", 2, do_who_labeled, NULL},
    {"find-word", 1, do_find_word, NULL},
    {"who-started", 1, do_who_started, NULL},
    {"open-pull", 4, do_open_pull, NULL},
    {"list-pulls", 1, do_list_pulls, NULL},
    {"watch-tip", 1, do_watch_tip, NULL},
    {"list-remarks", 0, do_list_remarks, NULL},
    {"list-runs", 0, do_list_runs, NULL},
    {"get-commit", 2, do_get_commit, NULL},
    {"put-comment", 5, NULL, do_put_comment},
    {"put-status", 7, NULL, do_put_status},
    {"send", 2, NULL, do_send},
    {"waiting", 2, NULL, do_waiting},
};

static int run_verb(const struct verb *verb, char **args, json_t *out, struct err *err)
{
    if (verb->run != NULL)
        return verb->run(args, out, err);
    static const char *const steps[] = {outbox_schema, outbox_schema_2, outbox_schema_3, outbox_schema_4,
                                        NULL};
    struct db *outbox = NULL;
    if (db_open(args[0], steps, &outbox, err) < 0)
        return -1;
    int result = verb->run_box(outbox, args, out, err);
    db_close(&outbox);
    return result;
}

static void limit_from(const char *name, unsigned long long *limit)
{
    const char *text = getenv(name);
    if (text != NULL)
        *limit = strtoull(text, NULL, 10);
}

int main(int argc, char **argv)
{
    const struct verb *verb = NULL;
    for (size_t i = 0; argc > 4 && i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(verbs[i].name, argv[4]) == 0 && verbs[i].count == argc - 5)
            verb = &verbs[i];
    if (verb == NULL) {
        fprintf(stderr, "usage: github_driver API REPOSITORY AUTHOR VERB ARGUMENT…\n");
        return 64;
    }
    limits = limits_default();
    limit_from("GITHUB_MS", &limits.github_ms);
    limit_from("HTTP_MS", &limits.http_ms);
    limit_from("HTTP_BYTES", &limits.http_bytes);
    github = (struct github){.api = argv[1],
                             .repository = argv[2],
                             .author = argv[3],
                             .token = getenv("RATCHET_TOKEN"),
                             .limits = &limits};
    JSON_AUTO *out = json_object();
    struct err err = {0};
    int result = run_verb(verb, argv + 5, out, &err);
    set_bool(out, "ok", result == 0);
    set_text(out, "class", class_names[result == 0 ? ERR_NONE : err.class]);
    if (result < 0)
        set_text(out, "error", err.text);
    BUF_AUTO text;
    buf_init(&text, 1 << 20);
    if (json_print(out, 0, &text, &err) < 0)
        return 70;
    printf("%s\n", text.data);
    return 0;
}
