/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the checking of a study: its files, and its kernels measured again. */
#include "cli/study_verify.h"

#include "base/git.h"
#include "base/line.h"
#include "cli/cli.h"
#include "cli/folders.h"
#include "judge/compare.h"
#include "judge/verdict.h"
#include "lab/study_documents.h"
#include "lab/study_run.h"
#include "publish/figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAID_BYTES = 4 << 20 };

struct checking {
    const struct study_verifying *given;
    char folder[PATH_MAX], program[FILE_PATH_BYTES], repo[FILE_PATH_BYTES], config[PATH_MAX];
    struct host host;
    struct cli_folders folders;
    struct study_files files;
    struct samples again;
};

static void free_checking(struct checking **checking)
{
    if (*checking == NULL)
        return;
    study_files_free(&(*checking)->files);
    samples_free(&(*checking)->again);
    free(*checking);
    *checking = NULL;
}

/* ---- files ---- */

static int check_files(struct checking *checking, struct err *err)
{
    BUF_AUTO said;
    size_t differ;
    buf_init(&said, SAID_BYTES);
    if (study_documents_verify(checking->folder, &checking->host.limits, &said, &differ,
                               err) != 0) {
        err->class = err->class == ERR_HOST ? ERR_HOST
                                            : ERR_INPUT; /* of the folder's making */
        return -1;
    }
    if (cli_print(&said, err) != 0)
        return -1;
    if (differ > 0)
        return err_set(err, ERR_INPUT, "%s: %zu thing%s not what the raw samples make",
                       checking->given->folder, differ, differ == 1 ? " is" : "s are");
    line_out("files: each document is what the raw samples make, each file what the inventory "
             "says");
    return study_files_read(checking->folder, &checking->host.limits, &checking->files, err);
}

/* ---- measured again ---- */

/* Head alone: the other arms have no part in what the stored samples are compared with. */
static void keep_head(struct samples *samples)
{
    for (size_t c = 0; c < samples->count; c++)
        for (int arm = ARM_HEAD + 1; arm < ARM_COUNT; arm++) {
            samples->configs[c].arms[arm] = (struct arm_info){.present = false};
            for (size_t r = 0; r < samples->configs[c].count; r++) {
                struct series *series = &samples->configs[c].replicates[r].arms[arm];
                free(series->ns);
                *series = (struct series){.ns = NULL};
            }
        }
}

/* Whatever the study's samples of the first kernel were, it was the same kernel: what was gained has to be
 * gained again, but for the threshold. */
static bool is_lost(const struct change *then, const struct change *now, double threshold)
{
    return then->known && now->known &&
           (1 + now->ci_decision.low) / (1 + then->ci_decision.high) - 1 > threshold;
}

/* The claim beside what was seen now. *lost counts configs where it is not seen again. */
static int compare_claims(const struct checking *checking, size_t *lost, struct err *err)
{
    COMPARISON_AUTO now = {0};
    const struct comparison *then = &checking->files.comparison;
    char a[FIGURE_BYTES], b[FIGURE_BYTES];
    *lost = 0;
    if (!checking->files.end_there)
        return 0;
    if (compare_samples(&checking->again, NULL, &checking->files.rule, &now, err) != 0)
        return -1;
    line_out("best against first, the study and now:");
    for (size_t i = 0; i < then->count; i++) {
        const struct config_verdict *was = &then->configs[i];
        const struct config_verdict *is = comparison_find(&now, was->config.name);
        if (is == NULL)
            continue;
        bool gone = is_lost(&was->change, &is->change, checking->files.rule.threshold);
        line_out("  %-28s %s, now %s%s", was->config.name, figure_change(a, &was->change),
                 figure_change(b, &is->change), gone ? ": not seen again" : "");
        *lost += gone;
    }
    return 0;
}

