/* SPDX-License-Identifier: Apache-2.0 */
/* ci/ratchet.conf: what it says, what is refused, and in which words. */
#include "intake/config.h"

#include "tests/tap.h"
#include "tests/unit/mutate.h"

#include <stdlib.h>

#define NAME "ci/ratchet.conf at 1a2b3c4"

static const char whole[] = "; comment\n"
                            "[kernel]\n\tpath = kernels/\n\tpath = include/attention.h\n"
                            "[rule]\n\tthreshold = 4%\n\tconfidence = 99%\n\tresamples = 5000\n"
                            "\tseed = 7\n\town-floor = 0.25%\n\tcontrol-floor = 1%\n"
                            "\tdrift-margin = 1%\n\tmin-replicates = 7\n\tlook = 7\n"
                            "\tlook = 9\n\tlook = 20\n\tunclear = pass\n"
                            "[promotion]\n\tgap = 5m\n"
                            "[report]\n\tcomment = never\n"
                            "[build \"cpu\"]\n\tcommand = make -C kernels cpu\n"
                            "\toutput = kernels/attention_cpu.so\n"
                            "[build \"nvidia-l4\"]\n\tcommand = make\n\toutput = k.so\n"
                            "[bench \"cpu\"]\n\tsamples = 50\n\ttarget = 500us\n"
                            "\twarmup = 0\n\tinputs = warm\n\tbudget = 90s\n"
                            "[config \"a\"]\n\tdevice = cpu\n\tbatch = 1\n"
                            "\theads = 4\n\theads-kv = 2\n\tseq-q = 256\n\tseq-k = 300\n"
                            "\thead-dim = 64\n\tdtype = fp32\n\tcausal = true\n"
                            "[build \"nvidia-a100\"]\n\tcommand = make\n\toutput = k.so\n"
                            "[config \"aa\"]\n\tdevice = nvidia-a100\n\tdevice = nvidia-l4\n"
                            "\tbatch = 1\n\theads = 4\n\tseq-q = 8\n\thead-dim = 64\n"
                            "\tdtype = fp16\n"
                            "[config \"b\"]\n\tdevice = nvidia-l4\n\tbatch = 2\n\theads = 8\n"
                            "\tseq-q = 512\n\thead-dim = 128\n\tdtype = bf16\n";

static const char small[] = "[kernel]\n\tpath = k\n[build \"cpu\"]\n\tcommand = make\n"
                            "\toutput = k.so\n";
static const char one[] = "[config \"c\"]\n\tdevice = cpu\n\tbatch = 1\n\theads = 4\n"
                          "\tseq-q = 8\n\thead-dim = 64\n\tdtype = fp32\n";

static struct ratchet_config config;
static struct err err;
static struct limits limits;

static int parse_for(const char *text, const char *slug)
{
    config = (struct ratchet_config){.config_count = 77};
    err = (struct err){0};
    return config_parse(text, strlen(text), NAME, slug, &limits, &config, &err);
}

/* `text` behind a file that is right without it. */
static int parse_more(const char *text)
{
    static char all[1 << 17];
    snprintf(all, sizeof all, "%s%s%s", small, one, text);
    return parse_for(all, "cpu");
}

static void refused(const char *text, const char *message)
{
    OK(parse_more(text) == -1);
    OK(strncmp(err.text, NAME ": ", strlen(NAME) + 2) == 0);
    EQ_STR(err.text + (strlen(err.text) > strlen(NAME) + 2 ? strlen(NAME) + 2 : 0), message);
    EQ_INT(err.class, ERR_INPUT);
    EQ_INT(config.config_count, 77); /* untouched */
}

/* Likewise, of a line. */
static void refused_at(const char *text, const char *message)
{
    OK(parse_more(text) == -1);
    OK(strncmp(err.text, NAME ":", strlen(NAME) + 1) == 0);
    EQ_STR(err.text + (strlen(err.text) > strlen(NAME) ? strlen(NAME) + 1 : 0), message);
    EQ_INT(err.class, ERR_INPUT);
}

