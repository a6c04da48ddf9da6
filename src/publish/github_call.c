/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what is common to all calls: when to wait, when to try again, when to give up, and
 * whose fault an answer is. Knows no endpoint. */
#include "publish/github_call.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum {
    BACKOFF_MS = 1000,
    SECONDARY_MS = 60000, /* GitHub's floor where a rate limit names no time */
    PAGES_MAX = 1000,
    REQUEST_MAX_BYTES = 1 << 20
};

#define API_VERSION "X-GitHub-Api-Version: 2022-11-28"

/* What to do after one exchange. */
enum outcome {
    DONE,
    REFUSED,   /* understood and declined: the same request would be declined again */
    POSTPONED, /* surely not carried out; later it may be */
    BROKEN     /* perhaps carried out, perhaps not */
};

/* ---- time ---- */

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct github_budget github_budget(const struct github *github)
{
    unsigned long long ms = github->limits->github_ms;
    unsigned long long most = 24ull * 3600 * 1000;
    ms = ms < most ? ms : most;
    return (struct github_budget){.until_ms = now_ms() + (long long)ms};
}

static int give_up(long long ms, struct err *err)
{
    if (err->class != ERR_TIMEOUT)
        err->class = ERR_HOST;
    return err_wrap(err, "gave up, the next try would be in %lld s", (ms + 999) / 1000);
}

int github_wait(struct github_budget *budget, long long ms, struct err *err)
{
    budget->pauses++;
    if (now_ms() + ms >= budget->until_ms)
        return give_up(ms, err);
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
    return 0;
}

/* Doubled with each pause, up to 32 times the first. */
static long long backoff_ms(const struct github_budget *budget, long long first_ms)
{
    return first_ms << (budget->pauses < 5 ? budget->pauses : 5);
}

int github_pause(struct github_budget *budget, struct err *err)
{
    return github_wait(budget, backoff_ms(budget, BACKOFF_MS), err);
}

/* How long the answer asks us to wait. One that always says 0 must not be hammered. */
static long long wait_ms(const struct http_response *response,
                         const struct github_budget *budget, bool limited)
{
    long long least = 100ll * (budget->pauses < 50 ? budget->pauses : 50);
    if (response->retry_after_s >= 0) {
        long long asked = response->retry_after_s < 86400 ? response->retry_after_s : 86400;
        return asked * 1000 > least ? asked * 1000 : least;
    }
    if (limited && response->rate_remaining == 0 && response->rate_reset >= 0) {
        /* By the server's own clock: ours may be days off. */
        long long now_s = response->date >= 0 ? response->date : (long long)time(NULL);
        long long until_s = response->rate_reset - now_s;
        return until_s < 0 ? 1000 : (until_s < 86400 ? until_s : 86400) * 1000 + 1000;
    }
    return backoff_ms(budget, limited ? SECONDARY_MS : BACKOFF_MS);
}

/* ---- answers ---- */

void github_answer_free(struct github_answer *answer)
{
    json_free(&answer->json);
}

/* Lists have an array at the top, so base/json's parser is not the one to ask. A NUL
 * escaped in somebody's comment must not hide the other comments of its page from us. */
