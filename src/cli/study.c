/* SPDX-License-Identifier: Apache-2.0 */
/* `ratchet study`: one kernel, from where it runs to a report that can be checked; and the checking. */
#include "cli/cli.h"
#include "base/line.h"
#include "cli/folders.h"

#include "cli/shapes.h"
#include "cli/study_verify.h"
#include "lab/study_documents.h"
#include "lab/study_run.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double budget_minutes_most = 7 * 24 * 60, speedup_most = 1000;

struct study_given {
    const char *repo, *head, *device, *config, *output, *candidates, *python;
    const char *target, *budget, *verify, *report;
    const char *arms[STUDY_ARMS_MAX];
    const char *batch, *heads, *heads_kv, *seq, *dim, *dtype, *causal;
    bool quiet, no_measure;
};

/* What `ratchet study` was given, as paths that hold in any folder. */
struct study_paths {
    char program[FILE_PATH_BYTES], repo[FILE_PATH_BYTES];
    char config[PATH_MAX], candidates[PATH_MAX], python[PATH_MAX];
    char arms[STUDY_ARMS_MAX][PATH_MAX];
    char causal[128];
};

static int read_number(const char *text, double least, double most, const char *name,
                       double *out, struct err *err)
{
    char *end;
    errno = 0;
    *out = strtod(text, &end);
    if (errno != 0 || end == text || *end != '\0' || !isfinite(*out) || *out < least ||
        *out > most)
        return err_set(err, ERR_USAGE, "%s: expected a number from %g to %g, not `%.64s`",
                       name, least, most, text);
    return 0;
}

/* Options of the sweep over shapes, in pairs. */
static void add_shapes(const struct study_given *given, struct study_paths *paths,
                       struct study_options *out)
{
    const char *const pairs[][2] = {
        {"--batch", given->batch}, {"--heads", given->heads}, {"--heads-kv", given->heads_kv},
        {"--seq", given->seq},     {"--dim", given->dim},     {"--dtype", given->dtype}};
    size_t used = 0;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (pairs[i][1] != NULL) {
            out->shapes[used++] = pairs[i][0];
            out->shapes[used++] = pairs[i][1];
        }
    if (given->causal == NULL)
        return;
    /* in one word: `sweep` has a flag of this name, too */
    snprintf(paths->causal, sizeof paths->causal, "--causal=%s", given->causal);
    out->shapes[used] = paths->causal;
}

/* `given` NULL: nothing was. */
static int find(const char *given, const char *option, char path[PATH_MAX], const char **out,
                struct err *err)
{
    if (given == NULL)
        return 0;
    *out = path;
    return cli_find_file(given, option, path, err);
}

static int find_paths(const struct study_given *given, struct study_paths *paths,
                      struct study_options *out, struct err *err)
{
    bool is_path = strchr(given->python, '/') != NULL;       /* else a name on PATH */
    bool is_default = strcmp(given->python, "python3") == 0; /* which may be missing */
    out->program = paths->program;
    out->repo = paths->repo;
    out->python = given->python;
    if (cli_find_self(paths->program, err) != 0 ||
        (!is_default && cli_check_program(given->python, "--python", err) != 0) ||
        cli_real_path(given->repo, paths->repo, err) != 0 ||
        find(given->config, "--config", paths->config, &out->config, err) != 0 ||
        find(given->candidates, "--candidates", paths->candidates, &out->candidates, err) !=
            0 ||
        find(is_path ? given->python : NULL, "--python", paths->python, &out->python, err) !=
            0)
        return -1;
    for (size_t i = 0; i < STUDY_ARMS_MAX; i++)
        if (find(given->arms[i], "--arms", paths->arms[i], &out->arms[i], err) != 0)
            return -1;
    return 0;
}

static int read_options(int argc, char **argv, struct study_given *given, struct err *err)
{
    const struct cli_option options[] = {
        CLI_REPO(given->repo),
        CLI_HEAD(given->head),
        CLI_DEVICE(given->device),
        CLI_CONFIG(given->config),
        {"output", &given->output, NULL, "DIR", "the study; goes on where one is"},
        {"candidates", &given->candidates, NULL, "DIR", "folder of *.patch files to try"},
        {"python", &given->python, NULL, "PROGRAM", "whose frameworks are written down"},
        {"target-speedup", &given->target, NULL, "RATIO", "enough, such as 1.2"},
        {"budget-min", &given->budget, NULL, "MINUTES", "until no further proposal is tried"},
        {"verify", &given->verify, NULL, "DIR",
         "check a study against its raw samples, and here"},
        {"report", &given->report, NULL, "DIR", "write the documents of a study again"},
        {"no-measure", NULL, &given->no_measure, NULL, "with --verify: the files alone"},
        SHAPES_LISTS(*given),
        {"causal", &given->causal, NULL, "LIST", "true, false or false,true"},
        CLI_QUIET(given->quiet),
        {"arms", &given->arms[0], NULL, "FILE", "arms to set beside it (see sweep)"},
        {"arms", &given->arms[1], NULL, "FILE", "arms to set beside it (see sweep)"},
        {"arms", &given->arms[2], NULL, "FILE", "arms to set beside it (see sweep)"},
        {"arms", &given->arms[3], NULL, "FILE", "arms to set beside it (see sweep)"},
        CLI_OPTIONS_END};
#define MAKES(name)          \
    {name, NULL, "verify"},  \
    {                        \
        name, NULL, "report" \
    } /* of a study that is made */
    static const struct cli_tie ties[] = {{"report", NULL, "verify"},
                                          {"no-measure", "verify", NULL},
                                          {"repo", NULL, "no-measure"},
                                          {"repo", NULL, "report"},
                                          MAKES("head"),
                                          MAKES("device"),
                                          MAKES("output"),
                                          MAKES("candidates"),
                                          MAKES("python"),
                                          MAKES("target-speedup"),
                                          MAKES("budget-min"),
                                          MAKES("arms"),
                                          MAKES("batch"),
                                          MAKES("heads"),
                                          MAKES("heads-kv"),
                                          MAKES("seq"),
                                          MAKES("dim"),
                                          MAKES("dtype"),
                                          MAKES("causal"),
                                          CLI_TIES_END};
#undef MAKES
    return cli_options_tied(argc, argv, options, ties, NULL, 0, NULL, err);
}

