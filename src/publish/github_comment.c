/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the one comment of ours per pull request and marker: finding it among everybody's,
 * changing it, and never posting it twice. Does not know what it says. */
#include "publish/github_call.h"

#include <string.h>
#include <strings.h>

/* What is looked for, and the oldest that was found. */
struct search {
    const char *author;
    const char *marker;
    const struct buf *body; /* what the comment is to say */
    long long id;           /* 0: none yet */
    bool same;              /* it says so already */
    char url[JOB_URL_BYTES];
};

static bool starts_with_line(const char *text, size_t len, const char *line)
{
    size_t want = strlen(line);
    return len >= want && memcmp(text, line, want) == 0 &&
           (len == want || text[want] == '\n' || text[want] == '\r');
}

/* Anybody can write our marker; only the author cannot be forged. */
static int look_at(void *context, const json_t *item, struct err *err)
{
    (void)err;
    struct search *search = context;
    const char *login = github_text_of(item, "user", "login");
    const json_t *body = json_object_get(item, "body");
    const json_t *id = json_object_get(item, "id");
    if (login == NULL || strcasecmp(login, search->author) != 0 || !json_is_string(body) ||
        !json_is_integer(id) || json_integer_value(id) <= 0)
        return 0;
    const char *text = json_string_value(body);
    size_t len = json_string_length(body);
    if (!starts_with_line(text, len, search->marker) ||
        (search->id != 0 && search->id <= json_integer_value(id)))
        return 0;
    search->id = json_integer_value(id);
    search->same = len == search->body->len && memcmp(text, search->body->data, len) == 0;
    github_html_url(item, search->url);
    return 0;
}

/* 100 comments of the greatest length do not fit in the ceiling on one answer; a stranger
 * who writes them must not silence us. */
static int find_ours(const struct github *github, struct github_budget *budget,
                     const char *list_url, struct search *search, struct err *err)
{
    static const int per_page[] = {100, 10};
    for (size_t i = 0;; i++) {
        BUF_AUTO url;
        buf_init(&url, HTTP_HEADER_BYTES);
        buf_addf(&url, "%s?per_page=%d", list_url, per_page[i]);
        search->id = 0;
        int result = github_walk(github, budget, url.data, look_at, search, NULL, err);
        if (result == 0 || err->class != ERR_LIMIT ||
            i + 1 == sizeof per_page / sizeof per_page[0])
            return result;
    }
}

/* Where it is, is told in `comment`. */
static int send_body(const struct github *github, struct github_budget *budget,
                     const char *method, const char *url, const struct buf *body,
                     struct github_comment *comment, struct github_failure *failure,
                     struct err *err)
{
    JSON_AUTO *json = json_object();
    bool failed = json == NULL;
    json_put(json, "body", json_stringn(body->data, body->len), &failed);
    if (failed)
        return err_set(err, ERR_INPUT, "%s %.200s: the comment is not UTF-8", method, url);
    struct github_request request = {
        .method = method, .url = url, .body = json, .once = strcmp(method, "POST") == 0};
    GITHUB_ANSWER_AUTO answer = {0};
    if (github_call(github, budget, &request, &answer, failure, err) != 0)
        return -1;
    github_html_url(answer.json, comment->url);
    comment->id = json_integer_value(json_object_get(answer.json, "id"));
    return 0;
}

static int patch(const struct github *github, struct github_budget *budget, long long id,
                 const struct buf *body, struct github_comment *comment, struct err *err)
{
    BUF_AUTO url;
    if (github_url(github, &url, err, "/issues/comments/%lld", id) != 0)
        return -1;
    return send_body(github, budget, "PATCH", url.data, body, comment, NULL, err);
}

static int upsert(const struct github *github, const char *list_url, const struct buf *body,
                  struct github_comment *comment, struct err *err)
{
    struct github_budget budget = github_budget(github);
    struct search search = {.author = github->author, .marker = comment->marker, .body = body};
    /* One that we remember may be deleted by now, or another account's. */
    if (comment->id > 0) {
        if (patch(github, &budget, comment->id, body, comment, err) == 0)
            return 0;
        if (err->class != ERR_NOT_FOUND && err->class != ERR_AUTH)
            return -1;
    }
    for (int vanished = 0;;) {
        if (find_ours(github, &budget, list_url, &search, err) < 0)
            return -1;
        if (search.id != 0 && search.same) {
            memcpy(comment->url, search.url, sizeof search.url);
            comment->id = search.id;
            return 0;
        }
        if (search.id != 0) {
            if (patch(github, &budget, search.id, body, comment, err) == 0)
                return 0;
            /* Deleted since we looked. Not found for ever means that we may not change
             * it. */
            if (err->class != ERR_NOT_FOUND || ++vanished == 2)
                return -1;
            continue;
        }
        struct github_failure failure = {0};
        if (send_body(github, &budget, "POST", list_url, body, comment, &failure, err) == 0)
            return 0;
        if (!failure.lost || github_pause(&budget, err) != 0)
            return -1;
    }
}

int github_upsert_comment(const struct github *github, struct github_comment *comment,
                          struct err *err)
{
    BUF_AUTO list_url;
    if (github_url(github, &list_url, err, "/issues/%d/comments", comment->pr) != 0)
        return -1;
    BUF_AUTO text;
    buf_init(&text, comment->len + strlen(comment->marker) + 1);
    if (!starts_with_line(comment->body, comment->len, comment->marker))
        buf_addf(&text, "%s\n", comment->marker); /* or the next call would not find it */
    buf_add(&text, comment->body, comment->len);
    /* The address of a page is longer by its query. */
    bool too_long = list_url.len > GITHUB_URL_BYTES - 32;
    if (too_long || text.failed)
        return err_set(err, ERR_INPUT, "comment on #%d of %.150s: address or text is too long",
                       comment->pr, github->repository);
    return upsert(github, list_url.data, &text, comment, err);
}
