/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: a table of subcommands. Every stage of a check also runs alone here, on
 * files. One line on stderr for an error; the exit code is the verdict's. */
#include "base/line.h"
#include "base/program.h"
#include "cli/cli.h"
#include "cli/folders.h"

#include "intake/config_keys.h"
#include "intake/host_keys.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

#define EXITS_VERDICT "0 held or improved, 1 regressed, 2 unclear, 3 unmeasured"
#define EXITS_DONE "0 done, 3 this host could not"
#define GOES_ON "the same command goes on where it was"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv, struct err *err);
    const char *operands;
    const char *does;
    const char *exits; /* besides 64 and 70 */
    const char *cut;   /* for those that measure: what it means that one was cut off */
} commands[] = {
    {"check", cli_check, "",
     "a whole check, here and now, for two commits or one pull request", EXITS_VERDICT,
     "nothing was judged"},
    {"submit", cli_submit, "",
     "the Actions step: hand the job to ratchetd and wait for the verdict", EXITS_VERDICT,
     NULL},
    {"build", cli_build, "", "the kernel library of one commit, built as a check builds it",
     "0 built, 3 it does not build", "no library was written"},
    {"bench", cli_bench, "", "build and time the kernel of one commit, perhaps beside another",
     "0 timed, 3 a config could not be", "nothing was kept"},
    {"verify", cli_verify, "",
     "build the kernel of one commit and check its results against fp64",
     "0 right, 3 a config is not, or could not be told", "not all was looked at"},
    {"sweep", cli_sweep, " [NAME=LIBRARY]...",
     "time libraries that are built already, ours and others', together",
     "0 timed, 3 the first arm could not be", "with --report, the same command goes on"},
    {"autotune", cli_autotune, "",
     "search better values for the parameters of a commit's kernel",
     "0 searched, also where nothing better was found, 3 this host could not", GOES_ON},
    {"study", cli_study, "",
     "one kernel from environment to report: benchmark, others, tuning",
     "0 written, or verified; --verify: as check; 64 a document differs", GOES_ON},
    {"compare", cli_compare, " SAMPLES", "the judge alone, on files", EXITS_VERDICT, NULL},
    {"report", cli_report, " VERDICT", "the Markdown of a verdict.json", "0 printed", NULL},
    {"post", cli_post, " REPORT", "put a report into the comment of a pull request",
     "0 posted, 3 GitHub could not be asked, or declined", NULL},
    {"promote", cli_promote, "",
     "measure the branch's tip and move the baseline if it earned it", EXITS_VERDICT,
     "nothing was judged"},
    {"calibrate", cli_calibrate, "", "how often the rule errs on this device, by experiment",
     EXITS_DONE, GOES_ON},
    {"history", cli_history, "", "how the baseline moved, what checks said and what they cost",
     "0 told, also where there is nothing yet", NULL},
    {"env", cli_env, "", "env.json: where it would be measured; or what differs from one",
     "0 told; --against: 0 nothing differs that matters, 2 something does", NULL},
    {"status", cli_status, "", "what ratchetd is doing", "0 told, 3 it does not answer", NULL},
    {"doctor", cli_doctor, "", "try everything this host needs, by doing it",
     "0 all that is needed works, 3 something does not", NULL},
};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static const struct {
    const char *name;
    const struct keys_table *keys;
} files[] = {{"ratchet.conf", &config_keys}, {"ratchetd.conf", &host_keys}};
enum { FILE_COUNT = sizeof files / sizeof files[0] };

static void usage(FILE *out)
{
    BUF_AUTO text;
    buf_init(&text, 1 << 16);
    buf_adds(&text, "usage: ratchet COMMAND [OPTION]...\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        buf_addf(&text, "  %-9s %s\n", commands[i].name, commands[i].does);
    buf_adds(&text, "\nOptions of a command: ratchet help COMMAND\n"
                    "Keys of a file: ratchet help ratchet.conf, ratchet help ratchetd.conf\n"
                    "Exit codes: " EXITS_VERDICT ",\n"
                    "64 usage or malformed input, 70 internal. Manual: man ratchet\n");
    line_text(out, text.data, text.len);
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(name, commands[i].name) == 0)
            return &commands[i];
    return NULL;
}

