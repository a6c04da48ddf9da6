/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the question which compilers a build would get: asked inside the build sandbox,
 * once per process and again when a compiler was replaced. Does not choose or configure
 * them. */
#include "measure/build.h"

#include "base/proc.h"
#include "measure/sandbox.h"

#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

enum { TOOLCHAIN_BYTES = 512, TOOLCHAIN_MS = 60000 };

static const char toolchain_script[] =
    "echo started\n"
    "for tool in gcc clang; do\n"
    "  command -v $tool >/dev/null && $tool --version | head -n 1\n"
    "done\n"
    "[ \"$1\" = cuda ] && nvcc --version | sed -n 's/^.*release \\(.*\\)$/nvcc \\1/p'\n"
    "exit 0\n";

/* Join lines with "; ", unprintable bytes replaced. */
static int join_lines(const char *lines, char out[TOOLCHAIN_BYTES], struct err *err)
{
    struct buf text __attribute__((cleanup(buf_free)));
    buf_init(&text, TOOLCHAIN_BYTES - 1);
    for (const char *at = lines; *at != '\0'; at++) {
        if (*at != '\n')
            buf_addc(&text, *at < 0x20 || *at == 0x7f ? '?' : *at);
        else if (at[1] != '\0')
            buf_adds(&text, "; ");
    }
    if (text.failed)
        return err_set(err, ERR_LIMIT, "the compilers' versions are longer than %d bytes",
                       TOOLCHAIN_BYTES - 1);
    memcpy(out, text.data, text.len + 1);
    return 0;
}

static int ask_toolchain(bool cuda, char out[TOOLCHAIN_BYTES], struct err *err)
{
    const char *const argv[] = {
        "/bin/sh", "-c", toolchain_script, "toolchain", cuda ? "cuda" : "cpu", NULL};
    struct sandbox sandbox = {.kind = SANDBOX_BUILD,
                              .argv = argv,
                              .uid = (uid_t)-1,
                              .gid = (gid_t)-1,
                              .limits = {.wall_ms = TOOLCHAIN_MS, .processes = 64}};
    struct sandbox_command *command __attribute__((cleanup(sandbox_free))) = NULL;
    struct proc_spec spec;
    if (sandbox_command(&sandbox, &command, &spec, err) < 0)
        return -1;
    struct buf said __attribute__((cleanup(buf_free)));
    buf_init(&said, 16 << 10);
    struct proc_result result;
    if (proc_run(&spec, &said, &result, err) < 0)
        return -1;
    static const char started[] = "started\n";
    if (strncmp(said.data, started, strlen(started)) != 0)
        return sandbox_refused(said.data, err);
    const char *lines = said.data + strlen(started);
    if (*lines == '\0')
        return err_set(err, ERR_HOST, "no compiler in the build sandbox: install gcc");
    if (cuda && strstr(lines, "nvcc ") == NULL)
        return err_set(err, ERR_HOST,
                       "no nvcc in the build sandbox: install CUDA in /usr/local/cuda");
    return join_lines(lines, out, err);
}

/* Changes when a compiler is replaced under a running daemon. */
static unsigned long long compilers_stamp(void)
{
    static const char *const programs[] = {"/usr/bin/gcc", "/usr/bin/clang",
                                           "/usr/bin/nvcc", "/usr/local/cuda/bin/nvcc"};
    unsigned long long stamp = 1;
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        struct stat st = {0};
        if (stat(programs[i], &st) < 0)
            st.st_ino = 0;
        stamp = stamp * 1000003u + st.st_ino;
        stamp = stamp * 1000003u + (unsigned long long)st.st_mtim.tv_sec;
        stamp = stamp * 1000003u + (unsigned long long)st.st_mtim.tv_nsec;
    }
    return stamp;
}

int build_toolchain(const char *device, char *text, size_t size, struct err *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct {
        bool known;
        unsigned long long stamp;
        char text[TOOLCHAIN_BYTES];
    } asked[2];

    bool cuda = strncmp(device, "nvidia-", 7) == 0;
    unsigned long long stamp = compilers_stamp();
    char found[TOOLCHAIN_BYTES] = "";
    int rc = 0;
    pthread_mutex_lock(&lock);
    if (!asked[cuda].known || asked[cuda].stamp != stamp) {
        rc = ask_toolchain(cuda, found, err);
        if (rc == 0) {
            memcpy(asked[cuda].text, found, sizeof found);
            asked[cuda].stamp = stamp;
            asked[cuda].known = true;
        }
    } else {
        memcpy(found, asked[cuda].text, sizeof found);
    }
    pthread_mutex_unlock(&lock);
    if (rc < 0)
        return -1;
    if (strlen(found) >= size)
        return err_set(err, ERR_LIMIT, "the compilers' versions do not fit in %zu bytes",
                       size);
    memcpy(text, found, strlen(found) + 1);
    return 0;
}
