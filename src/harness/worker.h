/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel library in a process of its own, which on the CPU each has: the harness loads no stranger's
 * code, its clock and its memory are its own, and a worker is stopped (SIGSTOP) but for the time that a
 * request to it takes. What comes back is a stranger's word. A worker that ends, ends the harness
 * with the words that its end asks for (voice.h). */
#ifndef RATCHET_HARNESS_WORKER_H
#define RATCHET_HARNESS_WORKER_H

#include "base/err.h"
#include "harness/device.h"
#include "harness/shared.h"
#include "wire.h"

#include "attention.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct worker;

/* What one request asks of the library. */
struct worker_request {
    enum worker_ask {
        WORKER_PREPARE, /* result: what supports() returned; bytes: where 1, what workspace_bytes() did */
        WORKER_MAP, /* shared, with its descriptor */
        WORKER_UNMAP,
        WORKER_SAMPLE /* result: the first nonzero value of forward */
    } ask;
    struct attention_problem problem;
    struct shared shared;
    /* of a sample: as struct device_work and struct device_plan have them */
    struct device_sets sets;
    struct device_outputs to;
    void *workspace;
    size_t first; /* input set of the first launch */
    unsigned long launches;
    bool delayed;
    uint64_t delay_ns;
};

/* `text`: once loaded the library's name; else, or of a map, what went wrong. */
struct worker_reply {
    int result;
    unsigned long long bytes;
    char text[WIRE_TEXT_BYTES];
};

/* All of it is zero, padding included: nothing of ours goes to a library. */
static inline void worker_request_begin(struct worker_request *request, enum worker_ask ask)
{
    memset(request, 0, sizeof *request);
    request->ask = ask;
}

/* What WORKER_PREPARE answers. */
static inline struct worker_reply worker_prepare(const struct attention_kernel *kernel,
                                                 const struct attention_problem *problem)
{
    struct worker_reply reply = {.result = kernel->supports(problem)};
    if (reply.result == 1)
        reply.bytes = kernel->workspace_bytes(problem);
    return reply;
}

/* The stream is every forward's. 1: it is refused, and `text` says why; 0 with its name in `text`; -1:
 * ERR_HOST. The caller ends *out. */
MUST_CHECK int worker_start(const char *path, const struct attention_cpu_stream *stream,
                            struct worker **out, char text[WIRE_TEXT_BYTES], struct err *err);
void worker_end(struct worker *worker);

/* ns: from before it went on until it stood still again, by our own clock; with one thread, without our own time
 * and what it or we waited for a processor that none of its threads had. waited_ns: what its first thread
 * waited, as the kernel counts it. went_on: between two requests, by itself or by others, now or ever before. */
struct worker_took {
    uint64_t ns, waited_ns;
    bool went_on;
};

/* Asks, and returns when the worker is stopped again. `took` may be NULL. */
MUST_CHECK int worker_do(struct worker *worker, const struct worker_request *request,
                         struct worker_reply *reply, struct worker_took *took,
                         struct err *err);

/* ---- inside (worker_main.c, worker_filter.c) ---- */

/* Loads the library and serves until the socket ends. Every descriptor but 0, 1, 2 and `socket` is closed. */
_Noreturn void worker_main(int socket, const char *path,
                           const struct attention_cpu_stream *stream);
/* From now on no process is made, no other program started, nothing done to another process, and, unless it
 * `pins` threads, no other processor taken than it is given. */
MUST_CHECK int worker_confine(bool pins, struct err *err);

#endif
