/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the endpoints for pull requests and branches: what is asked, and what of the answer is
 * believed. How a call is made is github_call's. */
#include "publish/github.h"

#include "publish/github_call.h"

#include <string.h>
#include <strings.h>

/* GitHub has one status for all that it does not want to do, 422; only its words tell which. */
static bool says(const struct github_failure *failure, const char *words)
{
    return failure->status == 422 && strstr(failure->message, words) != NULL;
}

/* ---- pull requests ---- */

/* Deleted forks have no head.repo, deleted accounts no user. A label too long for our
 * table is left out: cut short it could look like another. */
static void read_optional(const json_t *json, struct github_pull *out)
{
    const json_t *head = json_object_get(json, "head");
    const json_t *labels = json_object_get(json, "labels");
    github_copy(out->head_repository, sizeof out->head_repository,
                github_text_of(head, "repo", "full_name"));
    github_copy(out->head_ref, sizeof out->head_ref, github_text(head, "ref"));
    github_copy(out->author, sizeof out->author, github_text_of(json, "user", "login"));
    github_copy_time(out->updated, github_text(json, "updated_at"));
    for (size_t i = 0; i < json_array_size(labels) &&
                       out->label_count < sizeof out->labels / sizeof out->labels[0];
         i++) {
        char *label = out->labels[out->label_count];
        github_copy(label, sizeof out->labels[0],
                    github_text(json_array_get(labels, i), "name"));
        if (label[0] != '\0')
            out->label_count++;
    }
}

int github_read_pull(const json_t *json, const char *name, struct github_pull *out,
                     struct err *err)
{
    struct json_at root = {.key = name};
    struct json_at at_head = {.parent = &root, .key = "head"};
    struct json_at at_base = {.parent = &root, .key = "base"};
    struct json_at at_repo = {.parent = &at_base, .key = "repo"};
    struct github_pull pull = {0};
    json_t *head = NULL;
    json_t *base = NULL;
    json_t *repo = NULL;
    long long number = 0;
    char state[16];
    if (json_get_int(json, "number", &root, 1, 2147483647, &number, err) != 0 ||
        json_get_string(json, "state", &root, state, sizeof state, err) != 0 ||
        json_get_object(json, "head", &root, &head, err) != 0 ||
        json_get_sha(head, "sha", &at_head, pull.head, err) != 0 ||
        json_get_object(json, "base", &root, &base, err) != 0 ||
        json_get_string(base, "ref", &at_base, pull.base_ref, sizeof pull.base_ref, err) !=
            0 ||
        json_get_object(base, "repo", &at_base, &repo, err) != 0 ||
        json_get_string(repo, "full_name", &at_repo, pull.base_repository,
                        sizeof pull.base_repository, err) != 0)
        return -1;
    pull.number = (int)number;
    pull.open = strcmp(state, "open") == 0;
    pull.draft = json_is_true(json_object_get(json, "draft"));
    /* In a list there is only the time of the merge. */
    pull.merged = json_is_true(json_object_get(json, "merged")) || json_has(json, "merged_at");
    read_optional(json, &pull);
    *out = pull;
    return 0;
}

bool github_is_fork(const struct github_pull *pull)
{
    return strcasecmp(pull->head_repository, pull->base_repository) != 0;
}

bool github_has_label(const struct github_pull *pull, const char *label)
{
    bool found = false;
    for (size_t i = 0; i < pull->label_count; i++)
        found = found || strcasecmp(pull->labels[i], label) == 0;
    return found;
}

/* What GitHub calls our repository today. */
static int name_now(const struct github *github, struct github_budget *budget,
                    char out[JOB_REPOSITORY_BYTES], struct err *err)
{
    BUF_AUTO url;
    if (github_url(github, &url, err, "%s", "") != 0)
        return -1;
    GITHUB_ANSWER_AUTO answer = {0};
    struct json_at root = {.key = url.data};
    if (github_get_object(github, budget, url.data, &answer, err) != 0)
        return -1;
    return json_get_string(answer.json, "full_name", &root, out, JOB_REPOSITORY_BYTES, err);
}

/* A renamed repository answers under its new name: where that is ours, the pull request's
 * sides get the name that the host knows. */
static int use_own_name(const struct github *github, struct github_budget *budget,
                        struct github_pull *pull, struct err *err)
{
    char now[JOB_REPOSITORY_BYTES];
    bool no_fork = !github_is_fork(pull);
    if (strcasecmp(pull->base_repository, github->repository) != 0) {
        if (name_now(github, budget, now, err) != 0)
            return -1;
        if (strcasecmp(pull->base_repository, now) != 0)
            return 0;
    }
    github_copy(pull->base_repository, sizeof pull->base_repository, github->repository);
    if (no_fork)
        memcpy(pull->head_repository, pull->base_repository, sizeof pull->head_repository);
    return 0;
}