static void test_whole(void)
{
    tap_case("every key");
    OK(parse_for(whole, "cpu") == 0);
    EQ_STR(err.text, "");
    EQ_INT(config.source.path_count, 2);
    EQ_STR(config.source.paths[0], "kernels");
    EQ_STR(config.source.paths[1], "include/attention.h");
    OK(config.rule.threshold == 0.04 && config.rule.confidence == 0.99);
    OK(config.rule.own_floor == 0.0025 && config.rule.control_floor == 0.01);
    OK(config.rule.drift_margin == 0.01 && config.rule.unclear_passes);
    EQ_INT(config.rule.resamples, 5000);
    EQ_INT(config.rule.seed, 7);
    EQ_INT(config.rule.min_replicates, 7);
    EQ_INT(config.rule.look_count, 3);
    EQ_INT(config.rule.looks[0], 7);
    EQ_INT(config.rule.looks[2], 20);
    EQ_INT(config.promotion_gap_s, 300);
    EQ_INT(config.comment, COMMENT_NEVER);
    EQ_STR(config.source.recipe.command, "make -C kernels cpu");
    EQ_STR(config.source.recipe.output, "kernels/attention_cpu.so");
    EQ_INT(config.bench.samples, 50);
    EQ_INT(config.bench.warmup, 0);
    OK(config.bench.target_ns == 500e3 && config.bench.warm_inputs);
    OK(config.bench.budget_ns == 90e9);
    EQ_INT(config.config_count, 1);
    EQ_STR(config.configs[0].name, "a");
    const struct problem *problem = &config.configs[0].problem;
    EQ_INT(problem->heads_kv, 2);
    EQ_INT(problem->seq_k, 300);
    EQ_INT(problem->dtype, DTYPE_FP32);
    OK(problem->causal);

    tap_case("another device of the same file");
    OK(parse_for(whole, "nvidia-l4") == 0);
    EQ_INT(config.config_count, 2);
    EQ_STR(config.configs[1].name, "b");
    EQ_INT(config.configs[1].problem.heads_kv, 8);
    EQ_INT(config.configs[1].problem.seq_k, 512);
    EQ_INT(config.bench.samples, 100);
    OK(!config.configs[1].problem.causal && !config.bench.warm_inputs);

    tap_case("defaults");
    OK(parse_more("") == 0);
    struct rule rule = rule_default();
    OK(config.rule.threshold == rule.threshold && config.rule.look_count == rule.look_count);
    EQ_INT(config.promotion_gap_s, 600);
    EQ_INT(config.comment, COMMENT_ALWAYS);
    OK(config.bench.target_ns == 2e6 && config.bench.budget_ns == 0);
    OK(parse_more("[rule]\nmin-replicates = 8\n") == 0);
    EQ_INT(config.rule.looks[0], 8);
}

