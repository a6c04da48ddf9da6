/* SPDX-License-Identifier: Apache-2.0 */
/* samples.json: the design's own example, every optional key, both ways, and everything
 * that a broken or hostile file can be. */
#include "tap.h"

#include "judge/samples.h"

#include <stdlib.h>
#include <string.h>

#define PROBLEM                                                                          \
    "\"problem\": {\"batch\": 32, \"heads\": 8, \"heads_kv\": 8, \"seq_q\": 512, "       \
    "\"seq_k\": 512, \"head_dim\": 64, \"dtype\": \"fp16\", \"causal\": false}"

static const char example[] =
    "{\"schema\": \"ratchet.samples/1\",\n"
    " \"device\": {\"slug\": \"nvidia-h200\", \"name\": \"NVIDIA H200\"},\n"
    " \"environment\": {\"driver\": \"…\", \"cuda\": \"…\"},\n"
    " \"arms\": {\"head\": {\"commit\": \"…\", \"code\": \"sha256:…\"},\n"
    "            \"anchor\": {\"commit\": \"…\", \"code\": \"sha256:…\"}},\n"
    " \"configs\": [{\"name\": \"b32_h8_s512_d64\", \"unit\": \"ns\",\n"
    "   \"clock_resolution_ns\": 1,\n   " PROBLEM ",\n"
    "   \"replicates\": [{\"anchor\": [71584, 71360], \"control\": [71552, 71616],\n"
    "     \"base\": [71488, 71520], \"head\": [74272, 74304.5],\n"
    "     \"marks\": [\"throttled\"]}]}]}";

static const struct limits limits = {
    .samples_bytes = 1 << 20, .replicates = 4, .samples = 8};

static int parse(const char *text, struct samples *out, struct err *err)
{
    return samples_parse(text, strlen(text), "samples.json", &limits, out, err);
}

static void test_example(void)
{
    tap_case("the example of the design parses as it stands");
    struct samples samples = {0};
    struct err err = {0};
    if (!OK(parse(example, &samples, &err) == 0)) {
        printf("# %s\n", err.text);
        return;
    }
    EQ_STR(samples.device.slug, "nvidia-h200");
    EQ_STR(samples.device.name, "NVIDIA H200");
    EQ_STR(environment_get(&samples.environment, "cuda"), "…");
    EQ_INT(samples.count, 1);
    const struct config_samples *config = &samples.configs[0];
    EQ_STR(config->config.name, "b32_h8_s512_d64");
    EQ_INT(config->config.problem.seq_k, 512);
    EQ_INT(config->config.problem.dtype, DTYPE_FP16);
    NEAR(config->clock_resolution_ns, 1, 0);
    OK(config->arms[ARM_HEAD].present && config->arms[ARM_ANCHOR].present);
    OK(!config->arms[ARM_BASE].present);
    EQ_STR(config->arms[ARM_ANCHOR].code, "sha256:…");
    EQ_INT(config->count, 1);
    EQ_INT(config->attempts, 1);
    EQ_INT(config->replicates[0].marks, MARK_THROTTLED);
    NEAR(config->replicates[0].arms[ARM_HEAD].ns[1], 74304.5, 0);
    NEAR(config->replicates[0].arms[ARM_BASE].ns[0], 71488, 0);
    EQ_INT(config->replicates[0].arms[ARM_CONTROL].count, 2);
    samples_free(&samples);
}

static void test_named_arm(void)
{
    tap_case("an arm that is named and has no samples was meant to be there");
    static const char text[] =
        "{\"schema\": \"ratchet.samples/1\", \"device\": {\"slug\": \"cpu\"}, \"configs\": [{"
        "\"name\": \"a\", \"unit\": \"ns\", \"replicates\": ["
        "{\"head\": [1], \"control\": [], \"base\": [2]}, {\"head\": [1]}]}]}";
    struct samples samples = {0};
    struct err err = {0};
    if (OK(parse(text, &samples, &err) == 0)) {
        OK(samples.configs[0].arms[ARM_CONTROL].present);
        OK(!samples.configs[0].arms[ARM_ANCHOR].present);
    }
    samples_free(&samples);
}

