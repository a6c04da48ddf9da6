/* SPDX-License-Identifier: Apache-2.0 */
/* Owns a harness process from its folder to its end: the folder of copies, the order in which
 * libraries are loaded, and the random order of configs. What is done with one config is
 * replicate.c's. */
#include "measure/process.h"

#include "base/file.h"
#include "base/proc.h"
#include "measure/bench_request.h"
#include "measure/draw.h"
#include "measure/replicate.h"
#include "measure/session.h"
#include "measure/slots.h"

#include "attention.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct process {
    struct stage stage;
    struct process_config *configs;
    size_t count;
    struct slots slots;
    char folder[FILE_PATH_BYTES];
};

static int make_folder(struct process *process, struct err *err)
{
    const struct bench_request *request = process->stage.request;
    uint64_t name;
    char path[FILE_PATH_BYTES];
    if (draw_bits(&name, err) != 0 ||
        file_path(path, err, "%s/bench-%016" PRIx64, request->work, name) != 0 ||
        file_mkdirs(path, 0755, err) != 0)
        return -1;
    memcpy(process->folder, path, sizeof path);
    if (chmod(path, 0755) != 0) /* whatever our umask is: the sandbox's user must read it */
        return err_errno(err, ERR_HOST, errno, "chmod `%s`", path);
    if (file_path(path, err, "%s/%s", process->folder, SESSION_PROGRAM) != 0 ||
        file_copy(request->harness, path, 0755, err) != 0)
        return -1;
    for (size_t i = 0; i < process->slots.count; i++)
        if (file_path(path, err, "%s/lib-%02zu.so", process->folder, i) != 0 ||
            file_copy(process->slots.slots[i].path, path, 0755, err) != 0)
            return -1;
    return 0;
}

static int open_device(struct stage *stage, struct err *err)
{
    const struct bench_request *request = stage->request;
    char cpus[WIRE_CPUS_MAX * 7 + 1] = "";
    size_t used = 0;
    if (request->cpus != NULL && request->cpu_count > WIRE_CPUS_MAX)
        return err_set(err, ERR_INPUT, "%zu cpus to pin to, at most %d are possible",
                       request->cpu_count, WIRE_CPUS_MAX);
    for (size_t i = 0; request->cpus != NULL && i < request->cpu_count; i++)
        used += (size_t)snprintf(cpus + used, sizeof cpus - used, " %u",
                                 request->cpus[i] % 100000);
    /* The harness gives up by itself a little before we do: it can say how far it came. */
    unsigned long long turn_ms = request->limits->turn_ms;
    struct line line;
    enum reply reply = session_send(stage->session, "open %u %llu%s", stage->use.threads,
                                    turn_ms - turn_ms / 10, cpus);
    if (reply == REPLY_OK)
        reply = session_receive(stage->session, LINE_OPENED, ARM_COUNT, &line);
    if (reply == REPLY_OK) {
        stage->use.l2_bytes = line.numbers[0];
        stage->free_bytes = line.numbers[1];
        stage->clock_apart = line.numbers[3] == 1;
        return 0;
    }
    bool ours = reply == REPLY_LOST && session_loss(stage->session) == LOSS_OURS;
    return err_set(err, ours ? ERR_INTERNAL : ERR_HOST, "open the device: %s",
                   reply == REPLY_FAILED ? line.text : session_text(stage->session));
}

/* What is loaded later, head of a check last, finds no other library to have the work done by. */
static void forget_library(const struct process *process, size_t i)
{
    char path[FILE_PATH_BYTES];
    struct err ignored;
    if (file_path(path, &ignored, "%s/lib-%02zu.so", process->folder, i) == 0)
        unlink(path);
}

/* A library that does not load is the trouble of every config that uses it. */
static bool load_slot(struct process *process, size_t i)
{
    const struct slot *slot = &process->slots.slots[i];
    struct session *session = process->stage.session;
    struct line line = {.kind = LINE_KINDS};
    enum reply reply = session_send(session, "load %zu lib-%02zu.so", i, i);
    if (reply == REPLY_OK)
        reply = session_receive(session, LINE_LOADED, ARM_COUNT, &line);
    bool peer = reply == REPLY_OK && !process->stage.request->peers &&
                strncmp(line.name, ATTENTION_PEER, strlen(ATTENTION_PEER)) == 0;
    if (reply == REPLY_OK && line.numbers[0] == i && !peer) {
        forget_library(process, i);
        return true;
    }
    static const char peer_text[] = "its name begins with `" ATTENTION_PEER
                                    "`: that is for kernels which nobody checks";
    const char *text = reply == REPLY_FAILED ? line.text
                       : peer                ? peer_text
                                             : "answered for another slot";
    for (size_t c = 0; c < process->count; c++) {
        struct process_config *config = &process->configs[c];
        if (!config->arms[slot->arm] ||
            slots_find(&process->slots, config->bench, slot->arm) != (int)i)
            continue;
        config->started = true;
        if (reply == REPLY_FAILED && line.kind == LINE_FAILED)
            trouble_set(&config->trouble[ARM_COUNT], TROUBLE_HOST, false, "", line.text);
        else if (reply == REPLY_LOST)
            trouble_set_loss(config->trouble, session, slot->arm, " while it was loaded");
        else
            trouble_set(&config->trouble[slot->arm], TROUBLE_REFUSED, true, "", text);
    }
    return reply != REPLY_LOST;
}

