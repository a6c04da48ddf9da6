/* SPDX-License-Identifier: Apache-2.0 */
/* The judge's own arithmetic: logarithm, exponential and square root that give the same
 * bits on every machine, compiler and optimisation level. No statistics.
 *
 * IEEE 754 doubles, round to nearest, and only + − × ÷ √, each of which the standard
 * rounds correctly; a libm's log and exp differ from one version to the next. Compilers
 * may fuse a × b + c into one operation that rounds once (gcc does by default, where the
 * target has one), so libjudge is built with -ffp-contract=off: Makefile.am says so, and
 * CFLAGS must not say otherwise. tests/unit/test_bits.py compares the bits of several builds,
 * and shows that one without the flag answers differently. */
#ifndef RATCHET_JUDGE_NUM_H
#define RATCHET_JUDGE_NUM_H

#include <float.h>

#ifdef __FAST_MATH__
#error "the judge needs IEEE 754 arithmetic: build it without -ffast-math"
#endif
/* 16 says how _Float16 is evaluated, and that doubles are as with 0. */
_Static_assert(FLT_EVAL_METHOD == 0 || FLT_EVAL_METHOD == 16,
               "the judge needs doubles that are rounded at each step");
_Static_assert(DBL_MANT_DIG == 53, "the judge needs IEEE 754 doubles");

/* √x, correctly rounded; x ≥ 0. */
double num_sqrt(double x);

/* ln x. Largest error seen 0.91 ulp (2 × 10⁷ points, against logl with 64 bits);
 * −∞ at 0, NaN below 0. */
double num_log(double x);

/* eˣ. Largest error seen 0.86 ulp where the result is normal; +∞ above 709.79, 0 below
 * −745.14. */
double num_exp(double x);

#endif