/* Format, parse, format: the same bytes. Returns them in `out`. */
static void round_trip(const struct samples *samples, struct buf *out)
{
    struct err err = {0};
    buf_init(out, 1 << 20);
    OK(samples_format(samples, out, &err) == 0);
    struct samples read = {0};
    struct buf again;
    buf_init(&again, 1 << 20);
    if (OK(parse(out->data, &read, &err) == 0)) {
        OK(samples_format(&read, &again, &err) == 0);
        EQ_STR(again.data, out->data);
    } else {
        printf("# %s\n%s", err.text, out->data);
    }
    samples_free(&read);
    buf_free(&again);
}

static void test_both_ways(void)
{
    tap_case("every key there and back");
    struct samples samples = {0};
    struct err err = {0};
    OK(parse(example, &samples, &err) == 0);
    struct config_samples *config = samples_add(&samples);
    config->config = samples.configs[0].config;
    strcpy(config->config.name, "other");
    strcpy(config->arms[ARM_HEAD].commit, "0123456789012345678901234567890123456789");
    config->arms[ARM_HEAD].present = true;
    config->attempts = 9;
    config->identical = true;
    config->identical_to = ARM_ANCHOR;
    config->fault = FAULT_PR;
    strcpy(config->failure, "wrong result: \"a\\b\"\twith a tab and \xff");
    config->anchor_failed = true;
    strcpy(config->anchor_failure, "no build");
    config->peak_bytes[ARM_BASE] = 123456789012;
    struct replicate *replicate = config_samples_add(config);
    static const double times[] = {0.1, 1.0 / 3, 123456789.25, 1e15, 2, 5e-9};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        OK(series_add(&replicate->arms[ARM_HEAD], times[i]) == 0);
    replicate->marks = (1u << MARK_BITS) - 1;
    struct buf text;
    round_trip(&samples, &text);
    HAS(text.data, "[0.1, 0.3333333333333333, 123456789.25, 1e+15, 2, ");
    HAS(text.data, "\"identical\": \"anchor\"");
    HAS(text.data, "\"fault\": \"the PR\"");
    HAS(text.data, "\"failure\": \"wrong result: \\\"a\\\\b\\\"?with a tab and ?\"");
    HAS(text.data, "\"anchor_failure\": \"no build\"");
    HAS(text.data, "\"peak_bytes\": {\"base\": 123456789012}");
    HAS(text.data, "\"attempts\": 9");
    struct samples read = {0};
    OK(parse(text.data, &read, &err) == 0);
    OK(read.configs[1].anchor_failed && read.configs[1].identical);
    EQ_INT(read.configs[1].fault, FAULT_PR);
    OK(!read.configs[1].arms[ARM_ANCHOR].present); /* its own arms, not the first's */
    OK(read.configs[0].arms[ARM_ANCHOR].present);
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        NEAR(read.configs[1].replicates[0].arms[ARM_HEAD].ns[i], times[i], 0);
    samples_free(&read);
    buf_free(&text);

    tap_case("arms common to all configs stand once at the top");
    memcpy(samples.configs[1].arms, samples.configs[0].arms,
           sizeof samples.configs[0].arms);
    round_trip(&samples, &text);
    const char *first = strstr(text.data, "\"arms\"");
    OK(first != NULL && strstr(first + 1, "\"arms\"") == NULL);
    buf_free(&text);
    samples_free(&samples);

    tap_case("what a time budget did is kept");
    if (OK(parse(example, &samples, &err) == 0)) {
        OK(!samples.configs[0].shortened && !samples.configs[0].out_of_time);
        for (int what = 1; what < 4; what++) {
            struct samples back = {0};
            samples.configs[0].shortened = (what & 1) != 0;
            samples.configs[0].out_of_time = (what & 2) != 0;
            round_trip(&samples, &text);
            OK(parse(text.data, &back, &err) == 0);
            OK(back.configs[0].shortened == ((what & 1) != 0));
            OK(back.configs[0].out_of_time == ((what & 2) != 0));
            samples_free(&back);
            buf_free(&text);
        }
    }
    samples_free(&samples);

    tap_case("nothing in it");
    struct samples empty = {.device = {.slug = "cpu"}};
    round_trip(&empty, &text);
    buf_free(&text);

    tap_case("a text that is too long is an error, not a cut");
    struct buf small;
    buf_init(&small, 40);
    OK(samples_format(&empty, &small, &err) == -1);
    EQ_INT(err.class, ERR_LIMIT);
    buf_free(&small);
}

static int parse_against(const char *text, const char *arm, struct samples *out,
                         struct err *err)
{
    return samples_parse_against(text, strlen(text), "samples.json", arm, &limits, out, err);
}

