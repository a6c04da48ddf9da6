/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what a person may, and who started a run by hand. */
#include "publish/github_call.h"

#include <stdio.h>
#include <string.h>

int github_ask_permission(const struct github *github, struct github_budget *budget,
                          const char *login, bool *may_write, struct err *err)
{
    BUF_AUTO url;
    if (github_url(github, &url, err, "/collaborators/") != 0)
        return -1;
    http_escape(&url, login);
    buf_adds(&url, "/permission");
    GITHUB_ANSWER_AUTO answer = {0};
    bool may = false;
    /* Somebody who is no collaborator is 404 there: an answer, not trouble. */
    if (github_get_object(github, budget, url.data, &answer, err) != 0) {
        if (err->class != ERR_NOT_FOUND)
            return -1;
    } else {
        const char *permission = github_text(answer.json, "permission");
        const char *role = github_text(answer.json, "role_name");
        may = (permission != NULL &&
               (strcmp(permission, "admin") == 0 || strcmp(permission, "write") == 0)) ||
              (role != NULL && strcmp(role, "maintain") == 0);
    }
    *may_write = may;
    return 0;
}

int github_may_write(const struct github *github, const char *login, bool *may_write,
                     struct err *err)
{
    struct github_budget budget = github_budget(github);
    if (strspn(login, ".") == strlen(login))
        return *may_write = false, 0;
    return github_ask_permission(github, &budget, login, may_write, err);
}

/* A login of dots alone would be another address. */
bool github_is_person(const json_t *object, const char *key)
{
    const char *login = github_text_of(object, key, "login");
    const char *type = github_text_of(object, key, "type");
    return login != NULL && strspn(login, ".") != strlen(login) &&
           strlen(login) < GITHUB_LOGIN_BYTES && type != NULL && strcmp(type, "User") == 0 &&
           !json_has(object, "performed_via_github_app");
}

bool github_is_edited(const json_t *comment)
{
    const char *made = github_text(comment, "created_at");
    const char *changed = github_text(comment, "updated_at");
    return made == NULL || changed == NULL || strcmp(made, changed) != 0;
}

/* ---- runs ---- */

enum { STARTERS = 2 };

/* Who has a hand in the run: whoever started it first, whose its inputs are, and whoever started it now.
 * An account that is deleted has no name, and that is nobody who may write. */
static int find_starters(const char *run, const json_t *answer,
                         char logins[STARTERS][GITHUB_LOGIN_BYTES], struct err *err)
{
    static const char *const keys[STARTERS] = {"actor", "triggering_actor"};
    const char *event = github_text(answer, "event"), *status = github_text(answer, "status");
    if (event == NULL || strcmp(event, "workflow_dispatch") != 0)
        return err_set(err, ERR_INPUT, "run %s was not started by hand", run);
    if (status == NULL || strcmp(status, "completed") == 0)
        return err_set(err, ERR_INPUT, "run %s is over", run);
    for (size_t i = 0; i < STARTERS; i++) {
        github_copy(logins[i], GITHUB_LOGIN_BYTES, github_text_of(answer, keys[i], "login"));
        if (strspn(logins[i], ".") == strlen(logins[i]))
            return err_set(err, ERR_INPUT, "GitHub does not say who started run %s", run);
    }
    return 0;
}

int github_who_started(const struct github *github, const char *run,
                       char login[GITHUB_LOGIN_BYTES], bool *may_write, struct err *err)
{
    struct github_budget budget = github_budget(github);
    char logins[STARTERS][GITHUB_LOGIN_BYTES];
    GITHUB_ANSWER_AUTO answer = {0};
    BUF_AUTO url;
    if (github_url(github, &url, err, "/actions/runs/%s", run) != 0 ||
        github_get_object(github, &budget, url.data, &answer, err) != 0 ||
        find_starters(run, answer.json, logins, err) != 0)
        return -1;
    bool may = true;
    size_t count = strcmp(logins[0], logins[1]) == 0 ? 1 : STARTERS, last = 0;
    for (size_t i = 0; i < count && may; i++) {
        last = i;
        if (github_ask_permission(github, &budget, logins[i], &may, err) != 0)
            return -1;
    }
    memcpy(login, logins[last], GITHUB_LOGIN_BYTES);
    *may_write = may;
    return 0;
}
