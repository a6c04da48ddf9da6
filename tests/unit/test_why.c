/* SPDX-License-Identifier: Apache-2.0 */
/* Why it got slower: what cuobjdump and objdump print is read, four regressions are each told by
 * what they are, and nothing is claimed that the numbers do not hold. tests/data/sass/README.md
 * says what was recorded. */
#include "base/file.h"
#include "judge/verdict.h"
#include "judge/why.h"
#include "measure/disassemble.h"
#include "measure/launches.h"
#include "measure/objdump.h"
#include "measure/sass.h"
#include "tests/tap.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT_MAX = 4 << 20 };

static void read_text(const char *name, struct buf *out)
{
    char path[FILE_PATH_BYTES];
    const char *top = getenv("top_srcdir");
    buf_init(out, TEXT_MAX);
    snprintf(path, sizeof path, "%s/tests/data/sass/%s.txt", top == NULL ? "." : top, name);
    OK(file_read(path, out, NULL) == 0);
}

static struct code_listing parse_text(const char *text, const char *capability)
{
    struct code_listing listing = {0};
    struct err err = {0};
    OK(sass_parse(text, strlen(text), capability, &listing, &err) == 0);
    return listing;
}

static struct code_listing parse(const char *name, const char *capability)
{
    BUF_AUTO text;
    read_text(name, &text);
    return parse_text(text.data, capability);
}

/* Of the only kernel. */
static long long fact(const struct code_listing *listing, enum code_fact which)
{
    return listing->count == 1 ? listing->kernels[0].facts[which] : -2;
}

static void test_recorded(void)
{
    /* What `nvcc -Xptxas -v` said of the same builds; where there is shared memory, sm_90 takes
     * 1024 bytes more for itself. */
    static const struct {
        const char *name;
        long long registers, stack, stores, loads, shared, fma, instructions;
    } builds[] = {
        {"plain", 72, 0, 0, 0, 0, 228, 1233},
        {"registers", 212, 0, 0, 0, 0, 228, 1769},
        {"spills", 32, 168, 284, 320, 0, 228, 1375},
        {"shared", 86, 0, 0, 0, 49024, 228, 1242},
        {"instructions", 72, 0, 0, 0, 0, 484, 1497},
    };
    for (size_t i = 0; i < sizeof builds / sizeof builds[0]; i++) {
        tap_case(builds[i].name);
        CODE_LISTING_AUTO listing = parse(builds[i].name, "9.0");
        EQ_INT(listing.count, 1);
        EQ_INT(fact(&listing, CODE_REGISTERS), builds[i].registers);
        EQ_INT(fact(&listing, CODE_STACK), builds[i].stack);
        EQ_INT(fact(&listing, CODE_SPILL_STORES), builds[i].stores);
        EQ_INT(fact(&listing, CODE_SPILL_LOADS), builds[i].loads);
        EQ_INT(fact(&listing, CODE_STATIC_SHARED), builds[i].shared);
        EQ_INT(fact(&listing, CODE_FMA), builds[i].fma);
        EQ_INT(fact(&listing, CODE_INSTRUCTIONS), builds[i].instructions);
        long long sum = 0;
        for (int one = CODE_TENSOR; listing.count == 1 && one <= CODE_OTHER; one++)
            sum += listing.kernels[0].facts[one] > 0 ? listing.kernels[0].facts[one] : 0;
        EQ_INT(sum, builds[i].instructions);
    }
    tap_case("as it is printed, encodings and all");
    CODE_LISTING_AUTO verbatim = parse("verbatim", "9.0");
    EQ_INT(fact(&verbatim, CODE_REGISTERS), 72);
    EQ_INT(fact(&verbatim, CODE_INSTRUCTIONS), 8);
    EQ_INT(fact(&verbatim, CODE_FMA), 0); /* HFMA2.MMA R3, -RZ, RZ, 0, 0 is a move */
}

