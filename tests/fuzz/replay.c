/* SPDX-License-Identifier: Apache-2.0 */
/* The main of a fuzz target in `make check`: runs it over every file of its corpus, each of them a
 * check, with whatever compiler there is. What breaks ends the process; the line before says at
 * which file. With arguments it runs over these files instead. ci/fuzz has libFuzzer's main. */
#ifndef RATCHET_FUZZING
#include "tests/fuzz/fuzz.h"

#include "base/file.h"

#include <dirent.h>

enum { INPUT_BYTES_MAX = 1 << 20 };

static void run(const char *path)
{
    BUF_AUTO bytes;
    buf_init(&bytes, INPUT_BYTES_MAX);
    struct err err;
    if (file_read(path, &bytes, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    /* Memory of just that size, so that a sanitizer sees who reads beyond. */
    uint8_t *exact = malloc(bytes.len == 0 ? 1 : bytes.len);
    HOLDS(exact != NULL);
    memcpy(exact, bytes.data, bytes.len);
    LLVMFuzzerTestOneInput(exact, bytes.len);
    free(exact);
}

static int is_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int replay(const char *folder)
{
    struct dirent **files = NULL;
    int count = scandir(folder, &files, is_file, alphasort);
    if (count <= 0) {
        printf("1..1\nnot ok 1 - no corpus in %s\n", folder);
        return 1;
    }
    printf("1..%d\n", count + 1);
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    printf("ok 1 - nothing at all\n");
    for (int i = 0; i < count; i++) {
        char path[FILE_PATH_BYTES];
        snprintf(path, sizeof path, "%s/%s", folder, files[i]->d_name);
        printf("# %s\n", path);
        fflush(stdout);
        run(path);
        printf("ok %d - %s\n", i + 2, files[i]->d_name);
        free(files[i]);
    }
    free(files);
    return 0;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        run(argv[i]);
    if (argc > 1)
        return 0;
    const char *top = getenv("top_srcdir");
    const char *slash = strrchr(argv[0], '/');
    char folder[FILE_PATH_BYTES / 2];
    snprintf(folder, sizeof folder, "%s/tests/fuzz/corpus/%s", top == NULL ? "." : top,
             slash == NULL ? argv[0] : slash + 1);
    return replay(folder);
}
#endif
