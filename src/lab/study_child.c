/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the running of one command of ratchet for a study. */
#include "lab/study_internal.h"

#include "base/proc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* So often the time of a step that runs is written down: what a kill can lose of it. */
static const uint64_t save_ns = 5000000000;

void study_add_as(struct study_words *words, const char *word, const char *shown)
{
    if (words->count < STUDY_WORDS_MAX) {
        words->given[words->count] = word;
        words->shown[words->count++] = shown;
    }
    words->given[words->count] = NULL;
}

void study_add(struct study_words *words, const char *word)
{
    study_add_as(words, word, word);
}

void study_add_where(struct study_words *words, const struct study_making *making)
{
    study_add(words, "--repo");
    study_add_as(words, STUDY_REPO, ".");
    study_add(words, "--device");
    study_add(words, making->study->asked.device);
    if (making->options->config != NULL) {
        study_add(words, "--config");
        study_add_as(words, making->options->config, "RATCHETD.CONF");
    }
}

/* As a shell takes it. */
static void add_word(struct buf *out, const char *word)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        "_-./,:=+@%";
    if (word[0] != '\0' && strspn(word, plain) == strlen(word)) {
        buf_adds(out, word);
        return;
    }
    buf_addc(out, '\'');
    for (const char *at = word; *at != '\0'; at++)
        if (*at == '\'')
            buf_adds(out, "'\\''");
        else
            buf_addc(out, *at);
    buf_addc(out, '\'');
}

/* One that is too long is not told in part: it would look whole. */
static void show(struct study_step *step, const struct buf *command)
{
    static const char too_long[] = "# too long to be told";
    size_t used = strlen(step->command), room = sizeof step->command - used;
    const char *between = used > 0 ? " && " : "";
    if (strcmp(step->command, too_long) == 0)
        return;
    if (command->failed || strlen(between) + command->len >= room)
        snprintf(step->command, sizeof step->command, "%s", too_long);
    else
        snprintf(step->command + used, room, "%s%s", between, command->data);
}

void study_show(struct study_step *step, const struct study_words *words)
{
    BUF_AUTO text;
    buf_init(&text, sizeof step->command);
    buf_adds(&text, "ratchet");
    for (size_t i = 0; i < words->count; i++) {
        buf_addc(&text, ' ');
        add_word(&text, words->shown[i]);
    }
    show(step, &text);
}

void study_show_text(struct study_step *step, const char *format, ...)
{
    char line[STUDY_TEXT_BYTES];
    BUF_AUTO text;
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    buf_init(&text, sizeof step->command);
    buf_adds(&text, line);
    show(step, &text);
}

void study_show_patch(struct study_step *step, const char *name)
{
    study_show_text(step,
                    "git apply --index STUDY/optimise/%s/change.patch && git commit -qm %s",
                    name, name);
}

void study_show_best(struct study_making *making)
{
    const struct study *study = making->study;
    study_show_text(making->step, "git checkout -q --detach %s", study->asked.commit);
    for (size_t i = 0; i < study->step_count; i++)
        if (study->steps[i].kept)
            study_show_patch(making->step, study->steps[i].name);
}

/* ---- what it says ---- */

const char *study_said(const struct study_making *making)
{
    return making->said[0] == '\0' ? "it failed without a word" : making->said;
}

/* "ratchet: TEXT", "ratchet sweep: TEXT": the text. */
static void keep_line(struct study_making *making)
{
    static const char front[] = "ratchet";
    const char *text = strstr(making->line, ": ");
    if (strncmp(making->line, front, strlen(front)) == 0 && text != NULL)
        snprintf(making->said, sizeof making->said, "%s", text + 2);
}

static int hear(void *context, const char *bytes, size_t len)
{
    struct study_making *making = context;
    struct err ignored;
    if (!making->options->quiet)
        fwrite(bytes, 1, len, stderr);
    for (size_t i = 0; i < len; i++)
        if (bytes[i] == '\n') {
            making->line[making->line_len] = '\0';
            keep_line(making);
            making->line_len = 0;
        } else if (making->line_len < sizeof making->line - 1) {
            making->line[making->line_len++] = bytes[i];
        }
    uint64_t now = proc_now_ns();
    if (now - making->saved_ns > save_ns) {
        making->step->seconds = making->before_s + (double)(now - making->begin_ns) / 1e9;
        making->saved_ns = now;
        int kept = study_save(making, &ignored);
        (void)kept; /* it is written again at the end of the step, and failure told there */
    }
    return 0;
}

static int fail_child(const struct study_making *making, const struct proc_result *result,
                      struct err *err)
{
    char ended[64];
    proc_describe(result, ended, sizeof ended);
    return err_set(err, ERR_HOST, "%s: ratchet ended by %s; the same command goes on",
                   making->step->name, ended);
}

int study_child(struct study_making *making, const struct study_words *words, int *code,
                struct err *err)
{
    extern char **environ;
    const char *argv[STUDY_WORDS_MAX + 2] = {making->options->program};
    const struct proc_side heard = {hear, making};
    struct proc_spec spec = {.argv = argv,
                             .envp = (const char *const *)environ,
                             .cwd = making->study->path,
                             .stdin_fd = -1,
                             .uid = (uid_t)-1,
                             .heard = &heard};
    struct proc_result result;
    memcpy(argv + 1, words->given, (words->count + 1) * sizeof *argv);
    making->said[0] = '\0';
    making->line_len = 0;
    making->before_s = making->step->seconds;
    making->begin_ns = making->saved_ns = proc_now_ns();
    fflush(NULL);
    int ran = proc_run(&spec, NULL, &result, err);
    making->step->seconds = making->before_s +
                            (double)(proc_now_ns() - making->begin_ns) / 1e9;
    if (ran != 0)
        return -1;
    *code = result.code;
    return result.end == PROC_EXITED ? 0 : fail_child(making, &result, err);
}
