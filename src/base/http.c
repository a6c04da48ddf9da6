/* SPDX-License-Identifier: Apache-2.0 */
/* Owns every call of libcurl: one exchange with its ceilings, what is read from the
 * headers, redirects, and where the token may go. Knows nothing of GitHub and tries
 * nothing again. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "base/http.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0"
#endif

enum {
    REDIRECTS_MAX = 3,
    HEADERS_MAX_BYTES = 256 << 10, /* of one answer, all header lines together */
    URL_MAX_BYTES = 4096
};

/* What the callbacks of one exchange see. */
struct exchange {
    struct http_response *response;
    size_t header_bytes;
    bool headers_too_long;
    bool link_too_long; /* the next page cannot be named: bad if taken for the last */
};

void http_response_init(struct http_response *response, size_t body_max)
{
    *response = (struct http_response){
        .retry_after_s = -1, .rate_remaining = -1, .rate_reset = -1, .date = -1};
    buf_init(&response->body, body_max);
}

void http_response_free(struct http_response *response)
{
    buf_free(&response->body);
}

/* Ready for the next answer, the body's ceiling and memory kept. */
static void clear_response(struct http_response *response)
{
    buf_clear(&response->body);
    *response = (struct http_response){.retry_after_s = -1,
                                       .rate_remaining = -1,
                                       .rate_reset = -1,
                                       .date = -1,
                                       .body = response->body};
}

/* ---- headers ---- */

/* Copy `len` bytes and a NUL; false where they do not fit. */
static bool copy_part(char *out, size_t size, const char *text, size_t len)
{
    if (len >= size)
        return false;
    memcpy(out, text, len);
    out[len] = '\0';
    return true;
}

/* A header's value as a number, -1 where it is none or absurd. */
static long long number_of(const char *text, size_t len)
{
    char digits[20];
    if (len == 0 || len > 18 || !copy_part(digits, sizeof digits, text, len) ||
        strspn(digits, "0123456789") != len)
        return -1;
    return strtoll(digits, NULL, 10);
}

/* UTC epoch seconds, -1 where it is no date. */
static long long date_of(const char *text, size_t len)
{
    char date[64];
    return copy_part(date, sizeof date, text, len) ? (long long)curl_getdate(date, NULL) : -1;
}

/* Seconds, or a date. */
static long retry_after_of(const char *text, size_t len)
{
    long long seconds = number_of(text, len);
    long long then = seconds < 0 ? date_of(text, len) : -1;
    if (then != -1)
        seconds = then > time(NULL) ? then - (long long)time(NULL) : 0;
    return (long)seconds;
}

static const char *skip_spaces(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    return at;
}

/* Is `word` one of the space-separated words of a rel value? */
static bool has_word(const char *text, size_t len, const char *word)
{
    size_t want = strlen(word);
    for (const char *at = text, *end = text + len; at < end;) {
        at = skip_spaces(at, end);
        const char *start = at;
        while (at < end && *at != ' ' && *at != '\t')
            at++;
        if ((size_t)(at - start) == want && strncasecmp(start, word, want) == 0)
            return true;
    }
    return false;
}

/* One `; name=value` of a Link: steps over it, and tells whether it says rel=next. */
static bool link_param(const char **cursor, const char *end)
{
    const char *name = skip_spaces(*cursor, end);
    const char *at = name;
    while (at < end && strchr("=;, \t", *at) == NULL)
        at++;
    size_t name_len = (size_t)(at - name);
    at = skip_spaces(at, end);
    const char *value = at;
    size_t value_len = 0;
    if (at < end && *at == '=') {
        at = skip_spaces(at + 1, end);
        bool quoted = at < end && *at == '"';
        value = quoted ? ++at : at;
        while (at < end && (quoted ? *at != '"' : strchr(";, \t", *at) == NULL))
            at++;
        value_len = (size_t)(at - value);
        if (quoted && at < end)
            at++;
    }
    *cursor = skip_spaces(at, end);
    return name_len == 3 && strncasecmp(name, "rel", 3) == 0 &&
           has_word(value, value_len, "next");
}

