/* SPDX-License-Identifier: Apache-2.0 */
/* Not a test by itself: measure/profile.h as a program, for tests/gpu/profile.py. Prints the profiler
 * that was found, what was run and all that it printed, and the readings.
 *     profile_driver DEVICE HARNESS LIBRARY FOLDER B,H,HKV,SQ,SK,D,DTYPE,CAUSAL [PROFILER] */
#include "base/err.h"
#include "measure/ncu.h"
#include "measure/profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SAID_BYTES = 8 << 20, WALL_MS = 60000, NOBODY = 65534 };

static int read_problem(const char *text, struct problem *p)
{
    char dtype[16];
    int causal;
    if (sscanf(text, "%d,%d,%d,%d,%d,%d,%15[^,],%d", &p->batch, &p->heads, &p->heads_kv, &p->seq_q,
               &p->seq_k, &p->head_dim, dtype, &causal) != 8)
        return -1;
    p->causal = causal != 0;
    return dtype_parse(dtype, &p->dtype);
}

static int run(char **argv, const char *path, struct buf *said, struct err *err)
{
    const struct device_kind *kind = device_kind_of(argv[1]);
    struct limits limits = limits_default();
    struct bench_config bench = {.config = {.name = "a"}, .library = {[ARM_HEAD] = argv[3]}};
    struct profiler profiler;
    struct metric_readings readings;
    struct gpu gpu;
    if (kind == NULL || read_problem(argv[5], &bench.config.problem) != 0)
        return err_set(err, ERR_USAGE, "no such device, or no such problem");
    if (profiler_find(path, kind, &profiler, err) != 0 ||
        (kind->find != NULL && device_find_gpu(argv[1], "", &gpu, err) != 0))
        return -1;
    printf("profiler %s\n    root %s\n    %s\n", profiler.program, profiler.root,
           profiler.script ? "a script" : "a program");
    fflush(stdout);
    const struct bench_request request = {.device = argv[1],
                                          .gpu = kind->find == NULL ? NULL : &gpu,
                                          .threads = 1,
                                          .configs = &bench,
                                          .config_count = 1,
                                          .harness = argv[2],
                                          .work = argv[4],
                                          .sandboxed = true,
                                          .uid = geteuid() == 0 ? NOBODY : (uid_t)-1,
                                          .gid = geteuid() == 0 ? NOBODY : (gid_t)-1,
                                          .limits = &limits};
    const struct profile_request asked = {&request, 0, ARM_HEAD, &profiler, WALL_MS};
    int rc = profile_run(&asked, said, &readings, err);
    for (int metric = 0; rc == 0 && metric < METRICS; metric++)
        printf("%-16s %-75s %.17g\n", metric_key((enum metric)metric),
               metric_tool_name((enum metric)metric), readings.values[metric]);
    return rc;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    BUF_AUTO said;
    buf_init(&said, SAID_BYTES);
    if (argc != 6 && argc != 7) {
        fprintf(stderr, "profile_driver: wrong arguments\n");
        return EXIT_USAGE;
    }
    int rc = run(argv, argc == 7 ? argv[6] : "", &said, &err);
    printf("---- what was run, and what it printed ----\n%s---- end ----\n", said.data);
    if (rc != 0)
        printf("error: %s\n", err.text);
    return rc == 0 ? 0 : 1;
}
