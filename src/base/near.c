/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the distance between two names. */
#include "base/near.h"

#include <stdio.h>
#include <string.h>

enum { LONGEST = 40, FARTHEST = 2 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance, one row at a time; both are at most LONGEST. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t row[LONGEST + 1];
    for (size_t i = 0; i <= b_len; i++)
        row[i] = i;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];
            size_t changed = diagonal + (a[i - 1] != b[j - 1]);
            row[j] = least(changed, 1 + least(above, row[j - 1]));
            diagonal = above;
        }
    }
    return row[b_len];
}

void near_offer(struct near *near, const char *name)
{
    size_t len = strlen(name);
    if (len > LONGEST || near->len > LONGEST)
        return;
    size_t far = distance(near->word, near->len, name, len);
    if (far > FARTHEST || 2 * far >= len || (near->name != NULL && far >= near->distance))
        return;
    near->name = name;
    near->distance = far;
}

const char *near_text(const struct near *near, const char *prefix, char out[NEAR_TEXT_BYTES])
{
    out[0] = '\0';
    if (near->name != NULL)
        snprintf(out, NEAR_TEXT_BYTES, "; did you mean `%s%s`?", prefix, near->name);
    return out;
}