/* `<url>; rel="next", <url>; rel="last"`; , and ; may stand inside <> and "". */
static void read_link(struct exchange *exchange, const char *at, const char *end)
{
    char *out = exchange->response->link_next;
    while (at < end && out[0] == '\0') {
        const char *open = memchr(at, '<', (size_t)(end - at));
        const char *close = open == NULL ? NULL : memchr(open, '>', (size_t)(end - open));
        if (close == NULL)
            return;
        bool next = false;
        at = skip_spaces(close + 1, end);
        while (at < end && *at == ';') {
            at++;
            if (link_param(&at, end))
                next = true;
        }
        if (next && !copy_part(out, HTTP_HEADER_BYTES, open + 1, (size_t)(close - open - 1)))
            exchange->link_too_long = true;
        while (at < end && *at != ',')
            at++;
    }
}

static void read_header(struct exchange *exchange, const char *line, const char *end)
{
    struct http_response *response = exchange->response;
    const char *colon = memchr(line, ':', (size_t)(end - line));
    if (colon == NULL)
        return;
    const char *value = skip_spaces(colon + 1, end);
    while (end > value && strchr(" \t\r\n", end[-1]) != NULL)
        end--;
    char name[32];
    size_t length = (size_t)(end - value);
    if (!copy_part(name, sizeof name, line, (size_t)(colon - line)))
        return;
    if (strcasecmp(name, "link") == 0)
        read_link(exchange, value, end);
    else if (strcasecmp(name, "retry-after") == 0)
        response->retry_after_s = retry_after_of(value, length);
    else if (strcasecmp(name, "x-ratelimit-remaining") == 0)
        response->rate_remaining = (long)number_of(value, length);
    else if (strcasecmp(name, "x-ratelimit-reset") == 0)
        response->rate_reset = number_of(value, length);
    else if (strcasecmp(name, "date") == 0)
        response->date = date_of(value, length);
    else if (strcasecmp(name, "content-type") == 0)
        copy_part(response->content_type, sizeof response->content_type, value, length);
    else if (strcasecmp(name, "etag") == 0)
        copy_part(response->etag, sizeof response->etag, value, length);
}

static size_t on_header(char *bytes, size_t size, size_t count, void *context)
{
    struct exchange *exchange = context;
    size_t length = size * count;
    exchange->header_bytes += length;
    if (exchange->header_bytes > HEADERS_MAX_BYTES) {
        exchange->headers_too_long = true;
        return 0;
    }
    /* An interim answer (100, 103) had headers of its own; they end here. */
    if (length > 5 && strncasecmp(bytes, "HTTP/", 5) == 0)
        clear_response(exchange->response);
    else
        read_header(exchange, bytes, bytes + length);
    return length;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct exchange *exchange = context;
    buf_add(&exchange->response->body, bytes, size * count);
    return exchange->response->body.failed ? 0 : size * count;
}

/* ---- URLs ---- */

static void free_url(CURLU **url)
{
    curl_url_cleanup(*url);
}

/* curl_url_get into a buffer; false where the part is missing or does not fit. */
static bool url_part(CURLU *url, CURLUPart which, unsigned flags, char *out, size_t size)
{
    char *part = NULL;
    if (curl_url_get(url, which, &part, flags) != CURLUE_OK)
        return false;
    bool fits = copy_part(out, size, part, strlen(part));
    curl_free(part);
    return fits;
}

struct origin {
    char scheme[8], host[256], port[8];
};

/* The same parser as the transfer's own, so the two cannot disagree on where a URL leads.
 * User names in a URL are refused: they make it look like another host's. */
static bool origin_of(const char *text, struct origin *out)
{
    __attribute__((cleanup(free_url))) CURLU *url = curl_url();
    return url != NULL && strlen(text) <= URL_MAX_BYTES &&
           curl_url_set(url, CURLUPART_URL, text, CURLU_DISALLOW_USER) == CURLUE_OK &&
           url_part(url, CURLUPART_SCHEME, 0, out->scheme, sizeof out->scheme) &&
           url_part(url, CURLUPART_HOST, 0, out->host, sizeof out->host) &&
           url_part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT, out->port, sizeof out->port) &&
           (strcmp(out->scheme, "https") == 0 || strcmp(out->scheme, "http") == 0);
}

bool http_same_origin(const char *a, const char *b)
{
    struct origin of_a, of_b;
    return origin_of(a, &of_a) && origin_of(b, &of_b) &&
           strcmp(of_a.scheme, of_b.scheme) == 0 && strcasecmp(of_a.host, of_b.host) == 0 &&
           strcmp(of_a.port, of_b.port) == 0;
}

