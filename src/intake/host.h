/* SPDX-License-Identifier: Apache-2.0 */
/* ratchetd.conf: what the owner of this host decided. API and git addresses come
 * from here and from nowhere else. git-config syntax, unknown keys refused. The keys are the
 * table in host_keys.c, which `ratchet help ratchetd.conf` prints; [limits] is src/limit.h. */
#ifndef RATCHET_INTAKE_HOST_H
#define RATCHET_INTAKE_HOST_H

#include "base/err.h"
#include "limit.h"
#include "model.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
    HOST_DEVICES_MAX = 16,
    HOST_LANES_MAX = 8, /* of a device */
    HOST_REPOSITORIES_MAX = 64,
    HOST_USERS_MAX = 16,
    HOST_PATH_BYTES = 256,
    HOST_CPUS_MAX = 256,       /* of a lane */
    HOST_PROCESSOR_MAX = 1023, /* its greatest number */
    HOST_LANE_BYTES = 96,
    HOST_KEY_BYTES = 16384, /* of an App's key in PEM */
    HOST_SUBMODULES_MAX = 8
};

/* One piece of a device, which measures one job at a time. No processor is in two lanes. */
struct host_lane {
    char name
        [HOST_LANE_BYTES]; /* its GPU, or its first processor; "": its device has no other */
    char gpu[HOST_LANE_BYTES]; /* index or UUID; "": the first of the slug's kind */
    unsigned
        cpus[HOST_CPUS_MAX]; /* that a CPU's kernels are pinned to, and builds confined to */
    size_t cpu_count;        /* 0: any */
};

#define HOST_PROFILER_OFF "off"

struct host_device {
    char slug[MODEL_NAME_BYTES];
    unsigned threads; /* 0: physical cores */
    struct host_lane lanes[HOST_LANES_MAX];
    size_t lane_count;            /* at least one */
    size_t gpu_lines, cpus_lines; /* how often these keys stand; the n-th is the n-th lane's */
    struct price price;           /* an hour of one lane */
    unsigned clock_lock_mhz;      /* 0: clocks are left as they are */
    char profiler[HOST_PATH_BYTES]; /* "": the usual one; HOST_PROFILER_OFF: none */
};

struct host_submodule {
    char path[HOST_PATH_BYTES]; /* in the tree, as the tree spells it */
    char git[HOST_PATH_BYTES];
};

/* Whose word counts at GitHub: the Actions job's that asks, or one that is the host's own. */
enum host_credential { CREDENTIAL_JOB, CREDENTIAL_HOST, CREDENTIAL_APP };

struct host_repository {
    char name[JOB_REPOSITORY_BYTES];
    char api[HOST_PATH_BYTES]; /* without a trailing slash */
    char git[HOST_PATH_BYTES];
    char web[HOST_PATH_BYTES];
    char author[64];
    char branch[JOB_REF_BYTES];
    enum host_credential credential;
    bool skip_drafts;   /* a draft is unmeasured until it is ready for review */
    bool trust_queue;   /* what its merge queue holds may run here, forks' code included */
    bool approve_forks; /* a fork's head may run here once a person who may write says so */
    bool watch;         /* GitHub is asked for what is new: no step has to hand it over */
    char watch_devices[HOST_DEVICES_MAX][MODEL_NAME_BYTES]; /* … for these… */
    size_t watch_device_count;                              /* 0: for all of the host's */
    char token_file[HOST_PATH_BYTES];                       /* of CREDENTIAL_HOST */
    char app[64];                  /* of CREDENTIAL_APP: its number or client id */
    char app_key[HOST_PATH_BYTES]; /* … and its private key, in PEM */
    struct host_submodule submodules[HOST_SUBMODULES_MAX];
    size_t submodule_count;
};

struct host {
    char file[HOST_PATH_BYTES]; /* it was read from; "": built-in values */
    char state[HOST_PATH_BYTES];
    char socket[HOST_PATH_BYTES];
    char lock_dir[HOST_PATH_BYTES];
    char harness[HOST_PATH_BYTES];
    char run_socket[HOST_PATH_BYTES]; /* ratchet-run's; "": sandboxes are the daemon's own */
    char
        clocks_socket[HOST_PATH_BYTES]; /* ratchet-clocks'; "": the daemon locks them itself */
    char sandbox_user[32];
    uid_t sandbox_uid; /* looked up when root; else (uid_t)-1 */
    gid_t sandbox_gid;
    char idle_command[1024]; /* for /bin/sh -c; "": none */
    unsigned idle_after_s;
    uid_t allowed[HOST_USERS_MAX];
    size_t allowed_count;
    struct host_device devices[HOST_DEVICES_MAX];
    size_t device_count;
    struct host_repository repositories[HOST_REPOSITORIES_MAX];
    size_t repository_count;
    struct limits limits;
};

/* Built-in values: what `ratchet check` uses on a laptop without any file. State is below
 * $XDG_STATE_HOME, or else $HOME/.local/state (root: /var/lib), one device `cpu`. */
MUST_CHECK int host_default(struct host *out, struct err *err);
MUST_CHECK int host_parse(const char *text, size_t len, const char *name, struct host *out,
                          struct err *err);
/* A file that everyone may write is refused: it says where tokens go. */
MUST_CHECK int host_load(const char *path, struct host *out, struct err *err);

/* Where the devices' locks lie unless lock-dir says so: in `own` where that is a folder, else in
 * /run/lock, which every host has and any user may write. No program makes `own`: it is there from
 * the boot on where the service is installed (tmpfiles.d). One that appeared later would have other
 * locks than those that somebody who measures holds. */
#define HOST_LOCK_DIR "/run/ratchet"
const char *host_lock_dir(const char *own);

/* Where ratchet-run starts the daemon's sandboxes; "": the daemon does. Without run-socket it is `own`,
 * where that is a socket that we may connect to: the units are installed. */
#define HOST_RUN_SOCKET HOST_LOCK_DIR "/run.sock"
const char *host_run_socket(const struct host *host, const char *own);

/* Where ratchet-clocks is asked to lock a GPU's clock, in the same way. */
#define HOST_CLOCKS_SOCKET HOST_LOCK_DIR "/clocks.sock"
const char *host_clocks_socket(const struct host *host, const char *own);

/* The token in token-file, without its line end; wiping `out` is the caller's part. Refused
 * unless the file is closed to everyone but owner and group. */
MUST_CHECK int host_read_token(const struct host_repository *repository,
                               char out[MODEL_TOKEN_BYTES], struct err *err);

/* The App's key in app-key, likewise. */
MUST_CHECK int host_read_app_key(const struct host_repository *repository,
                                 char out[HOST_KEY_BYTES], struct err *err);

/* Names of repositories are compared as GitHub does, without regard to case. */
const struct host_repository *host_find_repository(const struct host *host, const char *name);
const struct host_device *host_find_device(const struct host *host, const char *slug);
/* The same, or NULL with an error that says which devices there are, and what to add where. */
const struct host_device *host_need_device(const struct host *host, const char *slug,
                                           struct err *err);
/* The devices that a watched repository is measured on: how many, and which. */
size_t host_watched_devices(const struct host *host, const struct host_repository *repository);
const char *host_watched_device(const struct host *host,
                                const struct host_repository *repository, size_t i);
/* "": the first. */
const struct host_lane *host_find_lane(const struct host_device *device, const char *name);

#endif
