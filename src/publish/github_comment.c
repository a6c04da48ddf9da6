/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the one comment of ours per pull request: finding it among everybody's, changing a section
 * of it, never posting it twice, and losing nobody's section. Does not know what they say. */
#include "publish/github_call.h"

#include "publish/sections.h"

#include <string.h>
#include <strings.h>

enum {
    RACES_MAX = 3,
    /* Longer than another host needs between its look and its write: whatever it based on an older
     * text is there by then. */
    SETTLE_MS = 2000
};

/* The comment that is ours: what is looked for, and the oldest that was found. */
struct search {
    const char *author;
    const char *marker;
    long long id;    /* 0: none yet */
    struct buf text; /* what it says; owned */
    char url[JOB_URL_BYTES];
};

static void search_free(struct search *search)
{
    buf_free(&search->text);
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
    if (!sections_are(text, len, search->marker) ||
        (search->id != 0 && search->id <= json_integer_value(id)))
        return 0;
    search->id = json_integer_value(id);
    buf_clear(&search->text);
    buf_add(&search->text, text, len);
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
            return result == 0 ? buf_check(&search->text, "a comment", err) : result;
    }
}

/* What that one comment says now; id 0 where it is gone, or is not ours. */
static int read_comment(const struct github *github, struct github_budget *budget,
                        long long id, struct search *search, struct err *err)
{
    BUF_AUTO url;
    GITHUB_ANSWER_AUTO answer = {0};
    search->id = 0;
    if (github_url(github, &url, err, "/issues/comments/%lld", id) != 0)
        return -1;
    if (github_get_object(github, budget, url.data, &answer, err) != 0)
        return err->class == ERR_NOT_FOUND || err->class == ERR_AUTH ? 0 : -1;
    return look_at(search, answer.json, err) != 0 ? -1
                                                  : buf_check(&search->text, "a comment", err);
}

/* ---- writing ---- */

/* Where it is, is told in `search`. */
static int send_body(const struct github *github, struct github_budget *budget,
                     const char *method, const char *url, const struct buf *body,
                     struct search *search, struct github_failure *failure, struct err *err)
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
    github_html_url(answer.json, search->url);
    search->id = json_integer_value(json_object_get(answer.json, "id"));
    return 0;
}

static int patch(const struct github *github, struct github_budget *budget,
                 const struct buf *body, struct search *search, struct err *err)
{
    BUF_AUTO url;
    if (github_url(github, &url, err, "/issues/comments/%lld", search->id) != 0)
        return -1;
    return send_body(github, budget, "PATCH", url.data, body, search, NULL, err);
}

/* One that was made while another host made the first: what it said stands there now. */
static int delete_comment(const struct github *github, struct github_budget *budget,
                          long long id, struct err *err)
{
    BUF_AUTO url;
    GITHUB_ANSWER_AUTO answer = {0};
    if (github_url(github, &url, err, "/issues/comments/%lld", id) != 0)
        return -1;
    const struct github_request request = {.method = "DELETE", .url = url.data};
    int deleted = github_call(github, budget, &request, &answer, NULL, err);
    return deleted == 0 || err->class == ERR_NOT_FOUND ? 0 : -1;
}

/* The whole comment with our section in it. Alone it is as long as the caller made it. */
static int compose(const struct search *search, const struct buf *section, struct buf *out,
                   struct err *err)
{
    const struct buf *old = &search->text;
    bool shared = search->id != 0 && sections_have_others(old->data, old->len, search->marker);
    buf_init(out, shared ? GITHUB_COMMENT_BYTES : 2 * section->len);
    return sections_put(shared ? old->data : "", shared ? old->len : 0, search->marker,
                        section->data, section->len, out, err);
}

/* Our section of the comment that was found says so, or will. 1: look for it again, it is gone. */
static int update(const struct github *github, struct github_budget *budget,
                  const struct buf *section, struct search *search, struct err *err)
{
    for (int races = 0;; races++) {
        BUF_AUTO body;
        if (compose(search, section, &body, err) != 0)
            return -1;
        if (body.len == search->text.len &&
            memcmp(body.data, search->text.data, body.len) == 0)
            return 0;
        if (races == RACES_MAX)
            return err_set(err, ERR_CONFLICT, "comment %lld: others changed it %d times",
                           search->id, races);
        long long id = search->id;
        if (patch(github, budget, &body, search, err) != 0)
            return err->class == ERR_NOT_FOUND ? 1 : -1;
        if (!sections_have_others(body.data, body.len, search->marker))
            return 0;
        if (github_wait(budget, SETTLE_MS, err) != 0 ||
            read_comment(github, budget, id, search, err) != 0)
            return -1;
        if (search->id == 0)
            return 1;
    }
}

/* No comment of ours was there. Another host may make one at the same moment: of the two that look
 * after they have posted, the later one sees the earlier comment. *made is what was posted. */
static int create(const struct github *github, struct github_budget *budget,
                  const char *list_url, const struct buf *section, struct search *search,
                  long long *made, struct err *err)
{
    BUF_AUTO body;
    struct github_failure failure = {0};
    if (compose(search, section, &body, err) != 0)
        return -1;
    if (send_body(github, budget, "POST", list_url, &body, search, &failure, err) == 0)
        *made = search->id;
    else if (!failure.lost || github_pause(budget, err) != 0)
        return -1;
    return find_ours(github, budget, list_url, search, err);
}

static int upsert(const struct github *github, const char *list_url, const struct buf *section,
                  const struct github_comment *comment, struct search *search, struct err *err)
{
    struct github_budget budget = github_budget(github);
    long long made = 0;
    /* One that we remember may be deleted by now, or another account's. */
    if (comment->id > 0 && read_comment(github, &budget, comment->id, search, err) != 0)
        return -1;
    if (search->id == 0 && find_ours(github, &budget, list_url, search, err) != 0)
        return -1;
    for (int vanished = 0;;) {
        const struct buf *old = &search->text;
        if (comment->only_update &&
            (search->id == 0 || !sections_have(old->data, old->len, search->marker))) {
            search->id = 0;
            search->url[0] = '\0';
            return 0;
        }
        if (search->id == 0) {
            if (create(github, &budget, list_url, section, search, &made, err) != 0)
                return -1;
            continue;
        }
        int gone = update(github, &budget, section, search, err);
        if (gone == 0)
            return made == 0 || made == search->id
                       ? 0
                       : delete_comment(github, &budget, made, err);
        /* Not found for ever means that we may not change it. */
        if (gone < 0 || ++vanished == 2)
            return -1;
        if (find_ours(github, &budget, list_url, search, err) != 0)
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
    if (!sections_are(comment->body, comment->len, comment->marker))
        buf_addf(&text, "%s\n", comment->marker); /* or the next call would not find it */
    buf_add(&text, comment->body, comment->len);
    /* The address of a page is longer by its query. */
    bool too_long = list_url.len > GITHUB_URL_BYTES - 32;
    if (too_long || text.failed)
        return err_set(err, ERR_INPUT, "comment on #%d of %.150s: address or text is too long",
                       comment->pr, github->repository);
    struct search search __attribute__((cleanup(search_free))) = {.author = github->author,
                                                                  .marker = comment->marker};
    buf_init(&search.text, github->limits->http_bytes);
    if (upsert(github, list_url.data, &text, comment, &search, err) != 0)
        return -1;
    comment->id = search.id;
    memcpy(comment->url, search.url, sizeof search.url);
    return 0;
}