static int run(const struct command *command, int argc, char **argv)
{
    struct err err = {0};
    int code = 0, where = command->cut == NULL || cli_wants_help(argc, argv)
                              ? 0
                              : cli_in_child(command->name, command->cut, &code, &err);
    if (where > 0)
        return code;
    code = where < 0 ? -1 : command->run(argc, argv, &err);
    if (code < 0 && err.class != ERR_NONE)
        line_err("ratchet %s: %s", command->name, err.text);
    return code < 0 ? (int)err_exit_code(err.class) : code;
}

static int help_command(const struct command *command)
{
    char name[32], word[] = "--help";
    char *argv[] = {name, word, NULL};
    snprintf(name, sizeof name, "%s", command->name);
    line_out("usage: ratchet %s [OPTION]...%s", command->name, command->operands);
    line_out("%s", "");
    line_out("%s", command->does);
    line_out("%s", "");
    int code = run(command, 2, argv); /* prints its table */
    line_out("%s", "");
    line_out("exit: %s", command->exits);
    return code;
}

static int help_file(const struct keys_table *keys)
{
    BUF_AUTO text;
    buf_init(&text, 1 << 20);
    keys_help(keys, &text);
    line_text(stdout, text.data, text.len);
    return text.failed ? EXIT_UNMEASURED : 0;
}

static int unknown(const char *kind, const char *word, struct near *near)
{
    char meant[NEAR_TEXT_BYTES];
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        near_offer(near, commands[i].name);
    line_err("ratchet: unknown %s `%s`%s", kind, word, near_text(near, "", meant));
    return EXIT_USAGE;
}

/* NULL for the commands, or the name of one, or of a file. */
static int help(const char *topic)
{
    if (topic == NULL) {
        usage(stdout);
        return 0;
    }
    const struct command *command = find_command(topic);
    if (command != NULL)
        return help_command(command);
    struct near near = {.word = topic, .len = strlen(topic)};
    for (size_t i = 0; i < FILE_COUNT; i++) {
        if (strcmp(topic, files[i].name) == 0)
            return help_file(files[i].keys);
        near_offer(&near, files[i].name);
    }
    return unknown("command or file", topic, &near);
}

static bool is_one_of(const char *word, const char *const *words)
{
    while (*words != NULL && strcmp(*words, word) != 0)
        words++;
    return *words != NULL;
}

static int answer(int argc, char **argv)
{
    static const char *const help_words[] = {"--help", "-h", "help", NULL};
    static const char *const version_words[] = {"--version", "version", "-V", "-v", NULL};
    if (argc < 2) {
        usage(stderr);
        return EXIT_USAGE;
    }
    if (is_one_of(argv[1], help_words))
        return help(argv[2]);
    if (is_one_of(argv[1], version_words)) {
        line_out("ratchet " RATCHET_VERSION);
        return 0;
    }
    const struct command *command = find_command(argv[1]);
    if (command == NULL) {
        struct near near = {.word = argv[1], .len = strlen(argv[1])};
        return unknown("command", argv[1], &near);
    }
    if (cli_wants_help(argc - 1, argv + 1))
        return help_command(command);
    if (program_has_output())
        return run(command, argc - 1, argv + 1);
    line_err(
        "ratchet %s: standard output is closed: nothing was begun (`>/dev/null` throws it "
        "away)",
        command->name);
    return EXIT_UNMEASURED;
}

int main(int argc, char **argv)
{
    int guarded = cli_guard(argc, argv);
    if (guarded >= 0)
        return guarded;
    setlocale(LC_ALL, "C");
    program_begin();
    return program_end("ratchet", answer(argc, argv));
}
