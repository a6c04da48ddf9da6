/* SPDX-License-Identifier: Apache-2.0 */
/* One call of the GitHub REST API with its manners: headers, waiting as it asks, trying
 * again within a budget of time, errors in its own words. Shared by the github_*.c files
 * alone. */
#ifndef RATCHET_PUBLISH_GITHUB_CALL_H
#define RATCHET_PUBLISH_GITHUB_CALL_H

#include "base/buf.h"
#include "base/http.h"
#include "base/json.h"
#include "publish/github.h"

#include <stdbool.h>

/* Time for one public function of github.h, however many requests it takes. */
struct github_budget {
    long long until_ms; /* monotonic */
    unsigned pauses;
};
struct github_budget github_budget(const struct github *github);

struct github_request {
    const char *method;
    const char *url;
    const json_t *body; /* NULL: none */
    bool once;          /* not to be carried out twice: sent again only if surely not done */
    const char
        *etag; /* of the answer that is known; NULL or "": none is. Then 304 is an answer */
};

struct github_answer {
    json_t *json;                 /* owned */
    char next[HTTP_HEADER_BYTES]; /* the next page, or "" */
    char etag[HTTP_ETAG_BYTES];
    bool unchanged; /* 304: what is known by its etag still holds; json is null */
    long long date; /* GitHub's clock, UTC epoch seconds; -1: not told */
};
void github_answer_free(struct github_answer *answer);
#define GITHUB_ANSWER_AUTO __attribute__((cleanup(github_answer_free))) struct github_answer

/* How a call failed, for those that go on by it. */
struct github_failure {
    long status;        /* HTTP status of GitHub's refusal; 0: there was none */
    char message[1024]; /* its own words, and what it says of each field; "" for none */
    bool lost;          /* a request sent `once` may have been carried out all the same */
};

/* A 2xx answer is 0. `failure` may be NULL, `err` must not be. */
MUST_CHECK int github_call(const struct github *github, struct github_budget *budget,
                           const struct github_request *request, struct github_answer *answer,
                           struct github_failure *failure, struct err *err);

/* Sleep; -1 with `err` wrapped when the budget would be passed. */
MUST_CHECK int github_wait(struct github_budget *budget, long long ms, struct err *err);
/* … before another try, longer each time. */
MUST_CHECK int github_pause(struct github_budget *budget, struct err *err);

/* Every element of a list, page after page. `each` returns 0: go on, 1: stop, or -1. `failure`
 * may be NULL, and is left alone where `each` failed. */
MUST_CHECK int github_walk(const struct github *github, struct github_budget *budget,
                           const char *url,
                           int (*each)(void *context, const json_t *item, struct err *err),
                           void *context, struct github_failure *failure, struct err *err);

/* May that person write to the repository? */
MUST_CHECK int github_ask_permission(const struct github *github, struct github_budget *budget,
                                     const char *login, bool *may_write, struct err *err);

/* One GET whose answer must be an object. */
MUST_CHECK int github_get_object(const struct github *github, struct github_budget *budget,
                                 const char *url, struct github_answer *answer,
                                 struct err *err);

enum { GITHUB_URL_BYTES = HTTP_HEADER_BYTES }; /* the longest address that is asked */
/* `api/repos/owner/name` and what `format` says behind it into `out`, which this initialises.
 * What is not two plain names, or too long, is ERR_INPUT. */
MUST_CHECK int github_url(const struct github *github, struct buf *out, struct err *err,
                          const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The error for an address that begins with `url` and is too long: -1. */
int github_url_too_long(const char *url, struct err *err);

/* A string member, NULL where it is missing or of another type. Borrowed. */
const char *github_text(const json_t *object, const char *key);
/* object[key].member likewise, for `user` and `head.repo`, which may be null. */
const char *github_text_of(const json_t *object, const char *key, const char *member);
/* Is object[key] a person's account, and did no App write in its name? */
bool github_is_person(const json_t *object, const char *key);
/* Copy an optional text; one that does not fit, or NULL, becomes "". */
void github_copy(char *out, size_t size, const char *text);
/* Was a comment changed since it was written? Where GitHub does not tell, it was. */
bool github_is_edited(const json_t *comment);
/* GitHub's time, or "": what is of another form could not be compared. */
void github_copy_time(char out[GITHUB_TIME_BYTES], const char *text);
/* A pull request, alone or from a list; `name` is for messages. */
MUST_CHECK int github_read_pull(const json_t *json, const char *name, struct github_pull *out,
                                struct err *err);
/* The member html_url if it is a plain web address that fits, else "". */
void github_html_url(const json_t *object, char url[JOB_URL_BYTES]);

#endif
