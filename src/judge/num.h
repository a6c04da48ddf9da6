/* SPDX-License-Identifier: Apache-2.0 */
/* The judge's own arithmetic: logarithm, exponential and square root that give the same
 * bits on every machine, compiler and optimisation level. No statistics.
 *
 * IEEE 754 doubles, round to nearest, and only + − × ÷ √, each of which the standard
 * rounds correctly; a libm's log and exp differ from one version to the next. The build
 * passes -ffp-contract=off to this room, but nothing here relies on it: gcc contracts a ×
 * b + c into one fused operation where the target has one and ignores `#pragma STDC
 * FP_CONTRACT OFF`, so every product of the room that meets a sum goes through num_mul(),
 * whose result a compiler cannot look behind. tests/unit/test_bits.py builds the room
 * both ways and compares bits. */
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

#if defined(__x86_64__)
#define NUM_OPAQUE(value) __asm__("" : "+x"(value))
#elif defined(__aarch64__)
#define NUM_OPAQUE(value) __asm__("" : "+w"(value))
#else
#define NUM_OPAQUE(value) __asm__("" : "+m"(value))
#endif

/* a × b, rounded before anything else happens to it. */
static inline double num_mul(double a, double b)
{
    double product = a * b;
    NUM_OPAQUE(product);
    return product;
}

/* √x, correctly rounded; x ≥ 0. */
double num_sqrt(double x);

/* ln x. Largest error seen 0.91 ulp (2 × 10⁷ points, against logl with 64 bits);
 * −∞ at 0, NaN below 0. */
double num_log(double x);

/* eˣ. Largest error seen 0.86 ulp where the result is normal; +∞ above 709.79, 0 below
 * −745.14. */
double num_exp(double x);

#endif