/* The example with what a sweep adds: two more arms, one of them left out of a second config. */
static void sweep_of(struct buf *out)
{
    struct samples samples = {0};
    struct err err = {0};
    buf_init(out, 1 << 20);
    OK(parse(example, &samples, &err) == 0);
    strcpy(samples.others[0], "cudnn");
    strcpy(samples.others[2], "other1");
    OK(samples_add(&samples) != NULL);
    struct config_samples *one = &samples.configs[0], *two = &samples.configs[1];
    two->config = one->config;
    strcpy(two->config.name, "second");
    memcpy(two->arms, one->arms, sizeof two->arms);
    one->arms[ARM_OTHER].present = two->arms[ARM_OTHER].present = true;
    strcpy(one->arms[ARM_OTHER].code, "sha256:0");
    strcpy(two->arms[ARM_OTHER].code, "sha256:0");
    one->identical = true;
    one->identical_to = ARM_ANCHOR;
    one->anchor_failed = true;
    strcpy(one->anchor_failure, "no build");
    one->peak_bytes[ARM_OTHER + 2] = 4096;
    two->attempts = 1;
    strcpy(two->left_out[0], "the kernel does not support this problem");
    OK(series_add(&one->replicates[0].arms[ARM_OTHER], 80000) == 0);
    OK(series_add(&one->replicates[0].arms[ARM_OTHER + 2], 60000.5) == 0);
    OK(series_add(&config_samples_add(two)->arms[ARM_HEAD], 90000) == 0);
    OK(samples_format(&samples, out, &err) == 0);
    samples_free(&samples);
}

static void test_others(void)
{
    struct samples samples = {0};
    struct err err = {0};
    BUF_AUTO text;
    tap_case("other arms are written under their names");
    sweep_of(&text);
    HAS(text.data, "\"cudnn\": {\"code\": \"sha256:0\"}");
    HAS(text.data, ", \"cudnn\": [80000], \"other1\": [60000.5], \"marks\"");
    HAS(text.data, "\"peak_bytes\": {\"other1\": 4096}");
    HAS(text.data, "\"left_out\": {\"cudnn\": \"the kernel does not support this problem\"},");
    OK(strstr(text.data, "other3") == NULL);

    tap_case("and not read where nobody asks");
    OK(parse(text.data, &samples, &err) == 0);
    EQ_INT(samples.configs[0].replicates[0].arms[ARM_ANCHOR].count, 2);
    EQ_INT(samples.configs[0].replicates[0].arms[ARM_CONTROL].count, 2);
    EQ_INT(samples.configs[0].replicates[0].arms[ARM_OTHER].count, 0);
    OK(samples.configs[0].identical && samples.configs[0].anchor_failed);
    samples_free(&samples);

    tap_case("one that is asked for is the anchor, beside head and nobody else");
    if (OK(parse_against(text.data, "other1", &samples, &err) == 0)) {
        const struct config_samples *config = &samples.configs[0];
        EQ_INT(config->replicates[0].arms[ARM_ANCHOR].count, 1);
        NEAR(config->replicates[0].arms[ARM_ANCHOR].ns[0], 60000.5, 0);
        EQ_INT(config->replicates[0].arms[ARM_HEAD].count, 2);
        EQ_INT(config->replicates[0].arms[ARM_BASE].count, 0);
        EQ_INT(config->replicates[0].arms[ARM_CONTROL].count, 0);
        EQ_INT(config->replicates[0].marks, MARK_THROTTLED);
        EQ_INT(config->peak_bytes[ARM_ANCHOR], 4096);
        OK(!config->identical && !config->anchor_failed);
        EQ_STR(config->anchor_failure, "");
        EQ_INT(samples.configs[1].replicates[0].arms[ARM_ANCHOR].count, 0);
    } else {
        printf("# %s\n", err.text);
    }
    samples_free(&samples);

    tap_case("so can base be");
    OK(parse_against(text.data, "base", &samples, &err) == 0);
    NEAR(samples.configs[0].replicates[0].arms[ARM_ANCHOR].ns[0], 71488, 0);
    OK(samples.configs[0].arms[ARM_HEAD].present);
    OK(!samples.configs[0].arms[ARM_ANCHOR].present); /* the file says nothing of it */
    samples_free(&samples);

    tap_case("nobody of that name");
    struct samples untouched = {.count = 77};
    static const char *const absent[] = {"flash", "other3", "", "marks"};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        OK(parse_against(text.data, absent[i], &untouched, &err) == -1);
        EQ_INT(err.class, ERR_INPUT);
        HAS(err.text, "samples.json: ");
        EQ_INT(untouched.count, 77);
    }
}

