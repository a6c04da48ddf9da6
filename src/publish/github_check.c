/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which check run a verdict goes to, and what GitHub makes of its conclusion. */
#include "publish/github_check.h"

#include <stdio.h>
#include <string.h>

/* Ours of that name that is in progress; 0: there is none. */
static long long open_one(const json_t *runs, const char *author)
{
    const json_t *run;
    size_t i;
    json_array_foreach(runs, i, run)
    {
        const char *status = github_text(run, "status");
        const char *slug = github_text_of(run, "app", "slug");
        size_t len = slug == NULL ? 0 : strlen(slug);
        if (status != NULL && strcmp(status, "completed") != 0 && len > 0 &&
            strncmp(author, slug, len) == 0 && strcmp(author + len, "[bot]") == 0)
            return (long long)json_integer_value(json_object_get(run, "id"));
    }
    return 0;
}

static int find_open(const struct github *github, struct github_budget *budget,
                     const char *sha, const char *name, long long *id, struct err *err)
{
    BUF_AUTO url;
    BUF_AUTO escaped;
    buf_init(&escaped, GITHUB_URL_BYTES);
    http_escape(&escaped, name);
    GITHUB_ANSWER_AUTO answer = {0};
    if (github_url(github, &url, err, "/commits/%.40s/check-runs?filter=latest&check_name=%s",
                   sha, escaped.data) != 0 ||
        github_get_object(github, budget, url.data, &answer, err) != 0)
        return -1;
    *id = open_one(json_object_get(answer.json, "check_runs"), github->author);
    return 0;
}

/* GitHub takes "neutral" and "skipped" for passed, so what is neither held nor regressed is a failure,
 * too. */
static json_t *check_body(const char *sha, const char *name, const char *state,
                          const char *title, const char *url)
{
    bool pending = strcmp(state, "pending") == 0;
    const char *conclusion = strcmp(state, "success") == 0 ? "success" : "failure";
    json_t *body = json_object(), *output = json_object();
    bool failed = body == NULL || output == NULL;
    json_put(body, "name", json_string(name), &failed);
    if (sha != NULL)
        json_put(body, "head_sha", json_string(sha), &failed);
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

int github_set_check(const struct github *github, struct github_budget *budget,
                     const char *sha, const char *name, const char *state, const char *title,
                     const char *url, struct err *err)
{
    long long id = 0;
    if (find_open(github, budget, sha, name, &id, err) != 0)
        return -1;
    JSON_AUTO *body = check_body(id == 0 ? sha : NULL, name, state, title, url);
    if (body == NULL)
        return err_set(err, ERR_INPUT, "check run `%.100s`: not UTF-8, or out of memory",
                       name);
    BUF_AUTO where;
    int addressed = id == 0 ? github_url(github, &where, err, "/check-runs")
                            : github_url(github, &where, err, "/check-runs/%lld", id);
    if (addressed != 0)
        return -1;
    struct github_request request = {
        .method = id == 0 ? "POST" : "PATCH", .url = where.data, .body = body};
    GITHUB_ANSWER_AUTO answer = {0};
    return github_call(github, budget, &request, &answer, NULL, err);
}
