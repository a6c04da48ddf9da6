/* SPDX-License-Identifier: Apache-2.0 */
/* The comment and the status of a verdict.json and samples.json that may be anybody's, and of a log
 * that is: verdict, samples and log, with a line `====` between them. There is always a report, it
 * fits, and foreign text adds no row, cell or tag to it. */
#include "tests/fuzz/fuzz.h"

#include "judge/samples.h"
#include "judge/verdict.h"
#include "publish/report.h"

static size_t run_of(const char *at, char c)
{
    size_t run = 0;
    while (at[run] == c)
        run++;
    return run;
}

static size_t cells(const char *line, size_t len)
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++) {
        count += line[i] == '|';
        i += line[i] == '\\';
    }
    return count;
}

/* Is `at` one of the tags that a report is made of? */
static bool is_ours(const char *at)
{
    static const char *const tags[] = {"<!-- ratchet:", "<details>", "</details>", "<summary>",
                                       "</summary>",    "<sub>",     "</sub>",     "<br>"};
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
        if (strncmp(at, tags[i], strlen(tags[i])) == 0)
            return true;
    return false;
}

/* Tags outside of code spans. */
static void look_at_line(const char *line, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t run = line[i] == '`' ? run_of(line + i, '`') : 0;
        if (line[i] == '\\') {
            i += 2;
        } else if (run > 0) {
            for (i += run; i < len && run_of(line + i, '`') != run;)
                i += line[i] == '`' ? run_of(line + i, '`') : 1;
            HOLDS(i < len); /* each span is closed on its line */
            i += run;
        } else {
            HOLDS(line[i] != '<' || is_ours(line + i));
            i++;
        }
    }
}

static void look_at(const struct buf *text)
{
    size_t fence = 0, columns = 0;
    for (const char *line = text->data; *line != '\0';) {
        size_t len = strcspn(line, "\n"), run = run_of(line, '`');
        if (fence > 0) {
            fence = run >= fence && run == len ? 0 : fence;
        } else if (run >= 3 && memchr(line + run, '`', len - run) == NULL) {
            fence = run;
        } else {
            look_at_line(line, len);
            size_t here = line[0] == '|' ? cells(line, len) : 0;
            HOLDS(columns == 0 || here == 0 || here == columns);
            columns = here;
        }
        line += len + (line[len] == '\n');
    }
    HOLDS(fence == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    __attribute__((cleanup(comparison_free))) struct comparison comparison = {0};
    __attribute__((cleanup(samples_free))) struct samples samples = {0};
    const struct limits limits = limits_default();
    const struct rule rule = rule_default();
    const struct job job = {.kind = JOB_CHECK,
                            .repository = "acme/kernels",
                            .device = "cpu",
                            .key = "7/1/1/bench",
                            .pr = 12,
                            .base_ref = "main"};
    const char *bytes;
    size_t len;
    struct err err = {0};
    fuzz_part(&data, &size, &bytes, &len);
    if (verdict_parse_json(bytes, len, "verdict.json", &comparison, &err) != 0)
        return 0;
    fuzz_part(&data, &size, &bytes, &len);
    bool measured = samples_parse(bytes, len, "samples.json", &limits, &samples, &err) == 0;
    char *log = fuzz_text(data, size);
    const struct report report = {.job = &job,
                                  .comparison = &comparison,
                                  .samples = measured ? &samples : NULL,
                                  .rule = &rule,
                                  .log = size > 0 ? log : NULL,
                                  .log_len = size};
    char line[200];
    report_line(&comparison, line, sizeof line);
    HOLDS(line[0] != '\0' && strlen(line) <= 140 && fuzz_is_plain(line));
    BUF_AUTO text;
    buf_init(&text, 1 << 20);
    HOLDS(report_markdown(&report, &text, &err) == 0);
    HOLDS(text.len <= REPORT_MAX_BYTES && strlen(text.data) == text.len);
    look_at(&text);
    free(log);
    return 0;
}
