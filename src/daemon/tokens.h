/* SPDX-License-Identifier: Apache-2.0 */
/* The tokens that jobs have brought: in memory only, wiped when their job is forgotten. A token dies
 * with its job at GitHub, and anybody who may submit can bring a bad one, so several are kept of a
 * repository, and what GitHub made of each. One that was taken is not given up for another. */
#ifndef RATCHET_DAEMON_TOKENS_H
#define RATCHET_DAEMON_TOKENS_H

#include "daemon/message.h"
#include "intake/host.h"

#include <stdbool.h>

enum { TOKENS_MAX = 256 };

struct token {
    unsigned long long serial; /* in the order they came; 0: free */
    const struct host_repository *repository;
    long long job; /* that brought it */
    enum { TOKEN_UNTRIED, TOKEN_TAKEN, TOKEN_REFUSED } state;
    char text[MESSAGE_TOKEN_BYTES];
};

struct tokens {
    unsigned long long last;
    struct token all[TOKENS_MAX];
};

/* "" is none. Where all places are taken, a refused one goes first, then an untried one, the oldest
 * of the job that has most of them. */
void tokens_add(struct tokens *tokens, const struct host_repository *repository, long long job,
                const char *text);

/* What a step of this job is given: the job's own before another job's of the repository, what was
 * taken before what is untried, never what was refused. `own`: no other job's. NULL: none. */
const struct token *tokens_pick(const struct tokens *tokens,
                                const struct host_repository *repository, long long job,
                                bool own);

/* GitHub has taken or refused it. */
void tokens_note(struct tokens *tokens, unsigned long long serial, bool taken);

/* Wipe those that a job brought; all. */
void tokens_forget(struct tokens *tokens, long long job);
void tokens_wipe(struct tokens *tokens);

#endif
