/* SPDX-License-Identifier: Apache-2.0 */
/* Owns ratchetd.conf: the file, its sections, and the token files it names. Speaks to nobody. */
#include "intake/host.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/name.h"
#include "intake/host_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

struct parse {
    const char *name;
    struct host out;
    keys_seen seen[HOST_SECTIONS]; /* of those without subsections */
    keys_seen device_seen[HOST_DEVICES_MAX];
    keys_seen repository_seen[HOST_REPOSITORIES_MAX];
};

/* ---- sections ---- */

static int open_device(struct parse *parse, const char *slug, struct keys_target *out,
                       struct err *err)
{
    struct host *host = &parse->out;
    size_t i = 0;
    while (i < host->device_count && strcmp(host->devices[i].slug, slug) != 0)
        i++;
    if (i == HOST_DEVICES_MAX)
        return err_set(err, ERR_INPUT, "%s: more than %d devices", parse->name,
                       HOST_DEVICES_MAX);
    if (i == host->device_count) {
        if (!device_slug_ok(slug))
            return err_set(err, ERR_INPUT,
                           "%s: [device \"%.60s\"]: expected cpu, or a GPU's name in small "
                           "letters, such as nvidia-l4",
                           parse->name, slug);
        host->devices[i] = (struct host_device){0};
        memcpy(host->devices[i].slug, slug, strlen(slug) + 1);
        host->device_count++;
    }
    *out = (struct keys_target){&host->devices[i], &parse->device_seen[i]};
    return 0;
}

static int open_repository(struct parse *parse, const char *name, struct keys_target *out,
                           struct err *err)
{
    struct host *host = &parse->out;
    size_t i = 0;
    while (i < host->repository_count && strcasecmp(host->repositories[i].name, name) != 0)
        i++;
    if (i == HOST_REPOSITORIES_MAX)
        return err_set(err, ERR_INPUT, "%s: more than %d repositories", parse->name,
                       HOST_REPOSITORIES_MAX);
    if (i == host->repository_count) {
        if (!name_is_repository(name, JOB_REPOSITORY_BYTES))
            return err_set(err, ERR_INPUT, "%s: [repository \"%.60s\"]: expected owner/name",
                           parse->name, name);
        host->repositories[i] = (struct host_repository){0};
        memcpy(host->repositories[i].name, name, strlen(name) + 1);
        host->repository_count++;
    }
    *out = (struct keys_target){&host->repositories[i], &parse->repository_seen[i]};
    return 0;
}

static int open_section(void *context, unsigned section, const char *subsection,
                        struct keys_target *out, struct err *err)
{
    struct parse *parse = context;
    if (section == HOST_DEVICE)
        return open_device(parse, subsection, out, err);
    if (section == HOST_REPOSITORY)
        return open_repository(parse, subsection, out, err);
    *out = (struct keys_target){section == HOST_LIMITS ? (void *)&parse->out.limits
                                                       : (void *)&parse->out,
                                &parse->seen[section]};
    return 0;
}

/* ---- checks and defaults of the whole ---- */

/* Each credential has the keys that it needs, and no other's. */
static int check_credential(const struct parse *parse,
                            const struct host_repository *repository, struct err *err)
{
    const struct {
        const char *key, *value, *word;
        enum host_credential of;
    } needs[] = {{"token-file", repository->token_file, "host", CREDENTIAL_HOST},
                 {"app", repository->app, "app", CREDENTIAL_APP},
                 {"app-key", repository->app_key, "app", CREDENTIAL_APP}};
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
        bool there = needs[i].value[0] != '\0', needed = repository->credential == needs[i].of;
        if (needed && !there)
            return err_set(err, ERR_INPUT,
                           "%s: repository.%s.%s: missing, and `token = %s` needs it",
                           parse->name, repository->name, needs[i].key, needs[i].word);
        if (there && !needed)
            return err_set(err, ERR_INPUT,
                           "%s: repository.%s.%s: is of no use without `token = %s`",
                           parse->name, repository->name, needs[i].key, needs[i].word);
    }
    return 0;
}

static int finish_repository(const struct parse *parse, struct host_repository *repository,
                             keys_seen seen, struct err *err)
{
    const char *name = repository->name;
    if (keys_require(&host_keys, HOST_REPOSITORY, name, seen, parse->name, err) != 0 ||
        keys_initial(&host_keys, HOST_REPOSITORY, repository, seen, err) != 0)
        return -1;
    if (check_credential(parse, repository, err) != 0)
        return -1;
    if (repository->web[0] == '\0' && strncmp(repository->git, "http", 4) == 0) {
        size_t len = strlen(repository->git);
        memcpy(repository->web, repository->git, len + 1);
        if (len > 4 && strcmp(repository->git + len - 4, ".git") == 0)
            repository->web[len - 4] = '\0';
    }
    return 0;
}

