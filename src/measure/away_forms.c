/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the table of forms, and the comparison of what is asked for with it, word by word. */
#include "measure/away_forms.h"

#include "measure/build_internal.h"
#include "measure/disassemble.h"
#include "measure/profile.h"
#include "measure/sandbox_internal.h"
#include "measure/session.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Words that stand for others, told by their addresses: of the recipe, and of a row of device.c. */
static const char text[] = "(text)", version[] = "(version)", tool[] = "(tool)",
                  options[] = "(options)", harness[] = "(harness)";

static const struct form {
    const char *name;
    enum sandbox_kind kind;
    const char *words[8];
    const char *variables[3]; /* names; their values are plain */
    const char *place;        /* of the one folder or file that it is given; NULL: nothing */
    mode_t type;
    const char *cwd; /* NULL: "/" */
    bool checks_out; /* ratchet-checkout is there */
} forms[] = {
    {.name = "probe", .words = {"/bin/sh", "-c", sandbox_probe_script}, .cwd = "/"},
    {.name = "toolchain", .words = {"/bin/sh", "-c", toolchain_script, "toolchain", version}},
    {.name = "build",
     .words = {"/bin/sh", "-c", build_script, "build", text, text},
     .variables = {"RATCHET_DEVICE=", "RATCHET_ARCH="},
     .cwd = "/src",
     .checks_out = true},
    {.name = "disassemble",
     .words = {"/bin/sh", "-c", disassemble_script, "disassemble", tool, options},
     .place = DISASSEMBLE_LIBRARY,
     .type = S_IFREG},
    {.name = "bench",
     .kind = SANDBOX_BENCH,
     .words = {"/bench/" SESSION_PROGRAM, harness},
     .place = "/bench",
     .type = S_IFDIR,
     .cwd = "/bench"},
};

static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool is_plain(const char *value)
{
    return value[strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "0123456789_.,-")] == '\0';
}

/* ---- words ---- */

static const char *of_row(const struct device_kind *kind, const char *word)
{
    if (word == version)
        return kind->compiler == NULL ? "" : kind->compiler->version;
    if (word == harness)
        return kind->harness;
    if (kind->disassembler == NULL)
        return NULL;
    return word == tool ? kind->disassembler->name : kind->disassembler->options;
}

static bool fits(const char *word, const char *form, const struct device_kind *kind)
{
    if (form == text)
        return true;
    if (form != version && form != tool && form != options && form != harness)
        return same(word, form);
    for (size_t i = 0; i < DEVICE_KINDS; i++)
        if ((kind == NULL || kind == device_kind_at(i)) &&
            same(word, of_row(device_kind_at(i), form)))
            return true;
    return false;
}

static bool has_words(const struct sandbox *sandbox, const char *const *words)
{
    const char *const *argv = sandbox->argv;
    for (; *words != NULL && *argv != NULL; words++, argv++)
        if (!fits(*argv, *words, sandbox->device))
            return false;
    return *words == *argv; /* both have ended */
}

/* ---- variables ---- */

static bool is_one_of(const char *variable, const char *const *list)
{
    for (; *list != NULL; list++)
        if (strcmp(variable, *list) == 0)
            return true;
    return false;
}

static bool is_named(const char *variable, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strncmp(variable, *names, strlen(*names)) == 0)
            return is_plain(variable + strlen(*names));
    return false;
}

/* Those of the form, of `more`, and of the device. */
static bool has_variables(const struct sandbox *sandbox, const char *const *names,
                          const char *const *more)
{
    struct device_variables variables = {.list = {NULL}};
    if (sandbox->gpu != NULL && !is_plain(sandbox->gpu->uuid))
        return false;
    if (sandbox->device != NULL)
        sandbox->device->set_variables(sandbox->gpu, &variables);
    for (const char *const *at = sandbox->env; *at != NULL; at++)
        if (!is_named(*at, names) && !is_one_of(*at, more) && !is_one_of(*at, variables.list))
            return false;
    return true;
}

/* ---- folders and files ---- */

/* Its name below the state folder; NULL: it is not something in work/. */
static const char *below(const char *path, const char *state)
{
    static const char work[] = "/work/";
    size_t len = strlen(state);
    if (strncmp(path, state, len) != 0 || strncmp(path + len, work, strlen(work)) != 0)
        return NULL;
    for (const char *part = path + len; *part != '\0'; part += 1 + strcspn(part + 1, "/"))
        if (part[1] == '\0' || part[1] == '/' || strncmp(part, "/./", 3) == 0 ||
            strcmp(part, "/.") == 0 || strncmp(part, "/../", 4) == 0 ||
            strcmp(part, "/..") == 0)
            return NULL;
    return path + len + 1;
}

