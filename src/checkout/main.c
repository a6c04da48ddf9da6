/* SPDX-License-Identifier: Apache-2.0 */
/* ratchet-checkout: writes a part of a commit, which comes by stdin (base/git_parcel.c), to the folder that is its
 * argument. It runs in the sandbox of a build that ratchet-run makes, before the recipe does: what strangers
 * have committed is read and written there, with nothing else at hand. Ends with 3 where the commit's tree is to
 * blame, with 2 where it is not. */
#include "base/git.h"
#include "base/line.h"
#include "base/program.h"

#include <unistd.h>

static const char usage[] =
    "usage: ratchet-checkout FOLDER\n\n"
    "writes there a part of a commit, which ratchetd gives as its input\n";

int main(int argc, char **argv)
{
    struct err err = {0};
    program_begin();
    enum program_asked asked = program_asked(argc, argv);
    if (asked != PROGRAM_RUN)
        return program_answer("ratchet-checkout", asked, usage);
    if (argc != 2) {
        line_text(stderr, usage, sizeof usage - 1);
        return EXIT_USAGE;
    }
    if (git_parcel_checkout(STDIN_FILENO, argv[1], &err) == 0)
        return 0;
    line_err("%s", err.text);
    return err.class == ERR_INPUT || err.class == ERR_LIMIT ? 3 : 2;
}
