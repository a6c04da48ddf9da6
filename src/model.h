/* SPDX-License-Identifier: Apache-2.0 */
/* The structures that cross from one folder of src to another: problem, config, rule, samples,
 * baseline, comparison, verdict, job. Read this first. Plain data: whoever fills one in owns it, and
 * the *_free functions (src/model.c) take what is zeroed or half-built.
 *
 * Units: times are nanoseconds of device time per launch, as doubles; changes and intervals
 * are relative (0.03 is 3%), positive is slower; commits are 40 hex digits. */
#ifndef RATCHET_MODEL_H
#define RATCHET_MODEL_H

#include "codefacts.h"
#include "metrics.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MODEL_NAME_BYTES = 64, /* of a config or device slug, NUL included */
    MODEL_SHA_BYTES = 41,
    MODEL_WHO_BYTES = 128,    /* who accepted a loss */
    MODEL_CODE_BYTES = 80,    /* "sha256:" and 64 hex digits */
    MODEL_TEXT_BYTES = 512,   /* of a reason */
    MODEL_TOKEN_BYTES = 2048, /* GitHub says not to rely on their length */
    MODEL_CONFIGS_MAX = 256,  /* in one file, whatever the limits say */
    MODEL_PATHS_MAX = 32,
    MODEL_PROTOCOL_BYTES = 8 /* of the protocol of a measurement: wire.h */
};
#define MODEL_PROTOCOL_FIRST "1" /* where none is named */

#define PROMOTION_TRAILER "Ratchet-Promotion" /* of our promotions' commits: the device */

/* ---- what is measured ---- */

enum dtype { DTYPE_FP16, DTYPE_BF16, DTYPE_FP32, DTYPE_COUNT };
const char *dtype_name(enum dtype dtype);           /* "fp16", "bf16", "fp32" */
int dtype_parse(const char *name, enum dtype *out); /* 0, or -1 */

/* One attention problem: O = softmax(scale Q Kᵀ [+ causal mask]) V.
 * q, o: [batch, heads, seq_q, head_dim]; k, v: [batch, heads_kv, seq_k, head_dim]. */
struct problem {
    int batch, heads, heads_kv, seq_q, seq_k, head_dim;
    enum dtype dtype;
    bool causal;
}; /* zeroed: not known, samples.json may leave it out */
bool problem_known(const struct problem *problem);
bool problem_equal(const struct problem *a, const struct problem *b);
/* Equal, or one of them is not known: then the config's name has to do. */
bool problem_matches(const struct problem *a, const struct problem *b);
enum { PROBLEM_DIM_MAX = 1 << 20 }; /* of each number above */

struct config {
    char name[MODEL_NAME_BYTES]; /* letters, digits, `_`, `-`, `.` */
    struct problem problem;
};
bool model_name_ok(const char *name); /* 1–63 of [A-Za-z0-9_.-], not starting with . or - */

/* ---- arms ---- */

enum { ARM_OTHERS_MAX = 8 };
enum arm {
    ARM_HEAD,
    ARM_BASE,
    ARM_ANCHOR,
    ARM_CONTROL,
    ARM_OTHER, /* from here on: no part in a check, but names of their own (`ratchet sweep`) */
    ARM_COUNT = ARM_OTHER + ARM_OTHERS_MAX
};
const char *arm_name(enum arm arm); /* "head", "base", "anchor", "control", "other1", … */

struct arm_info {
    bool present;
    char commit[MODEL_SHA_BYTES]; /* "" where unknown */
    char code[MODEL_CODE_BYTES];  /* hash of the machine code, "" where unknown */
};

/* ---- samples ---- */

/* Why a replicate was marked. A marked replicate is reported and never judged. */
enum mark {
    MARK_THROTTLED = 1 << 0, /* thermal, hardware slowdown, power brake */
    MARK_SHARED = 1 << 1,    /* another process was on the device */
    MARK_STARVED = 1 << 2,   /* the host could not keep the queue full */
    MARK_PREEMPTED = 1 << 3, /* CPU: descheduled or stolen time in too many samples */
    MARK_CLOCK = 1 << 4,     /* the parent's clock disagrees with the sum of samples */
    MARK_CLOCKS = 1 << 5,    /* the arms ran at SM clocks more than 1% apart */
    MARK_BITS = 6
};
const char *mark_name(unsigned bit); /* of a bit number: "throttled", … */

