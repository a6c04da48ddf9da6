/* SPDX-License-Identifier: Apache-2.0 */
/* How each of our programs begins and ends. */
#ifndef RATCHET_BASE_PROGRAM_H
#define RATCHET_BASE_PROGRAM_H

#include <stdbool.h>

/* A write that cannot be done fails, and is told of, instead of ending the program without a word: to a
 * pipe that nobody reads (SIGPIPE), beyond a limit on the size of files (SIGXFSZ). A child that
 * proc_spawn starts has its signals as ever. A descriptor of the first three that is closed is taken by
 * one that can be neither read nor written, so that no file is opened in its place. */
void program_begin(void);
/* Was stdout open when the program began? */
bool program_has_output(void);

/* The exit code: `code`, unless what was said on stdout was not all written. Then one line says so. */
int program_end(const char *name, int code);

/* Is that all that was asked: `--help`, `-h`, `help`; `--version`, `-V`? For programs without subcommands,
 * which answer it whatever else was given. */
enum program_asked { PROGRAM_RUN, PROGRAM_HELP, PROGRAM_VERSION };
enum program_asked program_asked(int argc, char **argv);
/* Answers it; `usage` without its first word, "usage: ". */
int program_answer(const char *name, enum program_asked asked, const char *usage);

#endif
