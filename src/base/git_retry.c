/* SPDX-License-Identifier: Apache-2.0 */
/* Talks to a remote again where the last try failed for a reason that passes: a host that
 * restarts, a connection that breaks, an answer cut short. What the other side said on
 * purpose is not asked twice. */
#include "base/git_internal.h"

#include "base/proc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FIRST_PAUSE_MS = 1000, DOUBLINGS_MAX = 5 };

/* An HTTP status that says no to this request, and will tomorrow: 4xx, but "too slow" and
 * "too many". libgit2 has it in its words only. */
static bool says_no(const char *words)
{
    static const char before[] = "status code: ";
    const char *found = strstr(words, before);
    long status = found == NULL ? 0 : strtol(found + sizeof before - 1, NULL, 10);
    return status >= 300 && status < 500 && status != 408 && status != 429;
}

bool gitlib_passes(int code, const char *words)
{
    static const char *const lasting[] = {"redirect", "unsupported URL protocol",
                                          "malformed URL"};
    if (code == GIT_ECERTIFICATE || says_no(words))
        return false;
    for (size_t i = 0; i < sizeof lasting / sizeof *lasting; i++)
        if (strstr(words, lasting[i]) != NULL)
            return false;
    return true;
}

static bool may_pass(const struct err *err)
{
    return err->class == ERR_TIMEOUT || (err->class == ERR_HOST && err->errnum == EAGAIN);
}

static void pause_ms(unsigned ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l};
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

int gitlib_call_remote(struct git_repo *repo, int (*function)(void *, struct err *),
                       void *context, const struct git_remote_spec *remote, struct err *err)
{
    uint64_t until_ns = proc_now_ns() + remote->retry_ms * UINT64_C(1000000);
    unsigned pause = FIRST_PAUSE_MS;
    struct err why = {0};
    for (unsigned tries = 1;; tries++) {
        if (gitlib_call(repo, function, context, remote->timeout_ms, &why) == 0)
            return 0;
        bool again = may_pass(&why);
        if (!again || proc_now_ns() + pause * UINT64_C(1000000) >= until_ns) {
            if (again && remote->retry_ms > 0)
                err_write_context(&why, "gave up after %u %s", tries,
                                  tries == 1 ? "try" : "tries");
            if (err != NULL)
                *err = why;
            return -1;
        }
        pause_ms(pause);
        pause = tries < DOUBLINGS_MAX ? 2 * pause : pause;
    }
}
