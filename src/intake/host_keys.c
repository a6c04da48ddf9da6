/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the keys of ratchetd.conf: what each one is, and how it is read. Whoever may write this
 * file decides where tokens are sent, so addresses are checked hard. */
#include "intake/host_keys.h"

#include "base/name.h"
#include "intake/address.h"
#include "intake/values.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- types that are this file's ---- */

static int read_path(void *target, const struct key *key, const char *value, const char *where,
                     struct err *err)
{
    if (strlen(value) >= HOST_PATH_BYTES || !address_path_ok(value))
        return err_set(err, ERR_INPUT,
                       "%s: expected an absolute path without `..` of at most %d bytes, not "
                       "`%.60s`",
                       where, HOST_PATH_BYTES - 1, value);
    memcpy((char *)target + key->offset, value, strlen(value) + 1);
    return 0;
}

static const struct key_type path = {"absolute path", read_path, NULL, NULL};

static int read_profiler(void *target, const struct key *key, const char *value,
                         const char *where, struct err *err)
{
    if (strcmp(value, HOST_PROFILER_OFF) != 0)
        return read_path(target, key, value, where, err);
    memcpy((char *)target + key->offset, value, strlen(value) + 1);
    return 0;
}

static const struct key_type profiler = {"absolute path or off", read_profiler, NULL, NULL};

int host_find_user(const char *name, const char *where, struct passwd *out, struct err *err)
{
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
    struct host *host = target;
    struct passwd user;
    if (host_find_user(value, where, &user, err) != 0)
        return -1;
    if (host->allowed_count == HOST_USERS_MAX)
        return err_set(err, ERR_INPUT, "%s: more than %d users", where, HOST_USERS_MAX);
    host->allowed[host->allowed_count++] = user.pw_uid;
    return 0;
}

static const struct key_type user = {"user", read_allow_user, NULL, NULL};

static int parse_cpu_range(char *item, const char *where, long long *first, long long *last,
                           struct err *err)
{
    char *dash = strchr(item, '-');
    if (dash != NULL)
        *dash = '\0';
    if (value_int(item, 0, HOST_PROCESSOR_MAX, where, first, err) != 0)
        return -1;
    *last = *first;
    return dash == NULL ? 0
                        : value_int(dash + 1, *first, HOST_PROCESSOR_MAX, where, last, err);
}

static int check_lanes(size_t lines, const char *where, struct err *err)
{
    return lines < HOST_LANES_MAX ? 0
                                  : err_set(err, ERR_INPUT, "%s: more than %d of a device",
                                            where, HOST_LANES_MAX);
}

/* "0,1" or "0-3,8". */
static int read_cpus(void *target, const struct key *key, const char *value, const char *where,
                     struct err *err)
{
    (void)key;
    struct host_device *device = target;
    char list[1024];
    if (check_lanes(device->cpus_lines, where, err) != 0)
        return -1;
    struct host_lane *lane = &device->lanes[device->cpus_lines++];
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
            if (lane->cpu_count == HOST_CPUS_MAX)
                return err_set(err, ERR_INPUT, "%s: more than %d processors", where,
                               HOST_CPUS_MAX);
            for (size_t i = 0; i < lane->cpu_count; i++)
                if (lane->cpus[i] == (unsigned)cpu)
                    return err_set(err, ERR_INPUT, "%s: processor %lld stands twice", where,
                                   cpu);
            lane->cpus[lane->cpu_count++] = (unsigned)cpu;
        }
    }
    return 0;
}

static void range_lanes(const struct key *key, struct buf *out)
{
    (void)key;
    buf_addf(out, "up to %d", HOST_LANES_MAX);
}

static const struct key_type cpus = {"list of processors", read_cpus, range_lanes, NULL};

