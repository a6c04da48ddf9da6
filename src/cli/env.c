/* SPDX-License-Identifier: Apache-2.0 */
/* `ratchet env`: env.json of this host and one of its devices, as a check would keep it, and of
 * other people's frameworks; or what differs from an env.json that was kept. Measures nothing. */
#include "cli/cli.h"
#include "cli/outputs.h"

#include "base/line.h"
#include "lab/peers.h"
#include "pipeline/environment.h"
#include "pipeline/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct env_options {
    const char *repo, *head, *device, *config, *python, *against, *output;
};

struct env {
    struct host host;
    struct measurement measurement;
};

static void env_free(struct env **env)
{
    if (*env != NULL)
        measurement_free(&(*env)->measurement);
    free(*env);
    *env = NULL;
}

/* What is taken where nothing is given: told from the same words, given, by where they lie. */
static const char any_head[] = "HEAD", any_python[] = "python3";

/* The recipe and [bench] of --head. Where nobody named a repository or commit, none is no failure. */
static int read_rules(const struct env_options *given, struct measurement *measurement,
                      struct err *err)
{
    char local[FILE_PATH_BYTES], sha[MODEL_SHA_BYTES];
    const char *repo = given->repo == NULL ? "." : given->repo;
    if (strcmp(given->head, "none") == 0)
        return 0;
    struct err problem = {0};
    if (cli_real_path(repo, local, &problem) == 0 &&
        cli_resolve(local, given->head, sha, &problem) == 0 &&
        rules_read_local(measurement, local, sha, &problem) == 0) {
        cli_note_uncommitted(local, given->head, given->device, &measurement->host->limits);
        return 0;
    }
    if (given->repo != NULL || given->head != any_head) {
        *err = problem;
        return -1;
    }
    line_err("ratchet env: no recipe of a build: %s", problem.text);
    return 0;
}

static int look(const struct env_options *given, struct env *env, struct err *err)
{
    struct measurement *measurement = &env->measurement;
    struct err problem = {0};
    if (cli_host(given->config, &env->host, err) != 0)
        return -1;
    measurement_init(measurement, &env->host, NULL, NULL);
    if (measurement_set_device(measurement, given->device, NULL, err) != 0 ||
        read_rules(given, measurement, err) != 0 || environment_look(measurement, err) != 0)
        return -1;
    const struct kernel_source *source = measurement->has_config ? &measurement->config.source
                                                                 : NULL;
    if (environment_add_build(measurement, source, &problem) != 0)
        line_err("ratchet env: no compilers: %s", problem.text);
    return peers_facts(given->python, &measurement->samples.environment, err);
}

static int print(const struct samples *samples, const char *output, struct err *err)
{
    BUF_AUTO text;
    buf_init(&text, ENVIRONMENT_MAX_BYTES);
    if (environment_write(&samples->device, &samples->environment, &text, err) != 0)
        return -1;
    return (output != NULL ? file_write(output, text.data, text.len, 0644, err)
                           : cli_print_document(&text, err)) == 0
               ? EXIT_HELD
               : -1;
}

static int read_against(const char *path, const char *device, struct environment_file *out,
                        struct err *err)
{
    BUF_AUTO bytes;
    buf_init(&bytes, ENVIRONMENT_MAX_BYTES);
    if (path == NULL)
        return 0;
    if (cli_read(path, &bytes, err) != 0 ||
        environment_read(bytes.data, bytes.len, path, out, err) != 0)
        return -1;
    return strcmp(out->device.slug, device) == 0
               ? 0
               : err_set(err, ERR_INPUT, "%s: device.slug: expected `%s`, not `%s`", path,
                         device, out->device.slug);
}

/* Exit 2, which is unclear's: what was measured there and here may not be set side by side. */
static int print_against(const struct samples *samples, const struct environment_file *then,
                         struct err *err)
{
    BUF_AUTO text;
    buf_init(&text, 4 * ENVIRONMENT_MAX_BYTES);
    struct environment_count count = environment_compare(&then->environment,
                                                         &samples->environment, &text);
    if (count.differ == 0)
        buf_adds(&text, "the same environment\n");
    return cli_print(&text, err) != 0 ? -1 : count.matter > 0 ? EXIT_UNCLEAR : EXIT_HELD;
}

int cli_env(int argc, char **argv, struct err *err)
{
    struct env_options given = {.head = any_head, .device = "cpu", .python = any_python};
    const struct cli_option options[] = {
        {"repo", &given.repo, NULL, "DIR",
         "git repository with the recipe of the build (else .)"},
        {"head", &given.head, NULL, "REV", "whose recipe; none: without"},
        CLI_DEVICE(given.device),
        CLI_CONFIG(given.config),
        {"python", &given.python, NULL, "PROGRAM", "whose frameworks are told"},
        {"against", &given.against, NULL, "FILE", "an env.json: print what differs"},
        {"output", &given.output, NULL, "FILE", "write it there"},
        CLI_OPTIONS_END};
    ENVIRONMENT_FILE_AUTO then = {.hash = ""};
    struct env *env __attribute__((cleanup(env_free))) = calloc(1, sizeof *env);
    if (env == NULL)
        return err_set(err, ERR_HOST, "out of memory for a measurement");
    static const struct cli_tie ties[] = {
        {"output", NULL, "against"}, {"repo", NULL, "head=none"}, CLI_TIES_END};
    if (cli_options_tied(argc, argv, options, ties, NULL, 0, NULL, err) != 0 ||
        cli_check_device(given.device, err) != 0 ||
        (given.python != any_python &&
         cli_check_program(given.python, "--python", err) != 0) ||
        outputs_try("--output", given.output, err) != 0 ||
        read_against(given.against, given.device, &then, err) != 0 ||
        look(&given, env, err) != 0)
        return -1;
    const struct samples *samples = &env->measurement.samples;
    return given.against == NULL ? print(samples, given.output, err)
                                 : print_against(samples, &then, err);
}