static void test_all_others(void)
{
    static const char others[ARM_OTHERS_MAX][MODEL_NAME_BYTES] = {"cudnn", "", "other1"};
    struct samples samples = {0};
    struct err err = {0};
    BUF_AUTO text;
    BUF_AUTO again;
    buf_init(&again, 1 << 20);
    tap_case("a sweep is read as it was written, to the bit");
    sweep_of(&text);
    if (OK(samples_parse_others(text.data, text.len, "samples.json", others, &limits, &samples,
                                &err) == 0)) {
        OK(samples_format(&samples, &again, &err) == 0);
        EQ_STR(again.data, text.data);
        EQ_STR(samples.configs[1].left_out[0], "the kernel does not support this problem");
    }
    samples_free(&samples);
    tap_case("why an arm was left out is a text");
    char *bad = strstr(text.data, "\"the kernel does not support this problem\"");
    memset(bad, ' ', strlen("\"the kernel does not support this problem\""));
    bad[0] = '7';
    OK(samples_parse_others(text.data, text.len, "samples.json", others, &limits, &samples,
                            &err) != 0);
    HAS(err.text, "left_out.cudnn");
}

/* The example with the first `from` replaced by `to`; the caller frees it. */
static char *changed(const char *from, const char *to)
{
    const char *at = strstr(example, from);
    if (at == NULL) {
        printf("Bail out! the example has no %s\n", from);
        exit(1);
    }
    size_t before = (size_t)(at - example);
    size_t size = strlen(example) + strlen(to) + 1;
    char *text = malloc(size);
    if (text == NULL)
        exit(1);
    snprintf(text, size, "%.*s%s%s", (int)before, example, to, at + strlen(from));
    return text;
}

/* What only throughput needs may be left out, and is not made up. */
static void test_problem(void)
{
    struct samples samples = {0};
    struct err err = {0};
    struct buf written;
    tap_case("heads_kv left out is heads");
    char *text = changed("\"heads_kv\": 8, ", "");
    OK(parse(text, &samples, &err) == 0);
    if (samples.count == 1)
        EQ_INT(samples.configs[0].config.problem.heads_kv, 8);
    samples_free(&samples);
    free(text);

    tap_case("no problem: not known, and written back without one");
    static const char *const without[] = {"", "\"problem\": null,"};
    for (size_t i = 0; i < 2; i++) {
        text = changed(PROBLEM ",", without[i]);
        if (OK(parse(text, &samples, &err) == 0)) {
            OK(!problem_known(&samples.configs[0].config.problem));
            round_trip(&samples, &written);
            OK(strstr(written.data, "problem") == NULL);
            OK(strstr(written.data, "batch") == NULL);
            HAS(written.data, "\"clock_resolution_ns\": 1,\n      \"attempts\"");
            buf_free(&written);
        }
        samples_free(&samples);
        free(text);
    }

    tap_case("a problem that is not known matches any; one that is, itself alone");
    struct problem known = {1, 4, 4, 256, 256, 64, DTYPE_FP32, false}, other = known, none = {0};
    other.causal = true;
    OK(problem_matches(&known, &none) && problem_matches(&none, &known));
    OK(problem_matches(&none, &none) && problem_matches(&known, &known));
    OK(!problem_matches(&known, &other) && !problem_equal(&known, &none));
}

