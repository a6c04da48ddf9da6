/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the API, headers and all, to each call of publish/github.h. This file stands in for
 * libcurl: the first line names the call, and what follows are the answers one after the other,
 * as they come over the wire, with a line `====` between them. Whatever they say, the token goes to
 * the API alone. */
#include "tests/fuzz/fuzz.h"

#include "base/json.h"
#include "base/name.h"
#include "publish/github_watch.h"

#include <curl/curl.h>
#include <stdarg.h>
#include <strings.h>
#include <time.h>

#define API "https://api.test/v3"
#define SHA "1a2b3c4d5e6f708192a3b4c5d6e7f80912345678"
#define TOKEN "ghs_secret"

/* ---- libcurl, played ---- */

static struct {
    const uint8_t *data; /* answers that were not given yet */
    size_t size;
    curl_write_callback on_header, on_body;
    void *header_context, *body_context;
    size_t body_size;
    char url[8192];
    char redirect[8192];
    bool with_token;
    long status;
} wire;

static bool is_api(const char *url)
{
    CURLU *parts = curl_url();
    char *scheme = NULL, *host = NULL, *port = NULL;
    bool ours = curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                strcmp(scheme, "https") == 0 && strcasecmp(host, "api.test") == 0 &&
                strcmp(port, "443") == 0;
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(parts);
    return ours;
}

static void take_lines(const struct curl_slist *lines)
{
    wire.with_token = false;
    for (; lines != NULL; lines = lines->next) {
        HOLDS(fuzz_is_plain(lines->data));
        wire.with_token = wire.with_token || strstr(lines->data, TOKEN) != NULL;
    }
}

/* What we send is JSON, and a status says it in 140 characters of one line. */
static void take_body(const char *bytes)
{
    JSON_AUTO *json = json_loadb(bytes, wire.body_size, JSON_REJECT_DUPLICATES, NULL);
    HOLDS(json_is_object(json));
    const char *description = json_string_value(json_object_get(json, "description"));
    size_t characters = 0;
    for (const char *c = description; c != NULL && *c != '\0'; c++)
        characters += ((unsigned char)*c & 0xc0) != 0x80;
    HOLDS(characters <= 140 && (description == NULL || fuzz_is_plain(description)));
}

CURL *curl_easy_init(void)
{
    return (CURL *)&wire;
}

void curl_easy_cleanup(CURL *curl)
{
    (void)curl;
}

#undef curl_easy_setopt
CURLcode curl_easy_setopt(CURL *curl, CURLoption option, ...)
{
    (void)curl;
    va_list args;
    va_start(args, option);
    if (option == CURLOPT_URL)
        snprintf(wire.url, sizeof wire.url, "%s", va_arg(args, const char *));
    else if (option == CURLOPT_HTTPHEADER)
        take_lines(va_arg(args, const struct curl_slist *));
    else if (option == CURLOPT_POSTFIELDSIZE_LARGE)
        wire.body_size = (size_t)va_arg(args, curl_off_t);
    else if (option == CURLOPT_POSTFIELDS)
        take_body(va_arg(args, const char *));
    else if (option == CURLOPT_HEADERFUNCTION)
        wire.on_header = va_arg(args, curl_write_callback);
    else if (option == CURLOPT_WRITEFUNCTION)
        wire.on_body = va_arg(args, curl_write_callback);
    else if (option == CURLOPT_HEADERDATA)
        wire.header_context = va_arg(args, void *);
    else if (option == CURLOPT_WRITEDATA)
        wire.body_context = va_arg(args, void *);
    va_end(args);
    return CURLE_OK;
}

/* The callbacks get memory of their own, as large as what is in it. */
static bool give(curl_write_callback to, void *context, const char *bytes, size_t len)
{
    if (len == 0)
        return true;
    char *copy = malloc(len);
    HOLDS(copy != NULL);
    memcpy(copy, bytes, len);
    bool taken = to(copy, 1, len, context) == len;
    free(copy);
    return taken;
}

