/* SPDX-License-Identifier: Apache-2.0 */
/* Each line of stdin, whatever bytes it has but NUL, as our programs say it: for tests/e2e/test_shown.py,
 * which has another opinion of what may be shown.
 *
 *     line_driver out|text|err|plain|json|print|command
 */
#include "base/err.h"
#include "base/json.h"
#include "base/line.h"
#include "judge/text.h"
#include "publish/actions.h"

#include <stdlib.h>
#include <string.h>

static void put(const char *way, const char *line)
{
    struct err err = {0};
    JSON_AUTO *json = json_pack("[s]", line); /* NULL: no UTF-8 */
    BUF_AUTO out;
    buf_init(&out, 1 << 20);
    if (strcmp(way, "out") == 0) {
        line_out("%s", line);
        return;
    }
    if (strcmp(way, "text") == 0)
        line_text(stdout, line, strlen(line));
    else if (strcmp(way, "err") == 0)
        err_write(&err, ERR_INPUT, "%s", line);
    else if (strcmp(way, "plain") == 0)
        text_plain(&out, line);
    else if (strcmp(way, "json") == 0)
        text_string(&out, line);
    else if (strcmp(way, "print") == 0 && json != NULL) {
        if (json_print(json, 0, &out, &err) != 0)
            exit(1);
    } else if (strcmp(way, "command") == 0)
        actions_command(&out, "error", line, line);
    line_document(&out);
    fputs(err.text, stdout);
    if (strcmp(way, "command") != 0)
        fputc('\n', stdout);
}

int main(int argc, char **argv)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    while (argc == 2 && (len = getline(&line, &size, stdin)) > 0) {
        line[len - (line[len - 1] == '\n')] = '\0';
        put(argv[1], line);
    }
    free(line);
    return 0;
}
