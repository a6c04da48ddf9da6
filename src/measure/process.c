/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the folder of copies, the slots, and the steps from a config to its replicate. Of the
 * arms of a check head always comes last within a step: when it fails there, the others have
 * just passed. Those with names of their own are set against head, and follow it. */
#include "measure/process.h"

#include "base/file.h"
#include "base/proc.h"
#include "measure/cost.h"
#include "measure/device/device.h"
#include "measure/session.h"
#include "measure/turns.h"

#include "attention.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

enum { VERIFY_ROWS = 256 };

static const enum arm step_order[ARM_COUNT] = {
    ARM_ANCHOR,    ARM_CONTROL,   ARM_BASE,      ARM_HEAD,      ARM_OTHER,     ARM_OTHER + 1,
    ARM_OTHER + 2, ARM_OTHER + 3, ARM_OTHER + 4, ARM_OTHER + 5, ARM_OTHER + 6, ARM_OTHER + 7};
_Static_assert(ARM_OTHERS_MAX == 8, "step_order names every arm");

struct slot {
    const char *path;
    enum arm arm;
    bool loaded;
};

struct process {
    const struct bench_request *request;
    const struct device_kind *kind;
    struct device_use use;
    struct process_config *configs;
    size_t count;
    const struct process_experiment *experiment; /* NULL: replicates */
    struct slot slots[WIRE_SLOTS_MAX];
    size_t slot_count;
    char folder[FILE_PATH_BYTES];
    struct session *session;
    unsigned long long free_bytes; /* of a GPU, before any library; 0: not known */
};

int process_random(uint64_t *out, struct err *err)
{
    if (getrandom(out, sizeof *out, 0) != (ssize_t)sizeof *out)
        return err_errno(err, ERR_HOST, errno, "getrandom");
    return 0;
}

/* ---- folder and slots ---- */

static const char *library_of(const struct process_config *config, enum arm arm)
{
    return config->bench->library[arm == ARM_CONTROL ? ARM_ANCHOR : arm];
}

/* The slot of an arm's library; an arm never shares a copy with another arm. */
static int slot_of(const struct process *process, const struct process_config *config,
                   enum arm arm)
{
    for (size_t i = 0; config->arms[arm] && i < process->slot_count; i++)
        if (process->slots[i].arm == arm &&
            strcmp(process->slots[i].path, library_of(config, arm)) == 0)
            return (int)i;
    return -1;
}

/* Slots for all arms of a config, or none: then it waits for another process. */
static bool take_slots(struct process *process, const struct process_config *config)
{
    size_t before = process->slot_count;
    for (int i = 0; i < ARM_COUNT; i++) {
        enum arm arm = step_order[i];
        if (!config->arms[arm] || slot_of(process, config, arm) >= 0)
            continue;
        if (process->slot_count == WIRE_SLOTS_MAX) {
            process->slot_count = before;
            return false;
        }
        process->slots[process->slot_count++] = (struct slot){.path = library_of(config, arm),
                                                              .arm = arm};
    }
    return true;
}

static int make_folder(struct process *process, struct err *err)
{
    uint64_t name;
    char path[FILE_PATH_BYTES];
    if (process_random(&name, err) != 0 ||
        file_path(path, err, "%s/bench-%016llx", process->request->work,
                  (unsigned long long)name) != 0 ||
        file_mkdirs(path, 0755, err) != 0)
        return -1;
    memcpy(process->folder, path, sizeof path);
    if (chmod(path, 0755) != 0) /* whatever our umask is: the sandbox's user must read it */
        return err_errno(err, ERR_HOST, errno, "chmod `%s`", path);
    if (file_path(path, err, "%s/%s", process->folder, SESSION_PROGRAM) != 0 ||
        file_copy(process->request->harness, path, 0755, err) != 0)
        return -1;
    for (size_t i = 0; i < process->slot_count; i++)
        if (file_path(path, err, "%s/lib-%02zu.so", process->folder, i) != 0 ||
            file_copy(process->slots[i].path, path, 0755, err) != 0)
            return -1;
    return 0;
}

/* ---- what went wrong, and with whom ---- */

static enum trouble_kind kind_of_loss(enum loss loss)
{
    static const enum trouble_kind kinds[] = {[LOSS_NONE] = TROUBLE_HOST,
                                              [LOSS_CRASH] = TROUBLE_CRASH,
                                              [LOSS_KILLED] = TROUBLE_CRASH,
                                              [LOSS_HANG] = TROUBLE_HANG,
                                              [LOSS_GARBLED] = TROUBLE_GARBLED};
    return kinds[loss];
}

