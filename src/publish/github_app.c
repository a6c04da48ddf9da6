/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what an App asks for itself: its installation, a token, its end. */
#include "publish/github_app.h"

#include "base/utc.h"
#include "publish/github_call.h"

#include <stdio.h>
#include <string.h>

/* What calls of github.h need, and the most of it that is asked for. Only a promotion pushes. */
static const struct {
    const char *name, *level, *pushing;
} wanted[] = {
    {"metadata", "read", "read"},        {"contents", "read", "write"},
    {"pull_requests", "write", "write"}, {"statuses", "write", "write"},
    {"checks", "write", "write"},        {"issues", "read", "read"},
    {"actions", "read", "read"},
};

static int app_url(const struct github *github, struct buf *out, struct err *err,
                   const char *path)
{
    buf_init(out, GITHUB_URL_BYTES);
    buf_addf(out, "%s%s", github->api, path);
    return out->failed ? github_url_too_long(github->api, err) : 0;
}

static bool may(const json_t *granted, const char *name, const char *level)
{
    const char *held = github_text(granted, name);
    return held != NULL && (strcmp(held, level) == 0 || strcmp(held, "write") == 0);
}

/* GitHub refuses to make a token with a permission that the installation was not granted, so what is
 * asked for is the lesser of both. */
static json_t *token_body(const struct github *github, bool may_push, const json_t *granted)
{
    json_t *body = json_object(), *names = json_array(), *permissions = json_object();
    bool failed = body == NULL || names == NULL || permissions == NULL;
    json_push(names, json_string(strchr(github->repository, '/') + 1), &failed);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        const char *most = may_push ? wanted[i].pushing : wanted[i].level;
        const char *level = may(granted, wanted[i].name, most)     ? most
                            : may(granted, wanted[i].name, "read") ? "read"
                                                                   : NULL;
        if (level != NULL)
            json_put(permissions, wanted[i].name, json_string(level), &failed);
    }
    json_put(body, "repositories", names, &failed);
    json_put(body, "permissions", permissions, &failed);
    if (failed)
        json_free(&body);
    return body;
}

/* Refusals in words that say what to do. */
static int explain(const struct github *github, const struct github_failure *failure,
                   struct err *err)
{
    switch (failure->status) {
    case 401:
        return err_set(
            err, ERR_AUTH,
            "GitHub does not know this App: is `app` its id, `app-key` its key, and "
            "this host's clock right? (%.200s)",
            failure->message);
    case 403:
        return err_set(err, ERR_AUTH, "the App may not be used on `%s`: %.200s",
                       github->repository, failure->message);
    case 404:
        return err_set(
            err, ERR_AUTH,
            "the App is not installed on `%s`: its owner does that on GitHub, in the "
            "App's settings, Install App",
            github->repository);
    case 422:
        return err_set(
            err, ERR_AUTH,
            "GitHub makes no token of the App's for `%s`: if that was renamed, rename "
            "its section in ratchetd.conf, and the addresses in it (%.200s)",
            github->repository, failure->message);
    default:
        return -1;
    }
}

/* The installation on this repository: its number, what it was granted, the App's name. */
static int find_installation(const struct github *github, struct github_budget *budget,
                             struct github_answer *answer, struct err *err)
{
    BUF_AUTO url;
    if (github_url(github, &url, err, "/installation") != 0)
        return -1;
    struct github_request request = {.method = "GET", .url = url.data};
    struct github_failure failure;
    if (github_call(github, budget, &request, answer, &failure, err) != 0)
        return explain(github, &failure, err);
    if (!json_is_integer(json_object_get(answer->json, "id")) ||
        github_text(answer->json, "app_slug") == NULL)
        return err_set(err, ERR_INPUT, "GET %.200s: names no installation", url.data);
    if (github_text(answer->json, "suspended_at") != NULL)
        return err_set(err, ERR_AUTH, "the App's installation on `%s` is suspended",
                       github->repository);
    return 0;
}

int github_app_token(const struct github *github, bool may_push, struct github_installed *out,
                     struct err *err)
{
    struct github_budget budget = github_budget(github);
    GITHUB_ANSWER_AUTO found = {0}, made = {0};
    if (find_installation(github, &budget, &found, err) != 0)
        return -1;
    char path[96];
    snprintf(path, sizeof path, "/app/installations/%lld/access_tokens",
             (long long)json_integer_value(json_object_get(found.json, "id")));
    BUF_AUTO url;
    if (app_url(github, &url, err, path) != 0)
        return -1;
    const json_t *granted = json_object_get(found.json, "permissions");
    JSON_AUTO *body = token_body(github, may_push, granted);
    if (body == NULL)
        return err_set(err, ERR_HOST, "out of memory");
    struct github_request request = {.method = "POST", .url = url.data, .body = body};
    struct github_failure failure;
    if (github_call(github, &budget, &request, &made, &failure, err) != 0)
        return explain(github, &failure, err);
    const char *ends = github_text(made.json, "expires_at");
    *out = (struct github_installed){.checks = may(granted, "checks", "write"),
                                     .ends_s = ends == NULL ? -1 : utc_seconds(ends)};
    github_copy(out->token, sizeof out->token, github_text(made.json, "token"));
    int length = snprintf(out->author, sizeof out->author, "%s[bot]",
                          github_text(found.json, "app_slug"));
    if (out->token[0] == '\0' || length >= (int)sizeof out->author)
        return err_set(err, ERR_INPUT, "POST %.200s: no token that could be used", url.data);
    return 0;
}

int github_app_revoke(const struct github *github, struct err *err)
{
    struct github_budget budget = github_budget(github);
    BUF_AUTO url;
    if (app_url(github, &url, err, "/installation/token") != 0)
        return -1;
    struct github_request request = {.method = "DELETE", .url = url.data};
    GITHUB_ANSWER_AUTO answer = {0};
    return github_call(github, &budget, &request, &answer, NULL, err);
}
