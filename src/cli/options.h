/* SPDX-License-Identifier: Apache-2.0 */
/* The options of a program or subcommand: one table says how they are read and what help tells of
 * them. */
#ifndef RATCHET_CLI_OPTIONS_H
#define RATCHET_CLI_OPTIONS_H

#include "base/err.h"
#include "base/near.h"

#include <stdbool.h>
#include <stddef.h>

/* One option: `--name VALUE` into `value`, or `--name` into `flag`; with both, `--name` is the flag
 * and `--name=VALUE` the value. What `value` holds before is the default. One that may be given
 * several times stands in the table as often, in a row, each with a place that is NULL. */
struct cli_option {
    const char *name;
    const char **value;
    bool *flag;
    const char *argument; /* what stands for the value in help, such as "FILE"; NULL: a flag */
    const char *help;     /* NULL: ours alone, no help tells it */
};

#define CLI_OPTIONS_END              \
    {                                \
        NULL, NULL, NULL, NULL, NULL \
    }

/* Those that several commands have. */
#define CLI_REPO(at)                                                      \
    {                                                                     \
        "repo", &(at), NULL, "DIR", "git repository, by any folder in it" \
    }
#define CLI_HEAD(at)                             \
    {                                            \
        "head", &(at), NULL, "REV", "the commit" \
    }
#define CLI_DEVICE(at)                                                       \
    {                                                                        \
        "device", &(at), NULL, "SLUG", "such as cpu, nvidia-l4, nvidia-h200" \
    }
#define CLI_CONFIG(at)                                              \
    {                                                               \
        "config", &(at), NULL, "FILE", "ratchetd.conf of this host" \
    }
#define CLI_QUIET(at)                                       \
    {                                                       \
        "quiet", NULL, &(at), NULL, "no progress on stderr" \
    }
#define CLI_BUDGET_HELP "bound on the time of measuring, 1s to 24h"
#define CLI_BUDGET(at)                                 \
    {                                                  \
        "budget", &(at), NULL, "TIME", CLI_BUDGET_HELP \
    }

/* Two options of which one has no part without the other, or beside it. `--name` is refused where `needs`
 * is not given, or where `bars` is; "head=none": that option with that value. */
struct cli_tie {
    const char *name;
    const char *needs, *bars; /* one of them is NULL */
};

#define CLI_TIES_END     \
    {                    \
        NULL, NULL, NULL \
    }

enum { CLI_OPTIONS_MAX = 96 }; /* rows of a table */

/* Parse options up to a NULL name; what is left goes to operands[max]. Unknown options,
 * missing values and too many operands are ERR_USAGE. After `--help` alone the table is printed,
 * and it fails with ERR_NONE: the command is to end, and nothing went wrong. */
MUST_CHECK int cli_options(int argc, char **argv, const struct cli_option *options,
                           const char **operands, size_t max, size_t *count, struct err *err);

/* The same for options that are tied: none is ignored without a word. */
MUST_CHECK int cli_options_tied(int argc, char **argv, const struct cli_option *options,
                                const struct cli_tie *ties, const char **operands, size_t max,
                                size_t *count, struct err *err);

/* Is help asked for, by --help or -h among the options? */
bool cli_wants_help(int argc, char **argv);
/* What help tells of the options, a line each, on stdout. */
void cli_print_options(const struct cli_option *options);

#endif
