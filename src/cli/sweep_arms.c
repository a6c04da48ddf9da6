/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what may be an arm of a sweep, and how a file names them. */
#include "cli/sweep_arms.h"

#include "cli/cli.h"
#include "intake/keys.h"
#include "measure/code.h"
#include "wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- one library ---- */

/* Keys that a replicate of samples.json has already. */
static bool is_reserved(const char *name)
{
    for (int arm = 0; arm < ARM_OTHER; arm++)
        if (strcmp(name, arm_name((enum arm)arm)) == 0)
            return true;
    return strcmp(name, "marks") == 0 || strcmp(name, "provoked") == 0 ||
           strcmp(name, "clock") == 0;
}

static int check_name(const struct sweep_arms *arms, const char *name, struct err *err)
{
    if (is_reserved(name))
        return err_set(err, ERR_USAGE,
                       "`%s` is no name for an arm: samples.json has its own use for it",
                       name);
    for (size_t i = 0; i < arms->count; i++)
        if (strcmp(arms->list[i].name, name) == 0)
            return err_set(err, ERR_USAGE, "two arms with the name `%s`", name);
    for (size_t i = 0; i < arms->absent_count; i++)
        if (strcmp(arms->absent[i].name, name) == 0)
            return err_set(err, ERR_USAGE, "two arms with the name `%s`", name);
    return 0;
}

/* What a library exports is read from its file, before anything of it runs. */
static int read_library(const char *path, const struct limits *limits, struct arm_library *arm,
                        struct err *err)
{
    struct stat st;
    if (realpath(path, arm->library) == NULL || stat(arm->library, &st) != 0)
        return err_errno(err, ERR_USAGE, errno, "`%s`", path);
    if (!S_ISREG(st.st_mode) || (unsigned long long)st.st_size > limits->kernel_bytes)
        return err_set(err, ERR_INPUT, "`%s`: expected a file of at most %llu bytes", path,
                       limits->kernel_bytes);
    arm->info.present = true;
    return code_check_exports(arm->library, WIRE_KERNEL_SYMBOL, err) != 0 ||
                   code_hash(arm->library, arm->info.code, err) != 0
               ? -1
               : 0;
}

static int add_library(struct sweep_arms *arms, const char *name, const char *path,
                       const char *version, const struct limits *limits, struct err *err)
{
    if (check_name(arms, name, err) != 0)
        return -1;
    if (arms->count == SWEEP_ARMS_MAX)
        return err_set(err, ERR_USAGE, "more than %d arms", SWEEP_ARMS_MAX);
    struct arm_library *arm = &arms->list[arms->count];
    snprintf(arm->name, sizeof arm->name, "%s", name);
    snprintf(arm->version, sizeof arm->version, "%s", version);
    if (read_library(path, limits, arm, err) != 0)
        return err_wrap(err, "%s", arm->name);
    if (arms->count > 0)
        memcpy(arms->others[arms->count - 1], arm->name, sizeof arm->name);
    arms->count++;
    return 0;
}

int sweep_arms_add(struct sweep_arms *arms, const char *text, const struct limits *limits,
                   struct err *err)
{
    char name[MODEL_NAME_BYTES] = "";
    size_t len = strcspn(text, "=");
    if (text[len] == '=' && len < sizeof name)
        memcpy(name, text, len);
    if (!model_name_ok(name))
        return err_set(err, ERR_USAGE,
                       "expected NAME=LIBRARY, NAME of up to %d letters, digits and `_-.`,"
                       " not `%.80s`",
                       MODEL_NAME_BYTES - 1, text);
    return add_library(arms, name, text + len + 1, "", limits, err);
}

/* ---- ceilings and folders ---- */

static int add_ceiling(struct sweep_arms *arms, const char *kind, const char *path,
                       const struct limits *limits, struct err *err)
{
    struct arm_library *ceiling = strcmp(kind, "copy") == 0     ? &arms->copy
                                  : strcmp(kind, "matrix") == 0 ? &arms->matrix
                                                                : NULL;
    if (ceiling == NULL)
        return err_set(err, ERR_USAGE, "a ceiling is copy or matrix, not `%.40s`", kind);
    if (ceiling->name[0] != '\0')
        return err_set(err, ERR_USAGE, "two libraries for the ceiling `%s`", kind);
    if (read_library(path, limits, ceiling, err) != 0)
        return err_wrap(err, "ceiling %s", kind);
    snprintf(ceiling->name, sizeof ceiling->name, "%s", kind);
    return 0;
}

