/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the question what a build would be made with: versions, asked inside the build sandbox,
 * and a fingerprint of every file that it shows, since a header, a linker or a library of a
 * compiler's can change the code as well as the compiler. Once per process, and again when
 * something was installed. Does not choose or configure compilers. */
#include "measure/build.h"

#include "base/file.h"
#include "base/proc.h"
#include "base/scan.h"
#include "measure/build_internal.h"
#include "measure/device/device.h"
#include "measure/fingerprint.h"
#include "measure/sandbox.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { TOOLCHAIN_MS = 60000, TOOLCHAIN_FILES = 4000000, FILES_BYTES = 32 };

/* For people; what these leave out is in the fingerprint. $1: for one compiler more. */
const char toolchain_script[] =
    "echo started\n"
    "first() { command -v $1 >/dev/null && $1 --version | head -n 1; }\n"
    "first gcc; first clang\n"
    "eval \"$1\"\n"
    "first ld; first cmake\n"
    "exit 0\n";

/* Join lines with "; ", safe to show; room is left for the files. */
static int join_lines(const char *lines, char out[BUILD_TOOLCHAIN_BYTES], struct err *err)
{
    BUF_AUTO text;
    buf_init(&text, BUILD_TOOLCHAIN_BYTES - FILES_BYTES);
    for (const char *at = lines; *at != '\0'; at++) {
        if (*at != '\n')
            buf_addc(&text, *at);
        else if (at[1] != '\0')
            buf_adds(&text, "; ");
    }
    if (text.no_memory)
        return err_set(err, ERR_HOST, "out of memory for the compilers' versions");
    if (text.failed)
        return err_set(err, ERR_LIMIT, "the compilers' versions are longer than %d bytes",
                       BUILD_TOOLCHAIN_BYTES - FILES_BYTES);
    memcpy(out, text.data, text.len + 1);
    scan_line(out);
    return 0;
}

/* Does a line of `said` begin with this compiler's name? */
static bool tells_of(const char *said, const struct device_compiler *compiler)
{
    char front[32];
    snprintf(front, sizeof front, "%s ", compiler->name);
    return strstr(said, front) != NULL;
}

static int ask_versions(const struct device_compiler *compiler,
                        char out[BUILD_TOOLCHAIN_BYTES], struct err *err)
{
    const char *const argv[] = {"/bin/sh",
                                "-c",
                                toolchain_script,
                                "toolchain",
                                compiler == NULL ? "" : compiler->version,
                                NULL};
    struct sandbox sandbox = {.kind = SANDBOX_BUILD,
                              .argv = argv,
                              .uid = (uid_t)-1,
                              .gid = (gid_t)-1,
                              .limits = {.wall_ms = TOOLCHAIN_MS, .processes = 64}};
    BUF_AUTO said;
    buf_init(&said, 16 << 10);
    struct proc_result result;
    if (sandbox_run(&sandbox, &said, &result, err) != 0)
        return -1;
    static const char started[] = "started\n";
    if (strncmp(said.data, started, strlen(started)) != 0)
        return sandbox_refused(said.data, err);
    const char *lines = said.data + strlen(started);
    if (*lines == '\0')
        return err_set(err, ERR_HOST, "no compiler in the build sandbox: install gcc");
    if (compiler != NULL && !tells_of(lines, compiler))
        return err_set(err, ERR_HOST, "no %s in the build sandbox: %s", compiler->name,
                       compiler->advice);
    return join_lines(lines, out, err);
}

