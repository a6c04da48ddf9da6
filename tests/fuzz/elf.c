/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel library: what its hash and its exports are read from. Bytes behind its end are mapped by
 * no loader: they change neither. */
#include "tests/fuzz/fuzz.h"

#include "measure/code.h"

struct findings {
    int hashed, checked;
    char code[MODEL_CODE_BYTES];
};

static struct findings look_at(const char *path)
{
    struct findings found = {0};
    struct err err = {0};
    found.hashed = code_hash(path, found.code, &err);
    if (found.hashed != 0)
        fuzz_error(&err);
    found.checked = code_check_exports(path, "attention_kernel", &err);
    if (found.checked != 0)
        fuzz_error(&err);
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_file file = fuzz_file(data, size);
    struct findings first = look_at(file.path);
    if (first.hashed == 0 || first.checked == 0) {
        HOLDS(write(file.fd, "behind its end", 14) == 14);
        struct findings longer = look_at(file.path);
        HOLDS(first.hashed != 0 ||
              (longer.hashed == 0 && strcmp(first.code, longer.code) == 0));
        HOLDS(first.checked != 0 || longer.checked == 0);
    }
    close(file.fd);
    return 0;
}