static void set_trouble(struct trouble *trouble, enum trouble_kind kind, bool whole,
                        const char *stage, const char *text)
{
    if (trouble->kind != TROUBLE_NONE)
        return; /* the first is the cause */
    trouble->kind = kind;
    trouble->whole = whole;
    snprintf(trouble->text, sizeof trouble->text, "%.400s%.100s", text, stage);
}

/* Write down that a step ended otherwise than it should: `want` was due. `arm` ARM_COUNT: no arm
 * was at work, so a death is the host's; but words out of place are a library's, and of those
 * only the pull request's is nobody's yet. */
static void note(struct process *process, struct process_config *config, enum talk talk,
                 enum arm arm, enum line_kind want, const struct line *line, const char *stage)
{
    if (talk == TALK_WRONG && line->arm < ARM_COUNT && config->arms[line->arm]) {
        char text[WIRE_TEXT_BYTES + 32];
        /* Before anything was launched there was no result. */
        snprintf(text, sizeof text, "%s%s",
                 want == LINE_PREPARED ? "" : "wrong result: ", line->text);
        set_trouble(&config->trouble[line->arm], TROUBLE_WRONG, false, stage, text);
        return;
    }
    if (talk == TALK_FAILED) {
        set_trouble(&config->trouble[ARM_COUNT], TROUBLE_HOST, false, stage, line->text);
        return;
    }
    enum loss loss = session_loss(process->session);
    const char *text = session_text(process->session);
    if (talk == TALK_WRONG || (loss == LOSS_GARBLED && arm == ARM_COUNT)) {
        bool head = config->arms[ARM_HEAD];
        set_trouble(&config->trouble[head ? ARM_HEAD : ARM_COUNT], TROUBLE_GARBLED, head,
                    stage,
                    talk == TALK_WRONG ? "a wrong result of an arm that is not there" : text);
        return;
    }
    if (arm == ARM_COUNT)
        set_trouble(&config->trouble[ARM_COUNT], TROUBLE_HOST, false, stage, text);
    else
        set_trouble(&config->trouble[arm], kind_of_loss(loss), arm == ARM_HEAD, stage, text);
}

/* One command about one arm (or none) and its one answer; trouble is noted. */
static enum talk ask(struct process *process, struct process_config *config, enum arm arm,
                     enum line_kind want, struct line *line, const char *stage,
                     const char *format, ...) __attribute__((format(printf, 7, 8)));