/* The state folder's own path may have links: who started us chose it. */
static int look(const char *path, const char *state, mode_t type, struct sandbox_bind *bind,
                struct err *err)
{
    struct stat info;
    const char *name = below(path, state);
    const struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                                 .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    if (name == NULL)
        return err_set(err, ERR_INPUT, "`%s` is not below `%s/work`", path, state);
    FD_AUTO folder = open(state, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return err_errno(err, ERR_INPUT, errno, "`%s`", state);
    FD_AUTO fd = (int)syscall(SYS_openat2, folder, name, &how, sizeof how);
    if (fd < 0 || fstat(fd, &info) != 0)
        return err_errno(err, ERR_INPUT, errno, "`%s`", path);
    if ((info.st_mode & S_IFMT) != type)
        return err_set(err, ERR_INPUT, "`%s` is no %s", path,
                       type == S_IFDIR ? "folder" : "file");
    bind->known = true;
    bind->device = info.st_dev;
    bind->inode = info.st_ino;
    return 0;
}

/* ---- forms ---- */

/* The program and its folder are where ratchet-run itself finds them. */
static bool is_profile(const struct sandbox *sandbox, const struct away_bounds *bounds)
{
    static const char *const variables[] = {PROFILE_VARIABLES, NULL}, *const none[] = {NULL};
    static const char beyond[] = "--metrics";
    const struct device_kind *kind = sandbox->device;
    const char *words[PROFILE_WORDS_MAX], *metrics = NULL;
    struct sandbox_bind binds[PROFILE_BINDS_MAX];
    struct profiler profiler;
    if (kind == NULL || kind->profilers == NULL || sandbox->bind_count == 0 ||
        profiler_find(bounds->profiler, kind, &profiler, NULL) != 0)
        return false;
    for (size_t i = 0; sandbox->argv[i] != NULL; i++)
        if (strcmp(sandbox->argv[i], beyond) == 0)
            metrics = sandbox->argv[i + 1];
    if (metrics == NULL || metrics[0] < 'a' || metrics[0] > 'z' || !is_plain(metrics))
        return false;
    profile_words(profiler.program, metrics, kind, words);
    size_t count = profile_binds(sandbox->binds[0].from, &profiler, binds);
    bool fine = has_words(sandbox, words) && has_variables(sandbox, none, variables) &&
                same(sandbox->cwd, "/bench") && sandbox->bind_count == count;
    for (size_t i = 0; fine && i < count; i++)
        fine = same(sandbox->binds[i].from, binds[i].from) &&
               same(sandbox->binds[i].to, binds[i].to);
    return fine;
}

static bool is_form(const struct sandbox *sandbox, const struct form *form)
{
    static const char *const none[] = {NULL};
    size_t binds = form->place == NULL ? 0 : 1;
    return sandbox->kind == form->kind &&
           (form->kind == SANDBOX_BENCH) == (sandbox->device != NULL) &&
           has_words(sandbox, form->words) && has_variables(sandbox, form->variables, none) &&
           same(sandbox->cwd, form->cwd) && sandbox->bind_count == binds &&
           (binds == 0 || same(sandbox->binds[0].to, form->place));
}

int away_check(const struct sandbox *sandbox, const struct away_bounds *bounds,
               struct sandbox_bind *binds, size_t *count, struct err *err)
{
    mode_t type = 0;
    bool checks_out = false;
    const struct device_kind *kind = sandbox->device;
    bool found = false;
    if ((sandbox->gpu != NULL) != (kind != NULL && kind->find != NULL))
        return err_set(err, ERR_INPUT, "a kind of GPU takes one, and nothing else does");
    for (size_t i = 0; i < sizeof forms / sizeof *forms && !found; i++) {
        found = is_form(sandbox, &forms[i]);
        type = forms[i].type;
        checks_out = forms[i].checks_out;
    }
    if (!found && sandbox->kind == SANDBOX_BENCH) {
        found = is_profile(sandbox, bounds);
        type = S_IFDIR;
    }
    if (!found)
        return err_set(err, ERR_INPUT, "what is asked for has none of our forms");
    if (sandbox->bind_count > 0 &&
        look(binds[0].from, bounds->state, type, &binds[0], err) != 0)
        return -1;
    *count = sandbox->bind_count;
    if (checks_out)
        binds[(*count)++] = (struct sandbox_bind){.from = bounds->checkout,
                                                  .to = BUILD_CHECKOUT};
    return 0;
}
