/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reading of SASS: which kernels there are, what each takes, and its instructions by what
 * they do. */
#include "measure/sass.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct text {
    const char *at;
    size_t len;
};

/* A kernel on its way. */
struct kernel {
    struct machine_code code;
    unsigned arch;        /* 900 for sm_90, 905 for sm_90a */
    bool has_code;        /* an instruction was seen */
    bool has_array;       /* computes addresses within its frame */
    long long spilled[2]; /* bytes to and from fixed places of the frame */
};

struct reader {
    struct kernel *kernels; /* owned */
    size_t count;
    unsigned family;      /* 9 of sm_90; 0: any */
    unsigned most;        /* newest code that runs; 0: any */
    unsigned arch;        /* of the part that is read; 0: it does not count */
    struct kernel *named; /* whose resources, or whose code come; NULL: nobody's */
};

/* ---- text ---- */

static bool begins(struct text text, const char *front)
{
    size_t len = strlen(front);
    return text.len >= len && memcmp(text.at, front, len) == 0;
}

static struct text skip(struct text text, size_t count)
{
    return (struct text){text.at + count, text.len - count};
}

static struct text trim(struct text text)
{
    while (text.len > 0 && (text.at[0] == ' ' || text.at[0] == '\t'))
        text = skip(text, 1);
    while (text.len > 0 && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t' ||
                            text.at[text.len - 1] == '\r'))
        text.len--;
    return text;
}

/* The digits in front, as a number of at most CODE_FACT_MAX; -1: there are none. */
static long long number(struct text text)
{
    long long value = -1;
    for (; text.len > 0 && text.at[0] >= '0' && text.at[0] <= '9'; text = skip(text, 1)) {
        value = 10 * (value < 0 ? 0 : value) + (text.at[0] - '0');
        if (value > CODE_FACT_MAX)
            return CODE_FACT_MAX;
    }
    return value;
}

static bool contains(struct text text, const char *word)
{
    return text.len > 0 && memmem(text.at, text.len, word, strlen(word)) != NULL;
}

/* What stands behind `word`; empty where it is not there. */
static struct text behind(struct text text, const char *word)
{
    const char *found = text.len == 0 ? NULL : memmem(text.at, text.len, word, strlen(word));
    if (found == NULL)
        return (struct text){"", 0};
    return skip(text, (size_t)(found - text.at) + strlen(word));
}

/* ---- names ---- */

static bool is_hex(const char *at, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (at[i] == '\0' || strchr("0123456789abcdef", at[i]) == NULL)
            return false;
    return true;
}

enum { HASH = 8 };

/* An anonymous namespace has a hash of its file in front, and most have another at the end:
 * "50_GLOBAL__N__b2636abb_17_attention_sm80_cu_caf152e8". Where they stand; NULL: nowhere. */
static void find_hashes(const char *name, size_t len, const char *hashes[2])
{
    static const char front[] = "_GLOBAL__N__";
    const size_t at = strlen(front);
    const char *found = len == 0 ? NULL : memmem(name, len, front, at);
    hashes[0] = hashes[1] = NULL;
    if (found == NULL)
        return;
    size_t left = len - (size_t)(found - name), whole = 0, scale = 1;
    for (const char *digit = found;
         digit > name && scale <= 1000 && digit[-1] >= '0' && digit[-1] <= '9'; digit--) {
        whole += (size_t)(digit[-1] - '0') * scale;
        scale *= 10;
    }
    if (left >= at + HASH && is_hex(found + at, HASH))
        hashes[0] = found + at;
    if (whole >= at + 2 * HASH && whole <= left && is_hex(found + whole - HASH, HASH))
        hashes[1] = found + whole - HASH;
}

uint64_t sass_key(const char *name, size_t len)
{
    const char *hashes[2];
    find_hashes(name, len, hashes);
    uint64_t key = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < len; i++) {
        bool out = false;
        for (int h = 0; h < 2; h++)
            out |= hashes[h] != NULL && name + i >= hashes[h] && name + i < hashes[h] + HASH;
        key = (key ^ (out ? (unsigned char)'-' : (unsigned char)name[i])) * 1099511628211u;
    }
    return key;
}

static void set_name(struct machine_code *code, struct text name)
{
    size_t len = name.len < CODE_NAME_BYTES ? name.len : CODE_NAME_BYTES - 1;
    for (size_t i = 0; i < len; i++)
        code->name[i] = name.at[i] > 0x20 && name.at[i] < 0x7f ? name.at[i] : '?';
    code->name[len] = '\0';
}

/* ---- kernels ---- */

static void reset(struct kernel *kernel, struct text name, unsigned arch)
{
    *kernel = (struct kernel){.code = machine_code_none(), .arch = arch};
    kernel->code.key = sass_key(name.at, name.len);
    set_name(&kernel->code, name);
}