static json_t *parse_body(const struct http_response *response)
{
    return json_loadb(response->body.data, response->body.len,
                      JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
}

const char *github_text(const json_t *object, const char *key)
{
    const json_t *member = json_object_get(object, key);
    const char *text = json_string_value(member);
    return text != NULL && strlen(text) == json_string_length(member) ? text : NULL;
}

const char *github_text_of(const json_t *object, const char *key, const char *member)
{
    return github_text(json_object_get(object, key), member);
}

void github_copy(char *out, size_t size, const char *text)
{
    out[0] = '\0';
    if (text != NULL && strlen(text) < size)
        memcpy(out, text, strlen(text) + 1);
}

void github_html_url(const json_t *object, char url[JOB_URL_BYTES])
{
    const char *text = github_text(object, "html_url");
    if (url == NULL)
        return;
    url[0] = '\0';
    if (text == NULL || strlen(text) >= JOB_URL_BYTES ||
        (strncmp(text, "https://", 8) != 0 && strncmp(text, "http://", 7) != 0))
        return;
    for (const char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c <= 0x20 || strchr("\"<>\\^`{|}\x7f", *c) != NULL)
            return;
    memcpy(url, text, strlen(text) + 1);
}

/* One element of `errors`: a string, or an object with a message or field and code. */
static void add_problem(struct buf *out, const json_t *problem)
{
    const char *text = json_is_string(problem) ? json_string_value(problem)
                                               : github_text(problem, "message");
    if (text != NULL) {
        buf_addf(out, ": %.200s", text);
        return;
    }
    const char *field = github_text(problem, "field");
    const char *code = github_text(problem, "code");
    if (field != NULL || code != NULL)
        buf_addf(out, ": %.60s is %.60s", field == NULL ? "?" : field,
                 code == NULL ? "refused" : code);
}

/* GitHub's own words into `out`; of an edge server's HTML only the type is said. */
static void read_message(const struct http_response *response, struct buf *out)
{
    JSON_AUTO *json = parse_body(response);
    const char *message = github_text(json, "message");
    if (message == NULL) {
        buf_addf(out, "answer without a message (%.60s, %zu bytes)",
                 response->content_type[0] == '\0' ? "no type" : response->content_type,
                 response->body.len);
        return;
    }
    buf_addf(out, "%.300s", message);
    const json_t *problems = json_object_get(json, "errors");
    for (size_t i = 0; i < json_array_size(problems) && i < 3; i++)
        add_problem(out, json_array_get(problems, i));
}

static bool is_rate_limit(const struct http_response *response, const char *message)
{
    if (response->status == 429)
        return true;
    return response->status == 403 &&
           (response->retry_after_s >= 0 || response->rate_remaining == 0 ||
            strcasestr(message, "rate limit") != NULL ||
            strcasestr(message, "abuse detection") != NULL);
}

static enum err_class class_of(long status)
{
    static const struct {
        long status;
        enum err_class class;
    } classes[] = {
        {401, ERR_AUTH},
        {403, ERR_AUTH},
        {404, ERR_NOT_FOUND},
        {409, ERR_CONFLICT},
    };
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (classes[i].status == status)
            return classes[i].class;
    return status >= 500 || status == 429 ? ERR_HOST : ERR_INPUT;
}

/* What a whole HTTP answer means. `json` is set where it is DONE, else `failure`. */
static enum outcome judge(const struct github_request *request,
                          const struct http_response *response, json_t **json, bool *limited,
                          struct github_failure *failure, struct err *err)
{
    long status = response->status;
    bool unchanged = status == 304 && request->etag != NULL && request->etag[0] != '\0';
    if ((status >= 200 && status < 300) || unchanged) {
        *json = status == 204 || unchanged ? json_null() : parse_body(response);
        if (*json != NULL)
            return DONE;
        err_set(err, ERR_HOST, "%s %.200s: %ld, but the answer is not JSON (%.60s)",
                request->method, request->url, status, response->content_type);
        return BROKEN;
    }
    BUF_AUTO message;
    buf_init(&message, sizeof failure->message - 1);
    read_message(response, &message);
    failure->status = status;
    snprintf(failure->message, sizeof failure->message, "%s", message.data);
    *limited = is_rate_limit(response, failure->message);
    err_set(err, *limited ? ERR_HOST : class_of(status), "%s %.200s: %ld: %s", request->method,
            request->url, status, failure->message);
    if (*limited)
        return POSTPONED;
    return status >= 500 || status == 408 ? BROKEN : REFUSED;
}

static enum outcome send_once(const struct github *github, const struct github_budget *budget,
                              const struct github_request *request, const struct buf *body,
                              struct http_response *response, struct err *err)
{
    long long left_ms = budget->until_ms - now_ms();
    unsigned long long most = github->limits->http_ms < 3600000 ? github->limits->http_ms
                                                                : 3600000;
    char known[HTTP_ETAG_BYTES + 32];
    bool conditional = request->etag != NULL && request->etag[0] != '\0';
    snprintf(known, sizeof known, "If-None-Match: %s", conditional ? request->etag : "");
    const char *const headers[] = {API_VERSION, conditional ? known : NULL, NULL};
    struct http_request http = {
        .method = request->method,
        .url = request->url,
        .accept = "application/vnd.github+json",
        /* A Link may lead anywhere: the token goes to the configured API alone. */
        .token = http_same_origin(request->url, github->api) ? github->token : NULL,
        .headers = headers,
        .body = request->body == NULL ? NULL : body->data,
        .body_len = body->len,
        .timeout_ms = (unsigned)(left_ms < 1 ? 1
                                 : (unsigned long long)left_ms < most
                                     ? (unsigned long long)left_ms
                                     : most),
    };
    if (http_send(&http, response, err) == 0)
        return DONE;
    if (err->class == ERR_HOST || err->class == ERR_TIMEOUT)
        return BROKEN;
    /* Too long an answer would be as long again, but what was asked for has been done. */
    return request->once && err->class == ERR_LIMIT ? BROKEN : REFUSED;
}

static void free_response(struct http_response *response)
{
    http_response_free(response);
}

bool github_may_pass(const struct github_trouble *trouble, enum err_class class)
{
    return class == ERR_HOST || class == ERR_TIMEOUT || trouble->limited ||
           trouble->status == 401;
}

/* What was lost stays so whatever the tries after it said: it is the caller who sets that back. */
static void note_trouble(const struct github *github, long status, long long pause_ms,
                         bool limited, bool lost)
{
    if (github->trouble != NULL)
        *github->trouble = (struct github_trouble){.status = status,
                                                   .wait_s = (pause_ms + 999) / 1000,
                                                   .limited = limited,
                                                   .lost = lost || github->trouble->lost};
}

int github_call(const struct github *github, struct github_budget *budget,
                const struct github_request *request, struct github_answer *answer,
                struct github_failure *failure, struct err *err)
{
    struct github_failure own;
    failure = failure == NULL ? &own : failure;
    BUF_AUTO body;
    buf_init(&body, REQUEST_MAX_BYTES);
    *failure = (struct github_failure){0};
    if (request->body != NULL && json_print(request->body, 0, &body, err) != 0)
        return -1;
    for (;;) {
        __attribute__((cleanup(free_response))) struct http_response response;
        http_response_init(&response, github->limits->http_bytes);
        json_t *json = NULL;
        bool limited = false;
        *failure = (struct github_failure){0}; /* of the last try alone */
        enum outcome outcome = send_once(github, budget, request, &body, &response, err);
        if (outcome == DONE)
            outcome = judge(request, &response, &json, &limited, failure, err);
        if (outcome == DONE) {
            answer->json = json;
            memcpy(answer->next, response.link_next, sizeof answer->next);
            memcpy(answer->etag, response.etag, sizeof answer->etag);
            answer->unchanged = response.status == 304;
            answer->date = response.date;
            note_trouble(github, 0, 0, false, false);
            return 0;
        }
        bool lost = outcome == BROKEN && response.sent;
        if (lost && request->once)
            failure->lost = true;
        long long pause_ms = outcome == REFUSED ? 0 : wait_ms(&response, budget, limited);
        note_trouble(github, failure->status, pause_ms, limited,
                     lost && strcmp(request->method, "GET") != 0);
        if (failure->lost || outcome == REFUSED)
            return -1;
        if (limited && github->no_wait)
            return give_up(pause_ms, err);
        if (github_wait(budget, pause_ms, err) != 0)
            return -1;
    }
}

int github_get_object(const struct github *github, struct github_budget *budget,
                      const char *url, struct github_answer *answer, struct err *err)
{
    struct github_request request = {.method = "GET", .url = url};
    if (github_call(github, budget, &request, answer, NULL, err) != 0)
        return -1;
    if (json_is_object(answer->json))
        return 0;
    github_answer_free(answer);
    return err_set(err, ERR_INPUT, "GET %.200s: expected an object", url);
}

int github_walk(const struct github *github, struct github_budget *budget, const char *url,
                int (*each)(void *context, const json_t *item, struct err *err), void *context,
                struct github_failure *failure, struct err *err)
{
    char here[HTTP_HEADER_BYTES];
    if (strlen(url) >= sizeof here)
        return err_set(err, ERR_INPUT, "GET %.200s: url is too long", url);
    memcpy(here, url, strlen(url) + 1);
    for (int page = 0; page < PAGES_MAX; page++) {
        struct github_request request = {.method = "GET", .url = here};
        GITHUB_ANSWER_AUTO answer = {0};
        if (github_call(github, budget, &request, &answer, failure, err) != 0)
            return -1;
        if (!json_is_array(answer.json))
            return err_set(err, ERR_INPUT, "GET %.200s: expected a list", here);
        for (size_t i = 0; i < json_array_size(answer.json); i++) {
            int stop = each(context, json_array_get(answer.json, i), err);
            if (stop != 0)
                return stop < 0 ? -1 : 0;
        }
        if (answer.next[0] == '\0')
            return 0;
        memcpy(here, answer.next, sizeof here);
    }
    return err_set(err, ERR_LIMIT, "GET %.200s: more than %d pages", url, PAGES_MAX);
}

/* ---- addresses ---- */

static bool is_plain_name(const char *text, size_t len)
{
    if (len == 0 || (len <= 2 && strncmp(text, "..", len) == 0))
        return false;
    for (size_t i = 0; i < len; i++)
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-",
                   text[i]) == NULL)
            return false;
    return true;
}

int github_url_too_long(const char *url, struct err *err)
{
    return err_set(err, ERR_INPUT, "url `%.200s…` is longer than %d bytes", url,
                   GITHUB_URL_BYTES);
}

int github_url(const struct github *github, struct buf *out, struct err *err,
               const char *format, ...)
{
    buf_init(out, GITHUB_URL_BYTES);
    const char *slash = strchr(github->repository, '/');
    if (slash == NULL ||
        !is_plain_name(github->repository, (size_t)(slash - github->repository)) ||
        !is_plain_name(slash + 1, strlen(slash + 1)))
        return err_set(err, ERR_INPUT, "repository `%.150s`: expected owner/name",
                       github->repository);
    char path[GITHUB_URL_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(path, sizeof path, format, args);
    va_end(args);
    buf_addf(out, "%s/repos/%s%s", github->api, github->repository, path);
    return out->failed ? github_url_too_long(github->api, err) : 0;
}
