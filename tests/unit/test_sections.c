/* SPDX-License-Identifier: Apache-2.0 */
/* Sections of a shared comment: found, replaced, added, shortened; nobody's is lost. */
#include "publish/sections.h"

#include "tests/tap.h"

#include <string.h>

#define CPU "<!-- ratchet:v1 device=cpu -->"
#define L4 "<!-- ratchet:v1 device=nvidia-l4 -->"
#define CUT "\nThe folded parts are left out here: the run has them.\n"

static struct err err;

static void put(const char *old, const char *marker, const char *body, size_t max,
                const char *want)
{
    for (int again = 0; again < 2; again++) { /* the same again changes nothing */
        BUF_AUTO out;
        buf_init(&out, max);
        OK(sections_put(again ? want : old, strlen(again ? want : old), marker, body,
                        strlen(body), &out, &err) == 0);
        EQ_STR(out.data, want);
    }
}

static bool are(const char *text)
{
    return sections_are(text, strlen(text), CPU);
}

static void test_found(void)
{
    tap_case("whose comment it is");
    OK(are(CPU) && are(CPU "\r\nheld") && are(L4 "\nheld"));
    OK(!are("") && !are("held\n" CPU) && !are(CPU "x\nheld"));
    OK(!are("<!-- ratchet:v1 device= -->") && !are("<!-- ratchet:v1 device=a b -->"));
    OK(!are("<!-- ratchet:v2 device=cpu -->") && !are("<!-- ratchet:v1 device=--> x -->"));
    const char both[] = CPU "\nheld\n\n" L4 "\nheld\n";
    OK(sections_have(both, strlen(both), L4) && sections_have_others(both, strlen(both), L4));
    OK(!sections_have(CPU "\nx", strlen(CPU) + 2, L4));
    OK(!sections_have_others(CPU "\nx", strlen(CPU) + 2, CPU));
}

static void test_put(void)
{
    tap_case("put");
    put("", CPU, CPU "\nheld\n", 4096, CPU "\nheld\n");
    put(CPU "\nheld\n", CPU, CPU "\nregressed\n", 4096, CPU "\nregressed\n");
    put(CPU "\nheld\n", L4, L4 "\nheld\n", 4096, CPU "\nheld\n\n" L4 "\nheld\n");
    put(CPU "\nheld\n\n" L4 "\nheld\n", CPU, CPU "\nlonger\n\nwords\n", 4096,
        CPU "\nlonger\n\nwords\n\n" L4 "\nheld\n");
    put(CPU "\nheld\n\n" L4 "\nheld\n", L4, L4 "\nregressed\n", 4096,
        CPU "\nheld\n\n" L4 "\nregressed\n");
    tap_case("one that stands there twice stands there once");
    put(CPU "\na\n\n" L4 "\nb\n\n" CPU "\nc\n", CPU, CPU "\nd\n", 4096,
        CPU "\nd\n\n" L4 "\nb\n\n");
    tap_case("a marker in what a section says is none");
    put(L4 "\nb\n", CPU, CPU "\n```\n" L4 "\n" CPU "\n```\n", 4096,
        L4 "\nb\n\n" CPU "\n```\n " L4 "\n " CPU "\n```\n");
}

#define FOLDED "<details><summary>x</summary>\nlong long long\n</details>\n"

static void test_too_long(void)
{
    static const char cpu[] = CPU "\n### held\ntable\n\n" FOLDED;
    static const char l4[] = L4 "\n### regressed\ntable\n\n" FOLDED;
    static const char whole[] = CPU "\n### held\ntable\n\n" FOLDED "\n" L4
                                    "\n### regressed\ntable\n\n" FOLDED;
    tap_case("too long: the others' folded parts go, then its own");
    put(cpu, L4, l4, sizeof whole - 1, whole);
    put(cpu, L4, l4, sizeof whole - 2, CPU "\n### held\ntable\n\n" CUT "\n" L4
        "\n### regressed\ntable\n\n" FOLDED);
    tap_case("a fold in a fence is somebody's output");
    put(L4 "\nb\n", CPU, CPU "\n````\n<details>\n```\n<details>\n````\nend\n" FOLDED FOLDED, 200,
        L4 "\nb\n\n" CPU "\n````\n<details>\n```\n<details>\n````\nend\n" CUT);
    tap_case("too long even so");
    BUF_AUTO out;
    buf_init(&out, 100);
    OK(sections_put(cpu, strlen(cpu), L4, l4, strlen(l4), &out, &err) != 0);
    EQ_INT(err.class, ERR_LIMIT);
    HAS(err.text, "longer than 100 bytes");
}

int main(void)
{
    test_found();
    test_put();
    test_too_long();
    return tap_done();
}
