/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what is asked again and again, and what of the answers is believed: little. */
#include "publish/github_watch.h"

#include "base/name.h"
#include "publish/github_call.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { FILES_MAX = 100 }; /* of a promotion's commit there are a few */

/* One GET with what is known of it. *known is another only where the answer is used. */
static int ask(const struct github *github, const char *url, struct github_known *known,
               struct github_answer *answer, struct err *err)
{
    struct github_budget budget = github_budget(github);
    struct github_request request = {.method = "GET", .url = url, .etag = known->etag};
    if (github_call(github, &budget, &request, answer, NULL, err) != 0)
        return -1;
    known->date = answer->date;
    return 0;
}

/* A 304 may not say where the next page is: that is kept with the etag. */
static void keep(struct github_known *known, const struct github_answer *answer)
{
    memcpy(known->etag, answer->etag, sizeof known->etag);
    known->more = answer->next[0] != '\0';
}

/* A page of a list, which is the answer itself or its member `key`: `each` gets its items. */
static int ask_list(const struct github *github, const char *url, const char *key,
                    struct github_known *known, bool *changed,
                    void (*each)(void *context, const json_t *item), void *context,
                    struct err *err)
{
    GITHUB_ANSWER_AUTO answer = {0};
    if (ask(github, url, known, &answer, err) != 0)
        return -1;
    *changed = !answer.unchanged;
    if (answer.unchanged)
        return 0;
    const json_t *list = key == NULL ? answer.json : json_object_get(answer.json, key);
    if (!json_is_array(list) || json_array_size(list) > GITHUB_PAGE)
        return err_set(err, ERR_INPUT, "GET %.200s: expected a list of at most %d", url,
                       GITHUB_PAGE);
    for (size_t i = 0; i < json_array_size(list); i++)
        each(context, json_array_get(list, i));
    keep(known, &answer);
    return 0;
}

/* ---- pull requests ---- */

/* What one of them says must not hide the others. */
static void take_pull(void *context, const json_t *item)
{
    struct github_pulls *pulls = context;
    struct err ignored;
    struct github_pull *pull = &pulls->list[pulls->count];
    pulls->count += github_read_pull(item, "pull request", pull, &ignored) == 0 && pull->open;
}

int github_list_pulls(const struct github *github, const char *branch, unsigned page,
                      struct github_known *known, bool *changed, struct github_pulls *out,
                      struct err *err)
{
    BUF_AUTO url;
    if (github_url(github, &url, err,
                   "/pulls?state=open&sort=created&direction=asc&per_page=%d&page=%u&base=",
                   GITHUB_PAGE, page) != 0)
        return -1;
    http_escape(&url, branch);
    if (url.failed)
        return github_url_too_long(url.data, err);
    struct github_pulls pulls = {.count = 0};
    if (ask_list(github, url.data, NULL, known, changed, take_pull, &pulls, err) != 0)
        return -1;
    if (*changed)
        *out = pulls;
    return 0;
}

/* ---- the branch ---- */

int github_watch_tip(const struct github *github, const char *branch,
                     struct github_known *known, bool *changed, char sha[MODEL_SHA_BYTES],
                     struct err *err)
{
    GITHUB_ANSWER_AUTO answer = {0};
    BUF_AUTO url;
    json_t *object = NULL;
    if (github_url(github, &url, err, "/git/ref/heads%%2F") != 0)
        return -1;
    http_escape(&url, branch);
    if (url.failed)
        return github_url_too_long(url.data, err);
    if (ask(github, url.data, known, &answer, err) != 0)
        return -1;
    struct json_at root = {.key = url.data}, at = {.parent = &root, .key = "object"};
    *changed = !answer.unchanged;
    if (answer.unchanged)
        return 0;
    if (!json_is_object(answer.json))
        return err_set(err, ERR_INPUT, "GET %.200s: expected an object", url.data);
    if (json_get_object(answer.json, "object", &root, &object, err) != 0 ||
        json_get_sha(object, "sha", &at, sha, err) != 0)
        return -1;
    keep(known, &answer);
    return 0;
}

int github_branch_tip(const struct github *github, const char *branch,
                      char sha[MODEL_SHA_BYTES], struct err *err)
{
    struct github_known none = {.etag = ""};
    bool ignored;
    return github_watch_tip(github, branch, &none, &ignored, sha, err);
}

static bool is_below(const json_t *file, const char *folder)
{
    const char *name = github_text(file, "filename");
    const char *before = github_text(file, "previous_filename");
    size_t len = strlen(folder);
    return name != NULL && strncmp(name, folder, len) == 0 &&
           (before == NULL || strncmp(before, folder, len) == 0);
}

