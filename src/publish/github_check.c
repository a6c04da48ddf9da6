/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which check run a verdict goes to, and what GitHub makes of its conclusion. */
#include "publish/github_check.h"

#include <stdio.h>
#include <string.h>

static bool is_ours(const json_t *run, const char *author)
{
    const char *slug = github_text_of(run, "app", "slug");
    size_t len = slug == NULL ? 0 : strlen(slug);
    return len > 0 && strncmp(author, slug, len) == 0 && strcmp(author + len, "[bot]") == 0;
}

static bool is_completed(const json_t *run)
{
    const char *status = github_text(run, "status");
    return status == NULL || strcmp(status, "completed") == 0;
}

/* All of that name on a commit; `runs` is borrowed from the answer. */
static int list_runs(const struct github *github, struct github_budget *budget,
                     const char *sha, const char *name, struct github_answer *answer,
                     const json_t **runs, struct err *err)
{
    BUF_AUTO url;
    BUF_AUTO escaped;
    buf_init(&escaped, GITHUB_URL_BYTES);
    http_escape(&escaped, name);
    if (github_url(github, &url, err,
                   "/commits/%.40s/check-runs?filter=all&per_page=100&check_name=%s", sha,
                   escaped.data) != 0 ||
        github_get_object(github, budget, url.data, answer, err) != 0)
        return -1;
    *runs = json_object_get(answer->json, "check_runs");
    return 0;
}

/* GitHub takes "neutral" and "skipped" for passed, so what is neither held nor regressed is a failure,
 * too. */
static json_t *check_body(const char *name, const char *state, const char *title,
                          const char *url)
{
    bool pending = strcmp(state, "pending") == 0;
    const char *conclusion = strcmp(state, "success") == 0 ? "success" : "failure";
    json_t *body = json_object(), *output = json_object();
    bool failed = body == NULL || output == NULL;
    json_put(body, "name", json_string(name), &failed);
    json_put(body, "status", json_string(pending ? "in_progress" : "completed"), &failed);
    if (!pending)
        json_put(body, "conclusion", json_string(conclusion), &failed);
    if (url != NULL)
        json_put(body, "details_url", json_string(url), &failed);
    json_put(output, "title", json_string(title), &failed);
    json_put(output, "summary", json_string(title), &failed);
    json_put(body, "output", output, &failed);
    if (failed)
        json_free(&body);
    return body;
}

/* An earlier try whose answer was lost has said it already. */
static bool says_the_same(const json_t *run, const json_t *body)
{
    const json_t *url = json_object_get(body,
                                        "details_url"); /* where it says none, GitHub does */
    return json_equal(json_object_get(run, "conclusion"),
                      json_object_get(body, "conclusion")) &&
           (url == NULL || json_equal(json_object_get(run, "details_url"), url)) &&
           json_equal(json_object_get(json_object_get(run, "output"), "title"),
                      json_object_get(json_object_get(body, "output"), "title"));
}

static long long id_of(const json_t *run)
{
    return (long long)json_integer_value(json_object_get(run, "id"));
}

/* Every open one of ours comes to its end: one that were left would wait for ever. *done: one did, or the
 * newest says the same already. */
static int change_open(const struct github *github, struct github_budget *budget,
                       const json_t *runs, const json_t *body, bool *done, struct err *err)
{
    const json_t *run, *newest = NULL;
    size_t i;
    *done = false;
    json_array_foreach(runs, i, run)
    {
        if (!is_ours(run, github->author))
            continue;
        if (newest == NULL || id_of(run) > id_of(newest))
            newest = run;
        if (is_completed(run))
            continue;
        BUF_AUTO url;
        if (github_url(github, &url, err, "/check-runs/%lld", id_of(run)) != 0)
            return -1;
        struct github_request request = {.method = "PATCH", .url = url.data, .body = body};
        GITHUB_ANSWER_AUTO answer = {0};
        if (github_call(github, budget, &request, &answer, NULL, err) != 0)
            return -1;
        *done = true;
    }
    *done = *done || (newest != NULL && is_completed(newest) && says_the_same(newest, body));
    return 0;
}

int github_set_check(const struct github *github, struct github_budget *budget,
                     const char *sha, const char *name, const char *state, const char *title,
                     const char *url, struct err *err)
{
    GITHUB_ANSWER_AUTO listed = {0}, made = {0};
    const json_t *runs;
    bool done;
    BUF_AUTO where;
    if (github_url(github, &where, err, "/check-runs") != 0 ||
        list_runs(github, budget, sha, name, &listed, &runs, err) != 0)
        return -1;
    JSON_AUTO *body = check_body(name, state, title, url);
    if (body == NULL)
        return err_set(err, ERR_INPUT, "check run `%.100s`: not UTF-8, or out of memory",
                       name);
    if (change_open(github, budget, runs, body, &done, err) != 0)
        return -1;
    if (done)
        return 0;
    if (json_object_set_new(body, "head_sha", json_string(sha)) != 0)
        return err_set(err, ERR_HOST, "out of memory");
    struct github_request request = {
        .method = "POST", .url = where.data, .body = body, .once = true};
    return github_call(github, budget, &request, &made, NULL, err);
}