void http_escape(struct buf *out, const char *text)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (const char *c = text; *c != '\0'; c++) {
        if (strchr(plain, *c) != NULL)
            buf_addc(out, *c);
        else
            buf_addf(out, "%%%02X", (unsigned)(unsigned char)*c);
    }
}

/* ---- one exchange ---- */

static void free_easy(CURL **curl)
{
    curl_easy_cleanup(*curl);
}

/* One of the lines is the token's. */
static void free_lines(struct curl_slist **lines)
{
    for (struct curl_slist *line = *lines; line != NULL; line = line->next)
        explicit_bzero(line->data, strlen(line->data));
    curl_slist_free_all(*lines);
}

/* Sticks once failed: *failed is looked at after the last line. */
static void add_line(struct curl_slist **lines, const char *name, const char *value,
                     bool *failed)
{
    BUF_AUTO line;
    buf_init(&line, 16 << 10);
    buf_adds(&line, name);
    buf_adds(&line, value);
    for (const char *c = line.data; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *failed = true; /* would start a header of its own */
    struct curl_slist *longer = *failed || line.failed ? NULL
                                                       : curl_slist_append(*lines, line.data);
    explicit_bzero(line.data, line.len);
    if (longer == NULL)
        *failed = true;
    else
        *lines = longer;
}

static struct curl_slist *request_lines(const struct http_request *request, bool *failed)
{
    struct curl_slist *lines = NULL;
    add_line(&lines, "Expect:", "", failed); /* curl would wait a second for a 100 */
    if (request->accept != NULL)
        add_line(&lines, "Accept: ", request->accept, failed);
    if (request->body != NULL)
        add_line(&lines, "Content-Type: ", "application/json; charset=utf-8", failed);
    if (request->token != NULL)
        add_line(&lines, "Authorization: Bearer ", request->token, failed);
    for (size_t i = 0; request->headers != NULL && request->headers[i] != NULL; i++)
        add_line(&lines, request->headers[i], "", failed);
    return lines;
}

static void set_options(CURL *curl, const struct http_request *request, const char *url,
                        long timeout_ms, struct exchange *exchange)
{
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    /* The curl tool reads this variable, the library does not; an Enterprise server with
     * a certificate of its own needs it. */
    const char *certificates = getenv("SSL_CERT_FILE");
    if (certificates != NULL && certificates[0] != '\0')
        curl_easy_setopt(curl, CURLOPT_CAINFO, certificates);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
    curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "ratchet/" PACKAGE_VERSION);
    if (request->body != NULL) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, exchange);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, exchange);
}

/* curl's own words for some failures do not say which part failed; these do. */
static const char *trouble_of(CURLcode code)
{
    static const struct {
        CURLcode code;
        const char *words;
    } troubles[] = {
        {CURLE_COULDNT_CONNECT, "could not connect"},
        {CURLE_COULDNT_RESOLVE_HOST, "could not connect: unknown host"},
        {CURLE_COULDNT_RESOLVE_PROXY, "could not connect: unknown proxy"},
        {CURLE_PEER_FAILED_VERIFICATION, "certificate refused"},
        {CURLE_SSL_CONNECT_ERROR, "no TLS connection"},
        {CURLE_SSL_CACERT_BADFILE, "no certificate store on this host"},
        {CURLE_PARTIAL_FILE, "answer broke off"},
        {CURLE_RECV_ERROR, "connection broke"},
        {CURLE_SEND_ERROR, "connection broke"},
        {CURLE_GOT_NOTHING, "connection closed without an answer"},
        {CURLE_UNSUPPORTED_PROTOCOL, "answer is not HTTP"},
        {CURLE_WEIRD_SERVER_REPLY, "answer is not HTTP"},
    };
    for (size_t i = 0; i < sizeof troubles / sizeof troubles[0]; i++)
        if (troubles[i].code == code)
            return troubles[i].words;
    return "no answer";
}

