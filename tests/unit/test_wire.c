/* SPDX-License-Identifier: Apache-2.0 */
/* The parent's reading of the harness's lines: every line of wire.h, each field at and past
 * its bounds, and recorded conversations after random edits. */
#include "measure/lines.h"
#include "mutate.h"
#include "tests/tap.h"

#include <stdlib.h>

static int parse(const char *text, struct line *line, struct err *err)
{
    /* A copy of exactly its size: reading past the end is seen by the sanitisers. */
    size_t len = strlen(text);
    char *bytes = malloc(len == 0 ? 1 : len);
    if (bytes == NULL)
        abort();
    memcpy(bytes, text, len);
    int rc = line_parse(bytes, len, line, err);
    free(bytes);
    return rc;
}

static void test_accepted(void)
{
    static const struct {
        const char *text;
        enum line_kind kind;
        enum arm arm;
        unsigned long long numbers[LINE_NUMBERS];
        const char *name, *rest;
    } lines[] = {
        {"ratchet-bench 1 cpu", LINE_HELLO, ARM_COUNT, {1, 0}, "cpu", ""},
        {"opened 62914560 150000000000 0 1", LINE_OPENED, ARM_COUNT,
         {62914560, 150000000000ull, 0, 1}, "", ""},
        {"loaded 63 attention_cpu", LINE_LOADED, ARM_COUNT, {63, 0}, "attention_cpu", ""},
        {"refused 0 cannot load: no such file", LINE_REFUSED, ARM_COUNT, {0, 0}, "",
         "cannot load: no such file"},
        {"configured", LINE_CONFIGURED, ARM_COUNT, {0, 0}, "", ""},
        {"prepared base 9007199254740992", LINE_PREPARED, ARM_BASE, {9007199254740992ull, 0},
         "", ""},
        {"allocated 64 786432", LINE_ALLOCATED, ARM_COUNT, {64, 786432}, "", ""},
        {"ran anchor 2097152", LINE_RAN, ARM_ANCHOR, {2097152}, "", ""},
        {"right control 256 1000000", LINE_RIGHT, ARM_CONTROL, {256, 1000000}, "", ""},
        {"hashed head 4294967295 0", LINE_HASHED, ARM_HEAD, {4294967295, 0}, "", ""},
        {"filled", LINE_FILLED, ARM_COUNT, {0, 0}, "", ""},
        {"calibrated head 1000000", LINE_CALIBRATED, ARM_HEAD, {1000000, 0}, "", ""},
        {"staged base", LINE_STAGED, ARM_BASE, {0}, "", ""},
        {"compared", LINE_COMPARED, ARM_COUNT, {0}, "", ""},
        {"sample head 1093013 0", LINE_SAMPLE, ARM_HEAD, {1093013, 0}, "", ""},
        {"done", LINE_DONE, ARM_COUNT, {0, 0}, "", ""},
        {"traced base 7910 3", LINE_TRACED, ARM_BASE, {7910, 3}, "", ""},
        {"launches anchor 16", LINE_LAUNCHES, ARM_ANCHOR, {16}, "", ""},
        {"launched head 128 512 49152 16 _Z3whyv", LINE_LAUNCHED, ARM_HEAD, {128, 512, 49152, 16},
         "", "_Z3whyv"},
        {"released", LINE_RELEASED, ARM_COUNT, {0, 0}, "", ""},
        {"wrong head forward returned 3", LINE_WRONG, ARM_HEAD, {0, 0}, "",
         "forward returned 3"},
        {"failed fill: malformed", LINE_FAILED, ARM_COUNT, {0, 0}, "", "fill: malformed"},
        {"died 11", LINE_DIED, ARM_COUNT, {11, 0}, "", ""},
        {"crashed CUDA_ERROR_ILLEGAL_ADDRESS", LINE_CRASHED, ARM_COUNT, {0}, "",
         "CUDA_ERROR_ILLEGAL_ADDRESS"},
    };
    EQ_INT(sizeof lines / sizeof lines[0], LINE_KINDS);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct line line;
        struct err err = {0};
        tap_case(lines[i].text);
        if (!OK(parse(lines[i].text, &line, &err) == 0))
            continue;
        EQ_INT(line.kind, lines[i].kind);
        EQ_INT(line.arm, lines[i].arm);
        for (size_t n = 0; n < LINE_NUMBERS; n++)
            EQ_INT(line.numbers[n], lines[i].numbers[n]);
        EQ_STR(line.name, lines[i].name);
        EQ_STR(line.text, lines[i].rest);
        OK(strncmp(lines[i].text, line_kind_name(line.kind),
                   strlen(line_kind_name(line.kind))) == 0);
    }
}

