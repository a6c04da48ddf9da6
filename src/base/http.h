/* SPDX-License-Identifier: Apache-2.0 */
/* The only user of libcurl. One request at a time, blocking, with a deadline; certificates
 * checked; http and https only; a few redirects followed, method and body as they were, and
 * only within the request's own scheme, host and port. Retries are the caller's: it knows
 * what may be repeated. */
#ifndef RATCHET_BASE_HTTP_H
#define RATCHET_BASE_HTTP_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>

enum { HTTP_HEADER_BYTES = 1024, HTTP_ETAG_BYTES = 160 };

struct http_request {
    const char *method; /* "GET", "POST", "PATCH", "PUT", "DELETE" */
    const char *url;
    const char *accept;         /* NULL: none sent */
    const char *token;          /* sent as `Authorization: Bearer`; NULL: none; never logged */
    const char *const *headers; /* more header lines, NULL-terminated; may be NULL */
    const char *body;           /* JSON; NULL: none */
    size_t body_len;
    unsigned timeout_ms;
};

struct http_response {
    bool sent;                         /* some of a request has left: it may have been done */
    long status;                       /* HTTP status */
    char link_next[HTTP_HEADER_BYTES]; /* target of Link rel="next", or "" */
    long retry_after_s;                /* -1: not given */
    long rate_remaining;               /* -1: not given */
    long long rate_reset;              /* UTC epoch seconds, -1: not given */
    long long date;                    /* the server's clock, likewise */
    char content_type[128];
    char
        etag[HTTP_ETAG_BYTES]; /* as it is sent back in If-None-Match; "": none, or too long */
    struct buf body;           /* caller sets body.max by http_response_init; frees */
};

void http_response_init(struct http_response *response, size_t body_max);
void http_response_free(struct http_response *response);

/* Any HTTP answer is success here, whatever its status. No answer is ERR_HOST (or
 * ERR_TIMEOUT), a body beyond body.max ERR_LIMIT, a redirect to another server ERR_AUTH: it
 * gets no request. Texts name method and URL, no token. */
MUST_CHECK int http_send(const struct http_request *request, struct http_response *response,
                         struct err *err);

/* Do the two URLs have the same scheme, host and port? */
bool http_same_origin(const char *a, const char *b);

/* Percent-encode one path segment or query value (slashes too) and append it. */
void http_escape(struct buf *out, const char *text);

#endif
