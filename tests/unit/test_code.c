/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes and exports of small libraries that the compiler builds here, and what becomes
 * of them when bytes are changed. Without a compiler the test is skipped. */
#include "measure/code.h"

#include "base/file.h"
#include "tests/tap.h"

#include <elf.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

enum { MUTATIONS = 2500, FLIPS = 1500 };

static char folder[] = "/tmp/ratchet-code-XXXXXX";

/* ---- building ---- */

/* The source that most libraries vary: text, constants, data, bss, relocations, and calls
 * of two other libraries. @ marks stand for what a variant changes. */
static const char source[] =
    "#include <math.h>\n"
    "#include <string.h>\n"
    "typedef float step(float);\n"
    "static float twice(float x) { return 2.0f * x; }\n"
    "static float cube(float x) { return x * x * x; }\n"
    "static step *const table[] = {twice, cube};\n"
    "static const double weights[] = {0.5, 1.5, 2.25, 3.125};\n"
    "static volatile int state = 7;\n"
    "static volatile char scratch[100];\n"
    "__attribute__((visibility(\"default\"))) float attention_kernel(float x, int i)\n"
    "{\n"
    "    memset((char *)scratch, i, sizeof scratch);\n"
    "    return table[i & 1](sinf(x)) + (float)weights[i & 3] + (float)state +\n"
    "           (float)scratch[i & 63];\n"
    "}\n";

static const char *compiler(void)
{
    const char *cc = getenv("CC");
    return cc != NULL && *cc != '\0' ? cc : "cc";
}

static bool shell(const char *command)
{
    return system(command) == 0;
}

static void write_text(const char *path, const char *text)
{
    struct err err;
    if (file_write(path, text, strlen(text), 0644, &err) != 0)
        printf("# %s\n", err.text);
}

/* Build `text` as folder/sub/k.c with `flags` more; the library's path goes to `out`. The
 * compiler runs in that folder, as a build of the service does. */
