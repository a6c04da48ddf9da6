/* SPDX-License-Identifier: Apache-2.0 */
/* What a client may send over the socket: a stream that is cut into messages, and each of them
 * read as a `submit`. And the way back: whatever bytes a result file, a line of the log or an error
 * holds, the client can read the messages that carry it. */
#include "tests/fuzz/fuzz.h"

#include "base/name.h"
#include "daemon/message.h"
#include "daemon/request.h"
#include "daemon/results.h"

static const char configuration[] =
    "[device \"cpu\"]\n[device \"nvidia-h200\"]\n"
    "[repository \"acme/kernels\"]\napi = https://api.github.com\n"
    "git = https://github.com/acme/kernels.git\n"
    "[repository \"Acme/host\"]\napi = https://ghe.example/api/v3\n"
    "git = https://ghe.example/acme/host.git\nbranch = trunk\n"
    "token = host\ntoken-file = /etc/ratchet/token\n";

static const struct host *the_host(void)
{
    static struct host host;
    static bool ready;
    struct err err;
    if (!ready)
        HOLDS(host_parse(configuration, sizeof configuration - 1, "ratchetd.conf", &host,
                         &err) == 0);
    ready = true;
    return &host;
}

static void look_at(const struct request *request)
{
    const struct job *job = &request->job;
    const struct host_repository *repository = host_find_repository(the_host(),
                                                                    job->repository);
    HOLDS(repository != NULL && strcmp(repository->name, job->repository) == 0);
    HOLDS(host_find_device(the_host(), job->device) != NULL);
    HOLDS(job->kind == JOB_CHECK ? job->pr > 0 : job->pr == 0);
    HOLDS(job->kind == JOB_CHECK || strcmp(job->base_ref, repository->branch) == 0);
    HOLDS(job->key[strspn(job->key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                    "0123456789_-./")] == '\0');
    HOLDS((repository->credential != CREDENTIAL_JOB) == (request->token[0] == '\0'));
    HOLDS(fuzz_is_plain(request->token) && fuzz_is_plain(job->run_url));
    HOLDS(request->ignored == (request->why[0] != '\0') && fuzz_is_plain(request->why));
}

/* An error reaches the client, in words. */
static void tell(const struct err *err)
{
    BUF_AUTO out;
    struct err ignored;
    JSON_AUTO *json = NULL;
    fuzz_error(err);
    buf_init(&out, 1 << 16);
    message_add_error(&out, err);
    HOLDS(message_take(&out, "ratchetd", &json, &ignored) == 1);
    HOLDS(message_text(json, "text")[0] != '\0');
}

static void from_client(const char *bytes, size_t size)
{
    BUF_AUTO in;
    buf_init(&in, size);
    buf_add(&in, bytes, size);
    for (;;) {
        JSON_AUTO *json = NULL;
        struct err err = {0};
        struct request request = {0};
        size_t before = in.len;
        int taken = message_take(&in, "client", &json, &err);
        if (taken < 0)
            tell(&err);
        if (taken <= 0)
            return;
        HOLDS(in.len < before);
        for (size_t i = in.len; i < before; i++)
            HOLDS(in.data[i] == '\0'); /* a token may have been there */
        if (request_parse(the_host(), json, &request, &err) != 0)
            tell(&err);
        else
            look_at(&request);
    }
}

/* Is it a text that is `bytes`, but for those that are no UTF-8? */
static bool is_text(const char *text, const char *bytes, size_t size)
{
    bool same = strlen(text) == size;
    for (size_t i = 0; same && i < size; i++)
        same = text[i] == bytes[i] || text[i] == '?';
    return same;
}

/* What quotes somebody's bytes: a line of the log, and an error. */
static void say_to_client(const char *bytes, size_t size)
{
    BUF_AUTO out;
    struct err err = {0};
    JSON_AUTO *json = NULL;
    buf_init(&out, 16 << 20);
    HOLDS(results_add_line(&out, bytes, size, &err) == 0);
    HOLDS(message_take(&out, "ratchetd", &json, &err) == 1);
    HOLDS(is_text(message_text(json, "text"), bytes, size));
    int failed = err_set(&err, ERR_INPUT, "expected a number, not `%.*s`", (int)size, bytes);
    HOLDS(failed == -1);
    tell(&err);
}

static void to_client(const char *bytes, size_t size)
{
    BUF_AUTO out, seen;
    struct err err = {0};
    buf_init(&out, 16 << 20);
    buf_init(&seen, 16 << 20);
    HOLDS(message_add_file(&out, "report.md", bytes, size, &err) == 0);
    while (out.len > 0) {
        JSON_AUTO *json = NULL;
        HOLDS(message_take(&out, "ratchetd", &json, &err) == 1);
        HOLDS(strcmp(message_text(json, "type"), "file") == 0);
        buf_adds(&seen, message_text(json, "data"));
    }
    HOLDS(is_text(seen.data, bytes, size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    from_client((const char *)data, size);
    to_client((const char *)data, size);
    say_to_client((const char *)data, size);
    return 0;
}
