/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the harness process. No line from it is trusted: bounded, parsed, and taken
 * only as the answer to the command that is open. */
#include "measure/session.h"

#include "base/file.h"
#include "base/proc.h"
#include "measure/bench_request.h"
#include "measure/sandbox.h"
#include "measure/waited.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUIT_MS = 2000, STDERR_BYTES = 16 << 10 };

struct session {
    struct proc_child *child;
    struct sandbox_command *command;
    struct waited waited;
    unsigned long long turn_ms;
    uint64_t deadline_ns; /* of the whole conversation */
    const struct bench_request *request;
    const struct bench_config *config; /* that is measured now; NULL: none yet */
    uint64_t config_ns;                /* since when */
    uint64_t told_ns;                  /* when somebody was told last that it goes on */
    enum loss loss;
    char text[MODEL_TEXT_BYTES];
};

enum loss session_loss(const struct session *session)
{
    return session->loss;
}

const char *session_text(const struct session *session)
{
    return session->text;
}

static void signal_text(char *text, size_t size, int number)
{
    const char *name = sigabbrev_np(number);
    snprintf(text, size, "crashed: signal %d (SIG%s)", number, name == NULL ? "?" : name);
}

static enum reply lose(struct session *session, enum loss loss, const char *text)
{
    session->loss = loss;
    snprintf(session->text, sizeof session->text, "%.500s", text);
    proc_finish(session->child, 0, NULL);
    session->child = NULL;
    return REPLY_LOST;
}

static enum reply lose_to_memory(struct session *session)
{
    char text[128];
    snprintf(text, sizeof text, "out of memory: a bench's limit is %llu bytes",
             session->request->limits->bench_memory);
    return lose(session, LOSS_CRASH, text);
}

static enum reply lose_to_signal(struct session *session, int number)
{
    char text[128];
    if (number == SIGKILL && sandbox_memory(session->command) == CGROUP_RAN_OUT)
        return lose_to_memory(session);
    if (number == SIGALRM) {
        snprintf(text, sizeof text, "gave no answer within %llu ms", session->turn_ms);
        return lose(session, LOSS_HANG, text);
    }
    signal_text(text, sizeof text, number);
    bool outside = number == SIGKILL || number == SIGTERM || number == SIGINT;
    return lose(session, outside ? LOSS_KILLED : LOSS_CRASH, text);
}

/* Its output ended: wait for the exit status, which a sandbox passes on as 128 + signal. */
static enum reply lose_to_exit(struct session *session)
{
    struct proc_result result = {0};
    proc_finish(session->child, QUIT_MS, &result);
    session->child = NULL;
    if (sandbox_is_lost(session->command))
        return lose(session, LOSS_KILLED, "ratchet-run ended before it");
    if (result.end == PROC_SIGNALLED)
        return lose_to_signal(session, result.code);
    if (result.end == PROC_EXITED && result.code > 128 && result.code <= 128 + 64)
        return lose_to_signal(session, result.code - 128);
    if (result.end == PROC_TIMED_OUT)
        return lose(session, LOSS_GARBLED, "closed its output and went on");
    char text[64];
    snprintf(text, sizeof text, "ended by itself: exit code %d", result.code);
    return lose(session, LOSS_CRASH, text);
}

enum reply session_send(struct session *session, const char *format, ...)
{
    char line[WIRE_LINE_BYTES];
    if (session->loss != LOSS_NONE)
        return REPLY_LOST;
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line - 1, format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= sizeof line - 1)
        return lose(session, LOSS_OURS, "a command of ours was too long");
    line[length] = '\n';
    struct err err = {0};
    if (proc_send(session->child, line, (size_t)length + 1, &err) == 0)
        return REPLY_OK;
    return lose_to_exit(session);
}

void session_begin_config(struct session *session, const struct bench_config *config)
{
    session->config = config;
    session->config_ns = proc_now_ns();
}