/* A job's token comes with a job, and here none does until GitHub was asked. */
static int check_watch(const struct parse *parse, const struct host_repository *repository,
                       struct err *err)
{
    if (repository->watch && repository->credential == CREDENTIAL_JOB)
        return err_set(err, ERR_INPUT,
                       "%s: repository.%s.watch: needs `token = host` or `token = app`: a "
                       "job's token comes with a job",
                       parse->name, repository->name);
    if (!repository->watch && repository->watch_device_count > 0)
        return err_set(err, ERR_INPUT,
                       "%s: repository.%s.watch-device: is of no use without `watch = true`",
                       parse->name, repository->name);
    for (size_t i = 0; i < repository->watch_device_count; i++)
        if (host_find_device(&parse->out, repository->watch_devices[i]) == NULL)
            return err_set(
                err, ERR_INPUT,
                "%s: repository.%s.watch-device: this host has no `[device \"%s\"]`",
                parse->name, repository->name, repository->watch_devices[i]);
    return 0;
}

/* Who the sandboxed children are. Without root there is no choice. */
static int find_sandbox_user(struct host *host, const char *name, struct err *err)
{
    host->sandbox_uid = (uid_t)-1;
    host->sandbox_gid = (gid_t)-1;
    if (geteuid() != 0)
        return 0;
    char where[HOST_PATH_BYTES + 64];
    snprintf(where, sizeof where, "%.200s: daemon.sandbox-user", name);
    struct passwd user;
    if (host_find_user(host->sandbox_user, where, &user, err) != 0)
        return -1;
    if (user.pw_uid == 0)
        return err_set(err, ERR_INPUT, "%s: expected a user without rights, not `%s`", where,
                       host->sandbox_user);
    host->sandbox_uid = user.pw_uid;
    host->sandbox_gid = user.pw_gid;
    return 0;
}

/* Each `gpu` is a lane, or of a CPU each `cpus`. Lanes of one device have to be equal: their results
 * are compared with one another's. */
static int finish_device(const struct parse *parse, struct host_device *device,
                         struct err *err)
{
    bool is_gpu = device_is_gpu(device->slug);
    size_t lanes = is_gpu ? device->gpu_lines : device->cpus_lines;
    device->lane_count = lanes > 0 ? lanes : 1;
    if (is_gpu && device->cpus_lines > 0 && device->cpus_lines != device->lane_count)
        return err_set(err, ERR_INPUT,
                       "%s: device.%s.cpus: expected none, or one for each of %zu GPUs, not "
                       "%zu",
                       parse->name, device->slug, device->lane_count, device->cpus_lines);
    for (size_t i = 0; i < device->lane_count; i++) {
        struct host_lane *lane = &device->lanes[i];
        if (!is_gpu && lane->cpu_count != device->lanes[0].cpu_count)
            return err_set(err, ERR_INPUT,
                           "%s: device.%s.cpus: expected as many processors in each lane, not "
                           "%zu and %zu",
                           parse->name, device->slug, device->lanes[0].cpu_count,
                           lane->cpu_count);
        if (!is_gpu && lane->cpu_count > 0 && device->threads > lane->cpu_count)
            return err_set(
                err, ERR_INPUT,
                "%s: device.%s.threads: %u are more than the %zu processors of cpus",
                parse->name, device->slug, device->threads, lane->cpu_count);
        if (device->lane_count > 1 && is_gpu)
            memcpy(lane->name, lane->gpu, sizeof lane->name);
        else if (device->lane_count > 1)
            snprintf(lane->name, sizeof lane->name, "%u", lane->cpus[0]);
    }
    return 0;
}

/* Two lanes at work at the same time must not share a processor. */
static int check_processors(const struct parse *parse, struct err *err)
{
    const struct host *host = &parse->out;
    bool taken[HOST_PROCESSOR_MAX + 1] = {false};
    for (size_t d = 0; d < host->device_count; d++)
        for (size_t l = 0; l < host->devices[d].lane_count; l++) {
            const struct host_lane *lane = &host->devices[d].lanes[l];
            for (size_t i = 0; i < lane->cpu_count; i++) {
                if (taken[lane->cpus[i]])
                    return err_set(err, ERR_INPUT,
                                   "%s: device.%s.cpus: processor %u is another lane's",
                                   parse->name, host->devices[d].slug, lane->cpus[i]);
                taken[lane->cpus[i]] = true;
            }
        }
    return 0;
}

const char *host_lock_dir(const char *own)
{
    struct stat info;
    return stat(own, &info) == 0 && S_ISDIR(info.st_mode) ? own : "/run/lock";
}