int github_get_pull(const struct github *github, int number, struct github_pull *out,
                    struct err *err)
{
    struct err own;
    err = err == NULL ? &own : err;
    struct github_budget budget = github_budget(github);
    BUF_AUTO url;
    if (github_url(github, &url, err, "/pulls/%d", number) != 0)
        return -1;
    GITHUB_ANSWER_AUTO answer = {0};
    struct github_pull pull;
    if (github_get_object(github, &budget, url.data, &answer, err) != 0 ||
        github_read_pull(answer.json, url.data, &pull, err) != 0 ||
        use_own_name(github, &budget, &pull, err) != 0)
        return -1;
    if (pull.number != number)
        return err_set(err, ERR_INPUT, "GET %s: the answer is about #%d", url.data,
                       pull.number);
    *out = pull;
    return 0;
}

struct head_search {
    int number;
    bool found;
};

static int look_for_number(void *context, const json_t *item, struct err *err)
{
    (void)err;
    struct head_search *search = context;
    const json_t *number = json_object_get(item, "number");
    search->found = json_is_integer(number) && json_integer_value(number) == search->number;
    return search->found;
}

int github_confirm_head(const struct github *github, int number, const char *sha,
                        struct err *err)
{
    struct github_budget budget = github_budget(github);
    BUF_AUTO url;
    if (github_url(github, &url, err, "/commits/%.40s/pulls?per_page=100", sha) != 0)
        return -1;
    struct head_search search = {.number = number};
    if (github_walk(github, &budget, url.data, look_for_number, &search, NULL, err) < 0)
        return -1;
    if (!search.found)
        return err_set(err, ERR_NOT_FOUND, "commit %.12s is not of pull request #%d", sha,
                       number);
    return 0;
}

/* What pull_of_commit has found so far. */
struct origin_search {
    const struct github *github;
    struct github_budget *budget;
    const char *sha;
    const char *name;
    bool found, exact;
    struct github_pull pull;
};

/* Of several merged ones, the one whose merge made this very commit. */
static int look_for_origin(void *context, const json_t *item, struct err *err)
{
    struct origin_search *search = context;
    struct github_pull pull;
    if (github_read_pull(item, search->name, &pull, err) != 0 ||
        (pull.merged && use_own_name(search->github, search->budget, &pull, err) != 0))
        return -1;
    if (!pull.merged || strcmp(pull.base_repository, search->github->repository) != 0)
        return 0;
    const char *merge = github_text(item, "merge_commit_sha");
    bool exact = merge != NULL && strcmp(merge, search->sha) == 0;
    if (search->found && !exact)
        return 0;
    search->found = true;
    search->exact = exact;
    search->pull = pull;
    return exact ? 1 : 0;
}

int github_pull_of_commit(const struct github *github, const char *sha,
                          struct github_pull *out, struct err *err)
{
    struct err own;
    err = err == NULL ? &own : err;
    struct github_budget budget = github_budget(github);
    BUF_AUTO url;
    if (github_url(github, &url, err, "/commits/%s/pulls?per_page=100", sha) != 0)
        return -1;
    struct origin_search search = {
        .github = github, .budget = &budget, .sha = sha, .name = url.data};
    struct github_failure failure = {0};
    if (github_walk(github, &budget, url.data, look_for_origin, &search, &failure, err) < 0) {
        /* GitHub's word for a commit that it does not have. */
        if (says(&failure, "No commit found"))
            err->class = ERR_NOT_FOUND;
        return -1;
    }
    if (!search.found)
        return err_set(err, ERR_NOT_FOUND, "commit %.12s of %s: no merged pull request", sha,
                       github->repository);
    *out = search.pull;
    return 0;
}

/* ---- merge groups ---- */

struct group_search {
    const char *group, *head, *base;
    bool found, base_queued;
};

/* gh-readonly-queue/BRANCH/pr-N-BASE: GitHub's name for a group says which commit it put it on. */
static bool names_base(const char *group, const char *base)
{
    size_t len = strlen(group), own = strlen(base);
    return own > 0 && len > own && group[len - own - 1] == '-' &&
           strcmp(group + len - own, base) == 0;
}

static int look_at_group(void *context, const json_t *item, struct err *err)
{
    (void)err;
    static const char heads[] = "refs/heads/";
    struct group_search *search = context;
    const char *ref = github_text(item, "ref");
    const char *sha = github_text_of(item, "object", "sha");
    if (ref == NULL || sha == NULL || strncmp(ref, heads, sizeof heads - 1) != 0)
        return 0;
    bool own = strcmp(ref + sizeof heads - 1, search->group) == 0;
    search->found = search->found || (own && strcmp(sha, search->head) == 0);
    search->base_queued = search->base_queued || (!own && strcmp(sha, search->base) == 0);
    return 0;
}