static void tell_busy(struct session *session)
{
    const struct bench_request *request = session->request;
    session->told_ns = proc_now_ns();
    const struct bench_event event = {
        .kind = BENCH_BUSY,
        .config = session->config == NULL ? request->config_count
                                          : (size_t)(session->config - request->configs),
        .seconds = (double)(session->told_ns - session->config_ns) / 1e9};
    request->progress(request->context, &event);
}

/* The next line. Who waits for it is told now and then that it is waited for; so seldom that it
 * disturbs nothing. */
static int hear(struct session *session, uint64_t deadline, struct buf *text, struct err *err)
{
    const struct bench_request *request = session->request;
    uint64_t pause_ns = request->progress == NULL ? 0 : request->busy_ms * 1000000ull;
    for (;;) {
        uint64_t due = session->told_ns + pause_ns;
        bool tells = pause_ns > 0 && due < deadline;
        if (proc_read_line(session->child, tells ? due : deadline, text, err) == 0)
            return 0;
        if (err->class != ERR_TIMEOUT || !tells)
            return -1;
        tell_busy(session);
    }
}

static enum reply read_one(struct session *session, struct line *line)
{
    BUF_AUTO text;
    buf_init(&text, WIRE_LINE_BYTES - 1);
    struct err err = {0};
    uint64_t deadline = proc_now_ns() + session->turn_ms * 1000000u;
    bool over = deadline > session->deadline_ns;
    if (over)
        deadline = session->deadline_ns;
    if (hear(session, deadline, &text, &err) != 0) {
        if (err.class == ERR_NOT_FOUND)
            return lose_to_exit(session);
        if (err.class != ERR_TIMEOUT)
            return lose(session, LOSS_GARBLED, err.text);
        char why[128];
        snprintf(why, sizeof why, "gave no answer within %llu ms", session->turn_ms);
        return lose(session, LOSS_HANG, over ? "was not done when its time was up" : why);
    }
    if (line_parse(text.data, text.len, line, &err) != 0)
        return lose(session, LOSS_GARBLED, err.text);
    return REPLY_OK;
}

enum reply session_receive(struct session *session, enum line_kind want, enum arm arm,
                           struct line *line)
{
    if (session->loss != LOSS_NONE)
        return REPLY_LOST;
    if (read_one(session, line) != REPLY_OK)
        return REPLY_LOST;
    if (line->kind == LINE_DIED)
        return lose_to_signal(session, (int)line->numbers[0]);
    if (line->kind == LINE_CRASHED) {
        char text[WIRE_TEXT_BYTES + 16];
        snprintf(text, sizeof text, "crashed: %s", line->text);
        return lose(session, LOSS_CRASH, text);
    }
    if (line->kind == LINE_FAILED || (line->kind == LINE_REFUSED && want == LINE_LOADED))
        return REPLY_FAILED;
    bool about = arm == ARM_COUNT || line->arm == arm;
    if (line->kind == want && about)
        return REPLY_OK;
    if (line->kind == LINE_WRONG && about)
        return REPLY_WRONG;
    char text[128];
    snprintf(text, sizeof text, "answered `%s` where `%s` was due", line_kind_name(line->kind),
             line_kind_name(want));
    return lose(session, LOSS_GARBLED, text);
}

/* ---- start and end ---- */

static int start_sandboxed(struct session *session, const struct bench_request *request,
                           const struct device_kind *kind, const char *folder, struct err *err)
{
    struct sandbox_bind binds[1 + SANDBOX_EXPOSED_MAX] = {{.from = folder, .to = "/bench"}};
    if (request->expose_count > SANDBOX_EXPOSED_MAX)
        return err_set(err, ERR_INTERNAL, "more than %d folders to expose",
                       SANDBOX_EXPOSED_MAX);
    for (size_t i = 0; i < request->expose_count; i++)
        binds[1 + i] = request->expose[i];
    const char *const argv[] = {"/bench/" SESSION_PROGRAM, kind->harness, NULL};
    struct device_variables variables;
    kind->set_variables(request->gpu, &variables);
    const struct sandbox sandbox = {
        .kind = SANDBOX_BENCH,
        .device = kind,
        .gpu = request->gpu,
        .binds = binds,
        .bind_count = 1 + request->expose_count,
        .argv = argv,
        .env = variables.list,
        .cwd = "/bench",
        .uid = request->uid,
        .gid = request->gid,
        .total_bytes = request->limits->bench_memory,
        .limits = bench_limits(request, kind),
    };
    struct proc_spec spec;
    if (sandbox_command(&sandbox, &session->command, &spec, err) != 0)
        return -1;
    return proc_start(&spec, STDERR_BYTES, &session->child, err);
}