static void test_odds(void)
{
    static const struct {
        const char *capability;
        size_t count;
        long long registers;
    } runs[] = {{"9.0", 4, 28}, {"8.0", 4, 24}, {"8.9", 4, 24}, {"", 4, 28}, {"7.5", 0, 0},
                {"10.0", 0, 0}};
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        tap_case(runs[i].capability);
        CODE_LISTING_AUTO odds = parse("odds", runs[i].capability);
        EQ_INT(odds.count, runs[i].count);
        if (odds.count == 0)
            continue;
        EQ_STR(odds.kernels[0].name, "_Z3temILi4EEvP6__halfPdPf");
        EQ_INT(odds.kernels[0].facts[CODE_REGISTERS], runs[i].registers);
        EQ_INT(odds.kernels[0].facts[CODE_TENSOR], 2);
    }
    tap_case("an array in local memory is no spill, and what cannot be told is not known");
    CODE_LISTING_AUTO odds = parse("odds", "9.0");
    for (size_t i = 2; i < 4 && i < odds.count; i++) { /* `call` and `dyn` */
        EQ_INT(odds.kernels[i].facts[CODE_SPILL_STORES], -1);
        EQ_INT(odds.kernels[i].facts[CODE_SPILL_LOADS], -1);
        OK(odds.kernels[i].facts[CODE_LOCAL] > 0);
    }
}

static void test_key(void)
{
    static const struct {
        const char *a, *b;
        bool same;
    } names[] = {
        {"_ZN50_GLOBAL__N__b2636abb_17_attention_sm80_cu_caf152e813flash_forwardE",
         "_ZN50_GLOBAL__N__8f03430b_17_attention_sm80_cu_0123456713flash_forwardE", true},
        {"_ZN50_GLOBAL__N__b2636abb_17_attention_sm80_cu_caf152e813flash_forwardE",
         "_ZN50_GLOBAL__N__b2636abb_17_attention_sm80_cu_caf152e813flash_backwardE", false},
        {"_ZN50_GLOBAL__N__b2636abb_17_attention_sm80_cu_caf152e813fE",
         "_ZN50_GLOBAL__N__b2636abb_17_attention_sm90_cu_caf152e813fE", false},
        {"_ZN99_GLOBAL__N__b2636abb_1", "_ZN99_GLOBAL__N__b2636abc_1", true},
        {"_ZN20_GLOBAL__N__b2636abb", "_ZN20_GLOBAL__N__b2636abc", true},
        {"_ZN20_GLOBAL__N__b2636ab", "_ZN20_GLOBAL__N__b2636ac", false},
        {"_ZN32_GLOBAL__N__544f3553_4_t_cu_main4kernILi3EEEvPf",
         "_ZN32_GLOBAL__N__00ff00ff_4_t_cu_main4kernILi3EEEvPf", true},
        {"_GLOBAL__N__", "_GLOBAL__N_", false},
        {"", "a", false},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        tap_case(names[i].a);
        EQ_INT(sass_key(names[i].a, strlen(names[i].a)) ==
                   sass_key(names[i].b, strlen(names[i].b)),
               names[i].same);
    }
}

/* The line that two libraries come to, in a buffer of its own. */
static const char *line_of(const struct code_listing *head, const struct code_listing *against)
{
    static struct code_change change;
    why_compare(head, against, "the anchor", &change);
    return change.line;
}

static void test_words(void)
{
    static const struct {
        const char *name, *line, *back;
    } lines[] = {
        {"registers",
         "head uses 212 registers a thread, the anchor 72; head has 1769 instructions, the "
         "anchor 1233 (global memory: 300, the anchor 44)",
         "head uses 72 registers a thread, the anchor 212; head has 1233 instructions, the "
         "anchor 1769 (global memory: 44, the anchor 300)"},
        {"spills",
         "head spills 284 bytes a thread, the anchor none; head uses 32 registers a thread, "
         "the anchor 72; head has 1375 instructions, the anchor 1233 (local memory: 137, the "
         "anchor none)",
         "head spills none, the anchor 284 bytes a thread; head uses 72 registers a thread, "
         "the anchor 32; head has 1233 instructions, the anchor 1375 (local memory: none, the "
         "anchor 137)"},
        {"shared",
         "head takes 49024 bytes of static shared memory a block, the anchor none; head uses "
         "86 registers a thread, the anchor 72",
         "head takes none, the anchor 49024 bytes of static shared memory a block; head uses "
         "72 registers a thread, the anchor 86"},
        {"instructions",
         "head has 1497 instructions, the anchor 1233 (fused multiply-add: 484, the anchor "
         "228)",
         "head has 1233 instructions, the anchor 1497 (fused multiply-add: 228, the anchor "
         "484)"},
        {"plain", "head and the anchor are alike in every figure of their machine code",
         "head and the anchor are alike in every figure of their machine code"},
    };
    CODE_LISTING_AUTO plain = parse("plain", "9.0");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        tap_case(lines[i].name);
        CODE_LISTING_AUTO head = parse(lines[i].name, "9.0");
        EQ_STR(line_of(&head, &plain), lines[i].line);
        EQ_STR(line_of(&plain, &head), lines[i].back);
    }
}

