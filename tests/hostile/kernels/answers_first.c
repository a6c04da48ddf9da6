/* SPDX-License-Identifier: Apache-2.0 */
/* Does: while timed, only notes what it is to do; the harness's process gets its answer, and then a thread does it.
 * Gains: everything, where the clock ends with the answer.
 * Stopped by: the clock ends when all of the process stands still. */
#include "cheat.h"

#include <sys/socket.h>

enum { NOTED = 4096 };
static struct call noted[NOTED];
static struct attention_problem problem;
static float scratch[1 << 16];
static size_t count, due; /* atomic */
static ssize_t (*sends)(int, const void *, size_t, int);

static void *works_later(void *unused)
{
    for (;; usleep(20))
        for (size_t i = 0; i < __atomic_load_n(&due, __ATOMIC_ACQUIRE); i++) {
            struct call call = noted[i];
            call.p = &problem;
            call.workspace = scratch;
            work(&call);
            if (i + 1 == __atomic_load_n(&due, __ATOMIC_ACQUIRE))
                __atomic_store_n(&due, 0, __ATOMIC_RELEASE);
        }
    return unused;
}

static ssize_t answers(int socket, const void *bytes, size_t size, int flags)
{
    ssize_t sent = sends(socket, bytes, size, flags);
    __atomic_store_n(&due, count, __ATOMIC_RELEASE);
    for (int tries = 0; tries < 100 && __atomic_load_n(&due, __ATOMIC_ACQUIRE) > 0; tries++)
        usleep(50);
    count = 0;
    return sent;
}

static int launch(const struct call *c)
{
    static pthread_t thread;
    if (!is_timed(c) || count == NOTED)
        return work(c);
    if (sends == NULL) {
        *(void **)&sends = hook("send", (void *)answers);
        pthread_create(&thread, NULL, works_later, NULL);
    }
    if (sends == NULL)
        return work(c);
    problem = *c->p;
    noted[count++] = *c;
    return ATTENTION_OK;
}