static bool build_in(const char *sub, const char *text, const char *flags,
                     const char *name, char out[FILE_PATH_BYTES])
{
    char path[FILE_PATH_BYTES], command[2 * FILE_PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", folder, sub);
    if (file_mkdirs(path, 0755, NULL) != 0)
        return false;
    snprintf(path, sizeof path, "%s/%s/k.c", folder, sub);
    write_text(path, text);
    snprintf(out, FILE_PATH_BYTES, "%s/%s/%s", folder, sub, name);
    snprintf(command, sizeof command,
             "cd '%s/%s' && %s -O2 -shared -fPIC -fvisibility=hidden %s -o '%s' k.c -lm",
             folder, sub, compiler(), flags, name);
    return shell(command);
}

static bool build(const char *text, const char *flags, const char *name,
                  char out[FILE_PATH_BYTES])
{
    return build_in("a", text, flags, name, out);
}

/* `text` with its first `from` replaced by `to`. */
static const char *varied(const char *text, const char *from, const char *to)
{
    static char out[4096];
    const char *at = strstr(text, from);
    if (at == NULL) {
        OK(at != NULL); /* a variant that changes nothing tests nothing */
        return text;
    }
    snprintf(out, sizeof out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    return out;
}

static const char *hash_of(const char *path, char out[MODEL_CODE_BYTES])
{
    struct err err;
    out[0] = '\0';
    if (code_hash(path, out, &err) != 0)
        printf("# %s\n", err.text);
    return out;
}

/* ---- the hash ---- */

static char base_path[FILE_PATH_BYTES];
static char base_hash[MODEL_CODE_BYTES];

static void test_format(void)
{
    tap_case("a hash is sha256: and 64 digits");
    EQ_INT(strlen(base_hash), 7 + 64);
    OK(strncmp(base_hash, "sha256:", 7) == 0);
    EQ_INT(strspn(base_hash + 7, "0123456789abcdef"), 64);
}

static void test_same(void)
{
    static const struct {
        const char *what, *sub, *from, *to, *flags, *after;
    } same[] = {
        {"another folder", "b/c/d", "", "", "-g", NULL},
        {"comments and blank lines", "a", "static float cube",
         "/* new\n\n\n */ static float cube", "-g", NULL},
        {"white space", "a", "return 2.0f * x;", "return\n        2.0f*x;", "-g", NULL},
        {"a static function's name", "a", "", "", "-g -Dcube=third_power", NULL},
        {"without debug sections", "a", "", "", "", NULL},
        {"without .comment", "a", "", "", "-g -fno-ident", NULL},
        {"another build id", "a", "", "",
         "-Wl,--build-id=0x00112233445566778899aabbccddeeff00112233", NULL},
        {"stripped", "a", "", "", "-g", "strip same.so"},
        {"with a debug link", "a", "", "", "",
         "cp same.so dbg && objcopy --add-gnu-debuglink=dbg same.so"},
        {"with another section", "a", "", "", "",
         "echo x > extra && objcopy --add-section .extra=extra same.so"},
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        char path[FILE_PATH_BYTES], hash[MODEL_CODE_BYTES], command[2 * FILE_PATH_BYTES];
        tap_case(same[i].what);
        const char *text =
            same[i].from[0] == '\0' ? source : varied(source, same[i].from, same[i].to);
        OK(build_in(same[i].sub, text, same[i].flags, "same.so", path));
        if (same[i].after != NULL) {
            snprintf(command, sizeof command, "cd '%s/a' && %s", folder, same[i].after);
            OK(shell(command));
        }
        EQ_STR(hash_of(path, hash), base_hash);
    }
}

static void test_different(void)
{
    static const struct {
        const char *what, *from, *to, *flags;
    } different[] = {
        {"an instruction", "x * x * x", "x * x - x", ""},
        {"a constant in code", "i & 3", "i & 1", ""},
        {"a constant in .rodata", "2.25", "2.5", ""},
        {"a number in .data", "state = 7", "state = 8", ""},
        {"the size of .bss", "scratch[100]", "scratch[9000]", ""},
        {"the order of a table of functions", "{twice, cube}", "{cube, twice}", ""},
        {"a symbol needed", "sinf(x)", "cosf(x)", ""},
        {"a library needed", "", "", "-Wl,--no-as-needed -l:libdl.so.2"},
        {"a line number in code", "+ (float)state", "+ (float)state +\n (float)__LINE__",
         ""},
        {"the name exported", "attention_kernel", "attention_kernes", ""},
        {"optimisation", "", "", "-O0"},
        {"immediate binding", "", "", "-Wl,-z,now"},
        {"an executable stack", "", "", "-Wl,-z,execstack"},
    };
    for (size_t i = 0; i < sizeof different / sizeof different[0]; i++) {
        char path[FILE_PATH_BYTES], hash[MODEL_CODE_BYTES];
        tap_case(different[i].what);
        const char *text = different[i].from[0] == '\0'
                               ? source
                               : varied(source, different[i].from, different[i].to);
        OK(build(text, different[i].flags, "different.so", path));
        hash_of(path, hash);
        OK(hash[0] != '\0');
        OK(strcmp(hash, base_hash) != 0);
    }
}

/* ---- bytes ---- */

static uint64_t random_state;

static uint64_t random_next(void)
{
    random_state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    uint64_t x = random_state;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static char mutant_path[FILE_PATH_BYTES];

static void write_mutant(const void *bytes, size_t len)
{
    FILE *file = fopen(mutant_path, "wb");
    if (file == NULL || fwrite(bytes, 1, len, file) != len || fclose(file) != 0)
        abort();
}

/* Is the byte at `offset` one that the loader maps? */
static bool loaded(const struct buf *file, size_t offset)
{
    Elf64_Ehdr header;
    memcpy(&header, file->data, sizeof header);
    for (size_t i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr segment;
        memcpy(&segment, file->data + header.e_phoff + i * sizeof segment,
               sizeof segment);
        if (segment.p_type == PT_LOAD && offset >= segment.p_offset &&
            offset < segment.p_offset + segment.p_filesz)
            return true;
    }
    return false;
}

/* Loaded bytes that the hash leaves out on purpose: where the section table lies, and the
 * build id. */
static bool left_out(const struct buf *file, size_t offset)
{
    static const unsigned char note[] = {4, 0, 0, 0, 20,  0,   0,   0,
                                         3, 0, 0, 0, 'G', 'N', 'U', 0};
    if (offset < sizeof(Elf64_Ehdr))
        return (offset >= offsetof(Elf64_Ehdr, e_shoff) &&
                offset < offsetof(Elf64_Ehdr, e_shoff) + sizeof(Elf64_Off)) ||
               offset >= offsetof(Elf64_Ehdr, e_shentsize);
    const char *at = memmem(file->data, file->len, note, sizeof note);
    size_t id = at == NULL ? file->len : (size_t)(at - file->data) + sizeof note;
    return offset >= id && offset < id + 20;
}

/* Every byte that is loaded counts, and no other. */
static void test_each_byte(const struct buf *file)
{
    size_t unseen = 0, wrongly_seen = 0, tried = 0, outside = 0;
    random_state = 3;
    for (int i = 0; i < FLIPS; i++) {
        /* The headers one by one, the rest by chance. */
        size_t at = i < 700 ? (size_t)i : (size_t)(random_next() % file->len);
        char hash[MODEL_CODE_BYTES];
        struct err err;
        file->data[at] = (char)(file->data[at] ^ 0x10);
        write_mutant(file->data, file->len);
        bool sound = code_hash(mutant_path, hash, &err) == 0;
        file->data[at] = (char)(file->data[at] ^ 0x10);
        bool counts = loaded(file, at) && !left_out(file, at);
        bool changed = sound && strcmp(hash, base_hash) != 0;
        tried += counts;
        outside += !counts;
        if (counts && sound && !changed) {
            printf("# byte %zu was changed unseen\n", at);
            unseen++;
        }
        wrongly_seen += !loaded(file, at) && changed;
    }
    tap_case("every loaded byte counts");
    EQ_INT(unseen, 0);
    OK(tried > 500 && outside > 100);
    tap_case("what is not loaded does not");
    printf("# %zu of %zu changes outside moved the hash\n", wrongly_seen, outside);
    /* Only the entry of the build id in the section table matters: without it the id
     * counts. */
    OK(wrongly_seen <= 20);
}

/* Both readers on what is in mutant_path: an answer, or ERR_INPUT with a text. */
static bool survives(void)
{
    char hash[MODEL_CODE_BYTES] = "untouched";
    struct err err = {.class = ERR_NONE};
    if (code_hash(mutant_path, hash, &err) != 0 &&
        (err.class != ERR_INPUT || err.text[0] == '\0' || strcmp(hash, "untouched") != 0))
        return false;
    err = (struct err){.class = ERR_NONE};
    if (code_check_exports(mutant_path, "attention_kernel", &err) != 0 &&
        (err.class != ERR_INPUT || err.text[0] == '\0'))
        return false;
    return true;
}

/* Where damage hurts: headers, dynamic segment, section table. Or anywhere. */
static size_t random_place(const struct buf *file)
{
    Elf64_Ehdr header;
    memcpy(&header, file->data, sizeof header);
    size_t start = 0, size = file->len;
    switch (random_next() % 5) {
    case 0:
        size = sizeof header + header.e_phnum * sizeof(Elf64_Phdr);
        break;
    case 1:
        start = header.e_shoff;
        size = file->len - start;
        break;
    case 2:
        size = 0x600; /* notes, hash table, symbols, strings of a small library */
        break;
    case 3:
        for (size_t i = 0; i < header.e_phnum; i++) {
            Elf64_Phdr segment;
            memcpy(&segment, file->data + header.e_phoff + i * sizeof segment,
                   sizeof segment);
            if (segment.p_type == PT_DYNAMIC) {
                start = segment.p_offset;
                size = segment.p_filesz;
            }
        }
        break;
    default:
        break;
    }
    return start + (size_t)(random_next() % size);
}

static void test_mutations(const struct buf *file)
{
    static const unsigned char values[] = {0, 1, 0x7f, 0x80, 0xff};
    /* A buffer doubles from 256 bytes: a file one byte short of that, for the NUL, leaves
     * none to spare, and reading past the end is seen by the sanitizer. */
    size_t padded = 256;
    while (padded - 1 < file->len)
        padded *= 2;
    padded--;
    char *copy = calloc(1, padded);
    if (copy == NULL)
        abort();
    int failed = 0, refused = 0;
    for (int i = 0; i < MUTATIONS; i++) {
        random_state = 1000 + (uint64_t)i;
        memcpy(copy, file->data, file->len);
        for (uint64_t n = 1 + random_next() % 8; n > 0; n--) {
            uint64_t value = random_next();
            size_t run = value % 3 == 0 ? 8 : 1; /* whole addresses, or single bytes */
            for (size_t at = random_place(file); run > 0 && at < file->len; run--, at++)
                copy[at] = (char)(value % 2 != 0 ? values[value / 8 % sizeof values]
                                                 : (unsigned char)(value >> 32));
        }
        size_t len = i % 10 == 0 ? (size_t)(random_next() % file->len) : padded;
        write_mutant(copy, len);
        refused += code_hash(mutant_path, (char[MODEL_CODE_BYTES]){""}, NULL) != 0;
        failed += !survives();
    }
    free(copy);
    tap_case("mutations are answered or refused");
    EQ_INT(failed, 0);
    printf("# %d of %d refused\n", refused, MUTATIONS);
    OK(refused > MUTATIONS / 10 && refused < MUTATIONS);
}

static void test_truncations(const struct buf *file)
{
    int failed = 0, accepted = 0;
    for (size_t len = 0; len < file->len; len += len < 1200 ? 7 : 61) {
        write_mutant(file->data, len);
        failed += !survives();
        accepted += code_hash(mutant_path, (char[MODEL_CODE_BYTES]){""}, NULL) == 0;
    }
    tap_case("truncated files are refused");
    EQ_INT(failed, 0);
    EQ_INT(accepted, 0);
}

/* ---- headers by hand ---- */

/* The file with `len` bytes at `offset` replaced, hashed. */
static int hash_patched(const struct buf *file, size_t offset, const void *bytes,
                        size_t len, char hash[MODEL_CODE_BYTES], struct err *err)
{
    char *copy = malloc(file->len);
    if (copy == NULL)
        abort();
    memcpy(copy, file->data, file->len);
    memcpy(copy + offset, bytes, len);
    write_mutant(copy, file->len);
    free(copy);
    return code_hash(mutant_path, hash, err);
}

static void test_refusals(const struct buf *file)
{
    static const struct {
        const char *what;
        size_t offset, len;
        unsigned char bytes[8];
        const char *text;
    } patches[] = {
        {"no magic", 0, 1, {0}, "no ELF header"},
        {"32 bits", EI_CLASS, 1, {ELFCLASS32}, "64-bit little-endian"},
        {"big-endian", EI_DATA, 1, {ELFDATA2MSB}, "64-bit little-endian"},
        {"executable", offsetof(Elf64_Ehdr, e_type), 1, {ET_EXEC}, "ELF type 2"},
        {"another machine's",
         offsetof(Elf64_Ehdr, e_machine),
         1,
         {EM_RISCV},
         "built for another architecture: RISC-V (ELF machine 243), this host runs"},
        {"no segments", offsetof(Elf64_Ehdr, e_phnum), 1, {0}, "0 program headers"},
        {"many segments",
         offsetof(Elf64_Ehdr, e_phnum),
         2,
         {0xff, 0xff},
         "65535 program"},
        {"segments far away",
         offsetof(Elf64_Ehdr, e_phoff),
         8,
         {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
         "program headers beyond"},
        {"sections far away",
         offsetof(Elf64_Ehdr, e_shoff),
         8,
         {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
         "section headers beyond"},
        {"segment longer than the file",
         sizeof(Elf64_Ehdr) + offsetof(Elf64_Phdr, p_filesz),
         8,
         {0, 0, 0, 0, 0, 0, 0, 0x70},
         "lies beyond its end"},
        {"segment longer than itself",
         sizeof(Elf64_Ehdr) + offsetof(Elf64_Phdr, p_memsz),
         8,
         {1},
         "impossible sizes"},
        {"segments on one page",
         sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr) + offsetof(Elf64_Phdr, p_vaddr),
         8,
         {0},
         "overlaps"},
    };
    for (size_t i = 0; i < sizeof patches / sizeof patches[0]; i++) {
        char hash[MODEL_CODE_BYTES];
        struct err err = {.text = ""};
        tap_case(patches[i].what);
        EQ_INT(hash_patched(file, patches[i].offset, patches[i].bytes, patches[i].len,
                            hash, &err),
               -1);
        EQ_INT(err.class, ERR_INPUT);
        HAS(err.text, patches[i].text);
    }
    struct err err;
    char hash[MODEL_CODE_BYTES], path[FILE_PATH_BYTES];
    tap_case("no such file");
    snprintf(path, sizeof path, "%s/missing.so", folder);
    EQ_INT(code_hash(path, hash, &err), -1);
    EQ_INT(err.class, ERR_NOT_FOUND);
    tap_case("a folder");
    EQ_INT(code_check_exports(folder, "attention_kernel", &err), -1);
    EQ_INT(err.class, ERR_INPUT);
}

/* ---- hostile by design: what chance seldom hits ---- */

/* A copy of a library to be tampered with. Its first loadable segment holds addresses
 * that are offsets, too. */
struct victim {
    char *bytes;
    size_t len;
    Elf64_Ehdr header;
    Elf64_Phdr segments[16], *dynamic, *first, *last; /* the loadable ones */
};

static struct victim victim_new(const struct buf *file)
{
    struct victim v = {.bytes = malloc(file->len + 4096), .len = file->len};
    if (v.bytes == NULL)
        abort();
    memcpy(v.bytes, file->data, file->len);
    memset(v.bytes + file->len, 0, 4096);
    memcpy(&v.header, v.bytes, sizeof v.header);
    if (v.header.e_phnum > 16)
        abort();
    memcpy(v.segments, v.bytes + v.header.e_phoff, v.header.e_phnum * sizeof(Elf64_Phdr));
    return v;
}

static void victim_look(struct victim *v)
{
    for (size_t i = 0; i < v->header.e_phnum; i++) {
        Elf64_Phdr *segment = &v->segments[i];
        if (segment->p_type == PT_DYNAMIC)
            v->dynamic = segment;
        if (segment->p_type != PT_LOAD)
            continue;
        v->first = v->first == NULL ? segment : v->first;
        v->last = segment;
    }
}

static void victim_free(struct victim *v)
{
    free(v->bytes);
}
#define VICTIM_AUTO __attribute__((cleanup(victim_free))) struct victim

static uint64_t victim_dynamic(const struct victim *v, int64_t tag)
{
    for (size_t at = v->dynamic->p_offset;; at += sizeof(Elf64_Dyn)) {
        Elf64_Dyn entry;
        memcpy(&entry, v->bytes + at, sizeof entry);
        if (entry.d_tag == tag || entry.d_tag == DT_NULL)
            return entry.d_un.d_val;
    }
}

static void victim_write(struct victim *v)
{
    memcpy(v->bytes, &v->header, sizeof v->header);
    memcpy(v->bytes + v->header.e_phoff, v->segments,
           v->header.e_phnum * sizeof(Elf64_Phdr));
    write_mutant(v->bytes, v->len);
}

static void refused(const char *what, struct victim *v, bool exports, const char *text)
{
    char hash[MODEL_CODE_BYTES];
    struct err err = {.text = ""};
    tap_case(what);
    victim_write(v);
    EQ_INT(exports ? code_check_exports(mutant_path, "attention_kernel", &err)
                   : code_hash(mutant_path, hash, &err),
           -1);
    EQ_INT(err.class, ERR_INPUT);
    HAS(err.text, text);
}

static void test_hostile_notes(const struct buf *file)
{
    static const struct {
        const char *what;
        size_t at; /* in the note */
        uint32_t value;
        const char *text;
    } notes[] = {
        {"a note's name without end", 0, 0xfffffffd, "a note longer than"},
        {"a note's id without end", 4, 0xfffffffd, "a note longer than"},
        {"a note's id of 17 bytes", 4, 17, NULL},
        {"a note one word too long", 4, 24, "a note longer than"},
        {"a note one word too short", 4, 16, "half a note"},
    };
    for (size_t i = 0; i < sizeof notes / sizeof notes[0]; i++) {
        VICTIM_AUTO v = victim_new(file);
        char *note = memmem(v.bytes, v.len, "GNU\0", 4);
        /* .note.gnu.property may lie before the build id. */
        while (note != NULL && note[-4] != NT_GNU_BUILD_ID)
            note = memmem(note + 4, v.len - (size_t)(note + 4 - v.bytes), "GNU\0", 4);
        OK(note != NULL);
        if (note == NULL)
            return;
        memcpy(note - 12 + notes[i].at, &notes[i].value, 4);
        if (notes[i].text != NULL) {
            refused(notes[i].what, &v, false, notes[i].text);
            continue;
        }
        char hash[MODEL_CODE_BYTES];
        tap_case(notes[i].what);
        victim_write(&v);
        OK(strcmp(hash_of(mutant_path, hash), base_hash) != 0);
    }
}

static void test_hostile_segments(const struct buf *file)
{
    char before[MODEL_CODE_BYTES], after[MODEL_CODE_BYTES];
    VICTIM_AUTO moved = victim_new(file);
    victim_look(&moved);
    tap_case("program headers outside every segment count, too");
    moved.header.e_phoff = moved.len;
    moved.len += moved.header.e_phnum * sizeof(Elf64_Phdr);
    victim_write(&moved);
    OK(strcmp(hash_of(mutant_path, before), base_hash) != 0);
    moved.first->p_flags |= PF_X;
    victim_write(&moved);
    OK(before[0] != '\0');
    OK(strcmp(hash_of(mutant_path, after), before) != 0);

    VICTIM_AUTO twice = victim_new(file);
    victim_look(&twice);
    for (size_t i = 0; i < twice.header.e_phnum; i++)
        if (twice.segments[i].p_type == PT_GNU_STACK)
            twice.segments[i].p_type = PT_DYNAMIC;
    refused("two dynamic segments", &twice, true, "2 dynamic segments");

    VICTIM_AUTO endless = victim_new(file);
    victim_look(&endless);
    endless.dynamic->p_vaddr = endless.last->p_vaddr + endless.last->p_filesz - 8;
    refused("a dynamic segment at the very end", &endless, true, "has no end");
    endless.dynamic->p_vaddr = 1ull << 60;
    refused("a dynamic segment nowhere", &endless, true, "has no end");
}

static void test_hostile_symbols(const struct buf *file)
{
    VICTIM_AUTO v = victim_new(file);
    victim_look(&v);
    uint64_t symbols = victim_dynamic(&v, DT_SYMTAB);
    uint64_t strings = victim_dynamic(&v, DT_STRTAB);
    uint64_t hash = victim_dynamic(&v, DT_HASH);
    size_t end = v.first->p_offset + v.first->p_filesz;
    uint32_t count;
    memcpy(&count, v.bytes + hash + 4, sizeof count);
    tap_case("the library has an old hash table");
    OK(count > 2 && symbols < end && strings < end);

    size_t at = symbols + sizeof(Elf64_Sym); /* of attention_kernel, the one defined */
    for (Elf64_Sym symbol;; at += sizeof symbol) {
        memcpy(&symbol, v.bytes + at, sizeof symbol);
        if (symbol.st_shndx != SHN_UNDEF)
            break;
    }
    /* Its name runs into the segment's end. */
    uint32_t name = (uint32_t)(end - 1 - strings);
    uint32_t right;
    memcpy(&right, v.bytes + at, sizeof right);
    memcpy(v.bytes + at, &name, sizeof name);
    v.bytes[end - 1] = 'x';
    refused("a name without end", &v, true, "name beyond its segment");
    name = 0xffffffff;
    memcpy(v.bytes + at, &name, sizeof name);
    refused("a name far away", &v, true, "name beyond its segment");
    memcpy(v.bytes + at, &right, sizeof right);

    count = 0x7fffffff;
    memcpy(v.bytes + hash + 4, &count, sizeof count);
    refused("billions of symbols", &v, true, "symbols beyond their segment");
}

/* Without a section table the loader sees the same library, and so do we; only the build
 * id is no longer told from the rest. */
static void test_without_sections(const struct buf *file)
{
    static const unsigned char none[8] = {0};
    char hash[MODEL_CODE_BYTES];
    struct err err;
    tap_case("no section table");
    EQ_INT(hash_patched(file, offsetof(Elf64_Ehdr, e_shnum), none, 2, hash, &err), 0);
    OK(strcmp(hash, base_hash) != 0);
    EQ_INT(code_check_exports(mutant_path, "attention_kernel", &err), 0);
}

/* ---- exports ---- */

static void test_exports(void)
{
#define EXTRA "__attribute__((visibility(\"default\"))) "
#define UNIQUE \
    "__asm__(\".data\\n.globl single\\n.type single,@gnu_unique_object\\n\"\n" \
    "        \"single: .long 1\\n.size single,4\\n.text\");\n"
    static const struct {
        const char *what, *from, *to, *flags;
        const char *text; /* NULL: allowed */
    } cases[] = {
        {"alone", "", "", "", NULL},
        {"alone, GNU hash table", "", "", "-Wl,--hash-style=gnu", NULL},
        {"alone, old hash table", "", "", "-Wl,--hash-style=sysv", NULL},
        {"alone, both hash tables", "", "", "-Wl,--hash-style=both", NULL},
        {"a function", "static float twice", EXTRA "float twice", "", "exports `twice`"},
        {"a function, old hash table", "static float twice", EXTRA "float twice",
         "-Wl,--hash-style=sysv", "exports `twice`"},
        {"a function, GNU hash table", "static float twice", EXTRA "float twice",
         "-Wl,--hash-style=gnu", "exports `twice`"},
        {"a variable", "static volatile int", EXTRA "volatile int", "",
         "exports `state`"},
        {"a weak function", "static float cube", EXTRA "__attribute__((weak)) float cube",
         "", "exports `cube`"},
        {"a protected function", "static float cube",
         "__attribute__((visibility(\"protected\"))) float cube", "", "exports `cube`"},
        {"everything", "static float cube", "float cube", "-fvisibility=default",
         "exports `cube`"},
        {"a unique symbol", "static float cube", UNIQUE "static float cube", "",
         "unique symbol `single`"},
        {"nothing", "visibility(\"default\")", "visibility(\"hidden\")", "",
         "does not export `attention_kernel`: mark it ATTENTION_EXPORT, in C++ within extern"},
        {"another name", "attention_kernel", "attention_kernel2", "",
         "exports `attention_kernel2`"},
        {"a part of the name", "attention_kernel", "attention", "",
         "exports `attention`"},
        {"a variable of that name", "float attention_kernel(float x, int i)",
         "int attention_kernel = 1; float f(float x, int i)", "", "not as a function"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[FILE_PATH_BYTES];
        struct err err = {.text = ""};
        tap_case(cases[i].what);
        const char *text = cases[i].from[0] == '\0'
                               ? source
                               : varied(source, cases[i].from, cases[i].to);
        OK(build(text, cases[i].flags, "exports.so", path));
        int result = code_check_exports(path, "attention_kernel", &err);
        EQ_INT(result, cases[i].text == NULL ? 0 : -1);
        if (cases[i].text == NULL) {
            EQ_STR(err.text, "");
        } else {
            EQ_INT(err.class, ERR_INPUT);
            HAS(err.text, cases[i].text);
        }
    }
}

/* The last of many: every chain of the hash table is followed to its end. */
static void test_many_exports(void)
{
    static char text[65536];
    size_t len = (size_t)snprintf(text, sizeof text, "%s", source);
    for (int i = 0; i < 300; i++)
        len += (size_t)snprintf(text + len, sizeof text - len,
                                "extern void needed_%d(void);\n"
                                "void *address_%d(void) { return (void *)needed_%d; }\n",
                                i, i, i);
    char path[FILE_PATH_BYTES];
    struct err err = {.text = ""};
    tap_case("hundreds of needed symbols are no exports");
    OK(build(text, "", "many.so", path));
    EQ_INT(code_check_exports(path, "attention_kernel", &err), 0);
    EQ_STR(err.text, "");
    for (int i = 0; i < 300; i += 37) {
        snprintf(text + len, sizeof text - len,
                 EXTRA "int other_%d = 1;\n" EXTRA "int more_%d;\n", i, i);
        tap_case("one export among hundreds of symbols");
        OK(build(text, i % 2 == 0 ? "" : "-Wl,--hash-style=sysv", "many.so", path));
        EQ_INT(code_check_exports(path, "attention_kernel", &err), -1);
        HAS(err.text, "expected `attention_kernel` alone");
    }
}

int main(void)
{
    if (mkdtemp(folder) == NULL)
        return 1;
    if (!build(source, "-g", "base.so", base_path)) {
        tap_case("code");
        tap_skip("no C compiler here: nothing was tested");
        return file_remove_tree(folder, NULL) == 0 ? tap_done() : 1;
    }
    alarm(600); /* a hang is a failure, not a wait */
    snprintf(mutant_path, sizeof mutant_path, "%s/mutant.so", folder);
    hash_of(base_path, base_hash);
    struct err err;
    BUF_AUTO file;
    buf_init(&file, 1 << 20);
    if (file_read(base_path, &file, &err) != 0)
        return 1;
    test_format();
    test_same();
    test_different();
    test_each_byte(&file);
    test_mutations(&file);
    test_truncations(&file);
    test_refusals(&file);
    test_hostile_notes(&file);
    test_hostile_segments(&file);
    test_without_sections(&file);
    char old[FILE_PATH_BYTES];
    BUF_AUTO old_file;
    buf_init(&old_file, 1 << 20);
    tap_case("old hash table");
    OK(build(source, "-Wl,--hash-style=sysv", "old.so", old));
    OK(file_read(old, &old_file, &err) == 0);
    test_hostile_symbols(&old_file);
    test_exports();
    test_many_exports();
    OK(file_remove_tree(folder, &err) == 0);
    return tap_done();
}