static int judge(struct checking *checking, struct err *err)
{
    COMPARISON_AUTO comparison = {0};
    BASELINE_AUTO baseline = {0};
    char path[FILE_PATH_BYTES];
    size_t lost;
    BUF_AUTO text;
    buf_init(&text, 64 << 20);
    if (compare_claims(checking, &lost, err) != 0 ||
        file_path(path, err, "%s/baseline.json", checking->folder) != 0 ||
        cli_read_baseline(path, &checking->host.limits, &baseline, err) != 0)
        return -1;
    keep_head(&checking->again);
    if (compare_samples(&checking->again, &baseline, &checking->files.rule, &comparison,
                        err) != 0)
        return -1;
    line_out("the best kernel now, against the study's samples of it:");
    verdict_format_table(&comparison, &text);
    buf_adds(&text, "not measured again: other implementations, other shapes, proposals that "
                    "were not kept\n");
    if (cli_print(&text, err) != 0)
        return -1;
    return lost > 0 ? EXIT_REGRESSED : comparison_exit(&comparison);
}

/* A study is judged by the rules of its first kernel's commit, not by those that it brings. */
static int check_rules(const struct checking *checking, struct err *err)
{
    static const char ours[] = "ratchet.conf", theirs[] = "ci/ratchet.conf";
    const char *commit = checking->files.study.asked.commit;
    GIT_AUTO *repo = NULL;
    BUF_AUTO is;
    BUF_AUTO wanted;
    buf_init(&is, checking->host.limits.config_bytes);
    buf_init(&wanted, checking->host.limits.config_bytes);
    if (cli_open_repo(checking->repo, &repo, err) != 0 ||
        git_read_file(repo, commit, theirs, &wanted, err) != 0 ||
        study_folder_read(checking->folder, ours, &is, err) != 0)
        return -1;
    return is.len == wanted.len && memcmp(is.data, wanted.data, is.len) == 0
               ? 0
               : err_set(err, ERR_INPUT, "%s/%s: is not %s of %.10s", checking->given->folder,
                         ours, theirs, commit);
}

/* 0, or 3 with the reason said: nothing can be measured here. */
static int can_measure(struct checking *checking)
{
    const struct study_asked *asked = &checking->files.study.asked;
    char commit[MODEL_SHA_BYTES];
    struct err why = {0};
    if (host_find_device(&checking->host, asked->device) == NULL)
        err_write(&why, ERR_INPUT, "this host has no device `%s`", asked->device);
    else if (cli_real_path(checking->given->repo, checking->repo, &why) != 0 ||
             cli_resolve(checking->repo, asked->commit, commit, &why) != 0)
        err_write_context(&why, "the study's commit");
    if (why.class == ERR_NONE)
        return 0;
    line_err("ratchet study: not measured again: %s (--no-measure: the files alone)",
             why.text);
    return EXIT_UNMEASURED;
}

static int measure(struct checking *checking, struct err *err)
{
    const struct study_options options = {
        .program = checking->program,
        .repo = checking->repo,
        .config = checking->given->config == NULL ? NULL : checking->config,
        .quiet = checking->given->quiet};
    int cannot = can_measure(checking);
    if (cannot != 0)
        return cannot;
    return check_rules(checking, err) != 0 ||
                   cli_scratch(&checking->host, &checking->folders, err) != 0 ||
                   study_again(&options, &checking->host, &checking->files.study,
                               checking->folders.scratch, &checking->again, err) != 0
               ? -1
               : judge(checking, err);
}

int study_verify(const struct study_verifying *verifying, struct err *err)
{
    struct checking *checking
        __attribute__((cleanup(free_checking))) = calloc(1, sizeof *checking);
    if (checking == NULL)
        return err_set(err, ERR_HOST, "out of memory for a study");
    checking->given = verifying;
    if (cli_find_self(checking->program, err) != 0 ||
        cli_find_file(verifying->folder, "--verify", checking->folder, err) != 0 ||
        (verifying->config != NULL &&
         cli_find_file(verifying->config, "--config", checking->config, err) != 0) ||
        cli_host(verifying->config, &checking->host, err) != 0 ||
        check_files(checking, err) != 0)
        return -1;
    return verifying->no_measure ? EXIT_HELD : measure(checking, err);
}