struct series {
    double *ns; /* owned */
    size_t count;
};

struct clock_slope {     /* of wall time on the time that an arm claims: measure/agree.h */
    double slope, error; /* 1 where the claims are true; its standard error */
    unsigned freedom;    /* degrees of freedom of the error; 0: not known */
};

struct replicate {
    struct series arms[ARM_COUNT]; /* count 0 where the arm was not there */
    struct clock_slope clock[ARM_COUNT];
    unsigned marks;               /* enum mark, ored */
    unsigned provoked[ARM_COUNT]; /* those seen while this arm was at work; 0: not known.
                                    * Where marks leave too few, it says whose fault that
                                    * is (judge/measured.c) */
};

/* Whose fault an unmeasured config is. */
enum fault { FAULT_NONE, FAULT_PR, FAULT_BASE, FAULT_HOST, FAULT_US };
const char *fault_name(enum fault fault); /* "", "the PR", "the base", "the host", "us" */

/* Why a config, or a whole check, has its verdict. Whoever gives a verdict names its clause; the
 * words are for scripts (`"clause"` in verdict.json), and no part of us reads a reason. */
enum clause {
    CLAUSE_NONE, /* not known: a file written before clauses were */
    /* measured and judged */
    CLAUSE_WITHIN,         /* wholly inside the lines: held */
    CLAUSE_BEYOND,         /* wholly beyond one of them: improved, or regressed */
    CLAUSE_STRADDLES,      /* neither: unclear */
    CLAUSE_LOST_ON_MAIN,   /* beyond, but this change does not add to it: held */
    CLAUSE_OWN_UNCLEAR,    /* beyond, and it is not clear whether this change adds: unclear */
    CLAUSE_GAPS,           /* replicates that are missing could change the verdict */
    CLAUSE_FEW_REPLICATES, /* fewer than `min-replicates` */
    CLAUSE_BUDGET,         /* … as the time budget was spent before: unclear */
    CLAUSE_MARKED,         /* too few are left without a mark */
    CLAUSE_CONTROL_BIASED,
    CLAUSE_BELOW_CLOCK, /* shorter than the clock can see */
    CLAUSE_NO_SAMPLES,
    CLAUSE_NOTHING_AGAINST, /* no anchor, no base, no stored samples */
    CLAUSE_ANCHOR_UNBUILT,  /* the anchor builds here by no recipe: the host's */
    CLAUSE_NOT_MEASURED,    /* the baseline has the config, and nobody measured it */
    /* nothing was measured, because nothing had to be */
    CLAUSE_IDENTICAL_CODE,
    CLAUSE_NOT_TOUCHED,
    CLAUSE_RETIRED,  /* main's ci/ratchet.conf lists the config no more */
    CLAUSE_RECORDED, /* promotion: there is a new baseline for it */
    /* it could not be measured */
    CLAUSE_BUILD_FAILED,
    CLAUSE_REFUSED, /* the library does not load, or exports what it must not */
    CLAUSE_WRONG_RESULT,
    CLAUSE_CRASHED,
    CLAUSE_TIMED_OUT,
    CLAUSE_IMPLAUSIBLE, /* faster than the device can be, or more time than passed */
    CLAUSE_GARBLED,     /* the answer did not follow the protocol; a library may have
 written it */
    CLAUSE_DISTURBS,    /* another arm fails beside head, and not alone */
    CLAUSE_EVERY_ARM,   /* all arms fail alike */
    CLAUSE_HOST_FAILED,
    /* it did not come to measuring */
    CLAUSE_CONFLICT, /* head and base do not merge */
    CLAUSE_NOT_PINNED, /* the pull request is closed or from a fork, or a commit cannot be fetched */
    CLAUSE_NOT_APPROVED, /* … from a fork, and nobody who may write let its head run */
    CLAUSE_BAD_CONFIG,   /* ci/ratchet.conf cannot be used */
    CLAUSE_BAD_RECIPE,   /* … only the merge's [build] */
    CLAUSE_BAD_BASELINE,
    CLAUSE_BAD_PATH, /* a [kernel] path that is nothing, or cannot be followed */
    CLAUSE_INTERNAL,
    CLAUSE_CANCELLED, /* by whoever submitted it, or nobody needs it any more */
    CLAUSE_COUNT
};
const char *clause_name(enum clause clause);          /* "within", …; "" for none */
int clause_parse(const char *name, enum clause *out); /* 0, or -1 */