/* Changes when something is installed or replaced under a running process. */
static unsigned long long install_stamp(void)
{
    static const char *const paths[] = {"/usr/bin/gcc",
                                        "/usr/bin/clang",
                                        "/usr/bin/nvcc",
                                        "/usr/local/cuda/bin/nvcc",
                                        "/usr/bin",
                                        "/usr/include",
                                        "/usr/lib",
                                        "/usr/local/bin",
                                        "/usr/local/include",
                                        "/usr/local/lib",
                                        "/usr/local/cuda/include",
                                        "/etc/alternatives",
                                        "/etc/ld.so.cache",
                                        "/var/lib/dpkg/status",
                                        "/var/lib/rpm",
                                        "/usr/lib/sysimage/rpm",
                                        "/var/lib/pacman/local",
                                        "/lib/apk/db/installed"};
    unsigned long long stamp = 1;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct stat st = {0};
        if (stat(paths[i], &st) < 0)
            st.st_ino = 0;
        stamp = stamp * 1000003u + st.st_ino;
        stamp = stamp * 1000003u + (unsigned long long)st.st_ctim.tv_sec;
        stamp = stamp * 1000003u + (unsigned long long)st.st_ctim.tv_nsec;
    }
    return stamp;
}

int toolchain_of(const char *versions, const char *const *roots, unsigned long long max,
                 struct toolchain *out, struct err *err)
{
    struct fingerprint files = {.entries = 0};
    struct err problem = {0};
    bool known = fingerprint(roots, max, TOOLCHAIN_MS, &files, &problem) == 0;
    if (!known && problem.class != ERR_LIMIT)
        return err_set(err, problem.class, "%s", problem.text);
    BUF_AUTO text;
    buf_init(&text, sizeof out->text - 1 + FILE_SHA256_BYTES);
    buf_addf(&text, "%s; files %.*s", versions, known ? 8 : 9,
             known ? files.same : "not known");
    if (text.no_memory)
        return err_set(err, ERR_HOST, "out of memory for the compilers' versions");
    if (text.failed || text.len >= sizeof out->text)
        return err_set(err, ERR_LIMIT, "the compilers' versions are longer than %d bytes",
                       BUILD_TOOLCHAIN_BYTES - FILES_BYTES);
    *out = (struct toolchain){.key = ""};
    memcpy(out->text, text.data, text.len + 1);
    buf_adds(&text, files.exact);
    if (known)
        file_sha256(text.data, text.len, out->key);
    return 0;
}

static int look_at_toolchain(const struct device_compiler *compiler, struct toolchain *out,
                             struct err *err)
{
    char versions[BUILD_TOOLCHAIN_BYTES];
    struct sandbox_roots roots;
    sandbox_build_roots(&roots);
    if (ask_versions(compiler, versions, err) != 0)
        return -1;
    return toolchain_of(versions, roots.paths, TOOLCHAIN_FILES, out, err);
}

/* Where what was asked for this compiler is kept: one place for each row of the table, and the
 * last for devices whose builds need no compiler of their own. */
static size_t place_of(const struct device_compiler *compiler)
{
    size_t i = 0;
    while (i < DEVICE_KINDS && (compiler == NULL || device_kind_at(i)->compiler != compiler))
        i++;
    return i;
}

int toolchain_now(const char *device, struct toolchain *out, struct err *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct asked {
        bool known;
        unsigned long long stamp;
        struct toolchain toolchain;
    } all[DEVICE_KINDS + 1];

    const struct device_kind *kind = device_kind_of(device);
    const struct device_compiler *compiler = kind == NULL ? NULL : kind->compiler;
    struct asked *asked = &all[place_of(compiler)];
    unsigned long long stamp = install_stamp();
    struct toolchain found;
    int rc = 0;
    pthread_mutex_lock(&lock);
    if (!asked->known || asked->stamp != stamp) {
        rc = look_at_toolchain(compiler, &found, err);
        if (rc == 0)
            *asked = (struct asked){true, stamp, found};
    } else {
        found = asked->toolchain;
    }
    pthread_mutex_unlock(&lock);
    if (rc == 0)
        *out = found;
    return rc;
}

int build_toolchain(const char *device, char *text, size_t size, struct err *err)
{
    struct toolchain toolchain;
    if (toolchain_now(device, &toolchain, err) != 0)
        return -1;
    if (strlen(toolchain.text) >= size)
        return err_set(err, ERR_LIMIT, "the compilers' versions do not fit in %zu bytes",
                       size);
    memcpy(text, toolchain.text, strlen(toolchain.text) + 1);
    return 0;
}