static void print_report(const char *folder)
{
    line_out("report: %s/COMBINED_REPORT.md", folder);
    line_out("page:   %s/report.html", folder);
}

static void print_end(const struct study *study, const char *folder)
{
    const struct study_step *end = study_step_find(study, STUDY_END, "");
    size_t kept = 0;
    for (size_t i = 0; i < study->step_count; i++)
        kept += study->steps[i].kept;
    line_out("%zu of %zu proposals kept; %s", kept, study->asked.proposals,
             end != NULL && end->state == STUDY_DONE
                 ? "the best kernel was judged against the first"
             : end != NULL ? end->why
                           : "");
    print_report(folder);
}

struct making {
    struct study_paths paths;
    struct host host;
    struct study study;
};

static int make_in(struct making *making, const struct study_given *given, struct err *err)
{
    struct study_options options = {
        .device = given->device, .folder = given->output, .quiet = given->quiet};
    char commit[MODEL_SHA_BYTES];
    const struct shapes shapes = {.batch = given->batch,
                                  .heads = given->heads,
                                  .heads_kv = given->heads_kv,
                                  .seq = given->seq,
                                  .dim = given->dim,
                                  .dtype = given->dtype,
                                  .causals = given->causal};
    double minutes;
    if (read_number(given->budget, 0.1, budget_minutes_most, "--budget-min", &minutes, err) !=
            0 ||
        (given->target != NULL &&
         read_number(given->target, 1, speedup_most, "--target-speedup",
                     &options.target_speedup, err) != 0) ||
        cli_check_device(given->device, err) != 0 ||
        shapes_check(&shapes, given->device, err) != 0 ||
        find_paths(given, &making->paths, &options, err) != 0 ||
        cli_host(options.config, &making->host, err) != 0 ||
        cli_resolve(making->paths.repo, given->head, commit, err) != 0)
        return -1;
    cli_folders_of_others(&making->host);
    cli_note_uncommitted(making->paths.repo, given->head, given->device, &making->host.limits);
    add_shapes(given, &making->paths, &options);
    options.commit = commit;
    options.budget_s = 60 * minutes;
    if (study_run(&options, &making->host, &making->study, err) != 0)
        return -1;
    print_end(&making->study, given->output);
    return EXIT_HELD;
}

static int make(const struct study_given *given, struct err *err)
{
    struct making *making = calloc(1, sizeof *making);
    if (making == NULL)
        return err_set(err, ERR_HOST, "out of memory for a study");
    int code = make_in(making, given, err);
    free(making);
    return code;
}

/* The documents of a study that is there, in the words of this version. */
static int report(const struct study_given *given, struct err *err)
{
    struct limits limits;
    char folder[PATH_MAX];
    if (cli_limits(given->config, &limits, err) != 0 ||
        cli_find_file(given->report, "--report", folder, err) != 0)
        return -1;
    if (study_documents_renew(folder, &limits, err) != 0) {
        err->class = err->class == ERR_NOT_FOUND ? ERR_INPUT : err->class; /* no study's */
        return -1;
    }
    print_report(given->report);
    return EXIT_HELD;
}

int cli_study(int argc, char **argv, struct err *err)
{
    struct study_given given = {.repo = ".",
                                .head = "HEAD",
                                .device = "cpu",
                                .output = "ratchet-study",
                                .budget = "15",
                                .python = "python3"};
    if (read_options(argc, argv, &given, err) != 0)
        return -1;
    const struct study_verifying verify = {.folder = given.verify,
                                           .repo = given.repo,
                                           .config = given.config,
                                           .no_measure = given.no_measure,
                                           .quiet = given.quiet};
    return given.verify != NULL   ? study_verify(&verify, err)
           : given.report != NULL ? report(&given, err)
                                  : make(&given, err);
}
