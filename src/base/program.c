/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the descriptors and signals that a program finds, and its last look at stdout. */
#include "base/program.h"

#include "base/err.h"
#include "base/line.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool output_closed;

void program_begin(void)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    output_closed = fcntl(STDOUT_FILENO, F_GETFD) < 0 && errno == EBADF;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)!open("/dev/null", O_PATH); /* the lowest that is free: this one */
}

bool program_has_output(void)
{
    return !output_closed;
}

int program_end(const char *name, int code)
{
    errno = 0;
    bool lost = fflush(stdout) != 0;
    int why = line_lost() != 0 ? line_lost() : lost ? errno : 0;
    if (!lost && !ferror(stdout))
        return code;
    line_err("%s: standard output: not all could be written%s%s", name, why != 0 ? ": " : "",
             why == 0        ? ""
             : output_closed ? "it is closed"
                             : strerror(why));
    return EXIT_UNMEASURED;
}

enum program_asked program_asked(int argc, char **argv)
{
    enum program_asked asked = PROGRAM_RUN;
    for (int i = argc - 1; i > 0; i--) {
        bool alone = argc == 2;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0 ||
            (alone && strcmp(argv[i], "help") == 0))
            asked = PROGRAM_HELP;
        else if (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "-V") == 0 ||
                 (alone && strcmp(argv[i], "version") == 0))
            asked = PROGRAM_VERSION;
    }
    return asked;
}

int program_answer(const char *name, enum program_asked asked, const char *usage)
{
    if (asked == PROGRAM_HELP)
        line_text(stdout, usage, strlen(usage));
    else
        line_out("%s " RATCHET_VERSION, name);
    return program_end(name, EXIT_HELD);
}