int github_get_commit(const struct github *github, const char *sha, const char *folder,
                      struct buf *message, char parent[MODEL_SHA_BYTES], bool *inside,
                      struct err *err)
{
    struct github_budget budget = github_budget(github);
    GITHUB_ANSWER_AUTO answer = {0};
    BUF_AUTO url;
    if (github_url(github, &url, err, "/commits/%.40s", sha) != 0 ||
        github_get_object(github, &budget, url.data, &answer, err) != 0)
        return -1;
    const char *text = github_text_of(answer.json, "commit", "message");
    const json_t *parents = json_object_get(answer.json, "parents");
    const json_t *files = json_object_get(answer.json, "files");
    const char *first = github_text(json_array_get(parents, 0), "sha");
    bool one = json_array_size(parents) == 1 && first != NULL && name_is_sha(first);
    *inside = json_array_size(files) > 0 && json_array_size(files) <= FILES_MAX;
    for (size_t i = 0; *inside && i < json_array_size(files); i++)
        *inside = is_below(json_array_get(files, i), folder);
    snprintf(parent, MODEL_SHA_BYTES, "%s", one ? first : "");
    buf_clear(message);
    buf_adds(message, text == NULL ? "" : text);
    return buf_check(message, "a commit's message", err);
}

/* ---- comments ---- */

/* The digits behind the last slash of "…/issues/7". */
static int number_of(const char *url)
{
    const char *digits = url == NULL ? NULL : strrchr(url, '/');
    long long number = 0;
    for (const char *c = digits == NULL ? "" : digits + 1; *c != '\0'; c++) {
        if (*c < '0' || *c > '9' || number > INT_MAX)
            return 0;
        number = number * 10 + (*c - '0');
    }
    return number <= INT_MAX ? (int)number : 0;
}

static void first_line(const char *body, char out[GITHUB_WORD_BYTES])
{
    size_t len = body == NULL ? 0 : strcspn(body, "\r\n");
    out[0] = '\0';
    if (len < GITHUB_WORD_BYTES && body != NULL)
        snprintf(out, GITHUB_WORD_BYTES, "%.*s", (int)len, body);
}

static void take_remark(void *context, const json_t *item)
{
    struct github_remarks *remarks = context;
    struct github_remark *remark = &remarks->list[remarks->count];
    const json_t *id = json_object_get(item, "id");
    char url[JOB_URL_BYTES];
    if (!json_is_integer(id) || json_integer_value(id) <= 0)
        return;
    *remark = (struct github_remark){.id = json_integer_value(id)};
    github_html_url(item, url);
    if (strstr(url, "/pull/") != NULL)
        remark->pr = number_of(github_text(item, "issue_url"));
    remark->edited = github_is_edited(item);
    if (github_is_person(item, "user"))
        github_copy(remark->login, sizeof remark->login,
                    github_text_of(item, "user", "login"));
    first_line(github_text(item, "body"), remark->line);
    remarks->count++;
}

int github_list_remarks(const struct github *github, unsigned page, struct github_known *known,
                        bool *changed, struct github_remarks *out, struct err *err)
{
    BUF_AUTO url;
    if (github_url(github, &url, err,
                   "/issues/comments?sort=created&direction=desc&per_page=%d&page=%u",
                   GITHUB_PAGE, page) != 0)
        return -1;
    struct github_remarks remarks = {.count = 0};
    if (ask_list(github, url.data, NULL, known, changed, take_remark, &remarks, err) != 0)
        return -1;
    if (*changed)
        *out = remarks;
    return 0;
}

/* ---- runs ---- */

static void take_person(const json_t *item, const char *key, char out[GITHUB_LOGIN_BYTES])
{
    if (github_is_person(item, key))
        github_copy(out, GITHUB_LOGIN_BYTES, github_text_of(item, key, "login"));
}

static void take_run(void *context, const json_t *item)
{
    struct github_runs *runs = context;
    struct github_run *run = &runs->list[runs->count];
    const json_t *id = json_object_get(item, "id");
    const json_t *attempt = json_object_get(item, "run_attempt");
    const char *event = github_text(item, "event");
    if (!json_is_integer(id) || json_integer_value(id) <= 0 || !json_is_integer(attempt) ||
        json_integer_value(attempt) <= 0 || json_integer_value(attempt) > INT_MAX ||
        event == NULL || strcmp(event, "workflow_dispatch") != 0)
        return;
    *run = (struct github_run){.id = json_integer_value(id),
                               .attempt = (int)json_integer_value(attempt)};
    first_line(github_text(item, "display_title"), run->name);
    take_person(item, "actor", run->actor);
    take_person(item, "triggering_actor", run->again);
    runs->count++;
}

int github_list_runs(const struct github *github, unsigned page, struct github_known *known,
                     bool *changed, struct github_runs *out, struct err *err)
{
    BUF_AUTO url;
    if (github_url(github, &url, err,
                   "/actions/runs?event=workflow_dispatch&per_page=%d&page=%u", GITHUB_PAGE,
                   page) != 0)
        return -1;
    struct github_runs runs = {.count = 0};
    if (ask_list(github, url.data, "workflow_runs", known, changed, take_run, &runs, err) != 0)
        return -1;
    if (*changed)
        *out = runs;
    return 0;
}
