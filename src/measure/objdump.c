/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reading of a processor's instructions: how many, and whether floating point is done on
 * whole vectors or on one number at a time. */
#include "measure/objdump.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 256 };

static bool begins(const char *text, const char *front)
{
    return strncmp(text, front, strlen(front)) == 0;
}

static bool ends(const char *text, const char *back)
{
    size_t len = strlen(text), tail = strlen(back);
    return len >= tail && strcmp(text + len - tail, back) == 0;
}

/* Mnemonics of x86-64: "…ps" and "…pd" are packed, "…ss" and "…sd" scalar; moves are no
 * arithmetic. */
static enum code_fact class_of_x86(const char *word)
{
    if (word[0] == 'j' || begins(word, "call") || begins(word, "ret"))
        return CODE_BRANCH;
    if (begins(word, "mov") || begins(word, "vmov"))
        return CODE_OTHER;
    if (ends(word, "ps") || ends(word, "pd"))
        return CODE_PACKED;
    return ends(word, "ss") || ends(word, "sd") ? CODE_SCALAR : CODE_OTHER;
}

/* Mnemonics of aarch64: floating point begins with `f`; its operands say whether of vectors. */
static enum code_fact class_of_aarch64(const char *word, const char *operands)
{
    static const char *const branches[] = {"b",   "bl",   "br",  "blr", "ret",
                                           "cbz", "cbnz", "tbz", "tbnz"};
    for (size_t i = 0; i < sizeof branches / sizeof branches[0]; i++)
        if (strcmp(word, branches[i]) == 0 || begins(word, "b."))
            return CODE_BRANCH;
    if (word[0] != 'f' || begins(word, "fmov"))
        return CODE_OTHER;
    return operands[0] == 'v' || operands[0] == 'z' ? CODE_PACKED : CODE_SCALAR;
}

static bool is_padding(const char *word)
{
    return begins(word, "nop") || strcmp(word, "data16") == 0 || strcmp(word, "cs") == 0 ||
           strcmp(word, "xchg") == 0;
}

/* "    10b0:\tlea    0x2f71(%rip),%rdi", as one instruction. */
static void read_instruction(const char *line, bool aarch64, struct machine_code *code)
{
    size_t digits = strspn(line, "0123456789abcdef");
    if (digits == 0 || line[digits] != ':' || line[digits + 1] != '\t')
        return;
    char word[32];
    const char *at = line + digits + 2;
    size_t len = strcspn(at, " \t");
    if (len == 0 || len >= sizeof word)
        return;
    memcpy(word, at, len);
    word[len] = '\0';
    const char *operands = at + len + strspn(at + len, " \t");
    if (is_padding(word))
        return;
    enum code_fact fact = aarch64 ? class_of_aarch64(word, operands) : class_of_x86(word);
    code->facts[CODE_INSTRUCTIONS]++;
    code->facts[fact]++;
}

/* " 11 .text         00000a52  0000000000001060 …": the size, or -1. */
static long long text_bytes(const char *line)
{
    const char *at = line + strspn(line, "0123456789");
    if (at == line || *at != ' ')
        return -1;
    at += strspn(at, " ");
    if (!begins(at, ".text "))
        return -1;
    at += strlen(".text ");
    char *end;
    long long bytes = strtoll(at, &end, 16);
    return end == at || bytes < 0 || bytes > CODE_FACT_MAX ? -1 : bytes;
}

int objdump_parse(const char *text, size_t len, const char *capability,
                  struct code_listing *out, struct err *err)
{
    static const enum code_fact counted[] = {CODE_INSTRUCTIONS, CODE_PACKED, CODE_SCALAR,
                                             CODE_BRANCH, CODE_OTHER};
    (void)capability;
    struct machine_code code = machine_code_none();
    for (size_t i = 0; i < sizeof counted / sizeof counted[0]; i++)
        code.facts[counted[i]] = 0;
    bool aarch64 = false;
    for (const char *at = text, *end = text + len; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop == NULL ? end : stop;
        char line[LINE_BYTES];
        size_t kept = (size_t)(stop - at) < LINE_BYTES ? (size_t)(stop - at) : LINE_BYTES - 1;
        memcpy(line, at, kept);
        line[kept] = '\0';
        const char *trimmed = line + strspn(line, " ");
        aarch64 |= strstr(line, "file format elf64-littleaarch64") != NULL;
        long long bytes = text_bytes(trimmed);
        code.facts[CODE_TEXT] = bytes < 0 ? code.facts[CODE_TEXT] : bytes;
        read_instruction(trimmed, aarch64, &code);
        at = stop < end ? stop + 1 : end;
    }
    bool any = code.facts[CODE_INSTRUCTIONS] > 0;
    struct machine_code *kernel = calloc(1, sizeof *kernel);
    if (kernel == NULL)
        return err_set(err, ERR_HOST, "out of memory for the code of a library");
    *kernel = code;
    *out = (struct code_listing){kernel, any ? 1 : 0};
    return 0;
}
