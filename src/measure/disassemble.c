/* SPDX-License-Identifier: Apache-2.0 */
/* Owns one run of a disassembler. What its text means is its parser's. */
#include "measure/disassemble.h"

#include "base/buf.h"
#include "measure/device/device.h"
#include "measure/sandbox.h"

#include <stdio.h>
#include <string.h>

/* What it may take: a library with hundreds of kernels prints tens of megabytes. */
enum { TEXT_BYTES = 64 << 20, PROCESSES = 32 };
#define MEMORY_BYTES (4ull << 30)

/* $1: the tool, $2: its options. `ready` first of all: there was a sandbox. */
const char disassemble_script[] = "echo ready\n"
                                  "command -v \"$1\" >/dev/null || exit 127\n"
                                  "exec $1 $2 " DISASSEMBLE_LIBRARY "\n";
enum { EXIT_NO_TOOL = 127 };

/* The last line that was said, for a message. */
static void last_line(const char *said, char *out, size_t size)
{
    size_t len = strlen(said);
    while (len > 0 && said[len - 1] == '\n')
        len--;
    size_t from = len;
    while (from > 0 && said[from - 1] != '\n')
        from--;
    snprintf(out, size, "%.*s", (int)(len - from < 160 ? len - from : 160), said + from);
}

static int look_at_end(const struct disassembler *tool, const struct proc_result *result,
                       const char *said, struct err *err)
{
    char how[96], line[200];
    if (result->end == PROC_EXITED && result->code == EXIT_NO_TOOL)
        return err_set(err, ERR_NOT_FOUND, "%s is not installed", tool->name);
    if (result->end == PROC_TIMED_OUT)
        return err_set(err, ERR_TIMEOUT, "%s took longer than %.1f s", tool->name,
                       result->seconds);
    if (result->truncated)
        return err_set(err, ERR_LIMIT, "%s printed more than %d MiB", tool->name,
                       TEXT_BYTES >> 20);
    if (result->end == PROC_EXITED && result->code == 0)
        return 0;
    proc_describe(result, how, sizeof how);
    last_line(said, line, sizeof line);
    return err_set(err, ERR_INPUT, "%s: %s: %s", tool->name, how, line);
}

int disassemble(const struct disassemble_request *request, struct code_listing *out,
                struct err *err)
{
    static const char ready[] = "ready\n";
    const struct device_kind *kind = device_kind_of(request->device);
    const struct disassembler *tool = kind == NULL ? NULL : kind->disassembler;
    if (tool == NULL) {
        *out = (struct code_listing){0};
        return 0;
    }
    const char *const argv[] = {
        "/bin/sh", "-c", disassemble_script, "disassemble", tool->name, tool->options, NULL};
    const struct sandbox_bind bind = {.from = request->library, .to = DISASSEMBLE_LIBRARY};
    const struct sandbox sandbox = {.kind = SANDBOX_BUILD,
                                    .binds = &bind,
                                    .bind_count = 1,
                                    .argv = argv,
                                    .uid = request->uid,
                                    .gid = request->gid,
                                    .limits = {.wall_ms = request->wall_ms,
                                               .memory_bytes = MEMORY_BYTES,
                                               .processes = PROCESSES}};
    BUF_AUTO said;
    buf_init(&said, TEXT_BYTES);
    struct proc_result result;
    if (sandbox_run(&sandbox, &said, &result, err) != 0)
        return -1;
    bool started = strncmp(said.data, ready, strlen(ready)) == 0;
    if (!started && result.end != PROC_TIMED_OUT)
        return sandbox_refused(said.data, err);
    if (look_at_end(tool, &result, said.data, err) != 0)
        return -1;
    return tool->parse(said.data + strlen(ready), said.len - strlen(ready),
                       request->capability, out, err);
}