/* name = value facts about where something was measured, in the order they were added. */
struct fact {
    char *name, *value;
};
struct environment {
    struct fact *facts; /* owned */
    size_t count;
};
int environment_set(struct environment *environment, const char *name, const char *value);
const char *environment_get(const struct environment *environment, const char *name);
const char *environment_protocol(const struct environment *environment); /* never NULL */
int environment_copy(const struct environment *from, struct environment *to);
void environment_free(struct environment *environment);
bool environment_is_reading(const char *name); /* `seen_…`, clocks: never twice the same */

/* Checks of one code, re-runs included (judge/levels.h); processes without head (judge/beside.c). */
enum { RUNS_MAX = 3, WITHOUT_HEAD_PROCESSES = 3 };

struct config_samples {
    struct config config;
    double clock_resolution_ns;
    struct arm_info arms[ARM_COUNT]; /* anchors can differ from config to config */
    struct replicate *replicates;    /* owned; marked ones included */
    size_t count;
    struct series
        without_head; /* medians of the anchor, or base, with no head: a process each */
    /* Where this is a re-run: how many of the replicates each check before it took. They stand
     * first, in order; 0 where they were lost. */
    size_t earlier[RUNS_MAX - 1];
    unsigned earlier_count;
    size_t attempts; /* replicates started, failed ones included */
    /* Of those, the ones whose process was killed, by the arm at work; the last: none. Counted while
     * it is measured, in no file. */
    unsigned killed[ARM_COUNT + 1];
    bool identical; /* same machine code as `identical_to`: not measured */
    enum arm identical_to;
    enum fault fault;               /* not FAULT_NONE: it could not be measured… */
    enum clause clause;             /* …by which clause (CLAUSE_HOST_FAILED and so on)… */
    char failure[MODEL_TEXT_BYTES]; /* …and why, one line */
    bool anchor_failed;             /* the anchor cannot run: stored samples decide */
    char anchor_failure[MODEL_TEXT_BYTES];
    bool anchor_unbuilt; /* … because no recipe builds it here: unclear at most */
    /* What a time budget did. */
    bool shortened;   /* fewer samples, launches or warm-up than [bench] says */
    bool out_of_time; /* no more replicates, though they could have settled it */
    /* Why another arm has no samples, or "". */
    char left_out[ARM_OTHERS_MAX][MODEL_TEXT_BYTES];
    /* Device memory of a launch, workspace and its own included: the most seen; 0: not known. */
    unsigned long long peak_bytes[ARM_COUNT];
};

struct device {
    char slug[MODEL_NAME_BYTES]; /* "cpu", "nvidia-h200" */
    char name[128];
};
/* Slugs of GPUs begin with their vendor, "nvidia-". All that differs from one kind of device to
 * another is in measure/device/; this alone is here, because intake, which refuses the clocks of
 * anything else, may not see it. tests/unit/test_device holds it against the table there. */
bool device_is_gpu(const char *slug);
/* May a device be called so? "cpu", or a GPU of a vendor that is known, in small letters. */
bool device_slug_ok(const char *slug);
/* Are there kernels for inputs of that type? Those of the CPU are fp32, those of GPUs are not. */
bool device_has_dtype(const char *slug, enum dtype dtype);
/* Those that it has, in words; and the sentence for another: type, device, these words. */
const char *device_dtypes(const char *slug);
#define DEVICE_LACKS_DTYPE "%s is not a type of %s, which has %s"