static int read_gpu(void *target, const struct key *key, const char *value, const char *where,
                    struct err *err)
{
    struct host_device *device = target;
    if (!device_is_gpu(device->slug))
        return err_set(err, ERR_INPUT, "%s: `%s` is no GPU", where, device->slug);
    if (value[0] == '\0')
        return err_set(err, ERR_INPUT, "%s: expected an index or a UUID", where);
    if (check_lanes(device->gpu_lines, where, err) != 0)
        return -1;
    for (size_t i = 0; i < device->gpu_lines; i++)
        if (strcasecmp(device->lanes[i].gpu, value) == 0)
            return err_set(err, ERR_INPUT, "%s: `%.60s` stands twice", where, value);
    const struct key text = {.name = key->name, .size = HOST_LANE_BYTES};
    return key_text.read(device->lanes[device->gpu_lines++].gpu, &text, value, where, err);
}

static const struct key_type gpu = {"text", read_gpu, range_lanes, NULL};

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

static void range_clock(const struct key *key, struct buf *out)
{
    (void)key;
    buf_adds(out, "100MHz to 10000MHz");
}

static const struct key_type clock = {"clock", read_clock, range_clock, NULL};

/* Digits, and up to six behind a point: no double in between. -1: no such number, or above
 * PRICE_MICRO_MAX. */
static int read_micro(const char *text, size_t len, unsigned long long *out)
{
    size_t whole = strspn(text, "0123456789");
    size_t part = whole < len && text[whole] == '.' ? strspn(text + whole + 1, "0123456789")
                                                    : 0;
    if (whole == 0 || whole > 8 || part > 6 || whole + (part > 0 ? 1 + part : 0) != len)
        return -1;
    unsigned long long micro = 0;
    for (size_t i = 0; i < whole; i++)
        micro = 10 * micro + (unsigned long long)(text[i] - '0');
    for (size_t i = 0; i < 6; i++)
        micro = 10 * micro + (i < part ? (unsigned long long)(text[whole + 1 + i] - '0') : 0);
    *out = micro;
    return micro <= PRICE_MICRO_MAX ? 0 : -1;
}

/* "0.70 USD" */
static int read_price(void *target, const struct key *key, const char *value,
                      const char *where, struct err *err)
{
    (void)key;
    struct price price = {0};
    size_t len = strcspn(value, " ");
    const char *currency = value + len + strspn(value + len, " ");
    size_t letters = strspn(currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    if (letters == 0 || letters >= sizeof price.currency || currency[letters] != '\0' ||
        read_micro(value, len, &price.micro) != 0)
        return err_set(err, ERR_INPUT,
                       "%s: expected a price of up to %llu and a currency of 1 to %d letters, "
                       "such as 0.70 USD, not `%.60s`",
                       where, PRICE_MICRO_MAX / 1000000, PRICE_CURRENCY_BYTES - 1, value);
    memcpy(price.currency, currency, letters);
    ((struct host_device *)target)->price = price;
    return 0;
}

static const struct key_type price = {"price", read_price, NULL, NULL};

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
    return store_address((char *)target + key->offset, value, address_web_problem(value),
                         where, err);
}

static int read_git(void *target, const struct key *key, const char *value, const char *where,
                    struct err *err)
{
    return store_address((char *)target + key->offset, value, address_git_problem(value),
                         where, err);
}

static const struct key_type web_address = {"address", read_url, NULL, NULL};
static const struct key_type git_address = {"address or path", read_git, NULL, NULL};

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
    if (store_address(added.git, blank + 1, address_git_problem(blank + 1), where, err) != 0)
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

static void range_submodule(const struct key *key, struct buf *out)
{
    (void)key;
    buf_addf(out, "up to %d", HOST_SUBMODULES_MAX);
}

static const struct key_type submodule = {"path and address", read_submodule, range_submodule,
                                          NULL};

