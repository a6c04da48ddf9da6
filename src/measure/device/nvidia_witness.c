/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the thread that reads a GPU while a turn is open, and what its readings say of that turn.
 * What readings of a whole job come to is gpu_watch.c's. */
#include "measure/device/nvidia.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const long poll_ns = 5000000; /* between two readings; one takes microseconds */

struct gpu_witness {
    struct witness witness;
    const struct gpu *gpu;
    bool used_known;
    unsigned long long used_bytes; /* of the GPU's memory, when the first turn began */
    pthread_t thread;
    pthread_mutex_t lock;   /* of what follows, which the thread and its owner share */
    pthread_cond_t changed; /* open or stop */
    bool open, stop;
    enum arm at_work;             /* ARM_COUNT: none alone */
    unsigned samples;             /* so far: a reading that spans two is of neither */
    unsigned marks;               /* of the open turn */
    unsigned marks_of[ARM_COUNT]; /* … seen while this arm was at work alone */
    struct gpu_watch watch;
};

static struct gpu_witness *of_gpu(struct witness *witness)
{
    return (struct gpu_witness *)witness;
}

/* One reading. The lock is held on entry and on return, and not while NVML is asked. */
static void look(struct gpu_witness *witness)
{
    struct gpu_reading reading;
    unsigned samples = witness->samples;
    enum arm arm = witness->at_work;
    pthread_mutex_unlock(&witness->lock);
    nvidia_read(witness->gpu, &reading);
    pthread_mutex_lock(&witness->lock);
    if (samples != witness->samples)
        arm = ARM_COUNT;
    gpu_watch_keep(&witness->watch, arm, &reading);
    unsigned marks = gpu_reading_marks(&reading);
    witness->marks |= marks;
    if (arm < ARM_COUNT)
        witness->marks_of[arm] |= marks;
}

static void *watch_turns(void *context)
{
    struct gpu_witness *witness = context;
    pthread_mutex_lock(&witness->lock);
    while (!witness->stop) {
        if (!witness->open) {
            pthread_cond_wait(&witness->changed, &witness->lock);
            continue;
        }
        look(witness);
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += poll_ns;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        if (!witness->stop)
            pthread_cond_timedwait(&witness->changed, &witness->lock, &until);
    }
    pthread_mutex_unlock(&witness->lock);
    return NULL;
}

static void begin(struct witness *given, enum arm at_work)
{
    struct gpu_witness *witness = of_gpu(given);
    pthread_mutex_lock(&witness->lock);
    witness->at_work = at_work;
    witness->samples++;
    if (!witness->used_known)
        witness->used_known = nvidia_used_bytes(witness->gpu, &witness->used_bytes);
    witness->marks = 0;
    memset(witness->marks_of, 0, sizeof witness->marks_of);
    witness->open = true;
    pthread_cond_signal(&witness->changed);
    pthread_mutex_unlock(&witness->lock);
}

static void sample(struct witness *given, enum arm at_work)
{
    struct gpu_witness *witness = of_gpu(given);
    pthread_mutex_lock(&witness->lock);
    witness->at_work = at_work;
    witness->samples++;
    pthread_mutex_unlock(&witness->lock);
}

/* Everything that a harness needs was allocated before its first turn. */
static bool memory_moved(const struct gpu_witness *witness)
{
    unsigned long long used;
    if (!witness->used_known || !nvidia_used_bytes(witness->gpu, &used))
        return false;
    return used > witness->used_bytes + NVIDIA_CONTEXT_BYTES ||
           witness->used_bytes > used + NVIDIA_CONTEXT_BYTES;
}

static unsigned end(struct witness *given, unsigned long long tolerated,
                    unsigned of[ARM_COUNT])
{
    (void)tolerated; /* of a processor's time */
    struct gpu_witness *witness = of_gpu(given);
    pthread_mutex_lock(&witness->lock);
    look(witness); /* each turn has one reading at least */
    witness->open = false;
    if (nvidia_other_processes(witness->gpu, true) > 0 || memory_moved(witness))
        witness->marks |= MARK_SHARED;
    unsigned marks = witness->marks;
    for (int arm = 0; arm < ARM_COUNT; arm++)
        of[arm] |= witness->marks_of[arm];
    pthread_mutex_unlock(&witness->lock);
    return marks;
}

static unsigned marks(struct witness *given, unsigned of[ARM_COUNT])
{
    struct gpu_witness *witness = of_gpu(given);
    pthread_mutex_lock(&witness->lock);
    unsigned found = gpu_watch_marks(&witness->watch);
    enum arm odd = gpu_watch_odd(&witness->watch);
    if (odd < ARM_COUNT)
        of[odd] |= found;
    pthread_mutex_unlock(&witness->lock);
    return found;
}

static void destroy(struct gpu_witness *witness)
{
    pthread_cond_destroy(&witness->changed);
    pthread_mutex_destroy(&witness->lock);
    free(witness);
}

static void close_witness(struct witness *given, struct gpu_watch *seen)
{
    struct gpu_witness *witness = of_gpu(given);
    pthread_mutex_lock(&witness->lock);
    witness->stop = true;
    pthread_cond_signal(&witness->changed);
    pthread_mutex_unlock(&witness->lock);
    pthread_join(witness->thread, NULL);
    if (seen != NULL)
        gpu_watch_add(seen, &witness->watch);
    destroy(witness);
}

static int open_witness(const struct gpu *gpu, struct witness **out, struct err *err)
{
    struct gpu_witness *witness = calloc(1, sizeof *witness);
    if (witness == NULL)
        return err_set(err, ERR_HOST, "out of memory for a witness");
    witness->witness.ops = &nvidia_witness;
    witness->gpu = gpu;
    witness->at_work = ARM_COUNT;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&witness->lock, NULL);
    pthread_cond_init(&witness->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    int rc = pthread_create(&witness->thread, NULL, watch_turns, witness);
    if (rc != 0) {
        destroy(witness);
        return err_errno(err, ERR_HOST, rc, "start a thread that watches the GPU");
    }
    *out = &witness->witness;
    return 0;
}

const struct witness_ops nvidia_witness = {.open = open_witness,
                                           .begin = begin,
                                           .sample = sample,
                                           .end = end,
                                           .marks = marks,
                                           .close = close_witness};