int sweep_arms_add_ceiling(struct sweep_arms *arms, const char *text,
                           const struct limits *limits, struct err *err)
{
    char kind[16] = "";
    size_t len = strcspn(text, "=");
    if (text[len] == '\0' || len >= sizeof kind)
        return err_set(err, ERR_USAGE,
                       "--ceiling: expected copy=LIBRARY or matrix=LIBRARY, not `%.80s`",
                       text);
    memcpy(kind, text, len);
    return add_ceiling(arms, kind, text + len + 1, limits, err);
}

int sweep_arms_expose(struct sweep_arms *arms, const char *folder, const char *state,
                      struct err *err)
{
    size_t i = arms->expose_count;
    if (i == SANDBOX_EXPOSED_MAX)
        return err_set(err, ERR_USAGE, "too many of `--expose`");
    if (file_path(arms->expose_as[i], err, "%s", folder) != 0 ||
        sandbox_expose(arms->expose_as[i], arms->exposed[i], &arms->expose[i], err) != 0)
        return err_wrap(err, "--expose");
    if (file_is_at_or_below(state, arms->exposed[i]))
        return err_set(err, ERR_INPUT, "--expose: `%s` holds this host's state", folder);
    arms->expose_count++;
    return 0;
}

/* ---- a file ---- */

struct file_arm {
    char name[MODEL_NAME_BYTES];
    char library[PATH_MAX], version[ARMS_TEXT_BYTES], absent[ARMS_TEXT_BYTES];
    keys_seen seen;
};

/* What is in it, before any of it is looked at. */
struct file {
    struct file_arm arms[SWEEP_ARMS_MAX + ARMS_ABSENT_MAX];
    size_t count;
    char copy[PATH_MAX], matrix[PATH_MAX];
    char expose[SANDBOX_EXPOSED_MAX][FILE_PATH_BYTES];
    size_t expose_count;
    keys_seen seen_ceiling, seen_sandbox;
    const char *path;
};

static int read_folder(void *target, const struct key *key, const char *value,
                       const char *where, struct err *err)
{
    struct file *file = target;
    (void)key;
    if (file->expose_count == SANDBOX_EXPOSED_MAX || strlen(value) >= sizeof file->expose[0])
        return err_set(err, ERR_INPUT, "%s: too many folders, or too long a name", where);
    snprintf(file->expose[file->expose_count++], sizeof file->expose[0], "%s", value);
    return 0;
}

static const struct key_type folder = {"folder", read_folder, NULL, NULL};

enum { SECTION_ARM, SECTION_CEILING, SECTION_SANDBOX };
static const struct keys_section sections[] = {
    {"arm", "name"}, {"ceiling", NULL}, {"sandbox", NULL}};

#define FIELD(type, field) .offset = offsetof(type, field), .size = sizeof((type *)0)->field
static const struct key keys[] = {{.section = SECTION_ARM,
                                   .name = "library",
                                   .type = &key_text,
                                   FIELD(struct file_arm, library),
                                   .help = "the library"},
                                  {.section = SECTION_ARM,
                                   .name = "version",
                                   .type = &key_text,
                                   FIELD(struct file_arm, version),
                                   .help = "what it was built from"},
                                  {.section = SECTION_ARM,
                                   .name = "absent",
                                   .type = &key_text,
                                   FIELD(struct file_arm, absent),
                                   .help = "why there is none"},
                                  {.section = SECTION_CEILING,
                                   .name = "copy",
                                   .type = &key_text,
                                   FIELD(struct file, copy),
                                   .help = "a library that copies"},
                                  {.section = SECTION_CEILING,
                                   .name = "matrix",
                                   .type = &key_text,
                                   FIELD(struct file, matrix),
                                   .help = "a library that multiplies"},
                                  {.section = SECTION_SANDBOX,
                                   .name = "expose",
                                   .type = &folder,
                                   .repeat = true,
                                   .help = "a folder that libraries need"}};
#undef FIELD

static const struct keys_table table = {sections, sizeof sections / sizeof *sections, keys,
                                        sizeof keys / sizeof *keys};