static int explain(CURLcode code, const char *detail, const struct exchange *exchange,
                   const struct http_request *request, const char *url, struct err *err)
{
    const char *method = request->method;
    if (exchange->headers_too_long)
        return err_set(err, ERR_LIMIT, "%s %.300s: headers are longer than %d bytes", method,
                       url, HEADERS_MAX_BYTES);
    if (exchange->response->body.no_memory || code == CURLE_OUT_OF_MEMORY)
        return err_set(err, ERR_HOST, "%s %.300s: out of memory for the answer", method, url);
    if (exchange->response->body.failed)
        return err_set(err, ERR_LIMIT, "%s %.300s: answer is longer than %zu bytes", method,
                       url, exchange->response->body.max);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return err_set(err, ERR_TIMEOUT, "%s %.300s: no whole answer within %u ms", method,
                       url, request->timeout_ms);
    return err_set(err, ERR_HOST, "%s %.300s: %s: %s", method, url, trouble_of(code),
                   detail[0] != '\0' ? detail : curl_easy_strerror(code));
}

/* `redirect` gets where the answer sends us, or "". */
static int exchange_once(const struct http_request *request, const char *url, long timeout_ms,
                         struct http_response *response, char redirect[URL_MAX_BYTES + 1],
                         struct err *err)
{
    __attribute__((cleanup(free_easy))) CURL *curl = curl_easy_init();
    bool failed = false;
    __attribute__((cleanup(free_lines))) struct curl_slist *lines = request_lines(request,
                                                                                  &failed);
    if (curl == NULL)
        return err_set(err, ERR_HOST, "%s %.300s: out of memory", request->method, url);
    if (failed)
        return err_set(err, ERR_INPUT,
                       "%s %.300s: a header or the token is too long or not plain text",
                       request->method, url);
    struct exchange exchange = {.response = response};
    char detail[CURL_ERROR_SIZE] = "";
    clear_response(response);
    set_options(curl, request, url, timeout_ms, &exchange);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, lines);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
    CURLcode code = curl_easy_perform(curl);
    long request_bytes = 0;
    if (curl_easy_getinfo(curl, CURLINFO_REQUEST_SIZE, &request_bytes) != CURLE_OK ||
        request_bytes > 0)
        response->sent = true;
    if (code != CURLE_OK)
        return explain(code, detail, &exchange, request, url, err);
    if (exchange.link_too_long)
        return err_set(err, ERR_LIMIT,
                       "%s %.300s: link to the next page is longer than %d bytes",
                       request->method, url, HTTP_HEADER_BYTES - 1);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &response->status);
    char *location = NULL;
    redirect[0] = '\0';
    if (curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &location) == CURLE_OK &&
        location != NULL)
        copy_part(redirect, URL_MAX_BYTES + 1, location, strlen(location));
    return 0;
}

/* 303 is not among them: it would turn a write into a read. */
static bool is_redirect(long status)
{
    return status == 301 || status == 302 || status == 307 || status == 308;
}

/* An address for a message; with an `@` it may hold a password. */
static const char *shown(const char *url)
{
    return strchr(url, '@') == NULL ? url : "…@…";
}

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int http_send(const struct http_request *request, struct http_response *response,
              struct err *err)
{
    char url[URL_MAX_BYTES + 1], redirect[URL_MAX_BYTES + 1];
    long long deadline_ms = now_ms() + request->timeout_ms;
    if (!copy_part(url, sizeof url, request->url, strlen(request->url)))
        return err_set(err, ERR_INPUT, "%s: url is longer than %d bytes", request->method,
                       URL_MAX_BYTES);
    for (int redirects = 0;; redirects++) {
        struct origin origin;
        if (!origin_of(url, &origin)) /* with an `@` it may hold a password */
            return err_set(err, ERR_INPUT, "%s: not a plain http or https url: `%.300s`",
                           request->method, shown(url));
        long long left_ms = deadline_ms - now_ms();
        if (left_ms <= 0)
            return err_set(err, ERR_TIMEOUT, "%s %.300s: no whole answer within %u ms",
                           request->method, url, request->timeout_ms);
        if (exchange_once(request, url, (long)left_ms, response, redirect, err) != 0)
            return -1;
        if (!is_redirect(response->status) || redirect[0] == '\0')
            return 0;
        if (redirects == REDIRECTS_MAX)
            return err_set(err, ERR_HOST, "%s %.300s: more than %d redirects", request->method,
                           request->url, REDIRECTS_MAX);
        if (!http_same_origin(redirect, request->url))
            return err_set(err, ERR_AUTH,
                           "%s %.300s: %ld to `%.300s`, which is another server: refused",
                           request->method, url, response->status, shown(redirect));
        memcpy(url, redirect, sizeof url);
    }
}
