/* SPDX-License-Identifier: Apache-2.0 */
/* Owns whose word lets a fork's head run. A comment names the commit that its person has seen; a label
 * names none, so that only one which is newer than the push of the head can be about it. */
#include "publish/github.h"

#include "base/name.h"
#include "command.h"
#include "publish/github_call.h"

#include <stdio.h>
#include <string.h>

/* Strangers may write as many comments as they like, and as long ones: ten of 65536 characters, each
 * written as two escapes of JSON, are less than `http-bytes`. */
enum {
    HEARD_MAX = 8,     /* people whose permission is asked for, the latest */
    COMMENTS_MAX = 500 /* that are looked at, the oldest */
};
#define COMMENTS_URL "/issues/%d/comments?per_page=10"

/* ---- comments ---- */

struct search {
    const char *sha;
    /* who spoke about it, each once, the latest last */
    char heard[HEARD_MAX][GITHUB_LOGIN_BYTES];
    size_t count, seen;
    struct github_word *word;
};

static void hear(struct search *search, const char *login)
{
    size_t at = 0;
    while (at < search->count && strcmp(search->heard[at], login) != 0)
        at++;
    if (at == search->count && search->count < HEARD_MAX)
        search->count++;
    else if (at == search->count)
        at = 0; /* the one who spoke first gives way */
    memmove(search->heard[at], search->heard[at + 1],
            (search->count - 1 - at) * sizeof search->heard[0]);
    github_copy(search->heard[search->count - 1], GITHUB_LOGIN_BYTES, login);
}

/* Why a comment with the command is not its person's word about that head; NULL: it is. */
static const char *disqualified(const json_t *item, const char *named, const char *sha)
{
    if (!github_is_person(item, "user"))
        return "is no person's";
    if (github_is_edited(item))
        return "was edited";
    if (named[0] == '\0')
        return "does not name a commit by all of its 40 digits";
    return strcmp(named, sha) == 0 ? NULL : "is about another commit";
}

static int look_at_comment(void *context, const json_t *item, struct err *err)
{
    (void)err;
    struct search *search = context;
    char named[MODEL_SHA_BYTES];
    const char *body = github_text(item, "body");
    const char *login = github_text_of(item, "user", "login");
    if (search->seen++ == COMMENTS_MAX) {
        snprintf(search->word->why_not, sizeof search->word->why_not,
                 "what follows the first %d comments (use the label " LABEL_RUN ")",
                 COMMENTS_MAX);
        return 1;
    }
    if (body == NULL || !command_is_run(body, named))
        return 0;
    const char *why = disqualified(item, named, search->sha);
    if (why == NULL)
        hear(search, login);
    else
        snprintf(search->word->why_not, sizeof search->word->why_not,
                 "the comment of %.63s %s", login == NULL ? "an account that is gone" : login,
                 why);
    return 0;
}

static int ask_comments(const struct github *github, const struct github_pull *pull,
                        struct github_word *word, struct err *err)
{
    struct github_budget budget = github_budget(github);
    BUF_AUTO url;
    if (github_url(github, &url, err, COMMENTS_URL, pull->number) != 0)
        return -1;
    struct search search = {.sha = pull->head, .word = word};
    if (github_walk(github, &budget, url.data, look_at_comment, &search, NULL, err) < 0)
        return -1;
    for (size_t i = search.count; i > 0; i--) {
        bool may = false;
        const char *login = search.heard[i - 1];
        if (github_ask_permission(github, &budget, login, &may, err) != 0)
            return -1;
        if (may) {
            github_copy(word->login, sizeof word->login, login);
            return 0;
        }
        snprintf(word->why_not, sizeof word->why_not, "%s may not write to %s", login,
                 github->repository);
    }
    return 0;
}

/* ---- the label ---- */

static int ask_label(const struct github *github, const struct github_pull *pull,
                     struct github_word *word, struct err *err)
{
    char login[GITHUB_LOGIN_BYTES], labeled[GITHUB_TIME_BYTES], pushed[GITHUB_TIME_BYTES];
    struct err problem = {0};
    bool may = false;
    if (github_who_labeled(github, pull->number, LABEL_RUN, login, labeled, &may, &problem) !=
            0 ||
        (may && github_head_pushed_at(github, pull, true, pushed, &problem) != 0)) {
        if (problem.class != ERR_NOT_FOUND) {
            *err = problem;
            return -1;
        }
        snprintf(word->why_not, sizeof word->why_not, "label %s: %.150s", LABEL_RUN,
                 problem.text);
    } else if (!may) {
        snprintf(word->why_not, sizeof word->why_not,
                 "label %s: %s is no person who may write to %s", LABEL_RUN, login,
                 github->repository);
    } else if (labeled[0] == '\0' || strcmp(labeled, pushed) <= 0) {
        snprintf(word->why_not, sizeof word->why_not,
                 "label %s was not put on after the push of this head", LABEL_RUN);
    } else {
        github_copy(word->login, sizeof word->login, login);
    }
    return 0;
}

int github_find_word(const struct github *github, const struct github_pull *pull,
                     struct github_word *out, struct err *err)
{
    struct github_word word = {.login = ""};
    if (ask_comments(github, pull, &word, err) != 0 ||
        (word.login[0] == '\0' && github_has_label(pull, LABEL_RUN) &&
         ask_label(github, pull, &word, err) != 0))
        return -1;
    *out = word;
    return 0;
}