static void test_refused(void)
{
    static const char *const lines[] = {
        "", " ", "x", "Done", "done ", " done", "done 1", "done\n", "don", "donedone",
        "sample", "sample head", "sample head 1", "sample head 1 0 0", "sample head 1 0 ",
        "sample head  1 0", "sample  head 1 0", "sample head -1 0", "sample head +1 0",
        "sample head 01 0", "sample head 1.5 0", "sample head 1e3 0", "sample head 0x1 0",
        "sample head nan 0", "sample head 9007199254740993 0",
        "sample head 18446744073709551616 0", "sample head 99999999999999999999999999 0",
        "sample heads 1 0", "sample hea 1 0", "sample HEAD 1 0", "sample  1 0",
        "sample other 1 0", "ran", "ran ", "ran head head", "ran head", "ran head 0 0",
        "opened", "opened 0 0 0", "opened 0 0 0 2", "opened 0 0 0 0 0", "traced head 1", "crashed", "crashed ", "right head 4097 0",
        "right head 256 1000001", "loaded 64 k", "loaded 0 ", "loaded 0", "loaded 0 .k",
        "loaded 0 a/b", "loaded 0 a b", "refused 0", "refused 0 ", "refused 64 why",
        "staged", "staged 1", "compared head", "allocated 65 1", "calibrated head 1000001", "died 65", "died", "wrong head",
        "wrong head ", "wrong 1 text", "failed", "failed ", "ratchet-bench 1",
        "ratchet-bench one cpu", "wrong head tab\there", "wrong head \x7f", "wrong head \xc3\xa4",
        "sample\thead 1 0", "done\r",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct line line = {.kind = LINE_KINDS, .arm = ARM_BASE, .text = "as it was"};
        struct err err = {0};
        tap_case("refused");
        if (!OK(parse(lines[i], &line, &err) == -1))
            printf("# `%s`\n", lines[i]);
        EQ_INT(err.class, ERR_INPUT);
        OK(line.kind == LINE_KINDS && line.arm == ARM_BASE &&
           strcmp(line.text, "as it was") == 0);
    }
}

static void test_lengths(void)
{
    char text[WIRE_LINE_BYTES + 64];
    struct line line;
    struct err err = {0};
    tap_case("lengths");
    memcpy(text, "failed ", 7);
    memset(text + 7, 'a', sizeof text - 7);
    OK(line_parse(text, 7 + WIRE_TEXT_BYTES - 1, &line, &err) == 0);
    EQ_INT(strlen(line.text), WIRE_TEXT_BYTES - 1);
    OK(line_parse(text, 7 + WIRE_TEXT_BYTES, &line, &err) == -1);
    OK(line_parse(text, WIRE_LINE_BYTES, &line, &err) == -1);
    HAS(err.text, "1024 bytes");
    memcpy(text, "loaded 0 ", 9);
    OK(line_parse(text, 9 + WIRE_NAME_BYTES - 1, &line, &err) == 0);
    EQ_INT(strlen(line.name), WIRE_NAME_BYTES - 1);
    OK(line_parse(text, 9 + WIRE_NAME_BYTES, &line, &err) == -1);
    OK(line_parse("done\0", 5, &line, &err) == -1);
    OK(line_parse("failed a\0b", 10, &line, &err) == -1);
}

/* Foreign bytes come out of a message harmless and short. */
static void test_message(void)
{
    struct line line;
    struct err err = {0};
    tap_case("message");
    OK(parse("<b>`@everyone`\x1b[2J this is a long line that goes on", &line, &err) == -1);
    OK(strchr(err.text, '\x1b') == NULL);
    OK(strstr(err.text, "goes on") == NULL);
    HAS(err.text, "<b>?@everyone?");
}

static bool sound(const struct line *line)
{
    return line->kind < LINE_KINDS && line->arm <= ARM_COUNT &&
           line->numbers[0] <= WIRE_NUMBER_MAX && line->numbers[1] <= WIRE_NUMBER_MAX &&
           memchr(line->name, '\0', sizeof line->name) != NULL &&
           memchr(line->text, '\0', sizeof line->text) != NULL &&
           (line->kind != LINE_LOADED || line->numbers[0] < WIRE_SLOTS_MAX) &&
           (line->kind != LINE_SAMPLE || line->arm < ARM_COUNT);
}

static void test_mutated(void)
{
    static const char *const recorded[] = {
        "ratchet-bench 1 cpu", "loaded 2 attention_cpu", "prepared head 1024",
        "allocated 11 786432", "right head 256 217188", "sample control 20648616 2",
        "wrong head while timed, out at batch 0 head 1 row 7 column 3 is nan, expected 0.5",
        "failed allocate: no memory for the outputs", "died 14", "done",
    };
    size_t accepted = 0;
    size_t unsound = 0;
    tap_case("mutated");
    for (int i = 0; i < 200000; i++) {
        char text[2048];
        const char *from = recorded[i % (int)(sizeof recorded / sizeof recorded[0])];
        size_t len = strlen(from);
        memcpy(text, from, len);
        len = mutate(text, len, sizeof text);
        char *bytes = malloc(len == 0 ? 1 : len);
        if (bytes == NULL)
            abort();
        memcpy(bytes, text, len);
        struct line line;
        struct err err = {0};
        int rc = line_parse(bytes, len, &line, &err);
        free(bytes);
        accepted += rc == 0;
        unsound += rc == 0 ? !sound(&line) : err.class != ERR_INPUT;
    }
    OK(accepted > 1000);
    EQ_INT(unsound, 0);
}

int main(void)
{
    test_accepted();
    test_refused();
    test_lengths();
    test_message();
    test_mutated();
    return tap_done();
}
