/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what a study is asked, its folder, and the list of its steps. */
#include "lab/study_internal.h"

#include "base/utc.h"
#include "intake/host.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int study_path(const struct study_making *making, char out[FILE_PATH_BYTES], struct err *err,
               const char *format, ...)
{
    char name[512];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    return file_path(out, err, "%s/%s", making->study->path, name);
}

int study_save(struct study_making *making, struct err *err)
{
    char path[FILE_PATH_BYTES];
    BUF_AUTO text;
    buf_init(&text, 8 << 20);
    if (making->again)
        return 0;
    return study_format(making->study, &text, err) != 0 ||
                   study_path(making, path, err, STUDY_FILE) != 0
               ? -1
               : file_write(path, text.data, text.len, 0644, err);
}

/* ---- candidates ---- */

static int by_name(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* "02-tiles": the place in the order, and what of the file's name can be a folder's. */
static void name_step(const char *file, size_t place, char out[MODEL_NAME_BYTES])
{
    size_t used = (size_t)snprintf(out, MODEL_NAME_BYTES, "%02zu-", place);
    size_t len = strlen(file) - strlen(".patch");
    for (size_t i = 0; i < len && used < 40; i++) {
        char c = file[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        out[used++] = ok || c == '_' || c == '-' || c == '.' ? c : '_';
    }
    out[used] = '\0';
}

static int read_patch(struct study_making *making, const char *file, struct err *err)
{
    char path[FILE_PATH_BYTES];
    struct study_patch *patch = &making->patches[making->patch_count];
    buf_init(&patch->text, STUDY_PATCH_BYTES);
    making->patch_count++;
    name_step(file, making->patch_count + making->tunes, patch->name);
    if (file_path(path, err, "%s/%s", making->options->candidates, file) == 0 &&
        file_read(path, &patch->text, err) == 0)
        return 0;
    err->class = err->class == ERR_HOST ? ERR_HOST : ERR_INPUT;
    return err_wrap(err, "--candidates");
}

static bool is_patch(const char *name)
{
    size_t len = strlen(name), end = strlen(".patch");
    return len > end && name[0] != '.' && strcmp(name + len - end, ".patch") == 0;
}

/* Their names, in order. */
static int list_patches(const char *folder, char *names[STUDY_PATCHES_MAX], size_t *count,
                        struct err *err)
{
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return err_errno(err, ERR_INPUT, errno, "--candidates: open `%s`", folder);
    int result = 0;
    for (struct dirent *entry; result == 0 && (entry = readdir(dir)) != NULL;) {
        if (!is_patch(entry->d_name))
            continue;
        if (*count == STUDY_PATCHES_MAX)
            result = err_set(err, ERR_INPUT, "--candidates: more than %d patches in `%s`",
                             STUDY_PATCHES_MAX, folder);
        else if ((names[*count] = strdup(entry->d_name)) == NULL)
            result = err_set(err, ERR_HOST, "out of memory for candidates");
        else
            ++*count;
    }
    closedir(dir);
    if (result == 0 && *count == 0)
        return err_set(err, ERR_INPUT, "--candidates: no *.patch in `%s`", folder);
    qsort(names, *count, sizeof *names, by_name);
    return result;
}

static int read_patches(struct study_making *making, struct err *err)
{
    char *names[STUDY_PATCHES_MAX];
    size_t count = 0;
    if (making->options->candidates == NULL)
        return 0;
    int result = list_patches(making->options->candidates, names, &count, err);
    for (size_t i = 0; i < count; i++) {
        if (result == 0)
            result = read_patch(making, names[i], err);
        free(names[i]);
    }
    return result;
}

/* ---- what is asked ---- */

static int add_file_hash(struct buf *text, const char *path, struct err *err)
{
    char hash[FILE_SHA256_BYTES];
    if (file_sha256_path(path, hash, err) != 0) {
        err->class = ERR_INPUT;
        return err_wrap(err, "--arms");
    }
    buf_addf(text, "arms %s\n", hash);
    return 0;
}

/* Everything that changes what is measured; the budget too, since it bounds how often. */
static int hash_asked(const struct study_making *making, struct study_asked *asked,
                      struct err *err)
{
    const struct study_options *options = making->options;
    BUF_AUTO text;
    buf_init(&text, 1 << 20);
    buf_addf(&text, "%s %s %g %g\n", asked->device, asked->commit, asked->target_speedup,
             asked->budget_s);
    for (size_t i = 0; i < STUDY_ARMS_MAX && options->arms[i] != NULL; i++)
        if (add_file_hash(&text, options->arms[i], err) != 0)
            return -1;
    for (size_t i = 0; i < STUDY_SHAPE_WORDS_MAX && options->shapes[i] != NULL; i++)
        buf_addf(&text, "shapes %s\n", options->shapes[i]);
    for (size_t i = 0; i < making->patch_count; i++) {
        char hash[FILE_SHA256_BYTES];
        file_sha256(making->patches[i].text.data, making->patches[i].text.len, hash);
        buf_addf(&text, "patch %s %s\n", making->patches[i].name, hash);
    }
    if (buf_check(&text, "what a study is asked", err) != 0)
        return -1;
    file_sha256(text.data, text.len, asked->hash);
    return 0;
}

/* ---- what the first kernel's commit says ---- */

static int read_config(struct study_making *making, struct err *err)
{
    const struct study_asked *asked = &making->study->asked;
    const struct limits *limits = &making->host->limits;
    BUF_AUTO text;
    buf_init(&text, limits->config_bytes);
    if (git_read_file(making->repo, asked->commit, "ci/ratchet.conf", &text, err) != 0) {
        err->class = err->class == ERR_HOST ? ERR_HOST : ERR_INPUT;
        return err_wrap(err, "ci/ratchet.conf at %.10s", asked->commit);
    }
    return config_parse(text.data, text.len, "ci/ratchet.conf", asked->device, limits,
                        &making->config, err);
}

static int keep_config(struct study_making *making, struct err *err)
{
    char path[FILE_PATH_BYTES];
    BUF_AUTO text;
    buf_init(&text, making->host->limits.config_bytes);
    return git_read_file(making->repo, making->study->asked.commit, "ci/ratchet.conf", &text,
                         err) != 0 ||
                   study_path(making, path, err, "ratchet.conf") != 0
               ? -1
               : file_write(path, text.data, text.len, 0644, err);
}

/* ---- steps ---- */

static int add_step(struct study *study, enum study_phase phase, const char *name,
                    struct err *err)
{
    if (study->step_count == STUDY_STEPS_MAX)
        return err_set(err, ERR_INPUT, "more than %d steps", STUDY_STEPS_MAX);
    struct study_step *step = &study->steps[study->step_count++];
    *step = (struct study_step){.phase = phase};
    snprintf(step->name, sizeof step->name, "%s", name);
    return 0;
}

static int list_steps(struct study_making *making, struct err *err)
{
    struct study *study = making->study;
    static const enum study_phase front[] = {STUDY_ENVIRONMENT, STUDY_BENCHMARK,
                                             STUDY_BACKENDS, STUDY_SHAPES};
    for (size_t i = 0; i < sizeof front / sizeof *front; i++)
        if (add_step(study, front[i], study_phase_name(front[i]), err) != 0)
            return -1;
    if (making->tunes && add_step(study, STUDY_OPTIMISE, "01-autotune", err) != 0)
        return -1;
    for (size_t i = 0; i < making->patch_count; i++)
        if (add_step(study, STUDY_OPTIMISE, making->patches[i].name, err) != 0)
            return -1;
    return add_step(study, STUDY_END, "end", err) != 0 ||
                   add_step(study, STUDY_REPORT, "report", err) != 0
               ? -1
               : 0;
}

/* Seconds that processes of one config take at least: samples of the target length in each arm, and a start
 * with its verification. */
static double processes_s(const struct study_making *making, double arms, double count)
{
    static const double start_s = 1.0;
    double each = (double)making->config.bench.samples * making->config.bench.target_ns / 1e9;
    return count * (double)making->config.config_count * (arms * each * 1.5 + start_s);
}

/* Before anything is measured: the replicates that each step takes at most, by the config's own numbers. Builds
 * are not in it, nor autotune, which takes what it is given. */
static double estimate(const struct study_making *making)
{
    const struct rule *rule = &making->config.rule;
    double arms = 1;
    for (size_t i = 0; i < STUDY_ARMS_MAX && making->options->arms[i] != NULL; i++)
        arms += 2;
    double sum = processes_s(making, 1, 6) + processes_s(making, arms, 6) +
                 processes_s(making, arms, 12) +
                 (double)making->study->asked.proposals * processes_s(making, 2, 6) +
                 processes_s(making, 4, rule->looks[rule->look_count - 1]);
    return sum < making->study->asked.budget_s ? sum : making->study->asked.budget_s;
}

/* ---- open and close ---- */

static int begin(struct study_making *making, struct err *err)
{
    struct study *study = making->study;
    snprintf(study->version, sizeof study->version, "%s", RATCHET_VERSION);
    memcpy(study->best, study->asked.commit, sizeof study->best);
    utc_now(study->started);
    study->price = making->device->price;
    study->estimate_s = estimate(making);
    return list_steps(making, err) != 0 ? -1 : study_save(making, err);
}

/* 1: an earlier call of the same study was here. */
static int read_before(struct study_making *making, struct err *err)
{
    char path[FILE_PATH_BYTES];
    const struct study_asked asked = making->study->asked;
    struct study *study = making->study;
    struct err why = {0};
    BUF_AUTO text;
    buf_init(&text, 8 << 20);
    if (study_path(making, path, err, STUDY_FILE) != 0)
        return -1;
    if (file_read(path, &text, &why) != 0)
        return why.class == ERR_NOT_FOUND ? 0 : err_set(err, ERR_INPUT, "%s", why.text);
    char folder[FILE_PATH_BYTES];
    memcpy(folder, study->path, sizeof folder);
    int read = study_parse(text.data, text.len, path, study, err);
    memcpy(study->path, folder, sizeof folder);
    if (read != 0)
        return -1;
    if (strcmp(asked.hash, study->asked.hash) != 0)
        return err_set(err, ERR_INPUT,
                       "%s: another study (commit, device, budget, target, arms, shapes or "
                       "candidates): name another folder, or remove it",
                       path);
    return 1;
}

/* May it lie in a folder without STUDY_FILE? Where a study was killed before its first step. */
static bool is_beginning(const struct study_making *making, const char *name)
{
    static const char *const files[] = {".", "..", ".lock", "ratchet.conf"};
    static const char *const fronts[] = {"ratchet.conf.", STUDY_FILE "."}; /* half written */
    char work[FILE_PATH_BYTES], repo[FILE_PATH_BYTES];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (strcmp(name, files[i]) == 0)
            return true;
    for (size_t i = 0; i < sizeof fronts / sizeof *fronts; i++)
        if (strncmp(name, fronts[i], strlen(fronts[i])) == 0)
            return true;
    return strcmp(name, STUDY_WORK) == 0 && study_path(making, work, NULL, STUDY_WORK) == 0 &&
           study_path(making, repo, NULL, STUDY_REPO) == 0 &&
           (access(repo, F_OK) == 0 || rmdir(work) == 0);
}

/* A study overwrites and removes files by their names: it must find none of somebody else's. */
static int check_folder(const struct study_making *making, struct err *err)
{
    char path[FILE_PATH_BYTES];
    int result = 0;
    if (study_path(making, path, err, STUDY_FILE) != 0)
        return -1;
    if (access(path, F_OK) == 0)
        return 0;
    DIR *dir = opendir(making->study->path);
    if (dir == NULL)
        return err_errno(err, ERR_USAGE, errno, "--output: open `%s`", making->study->path);
    for (struct dirent *entry; result == 0 && (entry = readdir(dir)) != NULL;)
        if (!is_beginning(making, entry->d_name))
            result = err_set(
                err, ERR_USAGE,
                "--output: `%.512s` holds other files and no study: name an empty "
                "folder",
                making->options->folder);
    closedir(dir);
    return result;
}

static int open_folder(struct study_making *making, struct err *err)
{
    char path[FILE_PATH_BYTES];
    struct study *study = making->study;
    if (file_mkdirs(making->options->folder, 0755, err) != 0) {
        err->class = ERR_USAGE; /* a name on the command line */
        return err_wrap(err, "--output");
    }
    if (realpath(making->options->folder, study->path) == NULL)
        return err_errno(err, ERR_USAGE, errno, "--output: `%s`", making->options->folder);
    return study_path(making, path, err, ".lock") != 0 ||
                   file_lock(path, &making->lock, err) != 0
               ? -1
               : check_folder(making, err);
}

int study_drop_work(struct study_making *making, struct err *err)
{
    char path[FILE_PATH_BYTES];
    git_close(&making->repo);
    return study_path(making, path, err, STUDY_WORK) != 0 ? -1 : file_remove_tree(path, err);
}

/* Nothing of the folder is changed before it is known that it holds this study or none. */
static int open_study(struct study_making *making, struct err *err)
{
    struct study *study = making->study;
    if (study_fetch(making, err) != 0 || read_config(making, err) != 0)
        return -1;
    making->tunes = making->config.tune.parameter_count > 0;
    if (read_patches(making, err) != 0)
        return -1;
    study->asked.proposals = making->patch_count + making->tunes;
    if (hash_asked(making, &study->asked, err) != 0)
        return -1;
    int before = read_before(making, err);
    if (before < 0 || keep_config(making, err) != 0)
        return -1;
    return before == 0 ? begin(making, err) : study_replay(making, err);
}

int study_open(struct study_making *making, struct err *err)
{
    char work[FILE_PATH_BYTES];
    struct err ignored;
    struct study *study = making->study;
    const struct study_options *options = making->options;
    *study = (struct study){
        .asked = {.target_speedup = options->target_speedup, .budget_s = options->budget_s}};
    snprintf(study->asked.device, sizeof study->asked.device, "%s", options->device);
    snprintf(study->asked.commit, sizeof study->asked.commit, "%s", options->commit);
    making->lock = -1;
    if (open_folder(making, err) != 0 || study_path(making, work, err, STUDY_WORK) != 0)
        return -1;
    bool was_there = access(work, F_OK) == 0;
    int result = open_study(making, err);
    if (result != 0 && !was_there) {
        int dropped = study_drop_work(making, &ignored);
        (void)dropped; /* what went wrong first is what is told */
    }
    return result;
}

void study_close(struct study_making *making)
{
    char lock[FILE_PATH_BYTES];
    struct err err;
    for (size_t i = 0; i < making->patch_count; i++)
        buf_free(&making->patches[i].text);
    git_close(&making->repo);
    if (making->lock >= 0 && study_path(making, lock, &err, ".lock") == 0)
        unlink(lock);
    file_close(&making->lock);
}
