/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the status of a commit, and how its description is cut to what GitHub takes. */
#include "publish/github.h"

#include "base/scan.h"
#include "publish/github_check.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { DESCRIPTION_UNITS = 140 };

/* One line of characters that can be seen, in the units of UTF-16, which GitHub counts. */
static void cut_description(const char *text, struct buf *out)
{
    size_t units = 0;
    size_t room = 0; /* length of `out` where an ellipsis would still fit */
    const char *end = text + strlen(text);
    for (uint32_t c; (c = scan_next(&text, end)) != SCAN_END;) {
        units += c > 0xffff ? 2 : 1;
        if (units > DESCRIPTION_UNITS) {
            out->len = room;
            buf_adds(out, "…");
            return;
        }
        scan_put(out, c == '\n' || c == '\t' ? ' ' : c);
        if (units <= DESCRIPTION_UNITS - 1)
            room = out->len;
    }
}

static json_t *status_body(const char *context, const char *state, const char *description,
                           const char *target_url)
{
    json_t *json = json_object();
    bool failed = json == NULL;
    json_put(json, "state", json_string(state), &failed);
    json_put(json, "context", json_string(context), &failed);
    json_put(json, "description", json_string(description), &failed);
    if (target_url != NULL)
        json_put(json, "target_url", json_string(target_url), &failed);
    if (failed)
        json_free(&json);
    return json;
}

/* One that arrives twice says the same twice: it may be sent again when an answer is lost. */
static int post_status(const struct github *github, struct github_budget *budget,
                       const char *sha, const char *context, const char *state,
                       const char *description, const char *target_url, struct err *err)
{
    BUF_AUTO url;
    if (github_url(github, &url, err, "/statuses/%.40s", sha) != 0)
        return -1;
    JSON_AUTO *body = status_body(context, state, description, target_url);
    if (body == NULL)
        return err_set(err, ERR_INPUT, "status `%.100s`: not UTF-8, or out of memory",
                       context);
    struct github_request request = {.method = "POST", .url = url.data, .body = body};
    GITHUB_ANSWER_AUTO answer = {0};
    return github_call(github, budget, &request, &answer, NULL, err);
}

static int set(const struct github *github, bool as_check, const char *sha,
               const char *context, const char *state, const char *description,
               const char *target_url, struct err *err)
{
    struct github_budget budget = github_budget(github);
    BUF_AUTO text;
    buf_init(&text, 1024);
    cut_description(description == NULL ? "" : description, &text);
    bool is_web = target_url != NULL && (strncmp(target_url, "https://", 8) == 0 ||
                                         strncmp(target_url, "http://", 7) == 0);
    return (as_check ? github_set_check : post_status)(
        github, &budget, sha, context, state, text.data, is_web ? target_url : NULL, err);
}

int github_set_status(const struct github *github, const char *sha, const char *context,
                      const char *state, const char *description, const char *target_url,
                      struct err *err)
{
    struct err own;
    return set(github, github->checks, sha, context, state, description, target_url,
               err == NULL ? &own : err);
}

/* The newest statuses of a context come first: ours, or what was set after it; then the one before. */
struct guard {
    const char *author;                   /* NULL: the newest is looked at, whoever set it */
    const char *context, *state, *target; /* as it was set; target may be NULL */
    unsigned found;
    bool overwritten;
    char seen[MODEL_TEXT_BYTES];
};

/* Our own, of this run or of no run, which GitHub carried out after what came behind it. */
static bool is_late(const struct guard *guard, const json_t *item, const char *state)
{
    const char *target = github_text(item, "target_url");
    return strcmp(state, "pending") == 0 && strcmp(guard->state, state) != 0 &&
           (target == NULL || (guard->target != NULL && strcmp(target, guard->target) == 0));
}

static int look_at_status(void *context, const json_t *item, struct err *err)
{
    (void)err;
    struct guard *guard = context;
    const char *slot = github_text(item, "context");
    const char *state = github_text(item, "state");
    const char *who = github_text_of(item, "creator", "login");
    if (slot == NULL || state == NULL || strcasecmp(slot, guard->context) != 0)
        return 0;
    bool newest = guard->found++ == 0;
    bool ours = guard->author != NULL && who != NULL && strcasecmp(who, guard->author) == 0;
    bool late = ours && newest && is_late(guard, item, state);
    if (who == NULL || (ours && !late) || strcmp(state, guard->state) == 0)
        return guard->author == NULL || guard->found == 2;
    guard->overwritten = newest;
    snprintf(guard->seen, sizeof guard->seen, "%.60s had set %.255s to %.16s%s", who, slot,
             state, guard->overwritten ? ": it is set again" : "");
    return 1;
}

int github_guard_status(const struct github *github, const char *sha, const char *context,
                        const char *state, const char *description, const char *target_url,
                        char seen[MODEL_TEXT_BYTES], struct err *err)
{
    struct github_budget budget = github_budget(github);
    /* Nobody else can change a check run. A status beside it, ours from before there were any or another's,
     * is asked for by the same name: one that waits would hold the merge up for ever. */
    struct guard guard = {.author = github->checks ? NULL : github->author,
                          .context = context,
                          .state = state,
                          .target = target_url};
    seen[0] = '\0';
    BUF_AUTO url;
    if (github_url(github, &url, err, "/commits/%.40s/statuses?per_page=100", sha) != 0 ||
        github_walk(github, &budget, url.data, look_at_status, &guard, NULL, err) < 0)
        return -1;
    memcpy(seen, guard.seen, sizeof guard.seen);
    return guard.overwritten
               ? set(github, false, sha, context, state, description, target_url, err)
               : 0;
}