static int start_bare(struct session *session, const struct bench_request *request,
                      const struct device_kind *kind, const char *folder, struct err *err)
{
    char program[FILE_PATH_BYTES];
    struct device_variables variables;
    kind->set_variables(request->gpu, &variables);
    if (file_path(program, err, "%s/%s", folder, SESSION_PROGRAM) != 0)
        return -1;
    const char *const argv[] = {program, kind->harness, NULL};
    struct proc_spec spec = {
        .argv = argv,
        .cwd = folder,
        .envp = variables.list,
        .stdin_fd = -1,
        .uid = (uid_t)-1,
        .gid = (gid_t)-1,
        .limits = bench_limits(request, kind),
    };
    spec.limits.processes = 0; /* would count every process of this user */
    return proc_start(&spec, STDERR_BYTES, &session->child, err);
}

/* The first line tells that the sandbox and the harness stand; no untrusted code runs yet. */
static int handshake(struct session *session, const struct bench_request *request,
                     struct err *err)
{
    BUF_AUTO text;
    buf_init(&text, WIRE_LINE_BYTES - 1);
    struct line line;
    struct err why = {0};
    uint64_t deadline = proc_now_ns() + session->turn_ms * 1000000u;
    if (proc_read_line(session->child, deadline, &text, &why) != 0) {
        const char *said = proc_stderr(session->child)->data;
        if (request->sandboxed && strstr(said, "bwrap: ") != NULL)
            return sandbox_refused(said, err);
        return err_set(err, ERR_HOST, "%s does not start: %s%s%.*s", request->harness,
                       why.text, said[0] == '\0' ? "" : ": ", (int)strcspn(said, "\n"), said);
    }
    if (line_parse(text.data, text.len, &line, err) != 0)
        return err_wrap(err, "%s", request->harness);
    if (line.kind != LINE_HELLO || line.numbers[0] != WIRE_VERSION)
        return err_set(err, ERR_HOST, "%s speaks another protocol: `%s`, expected version %d",
                       request->harness, text.data, WIRE_VERSION);
    return 0;
}

int session_start(const struct bench_request *request, const char *folder, uint64_t wall_ms,
                  struct session **out, struct err *err)
{
    const struct device_kind *kind;
    if (device_kind_get(request->device, request->gpu, &kind, err) != 0)
        return -1;
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return err_set(err, ERR_HOST, "out of memory for a session");
    session->request = request;
    session->waited = (struct waited){-1};
    session->config_ns = session->told_ns = proc_now_ns();
    session->turn_ms = request->limits->turn_ms;
    session->deadline_ns = proc_now_ns() + wall_ms * 1000000u;
    if ((request->sandboxed ? start_sandboxed(session, request, kind, folder, err)
                            : start_bare(session, request, kind, folder, err)) != 0 ||
        handshake(session, request, err) != 0) {
        session_end(session);
        return -1;
    }
    waited_open(&session->waited, proc_pid(session->child), SESSION_PROGRAM);
    *out = session;
    return 0;
}

uint64_t session_waited_ns(const struct session *session)
{
    return waited_ns(&session->waited);
}

void session_end(struct session *session)
{
    if (session == NULL)
        return;
    if (session->child != NULL) {
        bool quits = session->loss == LOSS_NONE &&
                     proc_send(session->child, "quit\n", 5, NULL) == 0;
        proc_finish(session->child, quits ? QUIT_MS : 0, NULL);
    }
    waited_close(&session->waited);
    sandbox_free(&session->command);
    free(session);
}
