/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the source of randomness. A generator of our own would let a library that sees one seed
 * work out the next. */
#include "measure/draw.h"

#include <errno.h>
#include <sys/random.h>

int draw_bits(uint64_t *out, struct err *err)
{
    if (getrandom(out, sizeof *out, 0) != (ssize_t)sizeof *out)
        return err_errno(err, ERR_HOST, errno, "getrandom");
    return 0;
}