static const char *socket_of(const char *named, const char *own)
{
    struct stat info;
    if (named[0] != '\0')
        return named;
    return stat(own, &info) == 0 && S_ISSOCK(info.st_mode) && access(own, W_OK) == 0 ? own
                                                                                     : "";
}

const char *host_run_socket(const struct host *host, const char *own)
{
    return socket_of(host->run_socket, own);
}

const char *host_clocks_socket(const struct host *host, const char *own)
{
    return socket_of(host->clocks_socket, own);
}

static void default_lock_dir(struct host *host)
{
    if (host->lock_dir[0] == '\0')
        snprintf(host->lock_dir, sizeof host->lock_dir, "%s", host_lock_dir(HOST_LOCK_DIR));
}

static void default_device(struct host *host)
{
    if (host->device_count == 0)
        host->devices[host->device_count++] = (struct host_device){.slug = "cpu",
                                                                   .lane_count = 1};
}

static int parse_all(struct parse *parse, const char *text, size_t len, struct err *err)
{
    parse->out.limits = limits_default();
    if (keys_read(&host_keys, text, len, parse->name, open_section, parse, err) != 0 ||
        keys_initial(&host_keys, HOST_DAEMON, &parse->out, parse->seen[HOST_DAEMON], err) != 0)
        return -1;
    for (size_t i = 0; i < parse->out.repository_count; i++)
        if (finish_repository(parse, &parse->out.repositories[i], parse->repository_seen[i],
                              err) != 0)
            return -1;
    for (size_t i = 0; i < parse->out.device_count; i++)
        if (finish_device(parse, &parse->out.devices[i], err) != 0)
            return -1;
    if (check_processors(parse, err) != 0)
        return -1;
    default_lock_dir(&parse->out);
    default_device(&parse->out);
    for (size_t i = 0; i < parse->out.repository_count; i++)
        if (check_watch(parse, &parse->out.repositories[i], err) != 0)
            return -1;
    return find_sandbox_user(&parse->out, parse->name, err);
}

int host_parse(const char *text, size_t len, const char *name, struct host *out,
               struct err *err)
{
    struct parse *parse = calloc(1, sizeof *parse);
    if (parse == NULL)
        return err_set(err, ERR_HOST, "%s: out of memory", name);
    parse->name = name;
    int result = parse_all(parse, text, len, err);
    if (result == 0)
        *out = parse->out;
    free(parse);
    return result;
}

int host_default(struct host *out, struct err *err)
{
    const char *folder = getenv("XDG_STATE_HOME");
    const char *below = "";
    if (folder == NULL || folder[0] != '/') { /* the specification: a relative one is void */
        /* Root's own folder is closed to the sandbox's user, who has to pass through. */
        bool root = geteuid() == 0;
        folder = root ? "/var/lib" : getenv("HOME");
        below = root ? "" : "/.local/state";
    }
    if (folder == NULL || folder[0] != '/')
        return err_set(err, ERR_HOST,
                       "neither XDG_STATE_HOME nor HOME names a folder: say "
                       "where state is kept with daemon.state in a file");
    struct host host = {.limits = limits_default()};
    if (keys_initial(&host_keys, HOST_DAEMON, &host, 0, err) != 0)
        return -1;
    int length = snprintf(host.state, sizeof host.state, "%s%s/ratchet", folder, below);
    if (length < 0 || (size_t)length >= sizeof host.state)
        return err_set(err, ERR_HOST,
                       "the folder for state, `%.60s…`, has a name of more than "
                       "%d bytes",
                       folder, HOST_PATH_BYTES - 1);
    default_lock_dir(&host);
    default_device(&host);
    if (find_sandbox_user(&host, "built-in values", err) != 0)
        return -1;
    *out = host;
    return 0;
}

/* Open a file that only trusted people may write (and, for a secret, read). */
static int open_trusted(const char *path, mode_t refused, const char *problem, int *fd,
                        struct err *err)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0)
        return err_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_INPUT, errno, "open `%s`",
                         path);
    struct stat info;
    if (fstat(*fd, &info) != 0)
        return err_errno(err, ERR_INPUT, errno, "stat `%s`", path);
    if (!S_ISREG(info.st_mode))
        return err_set(err, ERR_INPUT, "`%s` is not a regular file", path);
    if ((info.st_mode & refused) != 0)
        return err_set(err, ERR_INPUT, "`%s` %s", path, problem);
    return 0;
}

int host_load(const char *path, struct host *out, struct err *err)
{
    FD_AUTO fd = -1;
    BUF_AUTO text;
    buf_init(&text, limits_default().config_bytes); /* the host's own are what is read here */
    if (open_trusted(path, S_IWOTH, "may be written by everyone: chmod o-w it", &fd, err) !=
            0 ||
        file_read_fd(fd, path, &text, err) != 0)
        return -1;
    if (host_parse(text.data, text.len, path, out, err) != 0)
        return -1;
    snprintf(out->file, sizeof out->file, "%s", path);
    return 0;
}

