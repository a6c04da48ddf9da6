/* SPDX-License-Identifier: Apache-2.0 */
/* `ratchet submit`: what the Actions step runs. Reads the event, hands it to ratchetd, prints
 * the progress, and leaves summary, outputs and artifacts behind. A daemon that goes away is
 * waited for: it forgets nothing, and the same key finds the same job. */
#include "cli/cli.h"
#include "cli/outputs.h"

#include "base/line.h"
#include "base/proc.h"
#include "daemon/client.h"
#include "daemon/message.h"
#include "intake/choices.h"
#include "intake/event.h"
#include "intake/values.h"
#include "publish/actions.h"
#include "publish/annotations.h"
#include "publish/github.h"
#include "result_files.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_DEFAULT_S = 600, SETTLE_DEFAULT_S = 60, FILES_MAX_BYTES = 96 << 20 };

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

struct submit {
    const char *socket, *device, *artifacts;
    struct event event;
    struct buf report; /* report.md, as it comes in pieces */
    char secret[64];   /* the daemon's, for coming back */
    char waits[256];   /* what the job waits for, as it was said last */
    sigset_t waiting;  /* the signals that are blocked while it waits: not those caught here */
    unsigned places;   /* that were annotated */
    int exit_code;
    bool ended;
    unsigned wait_s;
    bool settle; /* nothing is submitted: only a token is brought, for what is owed */
};

static const char *from_environment(const char *name)
{
    const char *value = getenv(name);
    return value == NULL ? "" : value;
}

static int read_event(const struct limits *limits, struct event *event, struct err *err)
{
    BUF_AUTO text;
    buf_init(&text, limits->event_bytes);
    const char *path = from_environment("GITHUB_EVENT_PATH");
    const char *name = from_environment("GITHUB_EVENT_NAME");
    if (name[0] == '\0' || path[0] == '\0')
        return err_set(err, ERR_USAGE,
                       "GITHUB_EVENT_NAME and GITHUB_EVENT_PATH are not set: run this in a "
                       "GitHub Actions step, or use `ratchet check`");
    if (file_read(path, &text, err) != 0) {
        bool too_long = err->class == ERR_LIMIT;
        err->class = ERR_INPUT;
        return err_wrap(err, "event%s", too_long ? " ([limits] event-bytes)" : "");
    }
    return event_parse(name, text.data, text.len, event, err);
}

/* GitHub as the step's own token has it. */
static struct github own_github(const struct limits *limits, const struct event *event)
{
    return (struct github){.api = from_environment("GITHUB_API_URL"),
                           .token = from_environment("GITHUB_TOKEN"),
                           .borrowed = true,
                           .repository = event->repository,
                           .author = "",
                           .limits = limits};
}

/* Anybody may comment on a public repository: who may not write takes none of the host's time. This saves
 * time and no more: whose word lets a fork run is asked by the daemon. */
static int ask_about_commenter(const struct limits *limits, struct event *event,
                               struct err *err)
{
    const struct github github = own_github(limits, event);
    bool may_write = false;
    if (!event->by_comment || github.api[0] == '\0' || github.token[0] == '\0')
        return 0;
    if (github_may_write(&github, event->commenter, &may_write, err) != 0)
        return -1;
    event->ignored = !may_write;
    snprintf(event->why, sizeof event->why,
             "%s may not write to %s: the comment starts nothing", event->commenter,
             event->repository);
    return 0;
}

/* Which pull request a dispatch means by a branch or a commit. It is asked here, with the step's own
 * token: the daemon believes the number no more than any other, and asks GitHub about it. */
static int find_pull(const struct limits *limits, struct event *event, struct err *err)
{
    const struct github github = own_github(limits, event);
    /* A merge group has a head, and no pull request. */
    if (event->pr != 0 || event->kind != JOB_CHECK || event->base[0] != '\0')
        return 0;
    if (github.api[0] == '\0' || github.token[0] == '\0')
        return err_set(err, ERR_USAGE,
                       "a pull request by its branch or head: GITHUB_API_URL and "
                       "GITHUB_TOKEN are needed");
    if (github_find_pull(&github, event->branch, event->head, &event->pr, err) != 0) {
        if (err->class == ERR_NOT_FOUND)
            err->class = ERR_INPUT;
        return -1;
    }
    line_out("pull request #%d", event->pr);
    return 0;
}

/* ---- messages ---- */

static int add_text(json_t *message, const char *key, const char *value, struct err *err)
{
    if (value[0] == '\0')
        return 0;
    if (json_object_set_new(message, key, json_string(value)) != 0)
        return err_set(err, ERR_INPUT, "%s: expected UTF-8", key);
    return 0;
}