static void test_pairs(void)
{
    struct machine_code kernels[6], others[6];
    for (int i = 0; i < 6; i++) {
        kernels[i] = others[i] = machine_code_none();
        snprintf(kernels[i].name, sizeof kernels[i].name, "k%d", i);
        kernels[i].key = others[i].key = (uint64_t)i;
        kernels[i].facts[CODE_REGISTERS] = others[i].facts[CODE_REGISTERS] = 64;
    }
    struct code_listing head = {kernels, 6}, against = {others, 6};
    struct code_change change;
    tap_case("the pair that differs most comes first, those that are left out are counted");
    for (int i = 1; i < 6; i++)
        kernels[i].facts[CODE_REGISTERS] += 8 * i;
    why_compare(&head, &against, "base", &change);
    EQ_STR(change.line, "head uses 104 registers a thread, base 64 (of 5 kernels that differ, "
                        "the one that differs most)");
    EQ_INT(change.count, CODE_PAIRS_MAX);
    EQ_STR(change.pairs[0].head.name, "k5");
    EQ_STR(change.pairs[2].head.name, "k3");
    EQ_INT(change.left_out, 2);
    EQ_INT(change.alike, 1);
    tap_case("one kernel that was renamed is a pair; two are not");
    others[0].key = 77;
    why_compare(&head, &against, "base", &change);
    EQ_INT(change.unpaired, 0);
    others[1].key = 78;
    why_compare(&head, &against, "base", &change);
    EQ_INT(change.unpaired, 4);
    HAS(change.line, "; 4 kernels only one of the two has");
    tap_case("what is little or not known is not told");
    struct code_listing one = {kernels, 1}, two = {others, 1};
    kernels[0].facts[CODE_REGISTERS] = 66;
    kernels[0].facts[CODE_SPILL_STORES] = 8; /* of the other it is not known */
    EQ_STR(line_of(&one, &two),
           "head and the anchor differ little in every figure of their machine code");
    tap_case("no kernel at all");
    struct code_listing none = {0};
    EQ_STR(line_of(&none, &none),
           "head and the anchor are alike in every figure of their machine code");
}

static void test_hostile(void)
{
    tap_case("names of strangers are printable, and cut");
    CODE_LISTING_AUTO odd = parse_text("arch = sm_90\n\t\tFunction : \x1b[31m|`\xff<b>\n"
                                       "        /*0000*/  FFMA R1, R2, R3, R4 ;\n",
                                       "9.0");
    EQ_INT(odd.count, 1);
    EQ_STR(odd.count == 1 ? odd.kernels[0].name : "", "?[31m|`?<b>");
    tap_case("numbers beyond all bounds");
    CODE_LISTING_AUTO large = parse_text(
        "arch = sm_90\n Function f:\n  REG:99999999999999999999999999 STACK:x SHARED:\n"
        "\t\tFunction : f\n /*0000*/ NOP ;\n /*0010*/ @P0 BRA 0x0 ;\n",
        "9.0");
    EQ_INT(fact(&large, CODE_REGISTERS), CODE_FACT_MAX);
    EQ_INT(fact(&large, CODE_STACK), -1);
    EQ_INT(fact(&large, CODE_STATIC_SHARED), -1);
    EQ_INT(fact(&large, CODE_BRANCH), 1);
    EQ_INT(fact(&large, CODE_INSTRUCTIONS), 1);
    tap_case("more kernels than anybody has");
    BUF_AUTO many;
    buf_init(&many, 1 << 20);
    buf_adds(&many, "arch = sm_90\n");
    for (int i = 0; i <= SASS_KERNELS_MAX; i++)
        buf_addf(&many, "\t\tFunction : k%d\n", i);
    struct code_listing untouched = {.count = 7};
    struct err err = {0};
    OK(sass_parse(many.data, many.len, "9.0", &untouched, &err) != 0);
    EQ_INT(err.class, ERR_LIMIT);
    EQ_INT(untouched.count, 7);
}