static void test_refusals(void)
{
    tap_case("unknown and repeated");
    refused("[rules]\nthreshold = 3%\n",
            "unknown section `rules`; allowed: kernel, rule, promotion, report, build, bench, tune, "
            "config; did you mean `rule`?");
    refused("[typo]\n",
            "unknown section `typo`; allowed: kernel, rule, promotion, report, build, bench, tune, config");
    refused("[rule]\ntreshold = 3%\n",
            "rule.treshold: unknown key; allowed in [rule]: threshold, confidence, resamples, "
            "seed, own-floor, control-floor, drift-margin, min-replicates, look, unclear; did you "
            "mean `threshold`?");
    refused("[bench \"cpu\"]\nsample = 3\n",
            "bench.cpu.sample: unknown key; allowed in [bench]: samples, target, warmup, inputs, "
            "budget; did you mean `samples`?");
    refused("[bench \"cpu\"]\nbudget = 10ms\n",
            "bench.cpu.budget: expected a time with its unit (ns, us, ms, s, m, h) between 1s "
            "and 24h, not `10ms`");
    refused("[rule]\nthreshold = 3%\nthreshold = 4%\n",
            "rule.threshold: stands twice, expected once");
    refused("[config \"c\"]\nbatch = 2\n", "config.c.batch: stands twice, expected once");
    refused("[rule \"x\"]\nseed = 1\n", "[rule \"x\"]: expected [rule] alone");
    refused("[build]\ncommand = x\n", "[build]: expected a device, as in [build \"device\"]");
    refused("[build \"a b\"]\ncommand = x\n",
            "[build \"a b\"]: expected 1 to 63 letters, digits, `_`, `-` or `.`");

    tap_case("values");
    refused("[rule]\nthreshold = abc\n",
            "rule.threshold: expected a percentage between 0.1% and 50%, not `abc`");
    refused("[rule]\nthreshold = -3%\n",
            "rule.threshold: expected a percentage between 0.1% and 50%, not `-3%`");
    refused("[rule]\nthreshold\n",
            "rule.threshold: expected a percentage between 0.1% and 50%, not `true`");
    refused("[rule]\nmin-replicates = 3\n",
            "rule.min-replicates: expected a whole number from 6 to 64, not `3`");
    refused("[rule]\nown-floor = 4%\n", "rule.own-floor: expected at most rule.threshold");
    refused("[rule]\nlook = 8\nlook = 8\n",
            "rule.look: expected more than the 8 before it, not `8`");
    refused("[rule]\nmin-replicates = 9\nlook = 8\n",
            "rule.look: 8 is less than rule.min-replicates, which is 9");
    refused("[rule]\nlook = 100\n",
            "rule.look: 100 is more than the 64 replicates of this host");
    refused("[rule]\nunclear = maybe\n",
            "rule.unclear: expected `fail` or `pass`, not `maybe`");
    refused("[report]\ncomment = quiet\n",
            "report.comment: expected `always`, `change` or `never`, not `quiet`");
    refused("[promotion]\ngap = 2d\n",
            "promotion.gap: expected a time with its unit (ns, us, ms, s, m, h) between 0s and "
            "24h, not `2d`");
    refused("[bench \"cpu\"]\nsamples = 5000\n",
            "bench.cpu.samples: 5000 is more than the 4096 samples of this host");

    tap_case("paths that leave the tree");
    static const char *const paths[] = {"/etc/passwd", "../x", "a/../b", "a//b", "./a", ".",
                                        ".git/hooks", "a/.GIT/x", "\\\\x"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        char text[200];
        snprintf(text, sizeof text, "[kernel]\npath = \"%s\"\n", paths[i]);
        OK(parse_more(text) == -1);
        HAS(err.text, "kernel.path: expected a path inside the tree");
        snprintf(text, sizeof text, "[build \"x\"]\ncommand = a\noutput = \"%s\"\n", paths[i]);
        OK(parse_more(text) == -1);
        HAS(err.text, "build.x.output: expected a path inside the tree");
    }
    OK(parse_more("[build \"x\"]\ncommand = \"a\\nb\"\noutput = o\n") == -1);
    HAS(err.text, "build.x.command: expected one line");
}