/* Which devices there are is known once the whole file is read. */
static int read_watch_device(void *target, const struct key *key, const char *value,
                             const char *where, struct err *err)
{
    (void)key;
    struct host_repository *repository = target;
    const struct key text = {.name = "watch-device", .size = MODEL_NAME_BYTES};
    if (repository->watch_device_count == HOST_DEVICES_MAX)
        return err_set(err, ERR_INPUT, "%s: more than %d devices", where, HOST_DEVICES_MAX);
    for (size_t i = 0; i < repository->watch_device_count; i++)
        if (strcmp(repository->watch_devices[i], value) == 0)
            return err_set(err, ERR_INPUT, "%s: `%.60s` stands twice", where, value);
    return key_text.read(repository->watch_devices[repository->watch_device_count++], &text,
                         value, where, err);
}

static void range_watch_device(const struct key *key, struct buf *out)
{
    (void)key;
    buf_addf(out, "up to %d", HOST_DEVICES_MAX);
}

static const struct key_type watch_device = {"device", read_watch_device, range_watch_device,
                                             NULL};

static int read_branch(void *target, const struct key *key, const char *value,
                       const char *where, struct err *err)
{
    if (!name_is_branch(value))
        return err_set(err, ERR_INPUT, "%s: expected the name of a branch, not `%.60s`", where,
                       value);
    return key_text.read(target, key, value, where, err);
}

static const char *const credential_words[] = {
    [CREDENTIAL_JOB] = "job", [CREDENTIAL_HOST] = "host", [CREDENTIAL_APP] = "app", NULL};

static const struct key_type branch = {"branch", read_branch, NULL, NULL};

/* ---- the table ---- */

static const struct keys_section sections[] = {
    [HOST_DAEMON] = {"daemon", NULL},
    [HOST_DEVICE] = {"device", "device"},
    [HOST_REPOSITORY] = {"repository", "owner/name"},
    [HOST_LIMITS] = {"limits", NULL},
};

#define KEY(in, word, kind, what, ...)                                                 \
    {                                                                                  \
        .section = HOST_##in, .name = word, .type = &(kind), .help = what, __VA_ARGS__ \
    }
#define IN(type, field) \
    .offset = offsetof(struct type, field), .size = sizeof((struct type *)0)->field