static void test_objdump(void)
{
    static const char text[] =
        "\nlib.so:     file format elf64-x86-64\n\nSections:\n"
        "Idx Name          Size      VMA               LMA               File off  Algn\n"
        " 10 .plt.got      00000008  0000000000001030  0000000000001030  00001030  2**3\n"
        " 11 .text         00000a52  0000000000001040  0000000000001040  00001040  2**4\n"
        "                  CONTENTS, ALLOC, LOAD, READONLY, CODE\n"
        "0000000000001040 <forward>:\n"
        "    1040:\tendbr64\n"
        "    1044:\tvfmadd231ps %ymm1,%ymm2,%ymm3\n"
        "    1049:\tmovaps %xmm0,%xmm1\n"
        "    104c:\tmulss  %xmm0,%xmm1\n"
        "    1050:\tjne    1044 <forward+0x4>\n"
        "    1052:\tnopw   0x0(%rax,%rax,1)\n"
        "    1058:\tret\n";
    static const char arm[] = "x:     file format elf64-littleaarch64\n"
                              "    1040:\tfmla\tv0.4s, v1.4s, v2.4s\n"
                              "    1044:\tfmul\ts0, s1, s2\n"
                              "    1048:\tb.ne\t1040 <f>\n";
    struct err err = {0};
    tap_case("x86-64");
    CODE_LISTING_AUTO x86 = {0};
    OK(objdump_parse(text, strlen(text), "", &x86, &err) == 0);
    EQ_INT(fact(&x86, CODE_TEXT), 0xa52);
    EQ_INT(fact(&x86, CODE_INSTRUCTIONS), 6);
    EQ_INT(fact(&x86, CODE_PACKED), 1);
    EQ_INT(fact(&x86, CODE_SCALAR), 1);
    EQ_INT(fact(&x86, CODE_BRANCH), 2);
    EQ_INT(fact(&x86, CODE_REGISTERS), -1);
    tap_case("aarch64");
    CODE_LISTING_AUTO aarch64 = {0};
    OK(objdump_parse(arm, strlen(arm), "", &aarch64, &err) == 0);
    EQ_INT(fact(&aarch64, CODE_PACKED), 1);
    EQ_INT(fact(&aarch64, CODE_SCALAR), 1);
    EQ_INT(fact(&aarch64, CODE_BRANCH), 1);
    tap_case("no code");
    CODE_LISTING_AUTO none = {0};
    OK(objdump_parse("", 0, "", &none, &err) == 0);
    EQ_INT(none.count, 0);
}

static void test_json(void)
{
    tap_case("verdict.json has it, and it is read again");
    CODE_LISTING_AUTO plain = parse("plain", "9.0");
    CODE_LISTING_AUTO head = parse("spills", "9.0");
    struct config_verdict row = {.config = {.name = "a"}, .verdict = VERDICT_REGRESSED};
    struct comparison comparison = {
        .device = {"cpu", "cpu"}, .configs = &row, .count = 1, .verdict = VERDICT_REGRESSED};
    why_compare(&head, &plain, "the anchor", &row.code);
    row.code.unpaired = 3;
    BUF_AUTO text, table;
    struct err err = {0};
    buf_init(&text, 1 << 20);
    buf_init(&table, 1 << 20);
    OK(verdict_format_json(&comparison, &text, &err) == 0);
    HAS(text.data, "\"spill_stores\": 284");
    COMPARISON_AUTO read = {0};
    OK(verdict_parse_json(text.data, text.len, "verdict.json", &read, &err) == 0);
    if (read.count == 1) {
        EQ_STR(read.configs[0].code.line, row.code.line);
        EQ_INT(read.configs[0].code.unpaired, 3);
        EQ_STR(read.configs[0].code.pairs[0].head.name, row.code.pairs[0].head.name);
        OK(memcmp(read.configs[0].code.pairs[0].against.facts, row.code.pairs[0].against.facts,
                  sizeof row.code.pairs[0].against.facts) == 0);
    }
    tap_case("the table for a terminal has its line");
    verdict_format_table(&comparison, &table);
    HAS(table.data, "\n    head spills 284 bytes a thread, the anchor none; ");
    tap_case("where nobody looked, the file says nothing of it");
    row.code = (struct code_change){.line = ""};
    buf_clear(&text);
    OK(verdict_format_json(&comparison, &text, &err) == 0);
    OK(strstr(text.data, "\"why\"") == NULL);
}