static int send_settle(const struct submit *submit, struct client_connection *connection,
                       struct err *err)
{
    JSON_AUTO *message = json_pack("{s:s, s:i, s:s, s:i}", "type", "settle", "version",
                                   MESSAGE_VERSION, "repository", submit->event.repository,
                                   "wait", (int)submit->wait_s);
    if (message == NULL)
        return err_set(err, ERR_INPUT, "the event's fields do not make a message");
    if (add_text(message, "api", from_environment("GITHUB_API_URL"), err) != 0 ||
        add_text(message, "token", from_environment("GITHUB_TOKEN"), err) != 0)
        return -1;
    return client_send(connection, json_incref(message), err);
}

static int send_submit(const struct submit *submit, struct client_connection *connection,
                       struct err *err)
{
    const struct event *event = &submit->event;
    const char *kind = event->kind == JOB_PROMOTE   ? "promote"
                       : event->base_ref[0] != '\0' ? "group"
                                                    : "check";
    JSON_AUTO *message = json_pack(
        "{s:s, s:i, s:s, s:s, s:i, s:s}", "type", "submit", "version", MESSAGE_VERSION, "kind",
        kind, "repository", event->repository, "pr", event->pr, "device", submit->device);
    if (message == NULL)
        return err_set(err, ERR_INPUT, "the event's fields do not make a message");
    if (add_text(message, "ref", event->ref, err) != 0 ||
        add_text(message, "head", event->head, err) != 0 ||
        add_text(message, "base", event->base, err) != 0 ||
        add_text(message, "base_ref", event->base_ref, err) != 0 ||
        add_text(message, "secret", submit->secret, err) != 0)
        return -1;
    if (choices_any(&event->choices) &&
        json_object_set_new(message, "choices", choices_json(&event->choices)) != 0)
        return err_set(err, ERR_HOST, "out of memory for the choices");
    static const struct {
        const char *key, *variable;
    } fields[] = {
        {"run", "GITHUB_RUN_ID"},  {"attempt", "GITHUB_RUN_ATTEMPT"},
        {"job", "GITHUB_JOB"},     {"repository_id", "GITHUB_REPOSITORY_ID"},
        {"api", "GITHUB_API_URL"}, {"token", "GITHUB_TOKEN"},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (add_text(message, fields[i].key, from_environment(fields[i].variable), err) != 0)
            return -1;
    return client_send(connection, json_incref(message), err);
}

/* For the runner: it has its end. */
static void print_line(const struct buf *line)
{
    if (line->failed)
        line_out("[a line that does not fit]");
    else
        line_document(line);
}

static void print_foreign(const char *text)
{
    BUF_AUTO line;
    buf_init(&line, 16 << 10);
    actions_log_line(&line, text, strlen(text));
    print_line(&line);
    fflush(stdout);
}

/* On the page of the run, too; `level` is a workflow command's. */
static void annotate(const char *level, const char *title, const char *text)
{
    BUF_AUTO line;
    buf_init(&line, 16 << 10);
    actions_command(&line, level, title, text);
    print_line(&line);
}

/* At its place in the tree, on the pages of the run and of the pull request's files. The text is a
 * stranger's compiler's: what is no place is not said, nor more than Actions shows. */
static void annotate_place(struct submit *submit, const char *text)
{
    struct annotation place;
    BUF_AUTO line;
    buf_init(&line, 16 << 10);
    if (submit->places == ANNOTATIONS_MAX || !annotation_next(&text, &place))
        return;
    submit->places++;
    actions_error_at(&line, place.path, place.line, place.column, place.text);
    print_line(&line);
}

/* A piece of a result file: the first one makes the file anew. */
static int on_file(struct submit *submit, const json_t *message, char last[32],
                   struct err *err)
{
    const char *name = message_text(message, "name"), *data = message_text(message, "data");
    bool known = false;
    for (size_t i = 0; i < RESULT_FILE_COUNT; i++)
        known = known || strcmp(result_files[i], name) == 0;
    if (!known)
        return err_set(err, ERR_INPUT, "ratchetd sent a file `%s`", name);
    bool first = strcmp(last, name) != 0;
    snprintf(last, 32, "%s", name);
    if (strcmp(name, RESULT_REPORT) == 0) {
        if (first)
            buf_clear(&submit->report);
        buf_adds(&submit->report, data);
        if (buf_check(&submit->report, "the report", err) != 0)
            return -1;
    }
    if (submit->artifacts == NULL)
        return 0;
    char path[FILE_PATH_BYTES];
    if (file_path(path, err, "%s/%s", submit->artifacts, name) != 0)
        return -1;
    return first ? file_write(path, data, strlen(data), 0644, err)
                 : file_append(path, data, strlen(data), err);
}

static int write_actions(const struct submit *submit, const json_t *result, struct err *err)
{
    const char *summary = from_environment("GITHUB_STEP_SUMMARY");
    const char *output = from_environment("GITHUB_OUTPUT");
    if (summary[0] != '\0' &&
        actions_summary(summary, submit->report.data, submit->report.len, err) != 0)
        return -1;
    if (output[0] == '\0')
        return 0;
    static const char *const names[] = {"verdict", "reason", "comment", "partial"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (actions_output(output, names[i], message_text(result, names[i]), err) != 0)
            return -1;
    return 0;
}

static int on_result(struct submit *submit, const json_t *message, struct err *err)
{
    const char *verdict = message_text(message, "verdict");
    submit->exit_code = (int)json_integer_value(json_object_get(message, "exit"));
    submit->ended = true;
    char title[64];
    snprintf(title, sizeof title, "Ratchet: %.32s", verdict);
    annotate(submit->exit_code == EXIT_HELD ? "notice" : "error", title,
             message_text(message, "reason"));
    return write_actions(submit, message, err);
}

/* The daemon says it again as a sign of life; here it is a line where it is another. */
static void on_waiting(struct submit *submit, const char *text)
{
    if (strncmp(submit->waits, text, sizeof submit->waits - 1) == 0)
        return;
    snprintf(submit->waits, sizeof submit->waits, "%s", text);
    print_foreign(text);
}

static int on_message(struct submit *submit, const json_t *message, char last[32],
                      struct err *err)
{
    const char *type = message_text(message, "type");
    if (strcmp(type, "log") == 0) {
        print_foreign(message_text(message, "text"));
        return 0;
    }
    if (strcmp(type, "waiting") == 0) {
        on_waiting(submit, message_text(message, "text"));
        return 0;
    }
    if (strcmp(type, "annotation") == 0) {
        annotate_place(submit, message_text(message, "text"));
        return 0;
    }
    if (strcmp(type, "accepted") == 0) {
        line_out("job %lld is %s", json_integer_value(json_object_get(message, "job")),
                 message_text(message, "state"));
        snprintf(submit->secret, sizeof submit->secret, "%s", message_text(message, "secret"));
        return 0;
    }
    if (strcmp(type, "ignored") == 0) {
        print_foreign(message_text(message, "text"));
        submit->exit_code = EXIT_HELD;
        submit->ended = true;
        return 0;
    }
    if (strcmp(type, "settled") == 0) {
        line_out("%s",
                 json_is_true(json_object_get(message, "owed"))
                     ? "something is still owed to GitHub: the next job's token may deliver it"
                     : "GitHub is owed nothing any more");
        submit->ended = true;
        return 0;
    }
    if (strcmp(type, "file") == 0)
        return on_file(submit, message, last, err);
    if (strcmp(type, "result") == 0)
        return on_result(submit, message, err);
    if (strcmp(type, "error") != 0)
        return 0; /* a newer daemon may say more */
    submit->exit_code = (int)json_integer_value(json_object_get(message, "exit"));
    submit->ended = true;
    annotate("error", "Ratchet", message_text(message, "text"));
    line_err("ratchet submit: %s", message_text(message, "text"));
    return 0;
}

/* ---- the connection ---- */

/* One connection, until the result or its loss (ERR_NOT_FOUND). */
static int talk(struct submit *submit, struct err *err)
{
    struct client_connection connection = {.fd = -1};
    char last[32] = "";
    bool cancelled = false;
    if (client_connect(submit->socket, &submit->waiting, &connection, err) != 0)
        return -1;
    int result = submit->settle ? send_settle(submit, &connection, err)
                                : send_submit(submit, &connection, err);
    while (result == 0 && !submit->ended) {
        JSON_AUTO *message = NULL;
        if (interrupted && !cancelled) {
            cancelled = true;
            result = client_send(&connection, json_pack("{s:s}", "type", "cancel"), err);
            continue;
        }
        result = client_receive(&connection, &message, err);
        if (result != 0 && err->class == ERR_TIMEOUT && interrupted)
            result = 0; /* a signal woke us: the first cancels, another changes nothing */
        else if (result == 0)
            result = on_message(submit, message, last, err);
    }
    client_close(&connection);
    return result;
}

/* A cancel that came while ratchetd was away (it is restarted, say) is brought to it for some seconds:
 * a job that it knows would go on. Actions kills the step 7.5 s after the signal. */
static bool gives_up(const struct submit *submit, uint64_t *interrupted_ns)
{
    enum { BRING_S = 5 };
    if (!interrupted)
        return false;
    if (*interrupted_ns == 0)
        *interrupted_ns = proc_now_ns();
    return submit->secret[0] == '\0' ||
           proc_now_ns() - *interrupted_ns >= BRING_S * 1000000000ull;
}

static int talk_until_ended(struct submit *submit, unsigned wait_s, struct err *err)
{
    uint64_t lost_ns = proc_now_ns(), interrupted_ns = 0;
    bool told = false;
    for (;;) {
        uint64_t begin_ns = proc_now_ns();
        int result = talk(submit, err);
        if (submit->ended)
            return result == 0 ? submit->exit_code : -1;
        if (result == 0 || err->class != ERR_NOT_FOUND || gives_up(submit, &interrupted_ns))
            return result == 0 ? err_set(err, ERR_INTERNAL, "no result") : -1;
        if (proc_now_ns() - begin_ns > 1000000000u)
            lost_ns = proc_now_ns(), told = false; /* we were connected until now */
        if (proc_now_ns() - lost_ns >= wait_s * 1000000000ull)
            return err_wrap(err, "gave up after %u s", wait_s);
        if (!told)
            line_out("waiting for ratchetd: %s", err->text);
        told = true;
        fflush(stdout);
        ppoll(NULL, 0, &(struct timespec){.tv_sec = 1}, &submit->waiting);
    }
}

/* They come in while it waits, and nowhere else: between the look at `interrupted` and the wait none
 * is lost. */
static void catch_signals(sigset_t *waiting)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    sigset_t caught;
    sigemptyset(&caught);
    sigaddset(&caught, SIGINT);
    sigaddset(&caught, SIGTERM);
    sigprocmask(SIG_BLOCK, &caught, waiting);
    sigdelset(waiting, SIGINT);
    sigdelset(waiting, SIGTERM);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int cli_submit(int argc, char **argv, struct err *err)
{
    const char *config = NULL, *socket = NULL, *wait = NULL;
    struct submit submit = {.device = "cpu"};
    const struct cli_option options[] = {
        CLI_CONFIG(config),
        {"socket", &socket, NULL, "PATH", "of ratchetd (else the configured one)"},
        CLI_DEVICE(submit.device),
        {"artifacts", &submit.artifacts, NULL, "DIR", "folder of the results"},
        {"wait", &wait, NULL, "SECONDS", "for a daemon that is away (else 600; --settle: 60)"},
        {"settle", NULL, &submit.settle, NULL,
         "submit nothing: lend a token for what GitHub is owed"},
        CLI_OPTIONS_END};
    struct host host;
    long long wait_s = -1;
    static const struct cli_tie ties[] = {
        {"device", NULL, "settle"}, {"artifacts", NULL, "settle"}, CLI_TIES_END};
    if (cli_options_tied(argc, argv, options, ties, NULL, 0, NULL, err) != 0 ||
        (wait != NULL && value_int(wait, 0, 86400, "--wait", &wait_s, err) != 0))
        return -1;
    if ((socket != NULL ? cli_limits(config, &host.limits, err)
                        : cli_host(config, &host, err)) != 0)
        return -1;
    if (wait_s < 0)
        wait_s = submit.settle ? SETTLE_DEFAULT_S : WAIT_DEFAULT_S;
    submit.wait_s = (unsigned)wait_s;
    submit.socket = socket != NULL ? socket : host.socket;
    if (read_event(&host.limits, &submit.event, err) != 0 ||
        (!submit.settle && ask_about_commenter(&host.limits, &submit.event, err) != 0))
        return -1;
    if (submit.event.ignored) {
        print_foreign(submit.event.why);
        return EXIT_HELD;
    }
    if (!submit.settle && find_pull(&host.limits, &submit.event, err) != 0)
        return -1;
    if (submit.artifacts != NULL && outputs_try_in("--artifacts", submit.artifacts,
                                                   result_files, RESULT_FILE_COUNT, err) != 0)
        return -1;
    catch_signals(&submit.waiting);
    buf_init(&submit.report, FILES_MAX_BYTES);
    int code = talk_until_ended(&submit, submit.wait_s, err);
    buf_free(&submit.report);
    return code;
}
