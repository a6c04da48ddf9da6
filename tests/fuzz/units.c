/* SPDX-License-Identifier: Apache-2.0 */
/* What the other units may send on a socket of this host: to ratchet-run, a sandbox as words, and the commit of a
 * build, for ratchet-checkout; to ratchet-clocks, a line. What is taken is written as it was read, and what is more than that is refused by its form: none of
 * these bytes has a folder that the state folder `/nonexistent` lacks. */
#include "tests/fuzz/fuzz.h"

#include "base/file.h"
#include "base/git.h"
#include "measure/away_forms.h"
#include "measure/away_internal.h"
#include "measure/device/clocks_ask.h"

static void sandbox(const char *bytes, size_t size)
{
    static struct away_request request;
    static const struct away_bounds bounds = {.state = "/nonexistent", .profiler = "/nonexistent"};
    struct err err = {0};
    BUF_AUTO words, again;
    buf_init(&words, AWAY_BYTES_MAX);
    buf_init(&again, 2 * AWAY_BYTES_MAX);
    for (size_t i = 0; i < size; i++) /* in a file of the corpus a line is a word */
        buf_addc(&words, bytes[i] == '\n' ? '\0' : bytes[i]);
    buf_addc(&words, '\0');
    if (words.failed || away_take(words.data, words.len, &request, &err) != 0)
        return;
    HOLDS(request.argv[0] != NULL && request.sandbox.bind_count <= AWAY_BINDS_MAX);
    HOLDS(away_put(&request.sandbox, &again, &err) == 0 && again.len <= 2 * words.len);
    size_t count;
    if (away_check(&request.sandbox, &bounds, request.binds, &count, &err) != 0)
        fuzz_error(&err);
    else
        HOLDS(count <= 1 && request.sandbox.bind_count == 0 && request.sandbox.device == NULL);
}

static void line(const char *bytes, size_t size)
{
    struct clocks_wish wish;
    struct err err = {0};
    char again[CLOCKS_LINE_BYTES];
    if (clocks_wish_read(bytes, size, &wish, &err) != 0) {
        fuzz_error(&err);
        return;
    }
    int len = snprintf(again, sizeof again, "%s %s %s %u", wish.lock ? "lock" : "try",
                       wish.device, wish.gpu, wish.mhz);
    HOLDS((size_t)len == size && memcmp(again, bytes, size) == 0);
}

/* A folder whose files were hashed, or none. */
static void parcel(const char *bytes, size_t size)
{
    char folder[] = "/tmp/ratchet-fuzz-XXXXXX", path[64];
    struct fuzz_file file = fuzz_file(bytes, size);
    struct err err = {0};
    HOLDS(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/out", folder);
    bool fine = git_parcel_checkout(file.fd, path, &err) == 0;
    HOLDS(fine == (access(path, F_OK) == 0));
    HOLDS(fine || (err.class != ERR_NONE && fuzz_is_plain(err.text)));
    HOLDS(file_remove_tree(folder, NULL) == 0);
    close(file.fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[16];
    fuzz_first_line(&data, &size, name, sizeof name);
    if (strcmp(name, "sandbox") == 0)
        sandbox((const char *)data, size);
    else if (strcmp(name, "parcel") == 0)
        parcel((const char *)data, size);
    else
        line((const char *)data, size);
    return 0;
}
