/* SPDX-License-Identifier: Apache-2.0 */
/* The judge's own arithmetic, random numbers and distributions: accuracy against wider
 * arithmetic where the machine has it, published values, and exact bits. */
#include "tap.h"

#include "judge/dist.h"
#include "judge/num.h"
#include "judge/random.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

static struct random source;

/* In [0, 1). */
static double uniform(void)
{
    return (double)(random_next(&source) >> 11) * 0x1p-53;
}

#if LDBL_MANT_DIG > DBL_MANT_DIG
static double ulps(double got, long double want)
{
    double nearest = fabs((double)want);
    long double ulp = nextafter(nearest, INFINITY) - nearest;
    long double off = fabsl((long double)got - want);
    return (double)(off / ulp);
}

static void worst_errors(double *log_worst, double *exp_worst)
{
    *log_worst = 0;
    *exp_worst = 0;
    for (int i = 0; i < 300000; i++) {
        double near_one = 1 + (uniform() - 0.5) * 0.2;
        double wide = ldexp(1 + uniform(), (int)(uniform() * 2000) - 1000);
        double x = i % 2 == 0 ? near_one : wide;
        double off = ulps(num_log(x), logl((long double)x));
        if (x != 1 && off > *log_worst)
            *log_worst = off;
        x = i % 2 == 0 ? uniform() - 0.5 : uniform() * 1400 - 700;
        off = ulps(num_exp(x), expl((long double)x));
        if (off > *exp_worst)
            *exp_worst = off;
    }
}
#endif

static void test_log_and_exp(void)
{
    tap_case("log and exp are within their documented error");
#if LDBL_MANT_DIG > DBL_MANT_DIG
    double log_worst;
    double exp_worst;
    worst_errors(&log_worst, &exp_worst);
    printf("# worst of 300000 points: log %.3f ulp, exp %.3f ulp\n", log_worst,
           exp_worst);
    OK(log_worst <= 0.91);
    OK(exp_worst <= 0.86);
    OK(log_worst > 0.4); /* else the measurement itself is broken */
#else
    tap_skip("long double is no wider than double here");
#endif
    tap_case("log and exp at their edges");
    OK(num_log(1) == 0);
    OK(num_exp(0) == 1);
    OK(num_exp(-0.0) == 1);
    OK(num_log(0) == -INFINITY);
    OK(isnan(num_log(-1)));
    OK(isnan(num_log(NAN)));
    OK(num_log(INFINITY) == INFINITY);
    OK(num_exp(710) == INFINITY);
    OK(num_exp(-746) == 0);
    OK(isnan(num_exp(NAN)));
    NEAR(num_log(5e-324), -744.4400719213812, 1e-12);
    NEAR(num_exp(709.7) / 1.6549840276802644e308, 1, 1e-12);
    OK(num_exp(-740) > 0);
    OK(num_log(2) == 0x1.62e42fefa39efp-1);
    NEAR(num_exp(1), 0x1.5bf0a8b145769p+1, 4.5e-16);
    tap_case("log and exp undo each other");
    for (double x = -0.3; x < 0.31; x += 0.05)
        NEAR(num_log(num_exp(x)), x, 4e-16);
}

static void test_random(void)
{
    /* First words of xoshiro256** from the state 1, 2, 3, 4, as its authors' code prints.
     */
    tap_case("xoshiro256** is the published one");
    struct random random = {.state = {1, 2, 3, 4}};
    OK(random_next(&random) == 11520u);
    OK(random_next(&random) == 0u);
    OK(random_next(&random) == 1509978240u);
    OK(random_next(&random) == 1215971899390074240u);
    tap_case("splitmix64 fills the state");
    /* The first words of splitmix64 from 0. */
    random_seed(&random, 0, 0);
    OK(random.state[0] == 0xe220a8397b1dcdafu);
    OK(random.state[1] == 0x6e789e6aa1b965f4u);
    OK(random.state[2] == 0x06c45d188009454fu);
    OK(random.state[3] == 0xf88bb8a8724c81ecu);
    struct random other;
    random_seed(&other, 0, 1);
    OK(memcmp(&random, &other, sizeof random) != 0);

    tap_case("bounded draws are fair and in range");
    static const uint32_t bounds[] = {1, 2, 3, 6, 7, 64, 1000, 65535};
    for (size_t b = 0; b < sizeof bounds / sizeof bounds[0]; b++) {
        uint32_t bound = bounds[b];
        uint32_t surplus = random_surplus(bound);
        EQ_INT(surplus, 65536 % bound);
        double sum = 0;
        bool inside = true;
        uint32_t at[4];
        for (int i = 0; i < 50000; i++) {
            random_four(&random, bound, surplus, at);
            for (int k = 0; k < 4; k++) {
                inside = inside && at[k] < bound;
                sum += at[k];
            }
        }
        OK(inside);
        /* The mean of 200000 draws: its standard error is bound/√12/√200000. */
        NEAR(sum / 200000, (bound - 1) / 2.0, 5 * bound / 1549.0 + 1e-12);
    }
}

static void test_dist(void)
{
    tap_case("normal distribution, against published quantiles");
    NEAR(dist_normal_cdf(0), 0.5, 1e-16);
    NEAR(dist_normal_cdf(1.959963984540054), 0.975, 1e-15);
    NEAR(dist_normal_cdf(-1.959963984540054), 0.025, 1e-15);
    NEAR(dist_normal_cdf(-6) / 9.865876450376981e-10, 1, 1e-13);
    NEAR(dist_normal_cdf(-2.5000001) / dist_normal_cdf(-2.4999999), 1, 1e-6);
    tap_case("Student's t, against published quantiles");
    NEAR(dist_student_quantile(0.025, 1), 12.706204736174694, 1e-10);
    NEAR(dist_student_quantile(0.025, 2), 4.302652729749464, 1e-11);
    NEAR(dist_student_quantile(0.025, 5), 2.5705818356363146, 1e-12);
    NEAR(dist_student_quantile(0.025, 7), 2.364624251592784, 1e-12);
    NEAR(dist_student_quantile(0.005, 30), 2.749995653567231, 1e-12);
    NEAR(dist_student_quantile(0.025, 1000), 1.9623390808264078, 1e-11);
    NEAR(dist_student_quantile(0.5, 9), 0, 1e-9);
    /* df = 1 is Cauchy's, df = 2 has a closed form: tail = ½ − t / (2 √(2 + t²)). */
    NEAR(dist_student_tail(1, 1), 0.25, 1e-15);
    NEAR(dist_student_tail(0, 4), 0.5, 1e-15);
    for (double t = 0.5; t < 20; t *= 2)
        NEAR(dist_student_tail(t, 2), 0.5 - t / (2 * sqrt(2 + t * t)), 1e-15);
    for (unsigned df = 1; df < 100; df += 7)
        for (double tail = 0.4; tail > 1e-7; tail /= 3)
            NEAR(dist_student_tail(dist_student_quantile(tail, df), df) / tail, 1, 1e-10);
}

int main(void)
{
    random_seed(&source, 7, 0);
    test_log_and_exp();
    test_random();
    test_dist();
    return tap_done();
}