/* samples.json, schema ratchet.samples/1. */
struct samples {
    struct device device;
    struct environment environment;
    char others[ARM_OTHERS_MAX][MODEL_NAME_BYTES]; /* names of arms from ARM_OTHER on, or "" */
    struct config_samples *configs;                /* owned */
    size_t count;
};
void samples_free(struct samples *samples);
#define SAMPLES_AUTO __attribute__((cleanup(samples_free))) struct samples
void config_samples_free(struct config_samples *config);
void replicate_free(struct replicate *replicate);
/* Append a zeroed element and return it; NULL when memory ran out. */
struct config_samples *samples_add(struct samples *samples);
const struct config_samples *samples_find(const struct samples *samples, const char *name);
struct replicate *config_samples_add(struct config_samples *config);
/* What is there is of an earlier run, what follows of another. False after RUNS_MAX runs. */
bool config_samples_run_again(struct config_samples *config);
size_t config_samples_unmarked(const struct config_samples *config); /* replicates */
unsigned config_samples_marks(const struct config_samples *config);  /* of all of them */
/* Replicates of the runs up to this one, counted from 0. */
size_t config_samples_until(const struct config_samples *config, unsigned run);
/* Unmarked replicates of the last run alone. */
size_t config_samples_unmarked_now(const struct config_samples *config);
int series_add(struct series *series, double ns); /* 0, or -1 */

/* ---- baseline ---- */

/* One config of baseline.json: the raw samples of the anchor, and how they came to be. */
struct baseline_config {
    struct config config;
    char commit[MODEL_SHA_BYTES]; /* the kernel's */
    char code[MODEL_CODE_BYTES];
    double clock_resolution_ns;
    struct series *replicates; /* owned, one series each */
    size_t count;
    struct environment environment;
    char recorded[32];          /* UTC, "2026-11-21T01:10:20Z" */
    char why[MODEL_NAME_BYTES]; /* "new", "improved", "accepted", "reverted" */
    char who[MODEL_WHO_BYTES];  /* who accepted a loss, or "" */
    bool retired;               /* set by the pipeline, not in the file: main's
                                     ci/ratchet.conf lists it no more */
};

/* baseline.json, schema ratchet.baseline/1. */
struct baseline {
    struct device device;
    struct baseline_config *configs; /* owned */
    size_t count;
};
void baseline_free(struct baseline *baseline);
#define BASELINE_AUTO __attribute__((cleanup(baseline_free))) struct baseline
void baseline_config_free(struct baseline_config *config);
const struct baseline_config *baseline_find(const struct baseline *baseline, const char *name);

/* ---- calibration ---- */

/* What calibration.json, schema ratchet.calibration/1, says of the rule's errors on a device:
 * checks were drawn from one pool of fresh processes and judged by the shipped rule. */
struct calibration {
    struct device device;
    char protocol[MODEL_PROTOCOL_BYTES]; /* of its pool */
    char recorded[32];                   /* UTC, "2026-11-21T01:10:20Z" */
    double threshold;                    /* of the rule it was made with… */
    double confidence;                   /* … */
    unsigned budget;                     /* …and its last look, in replicates */
    unsigned processes;                  /* in the pool, each independent of the others */
    unsigned long long checks;           /* drawn where head was the anchor's very code */
    unsigned long long wrong;            /* of them, called regressed or improved */
    double wrong_upper;                  /* upper 95% Clopper–Pearson bound of that share */
    double smallest_change; /* true change seen in 95% of checks; 0: none of those tried */
};

/* ---- the rule, from ci/ratchet.conf of the base commit ---- */

/* Its numbers, a row each: type and name of the field, key in [rule], default, least, most, and
 * what it is. */
#define RULE_TABLE(X)                                                                 \
    X(double, threshold, "threshold", 0.03, 0.001, 0.5,                               \
      "a change counts beyond it, either way")                                        \
    X(double, confidence, "confidence", 0.95, 0.8, 0.999,                             \
      "of the interval that has to lie beyond the threshold, or within")              \
    X(unsigned, resamples, "resamples", 10000, 1000, 1000000, "bootstrap resamples")  \
    X(unsigned long long, seed, "seed", 42, 0, INT64_MAX, "seed of the bootstrap")    \
    X(double, own_floor, "own-floor", 0.005, 0, 0.5,                                  \
      "slower than base by more than this adds to what base lost; at most threshold") \
    X(double, control_floor, "control-floor", 0.005, 0.0005, 0.5,                     \
      "a control that lies wholly beyond it is biased, and nothing is judged")        \
    X(double, drift_margin, "drift-margin", 0.02, 0, 0.5,                             \
      "widens the lines where the stored samples decide")                             \
    X(unsigned, min_replicates, "min-replicates", 6, 6, 64,                           \
      "fresh processes without a mark that a verdict needs")