static int add(struct reader *reader, struct text name, struct err *err)
{
    if (reader->count == SASS_KERNELS_MAX)
        return err_set(err, ERR_LIMIT, "more than %d kernels", SASS_KERNELS_MAX);
    if (reader->kernels == NULL)
        reader->kernels = calloc(SASS_KERNELS_MAX, sizeof *reader->kernels);
    if (reader->kernels == NULL)
        return err_set(err, ERR_HOST, "out of memory for the kernels of a library");
    reader->named = &reader->kernels[reader->count++];
    reset(reader->named, name, reader->arch);
    return 0;
}

/* The kernel that the next lines are about; nobody, where newer code of it is there. */
static int find(struct reader *reader, struct text name, struct err *err)
{
    reader->named = NULL;
    if (reader->arch == 0 || name.len == 0)
        return 0;
    uint64_t key = sass_key(name.at, name.len);
    for (size_t i = 0; i < reader->count; i++) {
        struct kernel *kernel = &reader->kernels[i];
        if (kernel->code.key != key)
            continue;
        if (kernel->arch < reader->arch)
            reset(kernel, name, reader->arch);
        reader->named = kernel->arch == reader->arch ? kernel : NULL;
        return 0;
    }
    return add(reader, name, err);
}

/* "sm_90a" */
static void set_arch(struct reader *reader, struct text text)
{
    long long sm = begins(text, "sm_") ? number(skip(text, 3)) : -1;
    char last = text.len > 0 ? text.at[text.len - 1] : '\0';
    unsigned arch = sm > 0 && sm < 1000 ? (unsigned)sm * 10 : 0;
    if (arch != 0 && (last == 'a' || last == 'f'))
        arch += 5;
    bool runs = reader->most == 0 || (arch / 100 == reader->family && arch <= reader->most);
    reader->arch = runs ? arch : 0;
}

/* "  REG:72 STACK:0 SHARED:0 LOCAL:0 …" */
static void set_resources(struct kernel *kernel, struct text line)
{
    kernel->code.facts[CODE_REGISTERS] = number(skip(line, strlen("REG:")));
    kernel->code.facts[CODE_STACK] = number(behind(line, " STACK:"));
    kernel->code.facts[CODE_STATIC_SHARED] = number(behind(line, " SHARED:"));
}

/* ---- instructions ---- */

/* Fronts of opcodes, up to a dot or the end; `*` for any rest. What is in no row is CODE_OTHER. */
static const struct {
    enum code_fact fact;
    const char *opcodes;
} classes[] = {
    {CODE_TENSOR, " HMMA IMMA BMMA DMMA QMMA OMMA HGMMA IGMMA QGMMA BGMMA UTCHMMA UTCQMMA "
                  "UTCIMMA UTCOMMA UTCMXQMMA "},
    {CODE_FMA, " FFMA FFMA2 HFMA2 DFMA "},
    {CODE_GLOBAL,
     " LD LDG LDGSTS ST STG ATOM ATOMG RED REDG REDUX UBLKCP UBLKRED UTMALDG UTMASTG "
     "UTMAREDG "},
    {CODE_SHARED, " LDS LDSM STS STSM ATOMS LDTM STTM "},
    {CODE_LOCAL, " LDL STL "},
    {CODE_BARRIER,
     " BAR DEPBAR LDGDEPBAR UTMACMDFLUSH SYNCS WARPSYNC WARPGROUP MEMBAR ERRBAR FENCE "
     "UCGABAR_ARV UCGABAR_WAIT ARRIVES B2R "},
    {CODE_BRANCH, " BRA BRX BRXU JMP JMX CALL RET EXIT BSSY BSYNC BREAK YIELD "},
};

static enum code_fact class_of(struct text opcode)
{
    char word[24];
    if (opcode.len + 3 > sizeof word)
        return CODE_OTHER;
    word[0] = ' ';
    memcpy(word + 1, opcode.at, opcode.len);
    memcpy(word + 1 + opcode.len, " ", 2);
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (strstr(classes[i].opcodes, word) != NULL)
            return classes[i].fact;
    return CODE_OTHER;
}

/* Bytes that an access moves, by its suffixes. */
static long long width_of(struct text suffixes)
{
    static const struct {
        const char *word;
        long long bytes;
    } widths[] = {{".128", 16}, {".64", 8}, {".U16", 2}, {".S16", 2}, {".U8", 1}, {".S8", 1}};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++)
        if (contains(suffixes, widths[i].word))
            return widths[i].bytes;
    return 4;
}

/* Does a list of operands name the register R1, the stack pointer? */
static bool names_frame(struct text operands)
{
    for (size_t i = 0; i + 1 < operands.len; i++) {
        bool front = i == 0 || strchr(" ,[-|~", operands.at[i - 1]) != NULL;
        char after = i + 2 < operands.len ? operands.at[i + 2] : ' ';
        if (front && operands.at[i] == 'R' && operands.at[i + 1] == '1' &&
            !(after >= '0' && after <= '9'))
            return true;
    }
    return false;
}

/* Local memory at a fixed place of the frame is a spill's; an address within the frame that is
 * computed, or kept in another register, is an array's. */