/* Which arm was at work when a mark was seen. */
static void test_provoked(void)
{
    struct samples samples = {0};
    struct err err = {0};
    struct buf written;
    tap_case("provoked, there and back");
    char *text = changed("[\"throttled\"]", "[\"throttled\", \"shared\"], \"provoked\": {"
                         "\"head\": [\"throttled\", \"shared\"], \"base\": [], "
                         "\"control\": [\"shared\"]}");
    if (OK(parse(text, &samples, &err) == 0)) {
        const struct replicate *replicate = &samples.configs[0].replicates[0];
        EQ_INT(replicate->provoked[ARM_HEAD], MARK_THROTTLED | MARK_SHARED);
        EQ_INT(replicate->provoked[ARM_BASE], 0);
        EQ_INT(replicate->provoked[ARM_CONTROL], MARK_SHARED);
        round_trip(&samples, &written);
        HAS(written.data, "\"marks\": [\"throttled\", \"shared\"], \"provoked\": {\"head\": "
                          "[\"throttled\", \"shared\"], \"control\": [\"shared\"]}}");
        buf_free(&written);
    }
    samples_free(&samples);
    free(text);

    tap_case("a sweep's own arms are no strangers, and only those that are asked for are read");
    text = changed("[\"throttled\"]", "[\"throttled\"], \"cudnn\": [80000], \"provoked\": {"
                   "\"anchor\": [\"throttled\"], \"cudnn\": [\"throttled\"]}");
    OK(parse(text, &samples, &err) == 0);
    if (samples.count == 1)
        EQ_INT(samples.configs[0].replicates[0].provoked[ARM_ANCHOR], MARK_THROTTLED);
    samples_free(&samples);
    OK(parse_against(text, "cudnn", &samples, &err) == 0);
    if (samples.count == 1)
        EQ_INT(samples.configs[0].replicates[0].provoked[ARM_ANCHOR], MARK_THROTTLED);
    samples_free(&samples);
    free(text);

    tap_case("without the key nothing is known");
    OK(parse(example, &samples, &err) == 0);
    for (int arm = 0; samples.count == 1 && arm < ARM_COUNT; arm++)
        EQ_INT(samples.configs[0].replicates[0].provoked[arm], 0);
    samples_free(&samples);
}