/* The real tools, in their sandbox. */
static void test_tools(void)
{
    char path[] = "/tmp/ratchet-why-XXXXXX";
    int fd = mkstemp(path);
    OK(fd >= 0 && write(fd, "no library\n", 11) == 11 && fchmod(fd, 0644) == 0);
    close(fd);
    struct disassemble_request request = {.device = "cpu",
                                          .capability = "",
                                          .library = path,
                                          .wall_ms = 30000,
                                          .uid = (uid_t)-1,
                                          .gid = (gid_t)-1};
    struct code_listing listing = {.count = 7};
    struct err err = {0};
    tap_case("a file that is no library is an error of one line");
    OK(disassemble(&request, &listing, &err) != 0);
    HAS(err.text, "objdump: exit code 1: ");
    EQ_INT(listing.count, 7);
    tap_case("no time");
    request.wall_ms = 1;
    OK(disassemble(&request, &listing, &err) != 0);
    EQ_INT(err.class, ERR_TIMEOUT);
    tap_case("a device that nobody reads has no kernels");
    request.device = "abacus";
    OK(disassemble(&request, &listing, &err) == 0);
    EQ_INT(listing.count, 0);
    tap_case("this test's own code");
    char self[FILE_PATH_BYTES];
    CODE_LISTING_AUTO own = {0};
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    self[len > 0 ? len : 0] = '\0';
    request = (struct disassemble_request){.device = "cpu",
                                           .capability = "",
                                           .library = self,
                                           .wall_ms = 60000,
                                           .uid = (uid_t)-1,
                                           .gid = (gid_t)-1};
    OK(disassemble(&request, &own, &err) == 0);
    OK(fact(&own, CODE_INSTRUCTIONS) > 1000 && fact(&own, CODE_TEXT) > 4000);
    unlink(path);
}

/* ---- launches ---- */

static void add_launch(struct code_listing *launches, const char *text)
{
    struct line line;
    struct err err = {0};
    OK(line_parse(text, strlen(text), &line, &err) == 0);
    launches_add(launches, &line);
}

static void test_launched(void)
{
    tap_case("of a library's kernels those that run, with how they are launched");
    CODE_LISTING_AUTO all = parse("odds", "9.0");
    CODE_LISTING_AUTO launches = {0};
    CODE_LISTING_AUTO ran = {0};
    add_launch(&launches, "launched head 128 64 4096 16 _Z4callPfi");
    add_launch(&launches, "launched head 128 64 4096 16 _Z4callPfi");
    add_launch(&launches, "launched head 256 9007199254740992 0 64 _Z7jittedv");
    EQ_INT(launches.count, 2);
    OK(code_listing_launched(&all, &launches, &ran) == 0);
    EQ_INT(ran.count, 2);
    if (ran.count == 2) {
        const long long *call = ran.kernels[0].facts, *jitted = ran.kernels[1].facts;
        EQ_STR(ran.kernels[0].name, "_Z4callPfi");
        EQ_INT(call[CODE_REGISTERS], 31);
        EQ_INT(call[CODE_LAUNCHES], 2);
        EQ_INT(call[CODE_THREADS], 128);
        EQ_INT(call[CODE_BLOCKS], 64);
        EQ_INT(call[CODE_DYNAMIC_SHARED], 4096);
        EQ_INT(call[CODE_WARPS], 16);
        EQ_INT(jitted[CODE_REGISTERS], -1);
        EQ_INT(jitted[CODE_BLOCKS], CODE_FACT_MAX);
    }
    tap_case("occupancy and launches come before registers");
    CODE_LISTING_AUTO head = {0};
    launches.kernels[0].facts[CODE_WARPS] = 8;
    launches.kernels[0].facts[CODE_LAUNCHES] = 3;
    OK(code_listing_launched(&all, &launches, &head) == 0);
    EQ_STR(line_of(&head, &ran), "head is launched 3 times a call, the anchor 2; head keeps at "
                                 "most 8 warps on a multiprocessor, the anchor 16");
    tap_case("more kernels than are told");
    CODE_LISTING_AUTO many = {0};
    for (int i = 0; i < WIRE_LAUNCHED_MAX + 4; i++) {
        char text[64];
        snprintf(text, sizeof text, "launched head 1 1 0 1 k%d", i);
        add_launch(&many, text);
    }
    EQ_INT(many.count, WIRE_LAUNCHED_MAX);
}

