/* SPDX-License-Identifier: Apache-2.0 */
/* publish/actions on files and standard streams, for tests/e2e/test_actions.py, which compares
 * its bytes with those of GitHub's own library. Text comes on stdin.
 *
 *     actions_driver summary PATH
 *     actions_driver output PATH NAME
 *     actions_driver command LEVEL TITLE      TITLE `-`: none
 *     actions_driver place FILE LINE COLUMN
 *     actions_driver log                      stdin is one line, whatever bytes it has
 */
#include "base/err.h"
#include "publish/actions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct buf input;

static int read_input(void)
{
    char chunk[4096];
    buf_init(&input, 8u << 20);
    for (;;) {
        size_t got = fread(chunk, 1, sizeof chunk, stdin);
        if (got == 0)
            return input.failed || ferror(stdin) ? -1 : 0;
        buf_add(&input, chunk, got);
    }
}

static int print(struct buf *out)
{
    return !out->failed && fwrite(out->data, 1, out->len, stdout) == out->len ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    BUF_AUTO out;
    buf_init(&out, 16u << 20);
    if (argc < 2 || read_input() < 0)
        return 64;
    int rc = 64;
    if (strcmp(argv[1], "summary") == 0 && argc == 3) {
        rc = actions_summary(argv[2], input.data, input.len, &err) < 0;
    } else if (strcmp(argv[1], "output") == 0 && argc == 4) {
        rc = actions_output(argv[2], argv[3], input.data, &err) < 0;
    } else if (strcmp(argv[1], "command") == 0 && argc == 4) {
        const char *title = strcmp(argv[3], "-") == 0 ? NULL : argv[3];
        actions_command(&out, argv[2], title, input.data);
        rc = print(&out);
    } else if (strcmp(argv[1], "place") == 0 && argc == 5) {
        actions_error_at(&out, argv[2], (unsigned)strtoul(argv[3], NULL, 10),
                         (unsigned)strtoul(argv[4], NULL, 10), input.data);
        rc = print(&out);
    } else if (strcmp(argv[1], "log") == 0 && argc == 2) {
        actions_log_line(&out, input.data, input.len);
        rc = print(&out);
    }
    buf_free(&input);
    if (rc == 1)
        fprintf(stderr, "%s\n", err.text);
    return rc;
}