static int check_token(const char *path, const char *token, size_t len, struct err *err)
{
    for (size_t i = 0; i < len; i++)
        if (token[i] <= 0x20 || token[i] >= 0x7f)
            return err_set(err, ERR_INPUT, "`%s` holds more than one token", path);
    return 0;
}

/* The text in a file that is closed to everyone, without its line end, into `out`: size - 3 bytes at
 * most, with room for the longest line end and a NUL. It is read straight into the one place that is
 * wiped: buffers that grow leave copies. */
static int read_secret(const char *path, const char *what, char *out, size_t size, size_t *len,
                       struct err *err)
{
    FD_AUTO fd = -1;
    if (open_trusted(path, S_IRWXO, "is open to everyone: chmod o= it", &fd, err) != 0)
        return -1;
    ssize_t got = read(fd, out, size);
    if (got < 0)
        return err_errno(err, ERR_INPUT, errno, "read `%s`", path);
    *len = (size_t)got;
    while (*len > 0 && (out[*len - 1] == '\n' || out[*len - 1] == '\r'))
        --*len;
    if (*len > size - 3)
        return err_set(err, ERR_LIMIT, "`%s` is longer than a %s of %zu bytes", path, what,
                       size - 3);
    if (*len == 0)
        return err_set(err, ERR_INPUT, "`%s` holds no %s", path, what);
    out[*len] = '\0';
    return 0;
}

int host_read_token(const struct host_repository *repository, char out[MODEL_TOKEN_BYTES],
                    struct err *err)
{
    if (repository->credential != CREDENTIAL_HOST || repository->token_file[0] == '\0')
        return err_set(err, ERR_INPUT, "repository `%s` has no token of the host's",
                       repository->name);
    char token[MODEL_TOKEN_BYTES + 2];
    size_t len = 0;
    int result = read_secret(repository->token_file, "token", token, sizeof token, &len, err);
    if (result == 0)
        result = check_token(repository->token_file, token, len, err);
    if (result == 0)
        memcpy(out, token, len + 1);
    explicit_bzero(token, sizeof token);
    return result;
}

int host_read_app_key(const struct host_repository *repository, char out[HOST_KEY_BYTES],
                      struct err *err)
{
    size_t len = 0;
    return read_secret(repository->app_key, "key", out, HOST_KEY_BYTES, &len, err);
}

const struct host_repository *host_find_repository(const struct host *host, const char *name)
{
    for (size_t i = 0; i < host->repository_count; i++)
        if (strcasecmp(host->repositories[i].name, name) == 0) /* as GitHub compares them */
            return &host->repositories[i];
    return NULL;
}

const struct host_device *host_find_device(const struct host *host, const char *slug)
{
    for (size_t i = 0; i < host->device_count; i++)
        if (strcmp(host->devices[i].slug, slug) == 0)
            return &host->devices[i];
    return NULL;
}

/* "cpu, nvidia-l4" */
static void list_devices(const struct host *host, struct buf *out)
{
    for (size_t i = 0; i < host->device_count; i++)
        buf_addf(out, "%s%s", i == 0 ? "" : ", ", host->devices[i].slug);
}

const struct host_device *host_need_device(const struct host *host, const char *slug,
                                           struct err *err)
{
    const struct host_device *device = host_find_device(host, slug);
    if (device != NULL)
        return device;
    BUF_AUTO there;
    buf_init(&there, 1024);
    list_devices(host, &there);
    if (!device_slug_ok(slug))
        err_set(err, ERR_INPUT,
                "device `%.60s` is not configured on this host, which has %s: a device is "
                "cpu, or a "
                "GPU's name in small letters, such as nvidia-l4",
                slug, there.data);
    else
        err_set(err, ERR_INPUT,
                "device `%s` is not configured on this host, which has %s: add `[device "
                "\"%s\"]`%s "
                "to %s",
                slug, there.data, slug, device_is_gpu(slug) ? ", and below it `gpu = 0`," : "",
                host->file[0] != '\0' ? host->file : "a file for --config");
    return NULL;
}

const struct host_lane *host_find_lane(const struct host_device *device, const char *name)
{
    for (size_t i = 0; i < device->lane_count; i++)
        if (name[0] == '\0' || strcmp(device->lanes[i].name, name) == 0)
            return &device->lanes[i];
    return NULL;
}

size_t host_watched_devices(const struct host *host, const struct host_repository *repository)
{
    return repository->watch_device_count > 0 ? repository->watch_device_count
                                              : host->device_count;
}

const char *host_watched_device(const struct host *host,
                                const struct host_repository *repository, size_t i)
{
    return repository->watch_device_count > 0 ? repository->watch_devices[i]
                                              : host->devices[i].slug;
}