static void see_frame(struct kernel *kernel, enum code_fact fact, bool store,
                      struct text suffixes, struct text operands)
{
    const char *comma = operands.len == 0 ? NULL : memchr(operands.at, ',', operands.len);
    size_t first = comma == NULL ? operands.len : (size_t)(comma - operands.at);
    if (fact != CODE_LOCAL) {
        bool sets = names_frame((struct text){operands.at, first});
        kernel->has_array |= !sets && names_frame(skip(operands, first));
    } else if (contains(operands, "[R1+") || contains(operands, "[R1]")) {
        kernel->spilled[store ? 0 : 1] += width_of(suffixes);
    } else {
        kernel->has_array = true;
    }
}

/* "@!P0 FFMA R1, R2, R3, R4 ;" with what stands behind it. */
static void set_instruction(struct kernel *kernel, struct text line)
{
    const char *end = line.len == 0 ? NULL : memchr(line.at, ';', line.len);
    if (end == NULL)
        return;
    line.len = (size_t)(end - line.at);
    line = trim(line);
    if (begins(line, "{"))
        line = trim(skip(line, 1));
    if (begins(line, "@")) {
        const char *space = memchr(line.at, ' ', line.len);
        line = space == NULL ? skip(line, line.len)
                             : trim(skip(line, (size_t)(space - line.at)));
    }
    size_t opcode = 0, word = 0;
    while (opcode < line.len && line.at[opcode] != '.' && line.at[opcode] != ' ')
        opcode++;
    while (word < line.len && line.at[word] != ' ')
        word++;
    struct text operands = trim(skip(line, word));
    struct text suffixes = {line.at + opcode, word - opcode};
    bool padding = opcode == 3 && begins(line, "NOP");
    if (opcode == 0 || padding)
        return;
    enum code_fact fact = class_of((struct text){line.at, opcode});
    if (fact == CODE_FMA && contains(operands, "-RZ, RZ"))
        fact = CODE_OTHER; /* a move of a constant */
    if (!kernel->has_code)
        for (int i = CODE_INSTRUCTIONS; i <= CODE_OTHER; i++)
            kernel->code.facts[i] = i == CODE_PACKED || i == CODE_SCALAR ? -1 : 0;
    kernel->has_code = true;
    kernel->code.facts[CODE_INSTRUCTIONS]++;
    kernel->code.facts[fact]++;
    see_frame(kernel, fact, begins(line, "ST"), suffixes, operands);
}

/* ---- all ---- */

static int read_line(struct reader *reader, struct text line, struct err *err)
{
    static const char resources[] = "Function ", code[] = "Function : ";
    line = trim(line);
    if (begins(line, "Fatbin ")) {
        reader->arch = 0;
        reader->named = NULL;
    } else if (begins(line, "arch = ")) {
        set_arch(reader, skip(line, strlen("arch = ")));
    } else if (begins(line, code)) {
        return find(reader, skip(line, strlen(code)), err);
    } else if (begins(line, resources) && line.at[line.len - 1] == ':') {
        struct text name = skip(line, strlen(resources));
        name.len--;
        return find(reader, name, err);
    } else if (reader->named != NULL && begins(line, "REG:")) {
        set_resources(reader->named, line);
    } else if (reader->named != NULL && begins(line, "/*") && line.len > 2 &&
               is_hex(line.at + 2, 1)) {
        struct text rest = behind(line, "*/");
        if (rest.len > 0)
            set_instruction(reader->named, rest);
    }
    return 0;
}

/* Kernels of which code was seen. */
static int take(const struct reader *reader, struct code_listing *out, struct err *err)
{
    struct code_listing made = {.kernels = calloc(reader->count + 1, sizeof *made.kernels)};
    if (made.kernels == NULL)
        return err_set(err, ERR_HOST, "out of memory for the kernels of a library");
    for (size_t i = 0; i < reader->count; i++) {
        const struct kernel *kernel = &reader->kernels[i];
        if (!kernel->has_code)
            continue;
        struct machine_code *code = &made.kernels[made.count++];
        *code = kernel->code;
        if (!kernel->has_array) {
            code->facts[CODE_SPILL_STORES] = kernel->spilled[0];
            code->facts[CODE_SPILL_LOADS] = kernel->spilled[1];
        }
    }
    *out = made;
    return 0;
}

int sass_parse(const char *text, size_t len, const char *capability, struct code_listing *out,
               struct err *err)
{
    struct reader reader = {0};
    struct text given = {capability, strlen(capability)};
    long long major = number(given), minor = number(behind(given, "."));
    if (major > 0 && major < 100 && minor >= 0 && minor < 10) {
        reader.family = (unsigned)major;
        reader.most = (unsigned)(major * 100 + minor * 10 + 9);
    }
    int rc = 0;
    for (const char *at = text, *end = text + len; rc == 0 && at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop == NULL ? end : stop;
        rc = read_line(&reader, (struct text){at, (size_t)(stop - at)}, err);
        at = stop < end ? stop + 1 : end;
    }
    if (rc == 0)
        rc = take(&reader, out, err);
    free(reader.kernels);
    return rc;
}
