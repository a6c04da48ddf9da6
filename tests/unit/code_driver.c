/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the machine-code hash of each library named. */
#include "measure/code.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        char code[MODEL_CODE_BYTES];
        struct err err = {0};
        if (code_hash(argv[i], code, &err) != 0) {
            fprintf(stderr, "%s\n", err.text);
            return (int)err_exit_code(err.class);
        }
        puts(code);
    }
    return 0;
}