static void test_problems(void)
{
    tap_case("configs");
    refused("[config \"d\"]\n", "config.d.device: missing");
    refused("[config \"d\"]\ndevice = cpu\nbatch = 1\nheads = 1\nseq-q = 1\nhead-dim = 8\n",
            "config.d.dtype: missing");
    refused("[config \"d\"]\ndevice = cpuu\nbatch = 1\nheads = 1\nseq-q = 1\nhead-dim = 8\n"
            "dtype = fp32\n", "config.d.device: there is no [build \"cpuu\"], only \"cpu\"");
    refused("[config \"d\"]\ndevice = cpu\ndevice = cpu\n",
            "config.d.device: `cpu` stands twice");
    refused("[config \"d\"]\nbatch = 0\n",
            "config.d.batch: expected a whole number from 1 to 1048576, not `0`");
    refused("[config \"d\"]\ndtype = fp64\n",
            "config.d.dtype: expected fp16, bf16 or fp32, not `fp64`");
    refused("[config \"d\"]\ndevice = cpu\nbatch = 1\nheads = 6\nseq-q = 1\nhead-dim = 8\n"
            "dtype = fp16\n",
            "config.d.dtype: fp16 is not a type of cpu, which has fp32");
    refused("[config \"d\"]\ndevice = cpu\nbatch = 1\nheads = 6\nheads-kv = 4\nseq-q = 1\n"
            "head-dim = 8\ndtype = fp32\n",
            "config.d.heads-kv: expected a divisor of heads, which is 6, not `4`");
    refused("[config \"d\"]\ndevice = cpu\nbatch = 1048576\nheads = 1048576\nseq-q = 1048576\n"
            "head-dim = 1048576\ndtype = fp32\n",
            "config.d: a tensor has more than 68719476736 elements");
    refused("[bench \"gpu\"]\nwarmup = 1\n", "bench.gpu: there is no [build \"gpu\"], only \"cpu\"");
    refused("[build \"gpu\"]\ncommand = x\n", "build.gpu.output: missing");

    tap_case("a command that a comment cuts");
    refused_at("[build \"gpu\"]\ncommand = make; cp a b\noutput = x\n",
            "14: command: what follows `;` is a comment: put the value in double quotes");
    refused_at("[build \"gpu\"] command = make ; cp a b\n[kernel]\n",
            "13: command: what follows `;` is a comment: put the value in double quotes");
    refused("[build \"g;pu\"]\n; a\n# b\ncommand = a \\\n -DX=\"a;b\" -Y=#1 # c\n",
            "[build \"g;pu\"]: expected 1 to 63 letters, digits, `_`, `-` or `.`");
    refused_at("[build \"gpu\"]\n; a\n# b\nCommand = a \\\n -DX=\"a;b\" -Y=#1 # c\n",
            "16: Command: what follows `#` is a comment: put the value in double quotes");
    refused_at("[build \"gpu\"]\ncommand = sh -c 'a; b'\noutput = x\n",
            "14: command: what follows `;` is a comment: put the value in double quotes");
    OK(parse_more("[build \"gpu\"]\ncommand = \"make; cp a b\" # both; of them\noutput = x ; y\n"
                  "[bench \"gpu\"]\nwarmup = 1 ; few\n") == 0);
    OK(parse_more("[build \"gpu\"]\ncommand = a \\\n b # c ; d\n; command = a; b\n"
                  "output = x\n") == 0);

    tap_case("a key that git's syntax has not");
    refused_at("[bench \"cpu\"]\n  seq_q = 1\n", "14: invalid configuration key at `seq_q`");

    tap_case("what a device needs");
    OK(parse_for(whole, "nvidia-h200") == -1);
    EQ_STR(err.text, NAME ": there is no [build \"nvidia-h200\"], only \"cpu\", "
                          "\"nvidia-l4\", \"nvidia-a100\": that device is not guarded here");
    OK(parse_for(small, "cpu") == -1);
    EQ_STR(err.text, NAME ": no [config …] has `device = cpu`");
    OK(parse_for(one, "cpu") == -1);
    OK(parse_for("", "cpu") == -1);
    EQ_STR(err.text, NAME ": kernel.path: missing");
}

static void test_syntax(void)
{
    tap_case("syntax");
    OK(parse_more("[rule\n") == -1);
    EQ_INT(err.class, ERR_INPUT);
    OK(parse_more("[include]\npath = /etc/passwd\n") == -1);
    HAS(err.text, "includes are not allowed");
    OK(parse_more("[rule]\nseed = 1 \\\n[bogus]\n") == -1);
    HAS(err.text, "rule.seed"); /* the second line belongs to the value: no section */
    OK(config_parse("[rule]\0", 7, NAME, "cpu", &limits, &config, &err) == -1);

    tap_case("ceilings");
    static char text[1 << 17];
    memset(text, '\n', sizeof text - 1);
    OK(parse_more(text) == -1);
    EQ_INT(err.class, ERR_LIMIT);
    size_t len = 0;
    for (int i = 0; i < 1100; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "[build \"d%d\"]\n", i);
    text[len] = '\0';
    OK(parse_more(text) == -1);
    HAS(err.text, "more than 1024 sections");
    limits.configs = 1;
    OK(parse_more("[config \"d\"]\ndevice = cpu\nbatch = 1\nheads = 1\nseq-q = 1\n"
                  "head-dim = 8\ndtype = fp32\n") == -1);
    EQ_STR(err.text, NAME ": more than 1 configs for device `cpu`");
    limits = limits_default();
}

