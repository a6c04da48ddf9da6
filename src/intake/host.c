/* SPDX-License-Identifier: Apache-2.0 */
/* Owns ratchetd.conf: the file, its defaults, and the token files it names. Speaks to nobody.
 * Whoever may write this file decides where tokens are sent, so addresses are checked hard. */
#include "intake/host.h"

#include "base/buf.h"
#include "base/file.h"
#include "intake/event.h"
#include "intake/keys.h"
#include "intake/values.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DAEMON, DEVICE, REPOSITORY, LIMITS };
static const struct keys_section sections[] = {
    [DAEMON] = {"daemon", NULL},
    [DEVICE] = {"device", "device"},
    [REPOSITORY] = {"repository", "owner/name"},
    [LIMITS] = {"limits", NULL},
};
enum { SECTION_COUNT = sizeof sections / sizeof sections[0] };

struct parse {
    const char *name;
    struct host out;
    uint64_t seen[SECTION_COUNT];
    uint64_t device_seen[HOST_DEVICES_MAX];
    uint64_t repository_seen[HOST_REPOSITORIES_MAX];
};

/* ---- readers of single keys ---- */

static bool has_part(const char *path, const char *part)
{
    size_t len = strlen(part);
    for (const char *at = path; at != NULL; at = strchr(at, '/')) {
        at += *at == '/';
        if (strncmp(at, part, len) == 0 && (at[len] == '/' || at[len] == '\0'))
            return true;
    }
    return false;
}

