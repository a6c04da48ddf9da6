/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which open pull request a branch or a commit means. */
#include "publish/github_call.h"

#include <limits.h>
#include <string.h>
#include <strings.h>

struct find {
    const char *branch; /* "": by `sha` */
    const char *sha;
    int number, other; /* that were found; 0: none */
};

/* Open, not of a fork (whose branch may have the same name), and that very branch or head. */
static int look_at(void *context, const json_t *item, struct err *err)
{
    (void)err;
    struct find *find = context;
    const json_t *head = json_object_get(item, "head");
    const json_t *base = json_object_get(item, "base");
    const json_t *number = json_object_get(item, "number");
    const char *ref = github_text(head, "ref"), *sha = github_text(head, "sha");
    const char *state = github_text(item, "state");
    const char *from = github_text_of(head, "repo", "full_name");
    const char *into = github_text_of(base, "repo", "full_name");
    bool meant = find->branch[0] != '\0' ? ref != NULL && strcmp(ref, find->branch) == 0
                                         : sha != NULL && strcmp(sha, find->sha) == 0;
    if (!meant || state == NULL || strcmp(state, "open") != 0 || from == NULL ||
        into == NULL || strcasecmp(from, into) != 0 || !json_is_integer(number) ||
        json_integer_value(number) < 1 || json_integer_value(number) > INT_MAX)
        return 0;
    int found = (int)json_integer_value(number);
    if (find->number == 0)
        find->number = found;
    else if (found != find->number)
        find->other = found;
    return find->other != 0;
}

static int make_url(const struct github *github, const struct find *find, struct buf *url,
                    struct err *err)
{
    if (find->branch[0] == '\0')
        return github_url(github, url, err, "/commits/%.40s/pulls?per_page=100", find->sha);
    if (github_url(github, url, err, "/pulls?state=open&per_page=100&head=%.*s%%3A",
                   (int)strcspn(github->repository, "/"), github->repository) != 0)
        return -1;
    http_escape(url, find->branch);
    return url->failed ? github_url_too_long(url->data, err) : 0;
}

int github_find_pull(const struct github *github, const char *branch, const char *sha,
                     int *number, struct err *err)
{
    static const char heads[] = "refs/heads/";
    struct find find = {.branch = branch == NULL ? "" : branch, .sha = sha};
    if (strncmp(find.branch, heads, sizeof heads - 1) == 0)
        find.branch += sizeof heads - 1;
    struct github_budget budget = github_budget(github);
    BUF_AUTO url;
    if (make_url(github, &find, &url, err) != 0 ||
        github_walk(github, &budget, url.data, look_at, &find, NULL, err) != 0)
        return -1;
    const char *what = find.branch[0] != '\0' ? find.branch : find.sha;
    if (find.number == 0)
        return err_set(err, ERR_NOT_FOUND,
                       "`%.100s` is the head of no open pull request of %s", what,
                       github->repository);
    if (find.other != 0)
        return err_set(err, ERR_INPUT,
                       "`%.100s` is the head of several open pull requests of %s, #%d and "
                       "#%d: name the one that is meant",
                       what, github->repository, find.number, find.other);
    *number = find.number;
    return 0;
}