/* What libcurl makes of a status line and of a Location, roughly. */
static void note(const char *text, size_t len)
{
    static const char location[] = "location:";
    if (len > 12 && strncasecmp(text, "HTTP/", 5) == 0)
        wire.status = strtol((char[]){text[9], text[10], text[11], '\0'}, NULL, 10);
    else if (len >= sizeof location && strncasecmp(text, location, sizeof location - 1) == 0)
        snprintf(wire.redirect, sizeof wire.redirect, "%.*s",
                 (int)(len - sizeof location + 1 < 8000 ? len - sizeof location + 1 : 8000),
                 text + sizeof location - 1);
}

CURLcode curl_easy_perform(CURL *curl)
{
    (void)curl;
    HOLDS(!wire.with_token || is_api(wire.url));
    wire.status = 0;
    wire.redirect[0] = '\0';
    const char *bytes;
    size_t len;
    if (wire.size == 0)
        return CURLE_OUT_OF_MEMORY;
    fuzz_part(&wire.data, &wire.size, &bytes, &len);
    while (len > 0) {
        const char *newline = memchr(bytes, '\n', len);
        size_t line = newline == NULL ? len : (size_t)(newline - bytes) + 1;
        note(bytes, line);
        if (!give(wire.on_header, wire.header_context, bytes, line))
            return CURLE_WRITE_ERROR;
        bool last = line == 1 || (line == 2 && bytes[0] == '\r');
        bytes += line;
        len -= line;
        if (last && wire.status >= 200)
            break;
    }
    if (wire.status == 0)
        return CURLE_WEIRD_SERVER_REPLY;
    size_t half = len / 2;
    return give(wire.on_body, wire.body_context, bytes, half) &&
                   give(wire.on_body, wire.body_context, bytes + half, len - half)
               ? CURLE_OK
               : CURLE_WRITE_ERROR;
}

#undef curl_easy_getinfo
CURLcode curl_easy_getinfo(CURL *curl, CURLINFO info, ...)
{
    (void)curl;
    va_list args;
    va_start(args, info);
    if (info == CURLINFO_RESPONSE_CODE)
        *va_arg(args, long *) = wire.status;
    else if (info == CURLINFO_REDIRECT_URL)
        *va_arg(args, char **) = wire.redirect[0] == '\0' ? NULL : wire.redirect;
    va_end(args);
    return CURLE_OK;
}

/* Nobody waits here. */
int nanosleep(const struct timespec *asked, struct timespec *left)
{
    (void)asked;
    (void)left;
    return 0;
}

/* ---- the calls ---- */

static struct limits limits;
static const struct github github = {.api = API,
                                     .token = TOKEN,
                                     .repository = "acme/kernels",
                                     .author = "ratchet[bot]",
                                     .limits = &limits};

static const char *said; /* the input as a text of ours to send */

static int pull(struct err *err)
{
    struct github_pull found = {0};
    if (github_get_pull(&github, 12, &found, err) != 0)
        return -1;
    HOLDS(found.number == 12 && name_is_sha(found.head) && found.base_ref[0] != '\0');
    HOLDS(found.label_count <= 16 && fuzz_is_plain(found.base_ref));
    return 0;
}

static int pull_of_commit(struct err *err)
{
    struct github_pull found = {0};
    if (github_pull_of_commit(&github, SHA, &found, err) != 0)
        return -1;
    HOLDS(found.merged && strcmp(found.base_repository, "acme/kernels") == 0);
    return 0;
}

static int tip(struct err *err)
{
    char sha[MODEL_SHA_BYTES] = "";
    if (github_branch_tip(&github, "release/1", sha, err) != 0)
        return -1;
    HOLDS(name_is_sha(sha));
    return 0;
}

static int status(struct err *err)
{
    return github_set_status(&github, SHA, "ratchet/cpu", "success", said, "https://x.test/",
                             err);
}

static int comment(struct err *err)
{
    struct github_comment one = {
        .pr = 12, .marker = "<!-- ratchet cpu -->", .body = "held", .len = 4};
    if (github_upsert_comment(&github, &one, err) != 0)
        return -1;
    HOLDS(fuzz_is_plain(one.url) && (one.url[0] == '\0' || strncmp(one.url, "http", 4) == 0));
    return 0;
}

static int labeled(struct err *err)
{
    char when[GITHUB_TIME_BYTES];
    char login[64] = "";
    bool may_write = false;
    if (github_who_labeled(&github, 12, "accept", login, when, &may_write, err) != 0)
        return -1;
    HOLDS(login[0] != '\0');
    return 0;
}

