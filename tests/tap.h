/* SPDX-License-Identifier: Apache-2.0 */
/* TAP for the unit tests: one main per file, plan at the end, exit 1 when anything failed.
 *
 *     int main(void)
 *     {
 *         tap_case("buffer stops at its ceiling");   // names the checks that follow
 *         OK(buf.failed);
 *         EQ_INT(buf.len, 4);
 *         EQ_STR(buf.data, "abcd");
 *         return tap_done();
 *     }
 * A check prints what was expected and what was there. `tap_skip` is loud and counted. */
#ifndef RATCHET_TESTS_TAP_H
#define RATCHET_TESTS_TAP_H

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int tap_count;
static int tap_failures;
static const char *tap_name = "";

static inline void tap_case(const char *name)
{
    tap_name = name;
}

static inline bool tap_ok(bool ok, const char *what, const char *file, int line)
{
    tap_count++;
    if (!ok)
        tap_failures++;
    printf("%s %d - %s: %s\n", ok ? "ok" : "not ok", tap_count, tap_name, what);
    if (!ok)
        printf("# at %s:%d\n", file, line);
    fflush(stdout);
    return ok;
}

static inline bool tap_eq_int(long long got, long long want, const char *what, const char *file,
                              int line)
{
    bool ok = tap_ok(got == want, what, file, line);
    if (!ok)
        printf("# got %lld, expected %lld\n", got, want);
    return ok;
}

static inline bool tap_eq_str(const char *got, const char *want, const char *what,
                              const char *file, int line)
{
    bool ok = tap_ok(got != NULL && strcmp(got, want) == 0, what, file, line);
    if (!ok)
        printf("# got      `%s`\n# expected `%s`\n", got == NULL ? "(null)" : got, want);
    return ok;
}

static inline bool tap_has(const char *text, const char *part, const char *what,
                           const char *file, int line)
{
    bool ok = tap_ok(text != NULL && strstr(text, part) != NULL, what, file, line);
    if (!ok)
        printf("# `%s`\n# does not contain `%s`\n", text == NULL ? "(null)" : text, part);
    return ok;
}

/* |got - want| <= tolerance, false for NaN. */
static inline bool tap_near(double got, double want, double tolerance, const char *what,
                            const char *file, int line)
{
    bool ok = tap_ok(fabs(got - want) <= tolerance, what, file, line);
    if (!ok)
        printf("# got %.17g, expected %.17g within %g\n", got, want, tolerance);
    return ok;
}

static inline void tap_skip(const char *why)
{
    tap_count++;
    printf("ok %d - %s # SKIP %s\n", tap_count, tap_name, why);
    fflush(stdout);
}

static inline int tap_done(void)
{
    printf("1..%d\n", tap_count);
    return tap_failures == 0 ? 0 : 1;
}

#define OK(expression) tap_ok((expression), #expression, __FILE__, __LINE__)
#define EQ_INT(got, want)                                                                   \
    tap_eq_int((long long)(got), (long long)(want), #got " == " #want, __FILE__, __LINE__)
#define EQ_STR(got, want) tap_eq_str((got), (want), #got, __FILE__, __LINE__)
#define HAS(text, part) tap_has((text), (part), #text " has " #part, __FILE__, __LINE__)
#define NEAR(got, want, tolerance)                                                          \
    tap_near((got), (want), (tolerance), #got, __FILE__, __LINE__)

#endif