static bool absolute_path_ok(const char *path)
{
    for (const char *c = path; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return false;
    return path[0] == '/' && path[1] != '\0' && !has_part(path, "..");
}

static int read_path(void *target, const struct key *key, const char *value, const char *where,
                     struct err *err)
{
    if (strlen(value) >= HOST_PATH_BYTES || !absolute_path_ok(value))
        return err_set(err, ERR_INPUT,
                       "%s: expected an absolute path without `..` of at most %d bytes, not "
                       "`%.60s`",
                       where, HOST_PATH_BYTES - 1, value);
    memcpy((char *)target + key->offset, value, strlen(value) + 1);
    return 0;
}

static int find_user(const char *name, const char *where, struct passwd *out, struct err *err)
{
    errno = 0;
    struct passwd *user = getpwnam(name);
    if (user == NULL)
        return err_set(err, ERR_INPUT, "%s: there is no user `%.60s` on this host", where,
                       name);
    *out = *user;
    return 0;
}

static int read_allow_user(void *target, const struct key *key, const char *value,
                           const char *where, struct err *err)
{
    (void)key;
    struct host *host = &((struct parse *)target)->out;
    struct passwd user;
    if (find_user(value, where, &user, err) != 0)
        return -1;
    if (host->allowed_count == HOST_USERS_MAX)
        return err_set(err, ERR_INPUT, "%s: more than %d users", where, HOST_USERS_MAX);
    host->allowed[host->allowed_count++] = user.pw_uid;
    return 0;
}

static int parse_cpu_range(char *item, const char *where, long long *first, long long *last,
                           struct err *err)
{
    char *dash = strchr(item, '-');
    if (dash != NULL)
        *dash = '\0';
    if (value_int(item, 0, 1023, where, first, err) != 0)
        return -1;
    *last = *first;
    return dash == NULL ? 0 : value_int(dash + 1, *first, 1023, where, last, err);
}

/* "0,1" or "0-3,8". */
static int read_cpus(void *target, const struct key *key, const char *value, const char *where,
                     struct err *err)
{
    (void)key;
    struct host_device *device = target;
    char list[1024];
    if (strlen(value) >= sizeof list)
        return err_set(err, ERR_INPUT, "%s: expected at most %zu bytes", where,
                       sizeof list - 1);
    memcpy(list, value, strlen(value) + 1);
    for (char *rest = list, *item; (item = strsep(&rest, ",")) != NULL;) {
        long long first = 0, last = 0;
        item += strspn(item, " ");
        if (parse_cpu_range(item, where, &first, &last, err) != 0)
            return -1;
        for (long long cpu = first; cpu <= last; cpu++) {
            if (device->cpu_count == HOST_CPUS_MAX)
                return err_set(err, ERR_INPUT, "%s: more than %d processors", where,
                               HOST_CPUS_MAX);
            for (size_t i = 0; i < device->cpu_count; i++)
                if (device->cpus[i] == (unsigned)cpu)
                    return err_set(err, ERR_INPUT, "%s: processor %lld stands twice", where,
                                   cpu);
            device->cpus[device->cpu_count++] = (unsigned)cpu;
        }
    }
    return 0;
}

/* "1410MHz", the unit written out: a number alone could be anything. */
static int read_clock(void *target, const struct key *key, const char *value,
                      const char *where, struct err *err)
{
    (void)key;
    struct host_device *device = target;
    char digits[8] = "";
    size_t len = strspn(value, "0123456789");
    const char *unit = value + len + strspn(value + len, " ");
    long long mhz;
    if (!device_is_gpu(device->slug))
        return err_set(err, ERR_INPUT, "%s: only a GPU's clock can be locked", where);
    if (len == 0 || len >= sizeof digits || strcasecmp(unit, "MHz") != 0)
        return err_set(err, ERR_INPUT, "%s: expected a clock such as 1410MHz, not `%.60s`",
                       where, value);
    memcpy(digits, value, len);
    if (value_int(digits, 100, 10000, where, &mhz, err) != 0)
        return -1;
    device->clock_lock_mhz = (unsigned)mhz;
    return 0;
}

/* ---- addresses ---- */

/* `host` or `host:port` up to the slash or the end. Plain http would show the token to the
 * network, so it is for this machine alone. */
static bool authority_ok(const char *authority, size_t len, bool plain)
{
    static const char *const loopback[] = {"127.0.0.1", "localhost", "[::1]"};
    size_t host = len > 0 && authority[0] == '['
                      ? strspn(authority + 1, "0123456789abcdefABCDEF:") + 2
                      : strspn(authority,
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                               "0123456789.-");
    if (host == 0 || host > len || (authority[0] == '[' && authority[host - 1] != ']'))
        return false;
    if (host < len) {
        size_t digits = strspn(authority + host + 1, "0123456789");
        long port = strtol(authority + host + 1, NULL, 10);
        if (authority[host] != ':' || digits == 0 || host + 1 + digits != len || port < 1 ||
            port > 65535)
            return false;
    }
    for (size_t i = 0; i < sizeof loopback / sizeof loopback[0]; i++)
        if (strlen(loopback[i]) == host && strncmp(loopback[i], authority, host) == 0)
            return true;
    return !plain;
}

/* What is wrong with a web address, or NULL. */
static const char *url_problem(const char *url)
{
    bool plain = strncmp(url, "http://", 7) == 0;
    if (!plain && strncmp(url, "https://", 8) != 0)
        return "expected an address that starts with https://";
    const char *authority = url + (plain ? 7 : 8);
    size_t len = strcspn(authority, "/");
    if (memchr(authority, '@', len) != NULL)
        return "expected an address without a user or password in it";
    if (strpbrk(url, "?# \\\"<>") != NULL || has_part(authority + len, ".."))
        return "expected a plain address without spaces, `?`, `#` or `..`";
    for (const char *c = url; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return "expected an address without control characters";
    if (url[strlen(url) - 1] == '/')
        return "expected an address without a slash at its end";
    if (!authority_ok(authority, len, plain))
        return plain ? "http is for 127.0.0.1, localhost and [::1] only; expected https://"
                     : "expected a host name, perhaps with a port";
    return NULL;
}

/* The same for an address of git, which may be a folder of this host. */
static const char *git_problem(const char *value)
{
    const char *path = strncmp(value, "file://", 7) == 0 ? value + 7 : value;
    if (path != value || path[0] == '/')
        return absolute_path_ok(path) ? NULL : "expected an absolute path without `..`";
    if (strstr(value, "://") == NULL)
        return "expected https://…, file:///… or an absolute path";
    return url_problem(value);
}

static int store_address(char out[HOST_PATH_BYTES], const char *value, const char *problem,
                         const char *where, struct err *err)
{
    if (problem == NULL && strlen(value) >= HOST_PATH_BYTES)
        problem = "expected at most 255 bytes";
    if (problem != NULL) {
        /* A password may stand in it: show no more than the scheme. */
        bool secret = strchr(value, '@') != NULL;
        return err_set(err, ERR_INPUT, "%s: %s%s%.60s%s", where, problem,
                       secret ? "" : ", not `", secret ? "" : value, secret ? "" : "`");
    }
    memcpy(out, value, strlen(value) + 1);
    return 0;
}

static int read_url(void *target, const struct key *key, const char *value, const char *where,
                    struct err *err)
{
    return store_address((char *)target + key->offset, value, url_problem(value), where, err);
}

static int read_git(void *target, const struct key *key, const char *value, const char *where,
                    struct err *err)
{
    return store_address((char *)target + key->offset, value, git_problem(value), where, err);
}

/* "third_party/cutlass https://github.com/NVIDIA/cutlass.git" */
static int read_submodule(void *target, const struct key *key, const char *value,
                          const char *where, struct err *err)
{
    (void)key;
    struct host_repository *repository = target;
    struct host_submodule added = {.path = ""};
    const char *blank = strrchr(value, ' ');
    size_t len = blank == NULL ? 0 : (size_t)(blank - value);
    while (len > 0 && value[len - 1] == ' ')
        len--;
    if (len > 0 && len < sizeof added.path)
        memcpy(added.path, value, len);
    if (blank == NULL || !value_is_tree_path(added.path))
        return err_set(
            err, ERR_INPUT,
            "%s: expected a path in the tree of at most %d bytes and an address, such "
            "as `third_party/cutlass https://github.com/NVIDIA/cutlass.git`",
            where, HOST_PATH_BYTES - 1);
    if (store_address(added.git, blank + 1, git_problem(blank + 1), where, err) != 0)
        return -1;
    for (size_t i = 0; i < repository->submodule_count; i++)
        if (strcmp(repository->submodules[i].path, added.path) == 0)
            return err_set(err, ERR_INPUT, "%s: `%.100s` stands twice", where, added.path);
    if (repository->submodule_count == HOST_SUBMODULES_MAX)
        return err_set(err, ERR_INPUT, "%s: more than %d submodules", where,
                       HOST_SUBMODULES_MAX);
    repository->submodules[repository->submodule_count++] = added;
    return 0;
}

static int read_branch(void *target, const struct key *key, const char *value,
                       const char *where, struct err *err)
{
    if (strncmp(value, "refs/", 5) == 0 || strpbrk(value, " ~^:?*[\\") != NULL ||
        strstr(value, "..") != NULL || strstr(value, "//") != NULL || value[0] == '/' ||
        value[0] == '-' || value[0] == '\0' || value[strlen(value) - 1] == '/')
        return err_set(err, ERR_INPUT, "%s: expected the name of a branch, not `%.60s`", where,
                       value);
    return key_text(target, key, value, where, err);
}

static int read_token(void *target, const struct key *key, const char *value,
                      const char *where, struct err *err)
{
    (void)key;
    bool host = strcmp(value, "host") == 0;
    if (!host && strcmp(value, "job") != 0)
        return err_set(err, ERR_INPUT, "%s: expected `job` or `host`, not `%.60s`", where,
                       value);
    ((struct host_repository *)target)->host_token = host;
    return 0;
}

/* ---- limits ---- */

/* A bound on each limit by the end of its name: what the code behind it can count. */
static unsigned long long limit_max(const char *name)
{
    static const struct {
        const char *end;
        unsigned long long max;
    } bounds[] = {
        {"-ms", 7ull * 24 * 3600 * 1000},
        {"configs", MODEL_CONFIGS_MAX},
        {"bytes", 1ull << 50},
        {"memory", 1ull << 50},
        {"build-file", 1ull << 50},
        {"build-disk", 1ull << 50},
        {"entries", 10000000},
        {"depth", 1000},
        {"", 1000000},
    };
    size_t len = strlen(name), i = 0;
    for (;; i++) {
        size_t end = strlen(bounds[i].end);
        if (len >= end && strcmp(name + len - end, bounds[i].end) == 0)
            return bounds[i].max;
    }
}

static int read_limit(void *target, const struct key *key, const char *value,
                      const char *where, struct err *err)
{
    unsigned long long number = 0, max = limit_max(key->name);
    if (value_size(value, &number, where, err) != 0)
        return -1;
    if (number == 0 || number > max)
        return err_set(err, ERR_INPUT, "%s: expected a number from 1 to %llu, not `%.60s`",
                       where, max, value);
    memcpy((char *)target + key->offset, &number, sizeof number);
    return 0;
}

/* ---- the table ---- */

#define KEY(in, word, reader, ...)                               \
    {                                                            \
        .section = in, .name = word, .read = reader, __VA_ARGS__ \
    }
#define IN_HOST(field) .offset = offsetof(struct parse, out.field)
#define IN_REPOSITORY(field)                           \
    .offset = offsetof(struct host_repository, field), \
    .size = sizeof((struct host_repository *)0)->field

static const struct key keys[] = {
    KEY(DAEMON, "state", read_path, IN_HOST(state)),
    KEY(DAEMON, "socket", read_path, IN_HOST(socket)),
    KEY(DAEMON, "lock-dir", read_path, IN_HOST(lock_dir)),
    KEY(DAEMON, "harness", read_path, IN_HOST(harness)),
    KEY(DAEMON, "sandbox-user", key_text, IN_HOST(sandbox_user),
        .size = sizeof((struct host *)0)->sandbox_user),
    KEY(DAEMON, "allow-user", read_allow_user, .repeat = true),
    KEY(DEVICE, "threads", key_unsigned, .offset = offsetof(struct host_device, threads),
        .min = 1, .max = 1024),
    KEY(DEVICE, "cpus", read_cpus, .min = 0),
    KEY(DEVICE, "gpu", key_text, .offset = offsetof(struct host_device, gpu),
        .size = sizeof((struct host_device *)0)->gpu),
    KEY(DEVICE, "clock-lock", read_clock, .min = 0),
    KEY(REPOSITORY, "api", read_url, IN_REPOSITORY(api), .required = true),
    KEY(REPOSITORY, "git", read_git, IN_REPOSITORY(git), .required = true),
    KEY(REPOSITORY, "web", read_url, IN_REPOSITORY(web)),
    KEY(REPOSITORY, "author", key_text, IN_REPOSITORY(author)),
    KEY(REPOSITORY, "token", read_token, .min = 0),
    KEY(REPOSITORY, "token-file", read_path, IN_REPOSITORY(token_file)),
    KEY(REPOSITORY, "branch", read_branch, IN_REPOSITORY(branch)),
    KEY(REPOSITORY, "submodule", read_submodule, .repeat = true),
#define LIMIT_KEY(field, word, value, what) \
    KEY(LIMITS, word, read_limit, IN_HOST(limits.field)),
    LIMITS_TABLE(LIMIT_KEY)
#undef LIMIT_KEY
};

static const struct keys_table table = {sections, SECTION_COUNT, keys,
                                        sizeof keys / sizeof keys[0]};
_Static_assert(sizeof keys / sizeof keys[0] <= 64, "keys_target.seen has 64 bits");

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
        if (!model_name_ok(slug))
            return err_set(err, ERR_INPUT,
                           "%s: [device \"%.60s\"]: expected a device such as cpu or "
                           "nvidia-l4",
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
        if (!event_repository_ok(name))
            return err_set(err, ERR_INPUT, "%s: [repository \"%.60s\"]: expected owner/name",
                           parse->name, name);
        host->repositories[i] = (struct host_repository){.author = "github-actions[bot]",
                                                         .branch = "main"};
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
    if (section == DEVICE)
        return open_device(parse, subsection, out, err);
    if (section == REPOSITORY)
        return open_repository(parse, subsection, out, err);
    *out = (struct keys_target){parse, &parse->seen[section]};
    return 0;
}

/* ---- checks and defaults of the whole ---- */

static int finish_repository(const struct parse *parse, struct host_repository *repository,
                             uint64_t seen, struct err *err)
{
    const char *name = repository->name;
    if (keys_require(&table, REPOSITORY, name, seen, parse->name, err) != 0)
        return -1;
    if (repository->host_token && repository->token_file[0] == '\0')
        return err_set(err, ERR_INPUT,
                       "%s: repository.%s.token-file: missing, and `token = host` needs it",
                       parse->name, name);
    if (!repository->host_token && repository->token_file[0] != '\0')
        return err_set(err, ERR_INPUT,
                       "%s: repository.%s.token-file: is of no use without `token = host`",
                       parse->name, name);
    if (repository->web[0] == '\0' && strncmp(repository->git, "http", 4) == 0) {
        size_t len = strlen(repository->git);
        memcpy(repository->web, repository->git, len + 1);
        if (len > 4 && strcmp(repository->git + len - 4, ".git") == 0)
            repository->web[len - 4] = '\0';
    }
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
    if (find_user(host->sandbox_user, where, &user, err) != 0)
        return -1;
    if (user.pw_uid == 0)
        return err_set(err, ERR_INPUT, "%s: expected a user without rights, not `%s`", where,
                       host->sandbox_user);
    host->sandbox_uid = user.pw_uid;
    host->sandbox_gid = user.pw_gid;
    return 0;
}

static struct host built_in(void)
{
    return (struct host){
        .state = "/var/lib/ratchet",
        .socket = "/run/ratchet/ratchetd.sock",
        .lock_dir = "/run/lock",
        .sandbox_user = "nobody",
        .limits = limits_default(),
    };
}

static void default_device(struct host *host)
{
    if (host->device_count == 0)
        host->devices[host->device_count++] = (struct host_device){.slug = "cpu"};
}

static int parse_all(struct parse *parse, const char *text, size_t len, struct err *err)
{
    if (keys_read(&table, text, len, parse->name, open_section, parse, err) != 0)
        return -1;
    for (size_t i = 0; i < parse->out.repository_count; i++)
        if (finish_repository(parse, &parse->out.repositories[i], parse->repository_seen[i],
                              err) != 0)
            return -1;
    default_device(&parse->out);
    return find_sandbox_user(&parse->out, parse->name, err);
}

int host_parse(const char *text, size_t len, const char *name, struct host *out,
               struct err *err)
{
    struct parse *parse = calloc(1, sizeof *parse);
    if (parse == NULL)
        return err_set(err, ERR_HOST, "%s: out of memory", name);
    parse->name = name;
    parse->out = built_in();
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
    struct host host = built_in();
    int length = snprintf(host.state, sizeof host.state, "%s%s/ratchet", folder, below);
    if (length < 0 || (size_t)length >= sizeof host.state)
        return err_set(err, ERR_HOST,
                       "the folder for state, `%.60s…`, has a name of more than "
                       "%d bytes",
                       folder, HOST_PATH_BYTES - 1);
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
    return host_parse(text.data, text.len, path, out, err);
}

static int check_token(const char *path, const char *token, size_t len, struct err *err)
{
    if (len == 0)
        return err_set(err, ERR_INPUT, "`%s` holds no token", path);
    for (size_t i = 0; i < len; i++)
        if (token[i] <= 0x20 || token[i] >= 0x7f)
            return err_set(err, ERR_INPUT, "`%s` holds more than one token", path);
    return 0;
}

int host_read_token(const struct host_repository *repository, char out[HOST_TOKEN_BYTES],
                    struct err *err)
{
    const char *path = repository->token_file;
    if (!repository->host_token || path[0] == '\0')
        return err_set(err, ERR_INPUT, "repository `%s` has no token of the host's",
                       repository->name);
    FD_AUTO fd = -1;
    if (open_trusted(path, S_IRWXO, "is open to everyone: chmod o= it", &fd, err) != 0)
        return -1;
    /* Read straight into the one place that is wiped: buffers that grow leave copies. */
    char token[HOST_TOKEN_BYTES + 2];
    ssize_t got = read(fd, token, sizeof token);
    int result = got < 0 ? err_errno(err, ERR_INPUT, errno, "read `%s`", path) : 0;
    size_t len = got < 0 ? 0 : (size_t)got;
    while (len > 0 && (token[len - 1] == '\n' || token[len - 1] == '\r'))
        len--;
    if (result == 0 && len >= HOST_TOKEN_BYTES)
        result = err_set(err, ERR_LIMIT, "`%s` is longer than a token of %d bytes", path,
                         HOST_TOKEN_BYTES - 1);
    if (result == 0)
        result = check_token(path, token, len, err);
    if (result == 0) {
        memcpy(out, token, len);
        out[len] = '\0';
    }
    explicit_bzero(token, sizeof token);
    return result;
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