/* Replicate counts at which the judge looks, where no `look` is given. */
#define RULE_LOOKS 6, 8, 16

enum { RULE_LOOKS_MAX = 8 };
struct rule {
#define RULE_FIELD(type, field, ...) type field;
    RULE_TABLE(RULE_FIELD)
#undef RULE_FIELD
    unsigned looks[RULE_LOOKS_MAX]; /* ascending; the budget is the last look */
    unsigned look_count;
    bool unclear_passes; /* unclear = pass: exit 0 */
};
struct rule rule_default(void);

/* ---- job ---- */

enum job_kind { JOB_CHECK, JOB_PROMOTE };
enum {
    JOB_REPOSITORY_BYTES = 140,
    JOB_KEY_BYTES = 256,
    JOB_REF_BYTES = 256,
    JOB_URL_BYTES = 512,
    JOB_LOGIN_BYTES = 64, /* of a person at GitHub */
    CHOICES_TEXT_BYTES = 256
};

/* What a person who starts a check by hand may choose: less of it, or more said. */
struct choices {
    char configs[CHOICES_TEXT_BYTES]; /* names and globs, a space between; "": all */
    unsigned budget_s;                /* at most so long; 0: what base says */
    bool profile;                     /* what a profiler counts, also where nothing moved */
    char refused[CHOICES_TEXT_BYTES]; /* why they were not taken, or "" */
};
bool choices_any(const struct choices *choices);
/* Less than the check that is required: it earns no status, and is never green. */
bool choices_partial(const struct choices *choices);

/* One piece of work for one device. What a step may say is `repository`, `pr`, `key` and `choices`; the
 * rest is asked of GitHub or of git and pinned. */
struct job {
    long long id; /* row in the queue; 0 outside the daemon */
    enum job_kind kind;
    char repository[JOB_REPOSITORY_BYTES]; /* "owner/name"; "" for a local repository */
    char device[MODEL_NAME_BYTES];
    char key[JOB_KEY_BYTES];          /* repository id/run id/attempt/job */
    int pr;                           /* 0: none (push, merge group, or two local commits) */
    char base_ref[JOB_REF_BYTES];     /* "main" */
    char event_head[MODEL_SHA_BYTES]; /* the step's word on the head, "" for none */
    char event_base[MODEL_SHA_BYTES]; /* … on what a merge group is built on */
    char group[JOB_REF_BYTES];   /* a merge group's branch, "gh-readonly-queue/main/pr-7-…";
                                         "": no group. GitHub is asked whether it is one */
    char head[MODEL_SHA_BYTES];  /* the PR's head; for a promotion, main's tip */
    char base[MODEL_SHA_BYTES];  /* base tip when pinned */
    char merge[MODEL_SHA_BYTES]; /* head merged into base: what is measured */
    char run_url[JOB_URL_BYTES]; /* the Actions run, "" outside Actions */
    char
        approved_by[JOB_LOGIN_BYTES]; /* who let a fork's head run here; "": it is no fork's */
    struct choices choices; /* the step's word, until the job is pinned; then what is taken */
};

/* ---- verdict ---- */

enum verdict {
    VERDICT_HELD,
    VERDICT_IMPROVED,
    VERDICT_UNCLEAR,
    VERDICT_UNMEASURED,
    VERDICT_REGRESSED
}; /* in the order of the roll-up: the worst counts */
const char *verdict_name(enum verdict verdict);

struct interval {
    double low, high;
};

/* What a config was judged against. */
enum against { AGAINST_NONE, AGAINST_ANCHOR, AGAINST_BASE, AGAINST_STORED };
const char *against_name(enum against against); /* "none", "anchor", "base", "stored" */

