/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as people read them: one way for each kind, used wherever a report has one. What is
 * not a finite number is "n/a". Pure. */
#ifndef RATCHET_PUBLISH_FIGURES_H
#define RATCHET_PUBLISH_FIGURES_H

#include "model.h"

enum { FIGURE_BYTES = 96 };

/* A relative change of a time or a size, with its sign: "+4.12%", "+2813%" from 1000% on, "0.00%"
 * for what rounds to it. Beyond what means anything it is said so: "over +1000000%", and, as
 * nothing loses more than all, "under -100%". */
const char *figure_percent(char out[FIGURE_BYTES], double ratio);
/* The same of a share, without a sign: "4.12%", "over 1000000%". */
const char *figure_share(char out[FIGURE_BYTES], double share);
/* 1 or -1, and 0 for what rounds to "0.00%" or is not finite. */
int figure_sign(double ratio);
/* "[+3.90, +4.40]", in percent; "[n/a]" where an end is not finite. */
const char *figure_interval(char out[FIGURE_BYTES], struct interval interval);
/* "+4.12% [+3.90, +4.40]", or "n/a" for a change that is not known. */
const char *figure_change(char out[FIGURE_BYTES], const struct change *change);
/* Four significant digits in ns, µs, ms or s: "712.3 µs". */
const char *figure_time(char out[FIGURE_BYTES], double ns);
/* Likewise per second, from units per nanosecond: "1.234 TFLOP/s", "98.70 GB/s". */
const char *figure_rate(char out[FIGURE_BYTES], double per_ns, const char *unit);
/* "12.00 MiB". */
const char *figure_bytes(char out[FIGURE_BYTES], double bytes);

#endif