int github_find_group(const struct github *github, const char *branch, const char *group,
                      const char *head, const char *base, bool *base_queued, struct err *err)
{
    struct github_budget budget = github_budget(github);
    BUF_AUTO url;
    if (github_url(github, &url, err, "/git/matching-refs/heads%%2Fgh-readonly-queue%%2F") !=
        0)
        return -1;
    http_escape(&url, branch);
    buf_adds(&url, "%2F");
    if (url.failed)
        return github_url_too_long(url.data, err);
    struct group_search search = {.group = group, .head = head, .base = base};
    if (github_walk(github, &budget, url.data, look_at_group, &search, NULL, err) < 0)
        return -1;
    if (!search.found)
        return err_set(err, ERR_NOT_FOUND, "there is no merge group `%s` at %.12s", group,
                       head);
    *base_queued = search.base_queued && names_base(group, base);
    return 0;
}

int github_confirm_group(const struct github *github, const char *run, const char *group,
                         const char *head, struct err *err)
{
    struct github_budget budget = github_budget(github);
    GITHUB_ANSWER_AUTO answer = {0};
    BUF_AUTO url;
    if (github_url(github, &url, err, "/actions/runs/%s", run) != 0 ||
        github_get_object(github, &budget, url.data, &answer, err) != 0)
        return -1;
    const char *event = github_text(answer.json, "event");
    const char *branch = github_text(answer.json, "head_branch");
    const char *sha = github_text(answer.json, "head_sha");
    if (event == NULL || strcmp(event, "merge_group") != 0 || branch == NULL ||
        strcmp(branch, group) != 0 || sha == NULL || strcmp(sha, head) != 0)
        return err_set(err, ERR_INPUT, "GitHub started run %s for something else than `%s`",
                       run, group);
    return 0;
}

/* ---- opening a pull request ---- */

struct pull_search {
    const char *repository, *branch, *base;
    bool found;
    char url[JOB_URL_BYTES];
};

static int look_at_open(void *context, const json_t *item, struct err *err)
{
    (void)err;
    struct pull_search *search = context;
    const json_t *head = json_object_get(item, "head");
    const char *branch = github_text(head, "ref");
    const char *repository = github_text_of(head, "repo", "full_name");
    const char *base = github_text_of(item, "base", "ref");
    if (branch == NULL || repository == NULL || base == NULL ||
        strcmp(branch, search->branch) != 0 || strcmp(base, search->base) != 0 ||
        strcasecmp(repository, search->repository) != 0)
        return 0;
    search->found = true;
    github_html_url(item, search->url);
    return 1;
}

static int find_open(const struct github *github, struct github_budget *budget,
                     const char *list_url, struct pull_search *search, struct err *err)
{
    BUF_AUTO url;
    buf_init(&url, GITHUB_URL_BYTES);
    buf_addf(&url, "%s?state=open&per_page=100&head=", list_url);
    buf_add(&url, search->repository, strcspn(search->repository, "/"));
    buf_adds(&url, "%3A");
    http_escape(&url, search->branch);
    buf_adds(&url, "&base=");
    http_escape(&url, search->base);
    if (url.failed)
        return github_url_too_long(url.data, err);
    return github_walk(github, budget, url.data, look_at_open, search, NULL, err);
}

/* 0: made; 1: perhaps made, or there was one already: look again; -1. */
static int make_pull(const struct github *github, struct github_budget *budget,
                     const char *list_url, const json_t *body, char url[JOB_URL_BYTES],
                     struct err *err)
{
    struct github_request request = {
        .method = "POST", .url = list_url, .body = body, .once = true};
    GITHUB_ANSWER_AUTO answer = {0};
    struct github_failure failure;
    if (github_call(github, budget, &request, &answer, &failure, err) == 0) {
        github_html_url(answer.json, url);
        return 0;
    }
    bool there = says(&failure, "already exists");
    return (failure.lost || there) && github_pause(budget, err) == 0 ? 1 : -1;
}

int github_open_pull(const struct github *github, const char *branch, const char *base,
                     const char *title, const char *body, char url[JOB_URL_BYTES],
                     struct err *err)
{
    struct err own;
    err = err == NULL ? &own : err;
    struct github_budget budget = github_budget(github);
    BUF_AUTO list_url;
    if (github_url(github, &list_url, err, "/pulls") != 0)
        return -1;
    JSON_AUTO *json = json_object();
    bool failed = json == NULL;
    json_put(json, "title", json_string(title), &failed);
    json_put(json, "head", json_string(branch), &failed);
    json_put(json, "base", json_string(base), &failed);
    json_put(json, "body", json_string(body), &failed);
    if (failed)
        return err_set(err, ERR_INPUT, "pull request from `%.100s`: its text is not UTF-8",
                       branch);
    char now[JOB_REPOSITORY_BYTES];
    if (name_now(github, &budget, now, err) != 0)
        return -1;
    struct pull_search search = {.repository = now, .branch = branch, .base = base};
    for (;;) {
        if (find_open(github, &budget, list_url.data, &search, err) < 0)
            return -1;
        int made = search.found
                       ? 0
                       : make_pull(github, &budget, list_url.data, json, search.url, err);
        if (made < 0)
            return -1;
        if (made == 0) {
            if (url != NULL)
                memcpy(url, search.url, sizeof search.url);
            return 0;
        }
    }
}
