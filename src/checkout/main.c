/* SPDX-License-Identifier: Apache-2.0 */
/* ratchet-checkout: writes a part of a commit, which comes by stdin (base/git_parcel.c), to the folder that is its
 * argument. It runs in the sandbox of a build that ratchet-run makes, before the recipe does: what strangers
 * have committed is read and written there, with nothing else at hand. Ends with 3 where the commit's tree is to
 * blame, with 4 where it does not fit into the room that a build has, with 2 otherwise. */
#include "base/git.h"
#include "base/line.h"
#include "base/program.h"

#include <errno.h>
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
    int rc = git_parcel_checkout(STDIN_FILENO, argv[1], &err);
    /* It is memory, and others hold it, bubblewrap among them, as long as the sandbox lasts. */
    int ignored = ftruncate(STDIN_FILENO, 0);
    (void)ignored;
    if (rc == 0)
        return 0;
    line_err("%s", err.text);
    if (err.errnum == ENOSPC || err.errnum == EDQUOT || err.errnum == EFBIG)
        return 4;
    return err.class == ERR_INPUT || err.class == ERR_LIMIT || err.errnum == ENOMEM ? 3 : 2;
}
