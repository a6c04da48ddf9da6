/* SPDX-License-Identifier: Apache-2.0 */
/* The tokens that jobs have brought: in memory only, wiped when their job is forgotten. A token dies
 * with its job at GitHub, and anybody who may submit can bring a bad one, so several are kept of a
 * repository, and what GitHub made of each. One that was taken is not given up for another. */
#ifndef RATCHET_DAEMON_TOKENS_H
#define RATCHET_DAEMON_TOKENS_H

#include "daemon/message.h"
#include "intake/host.h"

#include <stdbool.h>
#include <stdint.h>

enum { TOKENS_MAX = 2048, TOKENS_REFUSED_MAX = 8 };

struct token {
    unsigned long long serial; /* in the order they came; 0: free */
    const struct host_repository *repository;
    long long job; /* that brought it */
    enum { TOKEN_UNTRIED, TOKEN_TAKEN, TOKEN_DEAD } state;
    uint64_t limited_until_ns; /* monotonic */
    char text[MODEL_TOKEN_BYTES];
};

struct tokens {
    unsigned long long last;
    struct token all[TOKENS_MAX];
};

/* "" is none. Where all places are taken, a dead one goes first, then an untried one, the oldest of
 * the job that has most of them. */
void tokens_add(struct tokens *tokens, const struct host_repository *repository, long long job,
                const char *text);

/* What a step of this job is given: the job's own before another job's of the repository, what was
 * taken before what is untried; never what is dead, over its limit, or among the serials that were
 * refused to this job. `own`: no other job's. `at_ns`: when (monotonic). NULL: none. */
const struct token *tokens_pick(const struct tokens *tokens,
                                const struct host_repository *repository, long long job,
                                bool own, const unsigned long long refused[TOKENS_REFUSED_MAX],
                                uint64_t at_ns);

/* GitHub has taken it, or does not know it (401): whoever brought the same one. */
void tokens_note(struct tokens *tokens, unsigned long long serial, bool taken);
/* It is over its limit until then. True: it had been taken before, so that the limit is no
 * stranger's. */
bool tokens_limit(struct tokens *tokens, unsigned long long serial, uint64_t until_ns);

/* When the next limit of a token of this repository's ends (monotonic); UINT64_MAX: none does. */
uint64_t tokens_due_ns(const struct tokens *tokens, const struct host_repository *repository);

bool tokens_is_limited(const struct tokens *tokens, unsigned long long serial);

/* Wipe those that a job brought; all. */
void tokens_forget(struct tokens *tokens, long long job);
void tokens_wipe(struct tokens *tokens);

#endif
