/* SPDX-License-Identifier: Apache-2.0 */
/* Memory runs out: at every allocation of a text, one after the other. A text that lacks a part is
 * an error of the host's that says so, never a shorter text. */
#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/proc.h"
#include "judge/baseline.h"
#include "judge/explain.h"
#include "judge/samples.h"
#include "judge/verdict.h"
#include "publish/actions.h"
#include "publish/report.h"
#include "tests/tap.h"

#include <stdlib.h>

/* ---- allocations that fail ---- */

static long until_failure = -1; /* so many succeed yet; -1: all do */

static bool fails(void)
{
    return until_failure >= 0 && until_failure-- == 0;
}

void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

static void *allocate(size_t size)
{
    return fails() ? NULL : malloc(size);
}

/* ---- texts ---- */

/* What a text is made of. */
struct case_of {
    const char *folder;
    struct samples samples;
    struct baseline baseline;
    bool has_baseline;
    struct rule rule;
    struct comparison comparison;
    struct compare_log log;
};

static int report(const struct case_of *from, struct buf *out, struct err *err)
{
    static const char log[] = "cc: `kernel.c`:1: an error\n";
    const char *const notes[] = {"A note with `code` and | a bar", "another"};
    struct job job = {.pr = 7, .repository = "octo/attention", .base_ref = "main"};
    const struct report report = {
        .job = &job,
        .comparison = &from->comparison,
        .samples = &from->samples,
        .baseline = from->has_baseline ? &from->baseline : NULL,
        .rule = &from->rule,
        .log = log,
        .log_len = sizeof log - 1,
        .notes = notes,
        .note_count = 2,
    };
    return report_markdown(&report, out, err);
}

static int verdict(const struct case_of *from, struct buf *out, struct err *err)
{
    return verdict_format_json(&from->comparison, out, err);
}

static int table(const struct case_of *from, struct buf *out, struct err *err)
{
    verdict_format_table(&from->comparison, out);
    return buf_check(out, "the table", err);
}

static int explanation(const struct case_of *from, struct buf *out, struct err *err)
{
    explain_text(&from->samples, &from->rule, &from->comparison, &from->log, out);
    return buf_check(out, "the explanation", err);
}

static int samples(const struct case_of *from, struct buf *out, struct err *err)
{
    return samples_format(&from->samples, out, err);
}

static int baseline(const struct case_of *from, struct buf *out, struct err *err)
{
    return baseline_format(&from->baseline, out, err);
}

static int log_line(const struct case_of *from, struct buf *out, struct err *err)
{
    actions_log_line(out, from->folder, strlen(from->folder));
    actions_command(out, "error", "Ratchet: regressed", from->folder);
    return buf_check(out, "a line", err);
}

/* Each allocation fails once. */
static void starve(const struct case_of *from, const char *what,
                   int (*make)(const struct case_of *, struct buf *, struct err *))
{
    char name[128];
    BUF_AUTO whole;
    struct err err = {0};
    buf_init(&whole, 4 << 20);
    snprintf(name, sizeof name, "%s of %s, or an error", what, from->folder);
    tap_case(name);
    OK(make(from, &whole, &err) == 0);
    long failures = 0, wrong = 0;
    for (bool failed = true; failed; failures++) {
        BUF_AUTO text;
        buf_init(&text, 4 << 20);
        err = (struct err){0};
        until_failure = failures;
        int result = make(from, &text, &err);
        failed = until_failure < 0;
        until_failure = -1;
        if (result == 0)
            wrong += text.len != whole.len || memcmp(text.data, whole.data, text.len) != 0;
        else
            wrong += err.class != ERR_HOST || strstr(err.text, "out of memory") == NULL;
    }
    EQ_INT(wrong, 0);
    OK(failures > 1);
}

static int load(const char *folder, const char *file, struct buf *out)
{
    const char *top = getenv("top_srcdir");
    char path[FILE_PATH_BYTES];
    buf_init(out, 16 << 20);
    return file_path(path, NULL, "%s/tests/judge/%s/%s", top == NULL ? "." : top, folder,
                     file) != 0 ||
                   file_read(path, out, NULL) != 0
               ? -1
               : 0;
}