/* A change of one arm against another: estimate and 95% interval. */
struct change {
    bool known;
    double change;
    struct interval ci;          /* plain, reported */
    struct interval ci_decision; /* corrected, decides */
};

/* What the replicates of one run show by themselves. */
struct run_change {
    size_t replicates; /* judged */
    bool known;
    double change; /* of head against what the config was judged against */
};

struct config_verdict {
    struct config config;
    enum verdict verdict;
    enum clause clause;
    char reason[MODEL_TEXT_BYTES]; /* one line, for people */
    enum fault fault;
    enum against against;
    struct change change;  /* head against `against` */
    struct change own;     /* head against base */
    struct change control; /* control against anchor: what bias is left */
    struct change stored;  /* head against baseline.json's samples, drift margin included */
    double anchor_drift;   /* today's anchor against the stored one; 0 where unknown */
    bool anchor_drift_known;
    bool anchor_drifted;         /* … beyond threshold + drift margin */
    double median_ns[ARM_COUNT]; /* median over replicates of medians; 0 where unknown */
    struct interval median_ci[ARM_COUNT];
    bool effects_known; /* the four below: over replicate medians, head and `against` */
    double hedges_g, cliffs_delta, p_value;
    bool ci_overlap;           /* do the two arms' median intervals overlap? */
    size_t replicates;         /* judged */
    size_t marked;             /* left out */
    size_t rounds;             /* unmarked */
    size_t missing[ARM_COUNT]; /* of these, those without an arm that the config has */
    size_t attempts;
    struct run_change runs[RUNS_MAX]; /* of this code, the last one this check's… */
    unsigned run_count;               /* …where there are more than one; else 0 */
    unsigned marks;                   /* union of the marks seen */
    unsigned looks;               /* how many looks the decision interval is corrected for */
    bool wants_more;              /* more replicates could settle it, or make it enough */
    bool wants_without_head;      /* … or processes without head: judge/beside.c */
    struct code_change code;      /* how the machine code differs, of a config that moved: told
                                beside the verdict, which was there before */
    struct metric_change metrics; /* likewise, what a profiler counted */
};

/* It stands: more replicates of the same code change nothing any more. */
bool config_verdict_final(const struct config_verdict *verdict);

/* Is `a` of more concern than `b`? The worse verdict is; among equals the larger loss, the
 * larger gain, what main lost already, whose fault it is. False for what is alike. */
bool config_verdict_before(const struct config_verdict *a, const struct config_verdict *b);

/* What an hour of a device costs, by the host's configuration. */
enum { PRICE_CURRENCY_BYTES = 9 };
struct price {
    unsigned long long micro;            /* millionths of… */
    char currency[PRICE_CURRENCY_BYTES]; /* …1 to 8 letters; "": no price */
};
/* Of so long, in millionths of the currency; 0 where there is no price. */
double price_micro_of(const struct price *price, double seconds);
#define PRICE_MICRO_MAX 10000000000000ull /* ten million an hour */

/* What a check or a promotion took of the device. */
struct spent {
    bool known;
    unsigned long long device_ms; /* that it was held */
    struct price price;
};

struct comparison {
    struct device device;
    struct config_verdict *configs; /* owned */
    size_t count;
    enum verdict verdict;          /* the worst */
    enum clause clause;            /* … of the worst config, or of the whole */
    char reason[MODEL_TEXT_BYTES]; /* of the worst config, or of the whole */
    enum fault fault;
    bool unclear_passes;            /* the rule asks for it, and no config forbids it */
    char partial[MODEL_TEXT_BYTES]; /* what of the check was chosen; "": all of it */
    struct spent spent;
};
void comparison_free(struct comparison *comparison);
#define COMPARISON_AUTO __attribute__((cleanup(comparison_free))) struct comparison
/* NULL where it has no such row, or is NULL itself. */
const struct config_verdict *comparison_find(const struct comparison *comparison,
                                             const char *name);
/* What it cost, in millionths of spent.price.currency, rounded down. */
unsigned long long comparison_cost_micro(const struct comparison *comparison);
/* The process exit code of a comparison (enum exit_code). A part of a check is never EXIT_HELD. */
int comparison_exit(const struct comparison *comparison);

#endif
