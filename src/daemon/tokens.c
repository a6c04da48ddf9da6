/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which token is tried next. */
#include "daemon/tokens.h"

#include "base/proc.h"

#include <stdio.h>
#include <string.h>

static struct token *find(struct tokens *tokens, long long job, const char *text)
{
    for (size_t i = 0; i < TOKENS_MAX; i++) {
        struct token *token = &tokens->all[i];
        if (token->serial != 0 && token->job == job && strcmp(token->text, text) == 0)
            return token;
    }
    return NULL;
}

static size_t count_of(const struct tokens *tokens, long long job)
{
    size_t count = 0;
    for (size_t i = 0; i < TOKENS_MAX; i++)
        count += tokens->all[i].serial != 0 && tokens->all[i].job == job;
    return count;
}

/* Higher is more worth keeping. */
static long long worth(const struct tokens *tokens, const struct token *token)
{
    static const long long of_state[] = {
        [TOKEN_DEAD] = 0, [TOKEN_UNTRIED] = 1, [TOKEN_TAKEN] = 2};
    return of_state[token->state] * (TOKENS_MAX + 1) + TOKENS_MAX -
           (long long)count_of(tokens, token->job);
}

static struct token *place(struct tokens *tokens)
{
    struct token *least = &tokens->all[0];
    for (size_t i = 0; i < TOKENS_MAX; i++) {
        struct token *token = &tokens->all[i];
        if (token->serial == 0)
            return token;
        long long difference = worth(tokens, token) - worth(tokens, least);
        if (difference < 0 || (difference == 0 && token->serial < least->serial))
            least = token;
    }
    return least;
}

void tokens_add(struct tokens *tokens, const struct host_repository *repository, long long job,
                const char *text)
{
    if (text[0] == '\0' || find(tokens, job, text) != NULL)
        return;
    struct token *token = place(tokens);
    *token = (struct token){.serial = ++tokens->last, .repository = repository, .job = job};
    snprintf(token->text, sizeof token->text, "%s", text);
}

/* Of one job the older comes first: who brings another later may be somebody else. Of other jobs
 * the newer, which lives longer. */
static bool before(const struct token *one, const struct token *other, long long job)
{
    bool own = one->job == job, other_own = other->job == job;
    if (own != other_own)
        return own;
    if (one->state != other->state)
        return one->state == TOKEN_TAKEN;
    return own ? one->serial < other->serial : one->serial > other->serial;
}

static bool is_among(unsigned long long serial,
                     const unsigned long long refused[TOKENS_REFUSED_MAX])
{
    for (size_t i = 0; i < TOKENS_REFUSED_MAX; i++)
        if (refused[i] == serial)
            return true;
    return false;
}

const struct token *tokens_pick(const struct tokens *tokens,
                                const struct host_repository *repository, long long job,
                                bool own, const unsigned long long refused[TOKENS_REFUSED_MAX],
                                uint64_t at_ns)
{
    const struct token *best = NULL;
    for (size_t i = 0; i < TOKENS_MAX; i++) {
        const struct token *token = &tokens->all[i];
        if (token->serial == 0 || token->repository != repository ||
            token->state == TOKEN_DEAD || token->limited_until_ns > at_ns ||
            (own && token->job != job) || is_among(token->serial, refused))
            continue;
        if (best == NULL || before(token, best, job))
            best = token;
    }
    return best;
}

static const struct token *find_serial(const struct tokens *tokens, unsigned long long serial)
{
    for (size_t i = 0; i < TOKENS_MAX; i++)
        if (serial != 0 && tokens->all[i].serial == serial)
            return &tokens->all[i];
    return NULL;
}

/* The legs of a matrix bring the same one. */
static bool is_same(const struct token *one, const struct token *other)
{
    return one->repository == other->repository && strcmp(one->text, other->text) == 0;
}

void tokens_note(struct tokens *tokens, unsigned long long serial, bool taken)
{
    const struct token *tried = find_serial(tokens, serial);
    for (size_t i = 0; tried != NULL && i < TOKENS_MAX; i++)
        if (is_same(&tokens->all[i], tried))
            tokens->all[i].state = taken ? TOKEN_TAKEN : TOKEN_DEAD;
}

bool tokens_limit(struct tokens *tokens, unsigned long long serial, uint64_t until_ns)
{
    const struct token *tried = find_serial(tokens, serial);
    for (size_t i = 0; tried != NULL && i < TOKENS_MAX; i++)
        if (is_same(&tokens->all[i], tried))
            tokens->all[i].limited_until_ns = until_ns;
    return tried != NULL && tried->state == TOKEN_TAKEN;
}

uint64_t tokens_due_ns(const struct tokens *tokens, const struct host_repository *repository)
{
    uint64_t now_ns = proc_now_ns(), due_ns = UINT64_MAX;
    for (size_t i = 0; i < TOKENS_MAX; i++) {
        const struct token *token = &tokens->all[i];
        if (token->serial != 0 && token->repository == repository &&
            token->state != TOKEN_DEAD && token->limited_until_ns > now_ns &&
            token->limited_until_ns < due_ns)
            due_ns = token->limited_until_ns;
    }
    return due_ns;
}

bool tokens_is_limited(const struct tokens *tokens, unsigned long long serial)
{
    const struct token *token = find_serial(tokens, serial);
    return token != NULL && token->limited_until_ns > proc_now_ns();
}

void tokens_forget(struct tokens *tokens, long long job)
{
    for (size_t i = 0; i < TOKENS_MAX; i++)
        if (tokens->all[i].job == job)
            explicit_bzero(&tokens->all[i], sizeof tokens->all[i]);
}

void tokens_wipe(struct tokens *tokens)
{
    explicit_bzero(tokens, sizeof *tokens);
}