static void test_case(const char *folder)
{
    struct err err = {0};
    struct case_of from = {.folder = folder, .rule = rule_default()};
    struct limits limits = limits_default();
    BUF_AUTO text;
    BUF_AUTO stored;
    OK(load(folder, "samples.json", &text) == 0 &&
       samples_parse(text.data, text.len, "samples", &limits, &from.samples, &err) == 0);
    from.has_baseline = load(folder, "baseline.json", &stored) == 0;
    if (from.has_baseline)
        OK(baseline_parse(stored.data, stored.len, "baseline", &limits, &from.baseline,
                          &err) == 0);
    OK(compare_logged(&from.samples, from.has_baseline ? &from.baseline : NULL, &from.rule,
                      &from.comparison, &from.log, &err) == 0);
    starve(&from, "the report", report);
    starve(&from, "verdict.json", verdict);
    starve(&from, "the table", table);
    starve(&from, "the explanation", explanation);
    starve(&from, "samples.json", samples);
    starve(&from, "lines of a workflow's log", log_line);
    if (from.has_baseline)
        starve(&from, "baseline.json", baseline);
    compare_log_free(&from.log);
    comparison_free(&from.comparison);
    samples_free(&from.samples);
    baseline_free(&from.baseline);
}

/* ---- what is read ---- */

static void test_json(void)
{
    static const char text[] = "{\"configs\": [{\"name\": \"a string that is long enough for "
                               "more than one piece of memory, and then for one more\", "
                               "\"values\": [1, 2.5, true, null]}]}";
    struct err err = {0};
    long failures = 0, wrong = 0;
    tap_case("no memory for a JSON document is no defect of the document");
    json_set_alloc_funcs(allocate, free);
    for (bool failed = true; failed; failures++) {
        JSON_AUTO *json = NULL;
        until_failure = failures;
        int result = json_parse(text, sizeof text - 1, "f.json", &json, &err);
        failed = until_failure < 0;
        until_failure = -1;
        if (failed)
            wrong += result == 0 || json != NULL || err.class != ERR_HOST ||
                     strcmp(err.text, "out of memory for `f.json`") != 0;
        else
            OK(result == 0);
    }
    json_set_alloc_funcs(malloc, free);
    EQ_INT(wrong, 0);
    OK(failures > 10);

    tap_case("nor for its text");
    JSON_AUTO *json = json_pack("{s:s}", "key", "value");
    BUF_AUTO out;
    buf_init(&out, 1000);
    until_failure = 0;
    OK(json_print(json, 0, &out, &err) == -1);
    until_failure = -1;
    EQ_INT(err.class, ERR_HOST);
    EQ_STR(err.text, "out of memory for JSON text");
    buf_free(&out);
    buf_init(&out, 5);
    OK(json_print(json, 0, &out, &err) == -1);
    EQ_INT(err.class, ERR_LIMIT);
}

static void test_file(void)
{
    struct err err = {0};
    BUF_AUTO text;
    buf_init(&text, 1 << 20);
    tap_case("a file that there is no memory for is not too long");
    until_failure = 0;
    OK(file_read("/proc/self/status", &text, &err) == -1);
    until_failure = -1;
    EQ_INT(err.class, ERR_HOST);
    EQ_STR(err.text, "out of memory for `/proc/self/status`");
}

static void test_output(void)
{
    static const char *const argv[] = {"sh", "-c", "echo first; seq 1 5000; echo last", NULL};
    const struct proc_spec spec = {.argv = argv, .stdin_fd = -1, .uid = (uid_t)-1};
    long failures = 0, wrong = 0;
    tap_case("the output of a child is whole, or an error");
    for (bool failed = true; failed; failures++) {
        struct err err = {0};
        struct proc_result result;
        BUF_AUTO out;
        buf_init(&out, 400);
        until_failure = failures;
        int rc = proc_run(&spec, &out, &result, &err);
        failed = until_failure < 0;
        until_failure = -1;
        wrong += failed ? rc == 0 || err.class != ERR_HOST : rc != 0;
    }
    EQ_INT(wrong, 0);
    OK(failures > 1);
}

int main(void)
{
    static const char *const folders[] = {"mixed_all", "anchor_drifted", "marked_left_out",
                                          "main_lost_5", "not_measured", "slow_ones_missing",
                                          "failure_pr", "not_in_baseline"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        test_case(folders[i]);
    test_json();
    test_file();
    test_output();
    return tap_done();
}
