/* SPDX-License-Identifier: Apache-2.0 */
/* Owns who put a label on a pull request, and whether its head is older than that. */
#include "publish/github.h"

#include "base/name.h"
#include "publish/github_call.h"

#include <string.h>
#include <strings.h>

struct label_search {
    const char *label;
    bool on;        /* the last event put it on */
    char login[64]; /* by this account; "" once that is deleted */
    bool person;    /* … which is one's */
    char when[GITHUB_TIME_BYTES];
};

void github_copy_time(char out[GITHUB_TIME_BYTES], const char *text)
{
    static const char form[] = "0000-00-00T00:00:00Z";
    out[0] = '\0';
    if (text == NULL || strlen(text) != sizeof form - 1)
        return;
    for (size_t i = 0; i < sizeof form - 1; i++)
        if (form[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
            return;
    memcpy(out, text, sizeof form);
}

static int look_at_event(void *context, const json_t *item, struct err *err)
{
    (void)err;
    struct label_search *search = context;
    const char *event = github_text(item, "event");
    const char *label = github_text_of(item, "label", "name");
    if (event == NULL || label == NULL || strcasecmp(label, search->label) != 0)
        return 0;
    if (strcmp(event, "labeled") == 0) {
        search->on = true;
        search->person = github_is_person(item, "actor");
        github_copy(search->login, sizeof search->login,
                    github_text_of(item, "actor", "login"));
        github_copy_time(search->when, github_text(item, "created_at"));
    } else if (strcmp(event, "unlabeled") == 0) {
        search->on = false;
    }
    return 0;
}

int github_who_labeled(const struct github *github, int pr, const char *label, char login[64],
                       char when[GITHUB_TIME_BYTES], bool *may_write, struct err *err)
{
    struct err own;
    err = err == NULL ? &own : err;
    struct github_budget budget = github_budget(github);
    BUF_AUTO url;
    if (github_url(github, &url, err, "/issues/%d/events?per_page=100", pr) != 0)
        return -1;
    struct label_search search = {.label = label};
    if (github_walk(github, &budget, url.data, look_at_event, &search, NULL, err) < 0)
        return -1;
    if (!search.on || search.login[0] == '\0' || strspn(search.login, ".") != 0)
        return err_set(err, ERR_NOT_FOUND, "#%d of %s: nobody put label `%.64s` on it", pr,
                       github->repository, label);
    bool may = false;
    if (search.person && github_ask_permission(github, &budget, search.login, &may, err) != 0)
        return -1;
    memcpy(login, search.login, sizeof search.login);
    memcpy(when, search.when, sizeof search.when);
    *may_write = may;
    return 0;
}

/* ---- since when it has its head ---- */

struct push_search {
    const char *branch, *sha;
    bool still;
    char when[GITHUB_TIME_BYTES]; /* "": not found */
};

/* Newest first. */
static int look_at_push(void *context, const json_t *item, struct err *err)
{
    (void)err;
    static const char heads[] = "refs/heads/";
    struct push_search *search = context;
    const char *ref = github_text(item, "ref"), *after = github_text(item, "after");
    if (ref == NULL || after == NULL || strncmp(ref, heads, sizeof heads - 1) != 0 ||
        strcmp(ref + sizeof heads - 1, search->branch) != 0)
        return 0;
    if (strcmp(after, search->sha) != 0)
        return search->still;
    github_copy_time(search->when, github_text(item, "timestamp"));
    return 1;
}

int github_pushed_at(const struct github *github, const char *branch, const char *sha,
                     bool still, char when[GITHUB_TIME_BYTES], struct err *err)
{
    struct github_budget budget = github_budget(github);
    struct push_search search = {.branch = branch, .sha = sha, .still = still};
    BUF_AUTO url;
    if (github_url(github, &url, err, "/activity?per_page=100&ref=refs%%2Fheads%%2F") != 0)
        return -1;
    http_escape(&url, branch);
    if (url.failed)
        return github_url_too_long(url.data, err);
    if (github_walk(github, &budget, url.data, look_at_push, &search, NULL, err) != 0)
        return -1;
    if (search.when[0] == '\0')
        return err_set(err, ERR_NOT_FOUND, "%s knows of no push of %.12s to `%.100s`",
                       github->repository, sha, branch);
    memcpy(when, search.when, sizeof search.when);
    return 0;
}

/* A fork's is asked for there; the token has no rights in it, and needs none where it is public. */
int github_head_pushed_at(const struct github *github, const struct github_pull *pull,
                          bool still, char when[GITHUB_TIME_BYTES], struct err *err)
{
    struct github there = *github;
    if (!name_is_repository(pull->head_repository, JOB_REPOSITORY_BYTES) ||
        pull->head_ref[0] == '\0')
        return err_set(err, ERR_NOT_FOUND, "the fork is gone");
    there.repository = pull->head_repository;
    return github_pushed_at(&there, pull->head_ref, pull->head, still, when, err);
}