static const struct {
    const char *what, *from, *to, *error;
} broken[] = {
    {"truncated", "\"marks\": [\"throttled\"]}]}]}", "", "not JSON"},
    {"no value", "[74272, 74304.5]", "[74272, ]", "not JSON"},
    {"NaN", "74304.5", "NaN", "not JSON"},
    {"bare infinity", "74304.5", "Infinity", "not JSON"},
    {"1e999", "74304.5", "1e999", "not JSON"},
    {"a whole number beyond 64 bits", "74304.5", "99999999999999999999999", "not JSON"},
    {"NaN as a string", "74304.5", "\"NaN\"",
     "configs[0].replicates[0].head[1]: expected"},
    {"null sample", "74304.5", "null", "configs[0].replicates[0].head[1]: expected"},
    {"negative", "74304.5", "-74304.5",
     "configs[0].replicates[0].head[1]: expected a time"},
    {"zero", "74304.5", "0", "configs[0].replicates[0].head[1]: expected a time"},
    {"negative zero", "74304.5", "-0.0", "configs[0].replicates[0].head[1]"},
    {"eleven days", "74304.5", "2e15", "configs[0].replicates[0].head[1]"},
    {"true as a sample", "71360", "true", "configs[0].replicates[0].anchor[1]"},
    {"samples in a string", "[74272, 74304.5]", "\"74272\"",
     "samples.json: configs[0].replicates[0].head: expected an array"},
    {"no head", "\"head\": [74272", "\"tail\": [74272",
     "configs[0].replicates[0].head: missing"},
    {"too many samples", "74304.5", "1, 2, 3, 4, 5, 6, 7, 8",
     "head: 9 samples, expected at most 8"},
    {"too many replicates", "[{\"anchor\"",
     "[{\"head\": []}, {\"head\": []}, {\"head\": []},"
     " {\"head\": []}, {\"anchor\"",
     "configs[0].replicates: 5 replicates, expected at most 4"},
    {"unknown schema", "samples/1", "samples/2",
     "schema: `ratchet.samples/2` is not known"},
    {"no schema", "\"schema\"", "\"scheme\"", "schema: missing"},
    {"schema of a number", "\"ratchet.samples/1\"", "1", "schema: expected a string"},
    {"no device", "\"device\"", "\"gadget\"", "device: missing"},
    {"device of a string", "{\"slug\": \"nvidia-h200\", \"name\": \"NVIDIA H200\"}",
     "\"cpu\"", "device: expected an object"},
    {"a slug with a slash", "nvidia-h200", "../../etc", "device.slug: expected letters"},
    {"a slug too long", "nvidia-h200",
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "device.slug"},
    {"environment of a list", "{\"driver\": \"…\", \"cuda\": \"…\"}", "[]",
     "environment: expected"},
    {"a fact of a number", "\"cuda\": \"…\"", "\"cuda\": 12",
     "environment.cuda: expected"},
    {"a fact with an escape", "\"cuda\": \"…\"", "\"cuda\": \"\\u001b[2J\"",
     "environment.cuda"},
    {"arms of a list", "\"arms\": {\"head\"", "\"arms\": [], \"x\": {\"head\"",
     "arms: expected"},
    {"a commit too long", "\"commit\": \"…\"",
     "\"commit\": \"01234567890123456789012345678901234567890\"", "arms.head.commit"},
    {"duplicate key", "\"unit\": \"ns\"", "\"unit\": \"ns\", \"unit\": \"ns\"",
     "duplicate"},
    {"another unit", "\"ns\"", "\"us\"",
     "configs[0].unit: `us` is not known, expected `ns`"},
    {"no unit", "\"unit\"", "\"units\"", "configs[0].unit: missing"},
    {"no name", "\"name\": \"b32", "\"nome\": \"b32", "configs[0].name: missing"},
    {"a name of markup", "b32_h8", "<b>", "configs[0].name: expected letters"},
    {"an empty name", "b32_h8_s512_d64", "", "configs[0].name"},
    {"clock of zero", "_ns\": 1", "_ns\": 0", "configs[0].clock_resolution_ns"},
    {"clock of text", "_ns\": 1", "_ns\": \"1\"", "configs[0].clock_resolution_ns"},
    {"a problem of text", "\"problem\": {", "\"problem\": \"b32\", \"x\": {",
     "configs[0].problem: expected an object"},
    {"a heads_kv of text", "\"heads_kv\": 8", "\"heads_kv\": \"8\"",
     "configs[0].problem.heads_kv"},
    {"a heads_kv of zero", "\"heads_kv\": 8", "\"heads_kv\": 0",
     "configs[0].problem.heads_kv"},
    {"a batch of zero", "\"batch\": 32", "\"batch\": 0", "configs[0].problem.batch"},
    {"a batch of 2.5", "\"batch\": 32", "\"batch\": 2.5", "configs[0].problem.batch"},
    {"a huge batch", "\"batch\": 32", "\"batch\": 4294967297",
     "configs[0].problem.batch"},
    {"heads that do not match", "\"heads_kv\": 8", "\"heads_kv\": 3",
     "configs[0].problem.heads_kv: 3 does not divide the 8 heads"},
    {"no head_dim", "\"head_dim\"", "\"dim\"", "configs[0].problem.head_dim: missing"},
    {"fp8", "fp16", "fp8", "configs[0].problem.dtype: `fp8` is not known"},
    {"causal of a number", "false", "0",
     "configs[0].problem.causal: expected true or false"},
    {"replicates of an object", "\"replicates\": [{", "\"replicates\": {}, \"x\": [{",
     "configs[0].replicates: expected an array"},
    {"a replicate of numbers", "[{\"anchor\"", "[[1, 2], {\"anchor\"",
     "replicates[0]: expected an object"},
    {"an unknown mark", "throttled", "tired",
     "configs[0].replicates[0].marks[0]: not a mark"},
    {"a mark of a number", "\"throttled\"", "7",
     "configs[0].replicates[0].marks[0]: not a mark"},
    {"provoked by an arm that is not there", "[\"throttled\"]",
     "[\"throttled\"], \"provoked\": {\"heads\": [\"throttled\"]}",
     "configs[0].replicates[0].provoked.heads: not an arm of this replicate"},
    {"provoked of a list", "[\"throttled\"]", "[\"throttled\"], \"provoked\": [\"head\"]",
     "configs[0].replicates[0].provoked: expected an object"},
    {"provoked by text", "[\"throttled\"]",
     "[\"throttled\"], \"provoked\": {\"head\": \"throttled\"}",
     "configs[0].replicates[0].provoked.head: expected an array"},
    {"an unknown mark provoked", "[\"throttled\"]",
     "[\"throttled\"], \"provoked\": {\"head\": [\"tired\"]}",
     "configs[0].replicates[0].provoked.head[0]: not a mark"},
    {"a mark provoked that the replicate does not have", "[\"throttled\"]",
     "[\"throttled\"], \"provoked\": {\"head\": [\"shared\"]}",
     "configs[0].replicates[0].provoked.head: expected none but the replicate's own"},
    {"configs of an object", "\"configs\": [{", "\"configs\": {}, \"x\": [{",
     "samples.json: configs: expected an array"},
    {"a config of a number", "[{\"name\"", "[1, {\"name\"",
     "configs[0]: expected an object"},
    {"a failure of nobody", "\"unit\": \"ns\"", "\"unit\": \"ns\", \"failure\": \"x\"",
     "configs[0].fault: missing beside `failure`"},
    {"an unknown fault", "\"unit\": \"ns\"", "\"unit\": \"ns\", \"fault\": \"the cat\"",
     "configs[0].fault: `the cat` is not known"},
    {"identical to itself", "\"unit\": \"ns\"",
     "\"unit\": \"ns\", \"identical\": \"head\"",
     "configs[0].identical: `head` is not known"},
    {"fewer attempts than replicates", "\"unit\": \"ns\"",
     "\"unit\": \"ns\", \"attempts\": 0", "configs[0].attempts"},
    {"negative memory", "\"unit\": \"ns\"",
     "\"unit\": \"ns\", \"peak_bytes\": {\"head\": -1}", "configs[0].peak_bytes.head"},
};

