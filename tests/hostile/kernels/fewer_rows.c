/* SPDX-License-Identifier: Apache-2.0 */
/* Does: while timed, leaves out a quarter of the rows, others in every launch.
 * Gains: a quarter, where too few rows are compared.
 * Stopped by: rows that are drawn after the sample, one at least of every sample. */
#include "cheat.h"

static int launch(const struct call *c)
{
    static size_t count;
    if (!is_timed(c))
        return work(c);
    count++;
    for (size_t row = 0; row < rows_of(c->p); row++) {
        float *out = c->out + row * (size_t)c->p->head_dim;
        if ((row + count) % 4 != 0)
            do_row(c, row);
        else
            memset(out, 0, (size_t)c->p->head_dim * sizeof *out);
    }
    return ATTENTION_OK;
}