static void test_mutations(void)
{
    tap_case("three thousand broken files");
    unsigned taken = 0, wrong = 0;
    for (unsigned i = 0; i < 3000; i++) {
        static char text[8192];
        size_t len = strlen(whole);
        memcpy(text, whole, len);
        len = mutate(text, len, sizeof text);
        char *exact = malloc(len + (len == 0));
        if (exact == NULL)
            return;
        memcpy(exact, text, len);
        err = (struct err){0};
        if (config_parse(exact, len, NAME, "cpu", &limits, &config, &err) == 0) {
            taken++;
            wrong += config.config_count == 0 || config.source.path_count == 0 ||
                     config.source.recipe.output[0] == '/' || strstr(config.source.recipe.output, "../") ||
                     !(config.rule.threshold >= 0.001 && config.rule.threshold <= 0.5) ||
                     config.rule.look_count == 0;
        } else {
            wrong += strncmp(err.text, NAME, strlen(NAME)) != 0;
        }
        free(exact);
    }
    EQ_INT(wrong, 0);
    OK(taken > 100 && taken < 2900); /* both ends were reached */
}

static struct kernel_source source;

static int source_of(const char *text, const char *slug)
{
    source = (struct kernel_source){.path_count = 77};
    err = (struct err){0};
    return config_parse_source(text, strlen(text), NAME, slug, &limits, &source, &err);
}

static void test_source(void)
{
    static const char kernel[] = "[kernel]\npath = a\npath = b/\n";
    static const char build[] = "[build \"cpu\"]\ncommand = make\noutput = a/k.so\n";
    char text[1024];
    tap_case("the source of one arm, whatever else the file says");
    snprintf(text, sizeof text, "[rule]\nnews = 1\n%s[bench \"cpu\"]\nsamples = no\n%s[odd]\nx = y\n"
             "[build \"nvidia-l4\"]\nfuel = coal\n", kernel, build);
    OK(source_of(text, "cpu") == 0);
    EQ_STR(err.text, "");
    EQ_INT(source.path_count, 2);
    EQ_STR(source.paths[1], "b");
    EQ_STR(source.recipe.command, "make");
    EQ_STR(source.recipe.output, "a/k.so");
    static const struct {
        const char *before, *after, *error;
    } broken[] = {
        {"", "", "kernel.path: missing"},
        {kernel, "", "there is no [build \"cpu\"], nor any other"},
        {kernel, "[build \"cpu\"]\ncommand = make\n", "build.cpu.output: missing"},
        {kernel, "[build \"cpu\"]\ncommand = make\noutput = /k.so\n", "build.cpu.output"},
        {kernel, "[build \"cpu\"]\ncommand = make\ncommand = cc\n", "stands twice"},
        {kernel, "[build \"cpu\"]\ncommand = make\nfuel = coal\n", "build.cpu.fuel: unknown key"},
        {"[kernel]\npath = ../a\n", "", "kernel.path"},
        {"[kernel]\nfolder = a\n", "", "kernel.folder: unknown key"},
        {"[kernel\n", "", NAME},
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        tap_case(broken[i].error);
        snprintf(text, sizeof text, "%s%s", broken[i].before, broken[i].after);
        OK(source_of(text, "cpu") == -1);
        HAS(err.text, broken[i].error);
        EQ_INT(err.class, ERR_INPUT);
        EQ_INT(source.path_count, 77); /* untouched */
    }
    tap_case("values are compared, not bytes");
    snprintf(text, sizeof text, "%s%s", build, kernel);
    OK(source_of(text, "cpu") == 0);
    struct kernel_source other = source;
    OK(kernel_source_equal(&source, &other));
    memcpy(other.paths[0], "b", 2);
    memcpy(other.paths[1], "a", 2);
    OK(kernel_source_equal(&source, &other));
    memcpy(other.paths[1], "c", 2);
    OK(!kernel_source_equal(&source, &other));
    other = source;
    other.path_count = 1;
    OK(!kernel_source_equal(&source, &other) && !kernel_source_equal(&other, &source));
    other = source;
    strcat(other.recipe.command, " ");
    OK(!kernel_source_equal(&source, &other));
    other = source;
    strcat(other.recipe.output, "x");
    OK(!kernel_source_equal(&source, &other));
}

int main(void)
{
    limits = limits_default();
    test_whole();
    test_refusals();
    test_problems();
    test_syntax();
    test_source();
    test_mutations();
    return tap_done();
}