static void test_broken(void)
{
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        tap_case(broken[i].what);
        char *text = changed(broken[i].from, broken[i].to);
        struct samples samples = {.count = 77};
        struct err err = {0};
        OK(parse(text, &samples, &err) == -1);
        EQ_INT(err.class, ERR_INPUT);
        HAS(err.text, "samples.json");
        HAS(err.text, broken[i].error);
        EQ_INT(samples.count, 77); /* untouched */
        free(text);
    }
}

static void test_hostile(void)
{
    struct samples samples = {.count = 77};
    struct err err = {0};
    tap_case("cut anywhere: refused, never read beyond its end");
    size_t accepted = 0;
    for (size_t len = 0; len < sizeof example - 1; len++) {
        char *cut = malloc(len + 1);
        if (cut == NULL)
            exit(1);
        memcpy(cut, example, len);
        accepted += samples_parse(cut, len, "samples.json", &limits, &samples, &err) == 0;
        free(cut);
    }
    EQ_INT(accepted, 0);
    tap_case("a file over the ceiling is not even parsed");
    struct limits tight = limits;
    tight.samples_bytes = sizeof example - 2;
    OK(samples_parse(example, sizeof example - 1, "samples.json", &tight, &samples,
                     &err) == -1);
    EQ_INT(err.class, ERR_INPUT);
    HAS(err.text, "samples.json: ");
    HAS(err.text, "expected at most");
    tap_case("deep nesting");
    static char deep[100001];
    memset(deep, '[', sizeof deep - 1);
    OK(parse(deep, &samples, &err) == -1);
    HAS(err.text, "samples.json: nested deeper");
    memset(deep, '{', sizeof deep - 1);
    OK(parse(deep, &samples, &err) == -1);
    tap_case("not an object at the top");
    OK(parse("[1]", &samples, &err) == -1);
    OK(parse("", &samples, &err) == -1);
    OK(parse("3", &samples, &err) == -1);
    tap_case("two configs of one name");
    char *text = changed("\"configs\": [{",
                         "\"configs\": [{\"name\": \"b32_h8_s512_d64\", "
                         "\"unit\": \"ns\", " PROBLEM ", \"replicates\": []}, {");
    OK(parse(text, &samples, &err) == -1);
    HAS(err.text, "configs[1].name: `b32_h8_s512_d64` was there before");
    free(text);
    tap_case("unknown keys are ignored");
    text = changed("\"unit\": \"ns\"", "\"unit\": \"ns\", \"weather\": {\"rain\": [1]}");
    OK(parse(text, &samples, &err) == 0);
    samples_free(&samples);
    free(text);
    tap_case("no samples at all is a sound file");
    text = changed("[74272, 74304.5]", "[]");
    OK(parse(text, &samples, &err) == 0);
    samples_free(&samples);
    free(text);
    OK(parse("{\"schema\": \"ratchet.samples/1\", \"device\": {\"slug\": \"cpu\"}, "
             "\"configs\": []}",
             &samples, &err) == 0);
    EQ_STR(samples.device.name, "cpu");
    samples_free(&samples);
}

int main(void)
{
    test_example();
    test_named_arm();
    test_both_ways();
    test_problem();
    test_provoked();
    test_broken();
    test_hostile();
    test_others();
    test_all_others();
    return tap_done();
}