static const struct key keys[] = {
    KEY(DAEMON, "state", path, "folder of the queue, caches and results", IN(host, state),
        .initial = "/var/lib/ratchet"),
    KEY(DAEMON, "socket", path, "where jobs are submitted", IN(host, socket),
        .initial = "/run/ratchet/ratchetd.sock"),
    KEY(DAEMON, "lock-dir", path, "folder of the devices' locks, for all users of the host",
        IN(host, lock_dir), .otherwise = HOST_LOCK_DIR ", else /run/lock"),
    KEY(DAEMON, "harness", path, "the program that runs kernels", IN(host, harness),
        .otherwise = "ratchet-bench as installed"),
    KEY(DAEMON, "sandbox-user", key_text,
        "who builds and kernels run as, where the daemon is root", IN(host, sandbox_user),
        .initial = "nobody"),
    KEY(DAEMON, "run-socket", path, "of ratchet-run, which then starts the daemon's sandboxes",
        IN(host, run_socket), .otherwise = HOST_RUN_SOCKET " where it is there"),
    KEY(DAEMON, "clocks-socket", path, "of ratchet-clocks, which then locks GPUs' clocks",
        IN(host, clocks_socket), .otherwise = HOST_CLOCKS_SOCKET " where it is there"),
    KEY(DAEMON, "allow-user", user, "who may submit jobs", .repeat = true,
        .otherwise = "root and its own user"),
    KEY(DAEMON, "idle-command", key_shell,
        "for /bin/sh -c, once there was nothing to do so long", IN(host, idle_command),
        .otherwise = "none"),
    KEY(DAEMON, "idle-after", key_seconds, "without a job, until idle-command runs",
        IN(host, idle_after_s), .min = 1e9, .max = 604800e9, .initial = "15m"),
    KEY(DEVICE, "threads", key_unsigned, "of a CPU kernel", IN(host_device, threads), .min = 1,
        .max = 1024, .otherwise = "physical cores"),
    KEY(DEVICE, "cpus", cpus,
        "that kernels are pinned and builds confined to, such as 0-3,8; a lane for each",
        .repeat = true, .otherwise = "not pinned"),
    KEY(DEVICE, "gpu", gpu, "index or UUID; a lane for each", .repeat = true,
        .otherwise = "the first of that kind"),
    KEY(DEVICE, "clock-lock", clock,
        "of a GPU while it measures; takes root, or ratchet-clocks",
        .otherwise = "clocks are left alone"),
    KEY(DEVICE, "price-per-hour", price,
        "such as 0.70 USD, of one lane: reports say what a check cost",
        .otherwise = "reports tell its time alone"),
    KEY(DEVICE, "profiler", profiler,
        "Nsight Compute, for what it counts of configs that moved", IN(host_device, profiler),
        .otherwise = "ncu of CUDA, or on PATH"),
    KEY(REPOSITORY, "api", web_address, "of GitHub's API", IN(host_repository, api),
        .required = true),
    KEY(REPOSITORY, "git", git_address,
        "that commits are fetched from and promotions pushed to", IN(host_repository, git),
        .required = true),
    KEY(REPOSITORY, "web", web_address, "that reports link to", IN(host_repository, web),
        .otherwise = "git without .git"),
    KEY(REPOSITORY, "author", key_text, "whose comments are ours", IN(host_repository, author),
        .initial = "github-actions[bot]"),
    KEY(REPOSITORY, "token", key_choice,
        "brought by the Actions job, from token-file, or given to a GitHub App",
        IN(host_repository, credential), .words = credential_words, .initial = "job"),
    KEY(REPOSITORY, "token-file", path, "closed to all but owner and group",
        IN(host_repository, token_file), .otherwise = "needed by token = host"),
    KEY(REPOSITORY, "app", key_text, "number or client id of the GitHub App",
        IN(host_repository, app), .otherwise = "needed by token = app"),
    KEY(REPOSITORY, "app-key", path,
        "its private key (PEM), closed to all but owner and group",
        IN(host_repository, app_key), .otherwise = "needed by token = app"),
    KEY(REPOSITORY, "branch", branch, "branch whose pushes are promoted",
        IN(host_repository, branch), .initial = "main"),
    KEY(REPOSITORY, "watch", key_bool,
        "GitHub is asked for what is new: no workflow, no runner on this host",
        IN(host_repository, watch), .initial = "false"),
    KEY(REPOSITORY, "watch-device", watch_device, "that a watched repository is measured on",
        .repeat = true, .otherwise = "every device of this host"),
    KEY(REPOSITORY, "drafts", key_choice, "skip: not measured until they are ready for review",
        IN(host_repository, skip_drafts),
        .words = (const char *const[]){"measure", "skip", NULL}, .initial = "measure"),
    KEY(REPOSITORY, "merge-queue", key_choice,
        "trust: what is queued may run here, a fork's code, too",
        IN(host_repository, trust_queue),
        .words = (const char *const[]){"refuse", "trust", NULL}, .initial = "refuse"),
    KEY(REPOSITORY, "forks", key_choice,
        "approved: a fork's head may run here once somebody who may write says so",
        IN(host_repository, approve_forks),
        .words = (const char *const[]){"refuse", "approved", NULL}, .initial = "refuse"),
    KEY(REPOSITORY, "submodule", submodule,
        "where a submodule under [kernel] path is fetched from; gets no token", .repeat = true,
        .otherwise = "none is fetched"),
#define LIMIT_KEY(field, word, value, most, what)                                   \
    KEY(LIMITS, word, key_size, what, IN(limits, field), .number = (double)(value), \
        .max = (double)(most)),
    LIMITS_TABLE(LIMIT_KEY)
#undef LIMIT_KEY
};

const struct keys_table host_keys = {sections, HOST_SECTIONS, keys,
                                     sizeof keys / sizeof keys[0]};
_Static_assert(sizeof keys / sizeof keys[0] <= KEYS_MAX, "keys_seen has a bit for each");
_Static_assert(LIMIT_CONFIGS == MODEL_CONFIGS_MAX, "src/limit.h knows no model");
