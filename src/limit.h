/* SPDX-License-Identifier: Apache-2.0 */
/* Every ceiling of the service, in one table: its name in [limits] of ratchetd.conf, its
 * default, the most it can be set to, its unit and what it holds back. Each is an unsigned long
 * long, `0` is refused. */
#ifndef RATCHET_LIMIT_H
#define RATCHET_LIMIT_H

/* The most that the code behind a limit can count. */
#define LIMIT_BYTES (1ull << 50)
#define LIMIT_MS (7ull * 24 * 3600 * 1000)
#define LIMIT_CONFIGS 256 /* MODEL_CONFIGS_MAX */
#define LIMIT_COUNT 1000000

#define LIMITS_TABLE(X)                                                                       \
    X(event_bytes, "event-bytes", 4ull << 20, LIMIT_BYTES, "bytes of an Actions event file")  \
    X(config_bytes, "config-bytes", 64ull << 10, LIMIT_BYTES, "bytes of ci/ratchet.conf")     \
    X(baseline_bytes, "baseline-bytes", 16ull << 20, LIMIT_BYTES, "bytes of a baseline.json") \
    X(calibration_bytes, "calibration-bytes", 1ull << 20, LIMIT_BYTES,                        \
      "bytes of a calibration.json")                                                          \
    X(samples_bytes, "samples-bytes", 64ull << 20, LIMIT_BYTES, "bytes of a samples.json")    \
    X(http_bytes, "http-bytes", 8ull << 20, LIMIT_BYTES, "bytes of one answer of the API")    \
    X(http_ms, "http-timeout-ms", 30000, LIMIT_MS, "milliseconds one API request may take")   \
    X(github_ms, "github-timeout-ms", 300000, LIMIT_MS,                                       \
      "milliseconds of trying an API call, fetch or push again")                              \
    X(fetch_bytes, "fetch-bytes", 512ull << 20, LIMIT_BYTES,                                  \
      "bytes received by one git fetch")                                                      \
    X(fetch_ms, "fetch-timeout-ms", 120000, LIMIT_MS,                                         \
      "milliseconds of one try of a git fetch or push")                                       \
    X(tree_bytes, "tree-bytes", 256ull << 20, LIMIT_BYTES, "bytes of a checked-out tree")     \
    X(tree_entries, "tree-entries", 50000, 10000000,                                          \
      "files and folders of a checked-out tree")                                              \
    X(tree_depth, "tree-depth", 32, 1000, "folders within folders of a checked-out tree")     \
    X(build_ms, "build-timeout-ms", 600000, LIMIT_MS, "milliseconds of one kernel build")     \
    X(build_memory, "build-memory", 8ull << 30, LIMIT_BYTES,                                  \
      "bytes of memory of a build (see doctor)")                                              \
    X(build_disk, "build-disk", 2ull << 30, LIMIT_BYTES,                                      \
      "bytes that a build may hold in files")                                                 \
    X(build_file, "build-file", 256ull << 20, LIMIT_BYTES,                                    \
      "bytes of one file written by a build")                                                 \
    X(build_processes, "build-processes", 256, LIMIT_COUNT, "processes of a build")           \
    X(kernel_bytes, "kernel-bytes", 64ull << 20, LIMIT_BYTES,                                 \
      "bytes of a built kernel library")                                                      \
    X(log_bytes, "log-bytes", 1ull << 20, LIMIT_BYTES,                                        \
      "bytes of log kept of one build or bench")                                              \
    X(bench_ms, "bench-timeout-ms", 120000, LIMIT_MS, "milliseconds of one replicate")        \
    X(device_wait_ms, "device-wait-ms", 3600000, LIMIT_MS,                                    \
      "milliseconds of waiting while somebody else measures")                                 \
    X(turn_ms, "turn-timeout-ms", 20000, LIMIT_MS,                                            \
      "milliseconds without a word from the harness")                                         \
    X(profile_ms, "profile-timeout-ms", 60000, LIMIT_MS,                                      \
      "milliseconds of all profiling of one check")                                           \
    X(idle_ms, "idle-timeout-ms", 60000, LIMIT_MS, "milliseconds of idle-command")            \
    X(bench_memory, "bench-memory", 16ull << 30, LIMIT_BYTES,                                 \
      "bytes of memory of a bench (see doctor)")                                              \
    X(bench_processes, "bench-processes", 128, LIMIT_COUNT, "processes, threads of a bench")  \
    X(queue_jobs, "queue-jobs", 64, LIMIT_COUNT, "jobs waiting for one device")               \
    X(job_attempts, "job-attempts", 3, LIMIT_COUNT,                                           \
      "starts of one job before it is given up")                                              \
    X(ask_again_ms, "ask-again-ms", 60000, LIMIT_MS,                                          \
      "milliseconds after which GitHub is asked again whether a job is still wanted")         \
    X(watch_ms, "watch-ms", 30000, LIMIT_MS,                                                  \
      "milliseconds from one look at a watched repository to the next")                       \
    X(retry_ms, "retry-ms", 5000, LIMIT_MS,                                                   \
      "milliseconds until a failed step is taken again, later 12 times that")                 \
    X(client_ms, "client-timeout-ms", 10000, LIMIT_MS,                                        \
      "milliseconds; an idle client is disconnected after this")                              \
    X(heartbeat_ms, "heartbeat-ms", 30000, LIMIT_MS,                                          \
      "milliseconds until who waits hears again what for")                                    \
    X(clients, "clients", 64, LIMIT_COUNT, "connections to the daemon")                       \
    X(message_bytes, "message-bytes", 256ull << 10, LIMIT_BYTES,                              \
      "bytes of one message on the socket")                                                   \
    X(token_wait_ms, "token-wait-ms", 3600000, LIMIT_MS,                                      \
      "milliseconds a job waits for its token")                                               \
    X(keep_days, "keep-days", 30, LIMIT_COUNT,                                                \
      "days that finished jobs and their files are kept")                                     \
    X(collect_ms, "collect-ms", 3600000, LIMIT_MS,                                            \
      "milliseconds until what is too old or too much is removed again")                      \
    X(cache_bytes, "cache-bytes", 4ull << 30, LIMIT_BYTES, "bytes of the build cache")        \
    X(configs, "configs", 64, LIMIT_CONFIGS, "configs of one device in ci/ratchet.conf")      \
    X(replicates, "replicates", 64, LIMIT_COUNT,                                              \
      "replicates of one config, marked ones included")                                       \
    X(samples, "samples", 4096, LIMIT_COUNT, "samples of one arm in one replicate")

struct limits {
#define LIMITS_FIELD(field, name, value, most, what) unsigned long long field;
    LIMITS_TABLE(LIMITS_FIELD)
#undef LIMITS_FIELD
};

static inline struct limits limits_default(void)
{
    return (struct limits){
#define LIMITS_VALUE(field, name, value, most, what) .field = (value),
        LIMITS_TABLE(LIMITS_VALUE)
#undef LIMITS_VALUE
    };
}

/* One try of the API, for whoever holds up others. */
static inline struct limits limits_once(const struct limits *limits)
{
    struct limits once = *limits;
    if (once.http_ms < once.github_ms)
        once.github_ms = once.http_ms;
    return once;
}

#endif