static enum talk ask(struct process *process, struct process_config *config, enum arm arm,
                     enum line_kind want, struct line *line, const char *stage,
                     const char *format, ...)
{
    char command[WIRE_LINE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    enum talk talk = session_send(process->session, "%s", command);
    if (talk == TALK_OK)
        talk = session_hear(process->session, want, arm, line);
    if (talk != TALK_OK)
        note(process, config, talk, arm, want, line, stage);
    return talk;
}

static bool troubled(const struct process_config *config)
{
    for (int arm = 0; arm <= ARM_COUNT; arm++)
        if (config->trouble[arm].kind != TROUBLE_NONE)
            return true;
    return false;
}

/* ---- the steps of a process ---- */

static int open_device(struct process *process, struct err *err)
{
    const struct bench_request *request = process->request;
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
    enum talk talk = session_send(process->session, "open %u %llu%s", process->use.threads,
                                  turn_ms - turn_ms / 10, cpus);
    if (talk == TALK_OK)
        talk = session_hear(process->session, LINE_OPENED, ARM_COUNT, &line);
    if (talk == TALK_OK) {
        process->use.l2_bytes = line.numbers[0];
        process->free_bytes = line.numbers[1];
        return 0;
    }
    return err_set(err, ERR_HOST, "open the device: %s",
                   talk == TALK_FAILED ? line.text : session_text(process->session));
}

/* A library that does not load is the trouble of every config that uses it. */
static bool load_slot(struct process *process, size_t i)
{
    struct slot *slot = &process->slots[i];
    struct line line;
    enum talk talk = session_send(process->session, "load %zu lib-%02zu.so", i, i);
    if (talk == TALK_OK)
        talk = session_hear(process->session, LINE_LOADED, ARM_COUNT, &line);
    bool peer = talk == TALK_OK && !process->request->peers &&
                strncmp(line.name, ATTENTION_PEER, strlen(ATTENTION_PEER)) == 0;
    slot->loaded = talk == TALK_OK && line.numbers[0] == i && !peer;
    if (slot->loaded)
        return true;
    enum trouble_kind kind = talk == TALK_LOST ? kind_of_loss(session_loss(process->session))
                                               : TROUBLE_REFUSED;
    const char *text = talk == TALK_LOST     ? session_text(process->session)
                       : talk == TALK_FAILED ? line.text
                       : peer                ? "its name begins with `" ATTENTION_PEER
                                "`: that is for kernels"
                                " which nobody checks"
                              : "answered for another slot";
    for (size_t c = 0; c < process->count; c++) {
        struct process_config *config = &process->configs[c];
        if (slot_of(process, config, slot->arm) != (int)i)
            continue;
        config->started = true;
        set_trouble(&config->trouble[slot->arm], kind, true,
                    talk == TALK_LOST ? " while it was loaded" : "", text);
    }
    return talk != TALK_LOST;
}

/* Anchors first: a library loaded early could pass for one that is loaded later. */
static bool load_all(struct process *process)
{
    for (int order = 0; order < ARM_COUNT; order++)
        for (size_t i = 0; i < process->slot_count; i++)
            if (process->slots[i].arm == step_order[order] && !load_slot(process, i))
                return false;
    return true;
}

/* ---- the steps of a config ---- */

static enum talk configure(struct process *process, struct process_config *config)
{
    const struct problem *p = &config->bench->config.problem;
    char slots[ARM_COUNT * 4 + 1];
    size_t used = 0, needed = 0;
    struct line line;
    for (int arm = 0; arm < ARM_COUNT; arm++) {
        int slot = slot_of(process, config, (enum arm)arm);
        used += (size_t)snprintf(slots + used, sizeof slots - used, slot < 0 ? " -" : " %d",
                                 slot);
        if (slot >= 0 || arm < ARM_OTHER)
            needed = used;
    }
    return ask(process, config, ARM_COUNT, LINE_CONFIGURED, &line, "",
               "config %d %d %d %d %d %d %s %d%.*s", p->batch, p->heads, p->heads_kv, p->seq_q,
               p->seq_k, p->head_dim, dtype_name(p->dtype), p->causal ? 1 : 0, (int)needed,
               slots);
}

/* Do one thing with every arm in turn; a wrong arm does not keep the others from being
 * looked at, a lost process does. True when all are fine. */
static bool each_arm(struct process *process, struct process_config *config, const char *stage,
                     enum talk (*step)(struct process *process, struct process_config *config,
                                       enum arm arm, const char *stage))
{
    for (int i = 0; i < ARM_COUNT; i++)
        if (config->arms[step_order[i]] &&
            step(process, config, step_order[i], stage) == TALK_LOST)
            return false;
    return !troubled(config);
}

static enum talk prepare(struct process *process, struct process_config *config, enum arm arm,
                         const char *stage)
{
    struct line line;
    enum talk talk = ask(process, config, arm, LINE_PREPARED, &line, stage, "prepare %s",
                         arm_name(arm));
    if (talk == TALK_OK)
        config->peak_bytes[arm] = line.numbers[0];
    return talk;
}

static enum talk verify(struct process *process, struct process_config *config, enum arm arm,
                        const char *stage)
{
    struct line line;
    uint64_t seeds[2];
    if (process_random(&seeds[0], NULL) != 0)
        return TALK_LOST;
    enum talk talk = ask(process, config, arm, LINE_RAN, &line, stage, "forward %s %llu",
                         arm_name(arm), (unsigned long long)seeds[0]);
    if (talk != TALK_OK)
        return talk;
    if (line.numbers[0] > config->grown_bytes[arm])
        config->grown_bytes[arm] = line.numbers[0];
    /* Drawn only now that the output stands. */
    if (process_random(&seeds[1], NULL) != 0)
        return TALK_LOST;
    return ask(process, config, arm, LINE_RIGHT, &line, stage, "rows %s %llu %d",
               arm_name(arm), (unsigned long long)seeds[1], VERIFY_ROWS);
}

/* ---- memory ---- */

/* A config that would take most of the device's memory is not tried: where it fails, others
 * on the same device could fail with it. */
static bool fits(const struct process *process, struct process_config *config,
                 unsigned long long rotation)
{
    static const double share = 0.85;
    const struct problem *p = &config->bench->config.problem;
    double workspace = 0.0;
    for (int arm = 0; arm < ARM_COUNT; arm++)
        workspace = fmax(workspace, (double)config->peak_bytes[arm]); /* so far that alone */
    double sets = rotation == 0 ? 1.0
                                : fmax(2.0, ceil((double)rotation / cost_input_bytes(p)));
    double need = sets * cost_input_bytes(p) + cost_output_bytes(p) + workspace;
    if (process->free_bytes == 0 || need <= share * (double)process->free_bytes)
        return true;
    char text[160];
    snprintf(text, sizeof text,
             "needs %.2f GiB of device memory, and 85%% of the free %.2f GiB is %.2f GiB",
             need / (1 << 30), (double)process->free_bytes / (1 << 30),
             share * (double)process->free_bytes / (1 << 30));
    set_trouble(&config->trouble[ARM_COUNT], TROUBLE_HOST, false, "", text);
    return false;
}

static bool allocate(struct process *process, struct process_config *config)
{
    struct line line;
    unsigned long long rotation = process->kind->rotation(&process->use);
    if (!fits(process, config, rotation) ||
        ask(process, config, ARM_COUNT, LINE_ALLOCATED, &line, "", "allocate %llu",
            rotation) != TALK_OK)
        return false;
    double outputs = cost_output_bytes(&config->bench->config.problem);
    for (int arm = 0; arm < ARM_COUNT; arm++)
        if (config->arms[arm])
            config->peak_bytes[arm] += line.numbers[1] + (unsigned long long)outputs;
    return true;
}

/* How the turns ended, where they did not go through. */
static int note_end(struct process *process, struct process_config *config,
                    const struct turns_end *end)
{
    if (end->lie)
        set_trouble(&config->trouble[end->arm < ARM_COUNT     ? end->arm
                                     : config->arms[ARM_HEAD] ? ARM_HEAD
                                                              : ARM_COUNT],
                    TROUBLE_LIE, false, "", end->text);
    else if (end->talk != TALK_OK)
        note(process, config, end->talk, end->arm, LINE_SAMPLE, &end->line,
             " while it was timed");
    else
        return -1;
    return 0;
}

static int time_replicate(struct process *process, struct process_config *config,
                          struct turns *turns, struct replicate *replicate, struct err *err)
{
    struct series taken[PROCESS_ENTRIES_MAX] = {{0}};
    struct turns_end end;
    turns->audits = true;
    for (int i = 0; i < ARM_COUNT; i++)
        if (config->arms[step_order[i]])
            turns->entries[turns->count++].arm = step_order[i];
    struct turns_marks marks = {0};
    int rc = turns_take(turns, taken, &marks, &end, err);
    replicate->marks |= marks.all;
    memcpy(replicate->provoked, marks.of, sizeof marks.of);
    for (size_t i = 0; i < turns->count; i++)
        replicate->arms[turns->entries[i].arm] = taken[i];
    return rc == 0 ? 0 : note_end(process, config, &end);
}

static int compare_ns(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* What a sample of the anchor takes now, in the middle of a few turns without delays. */
static int time_anchor(const struct turns *given, double *sample_ns, struct turns_end *end,
                       struct err *err)
{
    enum { TURNS = 9 };
    struct bench_request request = *given->request;
    struct turns turns = *given;
    struct series entries[PROCESS_ENTRIES_MAX] = {{0}};
    struct turns_marks marks = {0};
    request.samples = TURNS;
    turns.request = &request;
    turns.entries[turns.count++].arm = ARM_ANCHOR;
    int rc = turns_take(&turns, entries, &marks, end, err);
    struct series *taken = &entries[0];
    if (rc == 0) {
        qsort(taken->ns, taken->count, sizeof *taken->ns, compare_ns);
        *sample_ns = taken->ns[taken->count / 2] * (double)turns.launches;
    }
    free(taken->ns);
    return rc;
}

static int time_slowed(struct process *process, struct process_config *config,
                       struct turns *turns, struct err *err)
{
    const struct process_experiment *experiment = process->experiment;
    struct turns_end end;
    double sample_ns;
    turns->delays = true;
    if (time_anchor(turns, &sample_ns, &end, err) != 0)
        return note_end(process, config, &end);
    for (size_t i = 0; i < experiment->count; i++)
        turns->entries[turns->count++] = (struct turns_entry){
            experiment->entries[i].arm,
            (unsigned long long)llround(experiment->entries[i].slower * sample_ns)};
    uint64_t begin = proc_now_ns();
    struct turns_marks marks = {0};
    int rc = turns_take(turns, config->slowed.entries, &marks, &end, err);
    config->slowed.marks |= marks.all;
    config->slowed.seconds = (double)(proc_now_ns() - begin) / 1e9;
    return rc == 0 ? 0 : note_end(process, config, &end);
}

static int time_arms(struct process *process, struct process_config *config,
                     struct replicate *replicate, struct err *err)
{
    struct turns turns = {
        .session = process->session,
        .request = process->request,
        .kind = process->kind,
        .floor_ns = process->kind->floor_ns(&process->use, &config->bench->config.problem),
    };
    enum arm first = ARM_HEAD;
    for (int i = ARM_COUNT - 1; i >= 0; i--)
        if (config->arms[step_order[i]])
            first = step_order[i];
    struct line line;
    uint64_t seed;
    if (process_random(&seed, err) != 0)
        return -1;
    if (ask(process, config, ARM_COUNT, LINE_FILLED, &line, "", "fill %llu",
            (unsigned long long)seed) != TALK_OK ||
        ask(process, config, first, LINE_CALIBRATED, &line, " while it was calibrated",
            "calibrate %s %.0f", arm_name(first), process->request->target_ns) != TALK_OK)
        return 0;
    turns.launches = line.numbers[0] > 0 ? line.numbers[0] : 1;
    return process->experiment != NULL
               ? time_slowed(process, config, &turns, err)
               : time_replicate(process, config, &turns, replicate, err);
}

/* All steps of one config. The process may be lost afterwards. */
static int run_config(struct process *process, struct process_config *config, struct err *err)
{
    struct line line;
    struct replicate replicate = {0};
    int rc = 0;
    config->started = true;
    if (configure(process, config) != TALK_OK)
        return 0;
    if (each_arm(process, config, "", prepare) && allocate(process, config) &&
        each_arm(process, config, "", verify)) {
        rc = time_arms(process, config, &replicate, err);
        if (rc == 0 && !troubled(config) &&
            each_arm(process, config, " (after timing)", verify)) {
            config->replicate = replicate;
            config->done = true;
            replicate = (struct replicate){0};
            for (int arm = 0; arm < ARM_COUNT; arm++)
                config->peak_bytes[arm] += config->grown_bytes[arm];
        }
    }
    replicate_free(&replicate);
    if (rc == 0 && session_loss(process->session) == LOSS_NONE &&
        ask(process, config, ARM_COUNT, LINE_RELEASED, &line, "", "release") != TALK_OK &&
        config->done) {
        replicate_free(&config->replicate);
        config->done = false;
    }
    return rc;
}

static int run_configs(struct process *process, struct err *err)
{
    size_t order[MODEL_CONFIGS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < process->count; i++) {
        /* A config whose library was refused has its trouble already. */
        if (process->configs[i].started && !troubled(&process->configs[i]))
            order[count++] = i;
    }
    for (; count > 0; count--) {
        uint64_t bits;
        if (process_random(&bits, err) != 0)
            return -1;
        size_t pick = (size_t)(bits % count);
        size_t chosen = order[pick];
        order[pick] = order[count - 1];
        if (session_loss(process->session) != LOSS_NONE) {
            process->configs[chosen].started = false; /* another process will */
            continue;
        }
        if (run_config(process, &process->configs[chosen], err) != 0)
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
    if (session_start(process->request, process->folder,
                      process->request->limits->bench_ms * configs, &process->session,
                      err) != 0)
        return -1;
    if (open_device(process, err) != 0)
        return -1;
    if (load_all(process))
        return run_configs(process, err);
    for (size_t i = 0; i < process->count; i++)
        if (!troubled(&process->configs[i]))
            process->configs[i].started = false;
    return 0;
}

/* Is somebody else on the device, before a harness of ours is? The one before may take a moment
 * to be gone. */
static bool is_taken(const struct process *process)
{
    enum { TRIES = 20, TRY_MS = 50 };
    const struct bench_request *request = process->request;
    char text[MODEL_TEXT_BYTES], line[MODEL_TEXT_BYTES + 16];
    if (process->kind->is_taken == NULL ||
        !process->kind->is_taken(request->gpu, text, sizeof text))
        return false;
    for (int i = 0; i < TRIES; i++) {
        const struct timespec pause = {.tv_nsec = TRY_MS * 1000000L};
        nanosleep(&pause, NULL);
        if (!process->kind->is_taken(request->gpu, text, sizeof text))
            return false;
    }
    snprintf(line, sizeof line, "shared: %s", text);
    if (request->progress != NULL)
        request->progress(request->context, line);
    return true;
}

int process_run(const struct bench_request *request, const struct machine *machine,
                struct process_config *configs, size_t count,
                const struct process_experiment *experiment, struct err *err)
{
    struct process process = {
        .request = request,
        .use = {.machine = machine,
                .gpu = request->gpu,
                .threads = machine_threads(machine, request->threads),
                .warm_inputs = request->warm_inputs},
        .configs = configs,
        .count = count,
        .experiment = experiment,
    };
    if (device_kind_get(request->device, request->gpu, &process.kind, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        configs[i].started = take_slots(&process, &configs[i]);
    unsigned marks = is_taken(&process) ? MARK_SHARED : 0;
    int rc = run_all(&process, err);
    session_end(process.session);
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