/* A harness that says of head what `says` is, and of others one kernel; not sandboxed, it runs
 * nothing. */
static size_t ask_fake(const char *says, struct code_listing out[1][ARM_COUNT], struct err *err)
{
    static const struct limits limits = {
        .bench_ms = 20000, .turn_ms = 10000, .samples = 8, .kernel_bytes = 1 << 20};
    char folder[] = "/tmp/ratchet-why-XXXXXX", harness[FILE_PATH_BYTES];
    BUF_AUTO script;
    buf_init(&script, 4096);
    buf_addf(&script,
             "#!/bin/sh\necho ratchet-bench %d cpu\n"
             "while read -r word a b; do case $word in\n"
             "open) echo opened 0 0 0 0;; load) echo loaded $a fake;; config) echo configured;;\n"
             "prepare) echo prepared $a 0;; allocate) echo allocated 1 1024;;\n"
             "launches) if [ $a = head ]; then %s; else echo launches $a 1; echo launched $a 64 "
             "7 0 8 _Zf; fi;;\n"
             "release) echo released;; quit) exit 0;; esac; done\n",
             WIRE_VERSION, says);
    OK(mkdtemp(folder) != NULL && file_path(harness, err, "%s/harness", folder) == 0 &&
       file_write(harness, script.data, script.len, 0755, err) == 0);
    struct bench_config bench = {.config = {.name = "a", .problem = {1, 1, 1, 8, 8, 8,
                                                                     DTYPE_FP32, false}}};
    bench.library[ARM_HEAD] = bench.library[ARM_ANCHOR] = harness; /* any file */
    const struct bench_request request = {.device = "cpu",
                                          .threads = 1,
                                          .samples = 1,
                                          .target_ns = 1000,
                                          .configs = &bench,
                                          .config_count = 1,
                                          .harness = harness,
                                          .work = folder,
                                          .uid = (uid_t)-1,
                                          .gid = (gid_t)-1,
                                          .limits = &limits};
    bool want = true;
    OK(launches_look(&request, &want, out, err) == 0);
    OK(file_remove_tree(folder, err) == 0);
    return out[0][ARM_HEAD].count;
}

static void test_asked(void)
{
    static const struct {
        const char *what, *says;
        size_t kernels;
    } harnesses[] = {
        {"a harness that tells", "echo launches $a 2; echo launched $a 128 64 4096 16 _Zf; echo "
                                 "launched $a 32 1 0 4 _Zg", 2},
        {"one that knows no such command", "echo failed unknown command", 0},
        {"a library that goes wrong", "echo wrong $a forward returned 3", 0},
        {"more than there can be", "echo launches $a 17", 0},
        {"another arm's", "echo launches $a 1; echo launched anchor 1 1 1 1 _Zf", 0},
        {"a number that is none", "echo launches $a 1; echo launched $a -1 1 1 1 _Zf", 0},
        {"one that dies", "exit 1", 0},
    };
    for (size_t i = 0; i < sizeof harnesses / sizeof harnesses[0]; i++) {
        struct code_listing out[1][ARM_COUNT] = {{{0}}};
        struct err err = {0};
        tap_case(harnesses[i].what);
        EQ_INT(ask_fake(harnesses[i].says, out, &err), harnesses[i].kernels);
        EQ_INT(out[0][ARM_ANCHOR].count, harnesses[i].kernels > 0 ? 1 : 0);
        for (int arm = 0; arm < ARM_COUNT; arm++)
            code_listing_free(&out[0][arm]);
    }
}

int main(void)
{
    test_recorded();
    test_odds();
    test_key();
    test_words();
    test_pairs();
    test_hostile();
    test_objdump();
    test_json();
    test_tools();
    test_launched();
    test_asked();
    return tap_done();
}
