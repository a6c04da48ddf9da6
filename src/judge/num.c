/* SPDX-License-Identifier: Apache-2.0 */
/* Owns logarithm, exponential and square root. The reductions are the classic ones (Cody
 * and Waite, Software Manual for the Elementary Functions, 1980): the exponent is split
 * off exactly, what is left goes into a series short enough to be summed to the last
 * bit. */
#include "judge/num.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* ln 2 in two parts: the high one has 33 bits, so that its product with an exponent (11
 * bits) is exact. */
static const double ln2_high = 0x1.62e42fefp-1;
static const double ln2_low = 0x1.473de6af278edp-34;
static const double per_ln2 = 0x1.71547652b82fep+0; /* 1 / ln 2 */
static const double sqrt_half = 0x1.6a09e667f3bcdp-1;

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static double of_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

double num_sqrt(double x)
{
    return sqrt(x); /* the one function of libm that IEEE 754 defines to the bit */
}

/* x = m × 2^exponent with m in [√½, √2); x > 0 and finite. */
static double split(double x, int *exponent)
{
    int shift = 0;
    if (x < DBL_MIN) { /* subnormal: make it normal first */
        x = x * 0x1p54;
        shift = -54;
    }
    uint64_t bits = bits_of(x);
    int raised = (int)(bits >> 52) - 1022;
    double m = of_bits((bits & 0x000fffffffffffffu) | 0x3fe0000000000000u); /* [½, 1) */
    if (m < sqrt_half) {
        m = m * 2;
        raised--;
    }
    *exponent = raised + shift;
    return m;
}

/* With f = m − 1 and s = f / (2 + f): ln m = 2 artanh s = 2s + s·R, where R is the sum of
 * 2 s²ᵏ / (2k + 1) over k ≥ 1. Since 2s = f − s·f this is f − s (f − R), and since
 * s·f = f²/2 − s·f²/2 it is f − (f²/2 − s (f²/2 + R)): the first term is exact and
 * carries most of the result, so the roundings of the rest weigh little. */
double num_log(double x)
{
    if (!(x > 0))
        return x == 0 ? -INFINITY : NAN;
    if (x > DBL_MAX)
        return x;
    int exponent;
    double f = split(x, &exponent) - 1;
    double s = f / (2 + f);
    double s2 = s * s;
    double series = 0; /* |s²| ≤ 0.0295: the 13th term is below 2⁻⁶⁶ */
    for (int k = 12; k >= 1; k--)
        series = s2 * (series + 2.0 / (2 * k + 1));
    double half_square = 0.5 * (f * f);
    double tail = half_square - s * (half_square + series);
    if (exponent == 0)
        return f - tail;
    double k = exponent;
    return k * ln2_high + (f - (tail - k * ln2_low));
}

/* 2^exponent × x without rounding twice while the result is normal. */
static double scale(double x, int exponent)
{
    if (exponent < -1021) {
        x = x * 0x1p-1000;
        exponent += 1000;
    } else if (exponent > 1022) {
        x = x * 0x1p+10;
        exponent -= 10;
    }
    return x * of_bits((uint64_t)(exponent + 1023) << 52);
}

/* eˣ = 2ᵏ eʳ with |r| ≤ ½ ln 2, r = high − low. The Taylor series is summed from its
 * small end; 1 + (high + …) leaves one full rounding and small ones. */
double num_exp(double x)
{
    if (x != x)
        return x;
    if (x > 709.782712893384)
        return INFINITY;
    if (x < -745.1332191019412)
        return 0;
    int k = (int)(x * per_ln2 + (x < 0 ? -0.5 : 0.5));
    double high = x - k * ln2_high;
    double low = k * ln2_low;
    double r = high - low;
    double series = 0; /* r/2! + r²/3! + … = (eʳ − 1 − r) / r; left out: below 2⁻⁶² */
    for (int i = 14; i >= 2; i--)
        series = r / i * (series + 1);
    return scale(1 + (high + (r * series - low)), k);
}
