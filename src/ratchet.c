/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: a table of subcommands. Every stage of a check also runs alone here, on
 * files. One line on stderr for an error; the exit code is the verdict's. */
#include "cli/cli.h"

#include "intake/config_keys.h"
#include "intake/host_keys.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv, struct err *err);
    const char *arguments;
    const char *does;
} commands[] = {
    {"check", cli_check, "[--repo DIR] [--base REV] [--head REV] | --repository O/R --pr N",
     "a whole check, here and now, for two commits or one pull request"},
    {"submit", cli_submit, "[--socket S] [--device D] [--artifacts DIR]",
     "the Actions step: hand the job to ratchetd and wait for the verdict"},
    {"build", cli_build, "[--repo DIR] [--head REV] [--device D] --output FILE",
     "the kernel library of one commit, built as a check builds it"},
    {"bench", cli_bench, "[--repo DIR] [--head REV] [--device D] [--output FILE]",
     "build and time the kernel of one commit; writes samples.json"},
    {"verify", cli_verify, "[--repo DIR] [--head REV] [--device D]",
     "build the kernel of one commit and check its results against fp64"},
    {"sweep", cli_sweep,
     "[--device D] [--arms FILE] [--report DIR] [--output FILE] NAME=LIBRARY...",
     "time libraries that are built already, ours and others', side by side"},
    {"autotune", cli_autotune, "[--repo DIR] [--device D] [--time-budget T] [--output DIR]",
     "search better values for the parameters of a commit's kernel"},
    {"study", cli_study,
     "[--repo DIR] [--head REV] [--device D] [--output DIR] | --verify DIR",
     "one kernel from its environment to a report: benchmark, others, tuning"},
    {"compare", cli_compare,
     "[--baseline FILE] [--against ARM] [--rules FILE] [--json | --explain] SAMPLES",
     "the judge alone, on files"},
    {"report", cli_report, "[--samples FILE] [--baseline FILE] VERDICT",
     "the Markdown of a verdict.json"},
    {"post", cli_post, "--repository O/R --pr N --device D REPORT",
     "put a report into the comment of a pull request"},
    {"promote", cli_promote, "--repository O/R [--accept CONFIG --by NAME]",
     "measure main's tip and move the baseline if it earned it"},
    {"calibrate", cli_calibrate, "[--device D] [--processes N] [--pool FILE] | --from POOL",
     "how often the rule errs on this device, by experiment"},
    {"history", cli_history,
     "[--repo DIR] [--device D] [--config-name C] [--repository O/R] [--json] [--html FILE]",
     "how the baseline moved, what checks said and what they cost"},
    {"env", cli_env,
     "[--device D] [--repo DIR] [--python PROGRAM] [--output FILE | --against FILE]",
     "env.json: where it would be measured; or what differs from one"},
    {"status", cli_status, "[--socket S]", "what ratchetd is doing"},
    {"doctor", cli_doctor, "[--config FILE]", "try everything this host needs, by doing it"},
};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static void usage(FILE *out)
{
    fprintf(out, "usage: ratchet COMMAND [OPTIONS]\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-9s %s\n            %s\n", commands[i].name, commands[i].does,
                commands[i].arguments);
    fprintf(out, "\nMost commands take --config FILE (ratchetd.conf) and --device SLUG.\n"
                 "Exit codes: 0 held or improved, 1 regressed, 2 unclear, 3 unmeasured,\n"
                 "64 usage or malformed input, 70 internal. Manual: man ratchet\n"
                 "Keys of a file: ratchet help ratchet.conf, ratchet help ratchetd.conf\n");
}

/* NULL for the commands, or the name of a file. */
static int help(const char *topic)
{
    if (topic == NULL) {
        usage(stdout);
        return 0;
    }
    const struct keys_table *table = strcmp(topic, "ratchet.conf") == 0    ? &config_keys
                                     : strcmp(topic, "ratchetd.conf") == 0 ? &host_keys
                                                                           : NULL;
    if (table == NULL) {
        fprintf(stderr, "ratchet help: expected ratchet.conf or ratchetd.conf, not `%s`\n",
                topic);
        return EXIT_USAGE;
    }
    BUF_AUTO text;
    buf_init(&text, 1 << 20);
    keys_help(table, &text);
    fputs(text.data, stdout);
    return fflush(stdout) == 0 && !text.failed ? 0 : EXIT_UNMEASURED;
}

int main(int argc, char **argv)
{
    int guarded = cli_guard(argc, argv);
    if (guarded >= 0)
        return guarded;
    setlocale(LC_ALL, "C");
    signal(SIGPIPE, SIG_IGN);
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0))
        return help(argv[2]);
    if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
        printf("ratchet %s\n", RATCHET_VERSION);
        return 0;
    }
    for (size_t i = 0; argc >= 2 && i < COMMAND_COUNT; i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        struct err err = {0};
        int code = commands[i].run(argc - 1, argv + 1, &err);
        if (code < 0)
            fprintf(stderr, "ratchet %s: %s\n", commands[i].name, err.text);
        if (fflush(stdout) != 0 || ferror(stdout)) {
            fprintf(stderr, "ratchet %s: write to standard output failed\n", commands[i].name);
            return EXIT_UNMEASURED;
        }
        return code < 0 ? (int)err_exit_code(err.class) : code;
    }
    if (argc >= 2)
        fprintf(stderr, "ratchet: unknown command `%s`\n", argv[1]);
    usage(stderr);
    return EXIT_USAGE;
}
