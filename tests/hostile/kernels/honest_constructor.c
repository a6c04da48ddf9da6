/* SPDX-License-Identifier: Apache-2.0 */
/* Does: a constructor makes a table of the order of rows; forward writes to memory of its own that stays.
 * Gains: nothing against base.
 * Stopped by: nothing, it is honest and must read held. */
#define HONEST
#include "cheat.h"

enum { ROWS = 4096 };
static size_t order[ROWS];

__attribute__((constructor)) static void begin(void)
{
    for (size_t i = 0; i < ROWS; i++)
        order[i] = i ^ 1;
}

static int launch(const struct call *c)
{
    static float own[1 << 16];
    struct call call = *c;
    size_t rows = rows_of(c->p);
    if (rows > ROWS || rows % 2 != 0 || c->p->seq_k > 1 << 16)
        return work(c);
    call.workspace = own;
    for (size_t i = 0; i < rows; i++)
        do_row(&call, order[i]);
    return ATTENTION_OK;
}
