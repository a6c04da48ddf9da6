/* SPDX-License-Identifier: Apache-2.0 */
/* The documents of a study's folder, for tests/e2e/test_study_report.py:
 *     study_driver write DIR     makes and writes them
 *     study_driver verify DIR    a line for each thing that differs; exit 1 where there is one */
#include "lab/study_documents.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    const struct limits limits = limits_default();
    struct err err = {0};
    size_t differ = 0;
    BUF_AUTO out;
    buf_init(&out, 1 << 20);
    if (argc != 3)
        return 64;
    int rc = strcmp(argv[1], "write") == 0
                 ? study_documents_write(argv[2], &limits, &err)
                 : study_documents_verify(argv[2], &limits, &out, &differ, &err);
    if (rc != 0) {
        fprintf(stderr, "%s\n", err.text);
        return (int)err_exit_code(err.class);
    }
    fputs(out.data, stdout);
    return differ > 0;
}
