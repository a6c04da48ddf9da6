/* SPDX-License-Identifier: Apache-2.0 */
/* `ratchet build`: the kernel library of one commit, built as a check builds it: by the commit's own
 * recipe, in the sandbox, from the files under its [kernel] path. */
#include "cli/cli.h"
#include "base/line.h"
#include "cli/local.h"
#include "cli/outputs.h"

#include "pipeline/arms.h"
#include "pipeline/builds.h"
#include "pipeline/rules.h"

#include <stdio.h>
#include <stdlib.h>

struct build_given {
    struct local_options local;
    const char *output;
};

/* Exit 3 where it does not build: there is nothing to measure. */
static int build(struct measurement *measurement, const char *output, struct err *err)
{
    struct library kernel = {.commit = ""};
    snprintf(kernel.commit, sizeof kernel.commit, "%s", measurement->job.head);
    if (rules_read_source(measurement, kernel.commit, &kernel.source, err) != 0 ||
        arms_build_library(measurement, &kernel, err) != 0)
        return -1;
    const struct build_result *result = &kernel.result;
    if (!result->built) {
        builds_add_error(measurement, &kernel.result);
        line_err("ratchet build: %.10s: %s", kernel.commit, result->failure);
        return local_print_log(measurement, err) == 0 ? EXIT_UNMEASURED : -1;
    }
    BUF_AUTO library;
    buf_init(&library, measurement->host->limits.kernel_bytes);
    if (file_read(result->library, &library, err) != 0 ||
        file_write(output, library.data, library.len, 0755, err) != 0)
        return err_wrap(err, "--output");
    line_out("%s %s", result->code, output);
    return EXIT_HELD;
}

int cli_build(int argc, char **argv, struct err *err)
{
    struct build_given given = {
        .local = {.repo = ".", .head = "HEAD", .device = "cpu", .quiet = true}};
    const struct cli_option options[] = {
        CLI_REPO(given.local.repo),
        CLI_HEAD(given.local.head),
        CLI_DEVICE(given.local.device),
        CLI_CONFIG(given.local.config),
        {"output", &given.output, NULL, "FILE", "the library; needed"},
        CLI_OPTIONS_END};
    if (cli_options(argc, argv, options, NULL, 0, NULL, err) != 0)
        return -1;
    if (given.output == NULL)
        return err_set(err, ERR_USAGE, "expected --output FILE");
    if (outputs_try("--output", given.output, err) != 0)
        return -1;
    struct local *local __attribute__((cleanup(local_free))) = calloc(1, sizeof *local);
    if (local == NULL)
        return err_set(err, ERR_HOST, "out of memory for a pipeline");
    return local_open(&given.local, local, err) == 0
               ? build(&local->pipeline.measurement, given.output, err)
               : -1;
}