static int started(struct err *err)
{
    char login[GITHUB_LOGIN_BYTES] = "";
    bool may_write = false;
    if (github_who_started(&github, "7", login, &may_write, err) != 0)
        return -1;
    HOLDS(login[0] != '\0');
    return 0;
}

static int open_pull(struct err *err)
{
    char url[JOB_URL_BYTES] = "";
    if (github_open_pull(&github, "ratchet/cpu", "main", "title", "body", url, err) != 0)
        return -1;
    HOLDS(fuzz_is_plain(url) && (url[0] == '\0' || strncmp(url, "http", 4) == 0));
    return 0;
}

/* Asked again with whatever etag there was: what is known stays sound. */
static int pulls(struct err *err)
{
    static struct github_pulls list;
    struct github_known known = {.etag = ""};
    bool changed = false;
    for (int i = 0; i < 2; i++) {
        if (github_list_pulls(&github, "main", 1, &known, &changed, &list, err) != 0)
            return -1;
        HOLDS(list.count <= GITHUB_PAGE && strlen(known.etag) < sizeof known.etag);
        HOLDS(changed || i > 0);
        for (size_t k = 0; k < list.count; k++)
            HOLDS(name_is_sha(list.list[k].head) && list.list[k].open);
    }
    return 0;
}

static int remarks(struct err *err)
{
    static struct github_remarks list;
    struct github_known known = {.etag = ""};
    bool changed = false;
    for (int i = 0; i < 2; i++) {
        if (github_list_remarks(&github, 1, &known, &changed, &list, err) != 0)
            return -1;
        HOLDS(list.count <= GITHUB_PAGE && (changed || i > 0));
        for (size_t k = 0; k < list.count; k++)
            HOLDS(list.list[k].id > 0 && list.list[k].pr >= 0 &&
                  strlen(list.list[k].line) < GITHUB_WORD_BYTES);
    }
    return 0;
}

static int runs(struct err *err)
{
    static struct github_runs list;
    struct github_known known = {.etag = ""};
    bool changed = false;
    for (int i = 0; i < 2; i++) {
        if (github_list_runs(&github, 1, &known, &changed, &list, err) != 0)
            return -1;
        HOLDS(list.count <= GITHUB_PAGE && (changed || i > 0));
        for (size_t k = 0; k < list.count; k++)
            HOLDS(list.list[k].id > 0 && list.list[k].attempt > 0 &&
                  strlen(list.list[k].name) < GITHUB_WORD_BYTES &&
                  strlen(list.list[k].actor) < GITHUB_LOGIN_BYTES);
    }
    return 0;
}

static int commit(struct err *err)
{
    char parent[MODEL_SHA_BYTES] = "";
    bool inside = false;
    BUF_AUTO message;
    buf_init(&message, 64 << 10);
    if (github_get_commit(&github, SHA, "baselines/", &message, parent, &inside, err) != 0)
        return -1;
    HOLDS(parent[0] == '\0' || name_is_sha(parent));
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct {
        const char *name;
        int (*call)(struct err *);
    } calls[] = {
        {"pull", pull},
        {"pull-of-commit", pull_of_commit},
        {"tip", tip},
        {"status", status},
        {"comment", comment},
        {"labeled", labeled},
        {"started", started},
        {"open-pull", open_pull},
        {"pulls", pulls},
        {"remarks", remarks},
        {"runs", runs},
        {"commit", commit},
    };
    char name[32];
    fuzz_first_line(&data, &size, name, sizeof name);
    limits = limits_default();
    limits.http_bytes = 64 << 10;
    limits.github_ms = 3000; /* nanosleep() lets no time pass: tries end with the pauses, which grow */
    wire.data = data;
    wire.size = size;
    char *text = fuzz_text(data, size);
    said = text;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        struct err err = {0};
        if (strcmp(name, calls[i].name) != 0 || calls[i].call(&err) == 0)
            continue;
        HOLDS(err.class != ERR_NONE && err.text[0] != '\0' && fuzz_is_plain(err.text));
    }
    free(text);
    return 0;
}
