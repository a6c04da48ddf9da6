/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reading of a request: its device as the kinds of device see it, and who listens. */
#include "measure/bench_request.h"

#include "base/proc.h"
#include "base/sanitized.h"
#include "measure/machine.h"

#include <stdarg.h>
#include <stdio.h>

struct device_use bench_use(const struct bench_request *request, const struct machine *machine)
{
    return (struct device_use){.machine = machine,
                               .gpu = request->gpu,
                               .threads = machine_threads(machine, request->threads),
                               .pinned = request->cpus != NULL && request->cpu_count > 0,
                               .warm_inputs = request->warm_inputs};
}

struct proc_limits bench_limits(const struct bench_request *request,
                                const struct device_kind *kind)
{
    bool any = SANITIZED || kind->reserves_memory;
    return (struct proc_limits){
        .memory_bytes = any ? 0 : request->limits->bench_memory,
        .processes = (unsigned)request->limits->bench_processes,
    };
}

const char *bench_problem(const struct problem *problem, char out[BENCH_PROBLEM_BYTES])
{
    snprintf(out, BENCH_PROBLEM_BYTES, "%d %d %d %d %d %d %s %d", problem->batch,
             problem->heads, problem->heads_kv, problem->seq_q, problem->seq_k,
             problem->head_dim, dtype_name(problem->dtype), problem->causal ? 1 : 0);
    return out;
}

bool bench_is_late(const struct bench_request *request)
{
    return request->deadline_ns != 0 && proc_now_ns() >= request->deadline_ns;
}

void bench_say(const struct bench_request *request, struct bench_event event,
               const char *format, ...)
{
    char line[MODEL_TEXT_BYTES + MODEL_NAME_BYTES];
    if (request->progress == NULL)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    event.line = line;
    request->progress(request->context, &event);
}
