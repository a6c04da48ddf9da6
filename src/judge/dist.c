/* SPDX-License-Identifier: Apache-2.0 */
/* Owns distribution functions and their inverses; knows nothing of samples. */
#include "judge/dist.h"

#include "judge/num.h"

static const double sqrt_two_pi = 0x1.40d931ff62706p+1;
static const double pi = 0x1.921fb54442d18p+1;

static double normal_density(double x)
{
    return num_exp(-0.5 * (x * x)) / sqrt_two_pi;
}

/* 1 − Φ(x) for x > 0 by φ(x) / (x + 1/(x + 2/(x + 3/(x + …)))). */
static double normal_upper_tail(double x)
{
    double fraction = x;
    for (int k = 200; k >= 1; k--)
        fraction = x + k / fraction;
    return normal_density(x) / fraction;
}

double dist_normal_cdf(double x)
{
    if (x < -2.5)
        return normal_upper_tail(-x);
    if (x > 2.5)
        return 1 - normal_upper_tail(x);
    /* ½ + φ(x) (x + x³/3 + x⁵/(3·5) + …) */
    double square = x * x;
    double term = x;
    double sum = x;
    for (int k = 3; k < 80; k += 2) {
        term *= square / k;
        sum = sum + term;
    }
    return 0.5 + normal_density(x) * sum;
}

/* Γ((df + 1)/2) / (√π Γ(df/2)), by Γ(x + 1) = x Γ(x) from df = 1 or 2. */
static double student_constant(unsigned df)
{
    double constant = df % 2 == 1 ? 1 / pi : 0.5;
    for (unsigned n = df % 2 == 1 ? 1 : 2; n < df; n += 2)
        constant *= (n + 1.0) / n;
    return constant;
}

/* The continued fraction 1/(1 + d₁/(1 + d₂/(1 + …))) of DLMF 8.17.22 for a = half the
 * degrees of freedom and b = ½, or the two exchanged; for x < (a + 1)/(a + b + 2) it
 * converges fast: 80 of its terms are enough for a thousand degrees of freedom. */
static double beta_fraction(double x, double a, double b)
{
    double fraction = 1;
    for (int m = 40; m >= 1; m--) {
        double two_m = 2.0 * m;
        double even = m * (b - m) * x / ((a + two_m - 1) * (a + two_m));
        fraction = 1 + even / fraction;
        double k = m - 1;
        double odd = (a + k) * (a + b + k) * x / ((a + two_m - 2) * (a + two_m - 1));
        fraction = 1 - odd / fraction;
    }
    return 1 / fraction;
}

/* x^(df/2) for x in (0, 1]. */
static double half_power(double x, unsigned df)
{
    double power = df % 2 == 1 ? num_sqrt(x) : 1;
    double square = x;
    for (unsigned n = df / 2; n != 0; n /= 2) {
        if (n % 2 == 1)
            power *= square;
        square *= square;
    }
    return power;
}

double dist_student_tail(double t, unsigned df)
{
    double squared = t * t;
    double x = df / (df + squared);
    double rest = squared / (df + squared); /* 1 − x without cancellation */
    double a = 0.5 * df;
    double front = student_constant(df) * (half_power(x, df) * num_sqrt(rest));
    if (x < (a + 1) / (a + 2.5))
        return 0.5 * (front / a * beta_fraction(x, a, 0.5));
    return 0.5 - front * beta_fraction(rest, 0.5, a);
}

/* Density of t: Γ((df + 1)/2) / (√(df π) Γ(df/2)) · (1 + t²/df)^−(df + 1)/2. */
static double student_density(double t, unsigned df)
{
    double x = df / (df + t * t);
    return student_constant(df) * half_power(x, df + 1) / num_sqrt(df);
}

/* Where to start: the normal quantile (Abramowitz and Stegun 26.2.23, good to 5e-4) and
 * two terms of Cornish and Fisher's expansion (26.7.5). Rough below three degrees. */
static double student_guess(double tail, unsigned df)
{
    double r = num_sqrt(-2 * num_log(tail));
    double above = 2.515517 + r * (0.802853 + r * 0.010328);
    double below = 1 + r * (1.432788 + r * (0.189269 + r * 0.001308));
    double z = r - above / below;
    double z2 = z * z;
    double first = z * (z2 + 1) / (4.0 * df);
    double second = z * (z2 * (5 * z2 + 16) + 3) / (96.0 * df * df);
    double guess = z + first + second;
    return guess > 0x1p-20 ? guess : 0x1p-20; /* tail ½ is 0, give or take the 5e-4 */
}

/* Newton's method inside a bracket: a step that leaves it is replaced by halving. */
double dist_student_quantile(double tail, unsigned df)
{
    double low = 0;
    double t = student_guess(tail, df);
    double high = 2 * t;
    while (dist_student_tail(high, df) > tail && high < 0x1p60)
        high = high * 2;
    for (int i = 0; i < 100; i++) {
        double excess = dist_student_tail(t, df) - tail;
        if (excess > 0)
            low = t;
        else
            high = t;
        double next = t + excess / student_density(t, df);
        if (!(next >= low && next <= high))
            next = 0.5 * (low + high);
        double moved = next > t ? next - t : t - next;
        t = next;
        if (moved <= t * 0x1p-40)
            break;
    }
    return t;
}