/* Anchors first: a library loaded early could pass for one that is loaded later. */
static bool load_all(struct process *process)
{
    for (int order = 0; order < ARM_COUNT; order++)
        for (size_t i = 0; i < process->slots.count; i++)
            if (process->slots.slots[i].arm == slots_order[order] && !load_slot(process, i))
                return false;
    return true;
}

static int run_config(struct process *process, size_t i, struct err *err)
{
    struct process_config *config = &process->configs[i];
    uint64_t begin = proc_now_ns();
    session_begin_config(process->stage.session, config->bench);
    int rc = replicate_run(&process->stage, config, err);
    config->seconds = (double)(proc_now_ns() - begin) / 1e9;
    return rc;
}

static int run_configs(struct process *process, struct err *err)
{
    size_t order[MODEL_CONFIGS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < process->count; i++) {
        /* A config whose library was refused has its trouble already. */
        if (process->configs[i].started && !trouble_any(process->configs[i].trouble))
            order[count++] = i;
    }
    for (; count > 0; count--) {
        uint64_t bits;
        if (draw_bits(&bits, err) != 0)
            return -1;
        size_t pick = (size_t)(bits % count);
        size_t chosen = order[pick];
        order[pick] = order[count - 1];
        if (session_loss(process->stage.session) != LOSS_NONE ||
            bench_is_late(process->stage.request)) {
            process->configs[chosen].started = false; /* another process will, or none */
            continue;
        }
        if (run_config(process, chosen, err) != 0)
            return -1;
    }
    return 0;
}

static int run_all(struct process *process, struct err *err)
{
    if (make_folder(process, err) != 0)
        return -1;
    size_t configs = 0;
    for (size_t i = 0; i < process->count; i++)
        configs += process->configs[i].started;
    const struct bench_request *request = process->stage.request;
    if (session_start(request, process->folder, request->limits->bench_ms * configs,
                      &process->stage.session, err) != 0 ||
        open_device(&process->stage, err) != 0)
        return -1;
    if (load_all(process))
        return run_configs(process, err);
    for (size_t i = 0; i < process->count; i++)
        if (!trouble_any(process->configs[i].trouble))
            process->configs[i].started = false;
    return 0;
}

/* Is somebody else on the device, before a harness of ours is? The one before may take a moment
 * to be gone. */
static bool is_in_use(const struct stage *stage)
{
    enum { TRIES = 20, TRY_MS = 50 };
    const struct bench_request *request = stage->request;
    char text[MODEL_TEXT_BYTES];
    if (stage->kind->is_in_use == NULL ||
        !stage->kind->is_in_use(request->gpu, text, sizeof text))
        return false;
    for (int i = 0; i < TRIES; i++) {
        const struct timespec pause = {.tv_nsec = TRY_MS * 1000000L};
        nanosleep(&pause, NULL);
        if (!stage->kind->is_in_use(request->gpu, text, sizeof text))
            return false;
    }
    bench_say(request, (struct bench_event){.config = request->config_count}, "shared: %s",
              text);
    return true;
}

int process_run(const struct bench_request *request, const struct machine *machine,
                struct process_config *configs, size_t count,
                const struct experiment *experiment, struct err *err)
{
    struct process process = {.configs = configs, .count = count};
    process.stage = (struct stage){
        .request = request,
        .use = bench_use(request, machine),
        .slots = &process.slots,
        .experiment = experiment,
    };
    if (device_kind_get(request->device, request->gpu, &process.stage.kind, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        configs[i].started = slots_take(&process.slots, configs[i].bench, configs[i].arms);
    unsigned marks = is_in_use(&process.stage) ? MARK_SHARED : 0;
    int rc = run_all(&process, err);
    session_end(process.stage.session);
    for (size_t i = 0; i < count; i++) {
        configs[i].replicate.marks |= marks;
        configs[i].slowed.marks |= marks;
    }
    struct err ignored;
    if (process.folder[0] != '\0' &&
        file_remove_tree(process.folder, rc == 0 ? err : &ignored) != 0)
        rc = -1;
    return rc;
}