static int open_section(void *context, unsigned section, const char *subsection,
                        struct keys_target *out, struct err *err)
{
    struct file *file = context;
    size_t i = 0;
    if (section != SECTION_ARM) {
        *out = (struct keys_target){file, section == SECTION_CEILING ? &file->seen_ceiling
                                                                     : &file->seen_sandbox};
        return 0;
    }
    while (i < file->count && strcmp(file->arms[i].name, subsection) != 0)
        i++;
    if (i == sizeof file->arms / sizeof *file->arms)
        return err_set(err, ERR_INPUT, "%s: more than %zu arms", file->path, i);
    if (!model_name_ok(subsection))
        return err_set(err, ERR_INPUT, "%s: `%.80s` is no name for an arm", file->path,
                       subsection);
    if (i == file->count)
        snprintf(file->arms[file->count++].name, MODEL_NAME_BYTES, "%s", subsection);
    *out = (struct keys_target){&file->arms[i], &file->arms[i].seen};
    return 0;
}

static int add_absent(struct sweep_arms *arms, const struct file_arm *from, struct err *err)
{
    if (check_name(arms, from->name, err) != 0)
        return -1;
    if (arms->absent_count == ARMS_ABSENT_MAX)
        return err_set(err, ERR_USAGE, "more than %d arms that are absent", ARMS_ABSENT_MAX);
    struct arm_absent *absent = &arms->absent[arms->absent_count++];
    memcpy(absent->name, from->name, sizeof absent->name);
    memcpy(absent->why, from->absent, sizeof absent->why);
    return 0;
}

static int take(struct sweep_arms *arms, const struct file *file, const char *state,
                const struct limits *limits, struct err *err)
{
    for (size_t i = 0; i < file->count; i++) {
        const struct file_arm *arm = &file->arms[i];
        if ((arm->library[0] == '\0') == (arm->absent[0] == '\0'))
            return err_set(err, ERR_INPUT, "[arm \"%s\"]: expected `library` or `absent`",
                           arm->name);
        int rc = arm->absent[0] != '\0'
                     ? add_absent(arms, arm, err)
                     : add_library(arms, arm->name, arm->library, arm->version, limits, err);
        if (rc != 0)
            return -1;
    }
    for (size_t i = 0; i < file->expose_count; i++)
        if (sweep_arms_expose(arms, file->expose[i], state, err) != 0)
            return -1;
    return (file->copy[0] != '\0' &&
            add_ceiling(arms, "copy", file->copy, limits, err) != 0) ||
                   (file->matrix[0] != '\0' &&
                    add_ceiling(arms, "matrix", file->matrix, limits, err) != 0)
               ? -1
               : 0;
}

int sweep_arms_read(struct sweep_arms *arms, const char *path, const char *state,
                    const struct limits *limits, struct err *err)
{
    struct file *file = calloc(1, sizeof *file);
    BUF_AUTO text;
    buf_init(&text, limits->config_bytes);
    if (file == NULL)
        return err_set(err, ERR_HOST, "out of memory for a file of arms");
    file->path = path;
    int rc = cli_read(path, &text, err) != 0 ||
                     keys_read(&table, text.data, text.len, path, open_section, file, err) != 0
                 ? -1
                 : 0;
    if (rc == 0 && take(arms, file, state, limits, err) != 0)
        rc = err_wrap(err, "%s", path);
    free(file);
    return rc;
}

/* ---- facts ---- */

int sweep_arms_facts(const struct sweep_arms *arms, struct environment *environment,
                     struct err *err)
{
    char key[MODEL_NAME_BYTES + 16];
    int failed = environment_set(environment, SWEEP_FACT_FIRST, arms->list[0].name);
    for (size_t i = 0; i < arms->count; i++) {
        snprintf(key, sizeof key, "%s%s", SWEEP_FACT_VERSION, arms->list[i].name);
        if (arms->list[i].version[0] != '\0')
            failed |= environment_set(environment, key, arms->list[i].version);
    }
    for (size_t i = 0; i < arms->absent_count; i++) {
        snprintf(key, sizeof key, "%s%s", SWEEP_FACT_ABSENT, arms->absent[i].name);
        failed |= environment_set(environment, key, arms->absent[i].why);
    }
    return failed == 0 ? 0 : err_set(err, ERR_HOST, "out of memory for the environment");
}
