/* SPDX-License-Identifier: Apache-2.0 */
/* What the subcommands of `ratchet` share. Each is a function of its own file that takes its
 * own arguments (argv[0] is the subcommand) and returns the exit code; errors go up as `err`
 * and are printed once, by main. */
#ifndef RATCHET_CLI_CLI_H
#define RATCHET_CLI_CLI_H

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/git.h"
#include "cli/options.h"
#include "intake/host.h"
#include "model.h"
#include "pipeline/progress.h"

#include <limits.h>
#include <stdbool.h>

/* A command's exit code, or -1 with err set. */
int cli_check(int argc, char **argv, struct err *err);
int cli_submit(int argc, char **argv, struct err *err);
int cli_autotune(int argc, char **argv, struct err *err);
int cli_build(int argc, char **argv, struct err *err);
int cli_bench(int argc, char **argv, struct err *err);
int cli_calibrate(int argc, char **argv, struct err *err);
int cli_compare(int argc, char **argv, struct err *err);
int cli_report(int argc, char **argv, struct err *err);
int cli_post(int argc, char **argv, struct err *err);
int cli_promote(int argc, char **argv, struct err *err);
int cli_verify(int argc, char **argv, struct err *err);
int cli_env(int argc, char **argv, struct err *err);
int cli_doctor(int argc, char **argv, struct err *err);
int cli_status(int argc, char **argv, struct err *err);
int cli_history(int argc, char **argv, struct err *err);
int cli_study(int argc, char **argv, struct err *err);
int cli_sweep(int argc, char **argv, struct err *err);

/* The exit code of a program that was started as the guardian of locked clocks (see clocks.h), to be
 * asked first; else -1. */
int cli_guard(int argc, char **argv);

/* Could this be a device's name? Else ERR_USAGE; whether the host has it is not asked. */
MUST_CHECK int cli_check_device(const char *slug, struct err *err);

/* The host's configuration: `path`, or CLI_HOST_CONFIG if it can
 * be read and `path` is NULL, or the built-in one. The harness is found beside this program, or where it
 * was installed, unless configured. */
#define CLI_HOST_CONFIG SYSCONFDIR "/ratchet/ratchetd.conf"
MUST_CHECK int cli_host(const char *path, struct host *host, struct err *err);
MUST_CHECK int cli_find_harness(struct host *host, struct err *err);
/* This program's own path. */
MUST_CHECK int cli_find_self(char out[FILE_PATH_BYTES], struct err *err);
/* The absolute path of a file that `option` names; none there is ERR_USAGE. */
MUST_CHECK int cli_find_file(const char *given, const char *option, char out[PATH_MAX],
                             struct err *err);
/* Its limits alone, for those who only read files: of the same configuration. */
MUST_CHECK int cli_limits(const char *path, struct limits *limits, struct err *err);

/* The git repository of a command's --repo, bare or not and whoever owns it: that of the folder
 * `path` or the nearest one above it, as git finds it. Never made. None is ERR_USAGE. */
MUST_CHECK int cli_open_repo(const char *path, struct git_repo **repo, struct err *err);
/* Its absolute path: of the bare repository, or of the folder with `.git` in it. */
MUST_CHECK int cli_real_path(const char *path, char out[FILE_PATH_BYTES], struct err *err);
/* The SHA of a revision of the repository at `path`, opened here or before; not known is
 * ERR_USAGE. */
MUST_CHECK int cli_resolve_in(struct git_repo *repo, const char *path, const char *revision,
                              char sha[MODEL_SHA_BYTES], struct err *err);
MUST_CHECK int cli_resolve(const char *path, const char *revision, char sha[MODEL_SHA_BYTES],
                           struct err *err);

/* One line on stderr where `head` is HEAD, and what a build for the device would read of the work
 * tree at `repo`, or its ci/ratchet.conf, is not committed. */
void cli_note_uncommitted(const char *repo, const char *head, const char *device,
                          const struct limits *limits);

/* The repository of --repository in the host's configuration; NULL with err set. */
const struct host_repository *cli_repository(const struct host *host, const char *name,
                                             struct err *err);

/* A program that the command line names, by its path or by its name on PATH. None is ERR_USAGE. */
MUST_CHECK int cli_check_program(const char *given, const char *option, struct err *err);

/* The token for a repository: the host's file, or GITHUB_TOKEN; "" where there is none. */
MUST_CHECK int cli_token(const struct host_repository *repository,
                         char token[MODEL_TOKEN_BYTES], struct err *err);

/* --budget, where it is given. */
MUST_CHECK int cli_budget(const char *given, double *ns, struct err *err);

/* A file that the command line names: whatever is wrong with it is ERR_INPUT. */
MUST_CHECK int cli_read(const char *path, struct buf *out, struct err *err);
MUST_CHECK int cli_read_samples(const char *path, const struct limits *limits,
                                struct samples *out, struct err *err);
/* Head and one more arm, which takes the anchor's place. */
MUST_CHECK int cli_read_samples_against(const char *path, const char *arm,
                                        const struct limits *limits, struct samples *out,
                                        struct err *err);
/* `path` NULL: nothing is written. */
MUST_CHECK int cli_write_samples(const struct samples *samples, const char *path,
                                 const struct limits *limits, struct err *err);
MUST_CHECK int cli_read_baseline(const char *path, const struct limits *limits,
                                 struct baseline *out, struct err *err);

/* The rule of a ci/ratchet.conf for a device, or the default one where `path` is NULL. */
MUST_CHECK int cli_read_rule(const char *path, const char *slug, const struct limits *limits,
                             struct rule *rule, struct err *err);

/* Print a whole text on stdout, safe for a terminal, or nothing of it where a part is missing. */
MUST_CHECK int cli_print(const struct buf *text, struct err *err);
/* The same as it is: Markdown and JSON, which are safe as we write them (base/line.h). */
MUST_CHECK int cli_print_document(const struct buf *document, struct err *err);

/* A progress_function: lines on stderr. `context` is not used. */
void cli_say(void *context, const struct progress_event *event);

#endif
