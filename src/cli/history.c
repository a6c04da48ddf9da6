/* SPDX-License-Identifier: Apache-2.0 */
/* `ratchet history`: how a device's baseline moved, and what the checks said that this host keeps. Reads git
 * and the state folder, and changes neither. */
#include "lab/history.h"

#include "base/name.h"
#include "cli/cli.h"
#include "daemon/store.h"

#include <stdio.h>

enum { TEXT_BYTES = 256 << 20 };

struct history_options {
    const char *repo, *device, *head, *config, *config_name, *repository, *html;
    bool json;
};

static int check_options(const struct history_options *given, struct err *err)
{
    if (cli_check_device(given->device, err) != 0)
        return -1;
    if (given->config_name != NULL && !model_name_ok(given->config_name))
        return err_set(err, ERR_USAGE, "--config-name: `%s` cannot be a config's",
                       given->config_name);
    if (given->repository != NULL &&
        !name_is_repository(given->repository, JOB_REPOSITORY_BYTES))
        return err_set(err, ERR_USAGE, "--repository: expected owner/name, not `%s`",
                       given->repository);
    return 0;
}

static int read_git(const struct history_options *given, const struct limits *limits,
                    struct history *history, struct err *err)
{
    GIT_AUTO *repo = NULL;
    if (cli_open_repo(given->repo, &repo, err) != 0 ||
        cli_resolve_in(repo, given->repo, given->head, history->head, err) != 0)
        return -1;
    const struct history_git from = {repo, limits, given->config_name};
    return history_read_git(&from, history, err);
}

/* Whoever has no home, or may not read the queue, still has the rest. */
static int read_state(const struct history_options *given, struct history *history,
                      struct err *err)
{
    struct host host;
    struct err why = {0};
    struct db *db = NULL;
    GIT_AUTO *repo = NULL;
    if (cli_host(given->config, &host, &why) != 0)
        return history_note(history, err, "%s", why.text);
    if (cli_open_repo(given->repo, &repo, err) != 0)
        return -1;
    if (store_read(&host, &db, &why) != 0 && why.class != ERR_NOT_FOUND &&
        history_note(history, err,
                     "which heads and repositories jobs were for is not known: %s",
                     why.text) != 0)
        return -1;
    const struct history_state from = {
        host.state, db, &host.limits, given->config_name, given->repository, repo};
    int rc = history_read_state(&from, history, err);
    db_close(&db);
    return rc;
}

static int write_page(const struct history *history, const char *path, struct err *err)
{
    BUF_AUTO page;
    buf_init(&page, TEXT_BYTES);
    return history_page(history, &page, err) == 0
               ? file_write(path, page.data, page.len, 0644, err)
               : -1;
}

static int show(const struct history *history, const struct history_options *given,
                struct err *err)
{
    BUF_AUTO text;
    buf_init(&text, TEXT_BYTES);
    if (given->html != NULL && write_page(history, given->html, err) != 0)
        return -1;
    if ((given->json ? history_json(history, &text, err)
                     : history_text(history, &text, err)) != 0 ||
        cli_print(&text, err) != 0)
        return -1;
    fflush(stdout);
    for (size_t i = 0; i < history->note_count; i++)
        fprintf(stderr, "ratchet history: %s\n", history->notes[i]);
    if (history->notes_left_out > 0)
        fprintf(stderr, "ratchet history: %zu more notes\n", history->notes_left_out);
    if (history->move_count + history->check_count == 0)
        fprintf(stderr, "ratchet history: nothing recorded yet for %s\n", history->device);
    return 0;
}

int cli_history(int argc, char **argv, struct err *err)
{
    struct history_options given = {.repo = ".", .device = "cpu", .head = "HEAD"};
    const struct cli_option options[] = {
        CLI_REPO(given.repo),
        CLI_DEVICE(given.device),
        {"head", &given.head, NULL, "REV", "where git's log begins"},
        CLI_CONFIG(given.config),
        {"config-name", &given.config_name, NULL, "NAME", "one config alone"},
        {"repository", &given.repository, NULL, "OWNER/NAME", "only checks of this one"},
        {"html", &given.html, NULL, "FILE", "one page, with figures"},
        {"json", NULL, &given.json, NULL, "all of it, as ratchet.history/1"},
        CLI_OPTIONS_END};
    HISTORY_AUTO history = {0};
    struct limits limits;
    if (cli_options(argc, argv, options, NULL, 0, NULL, err) != 0 ||
        check_options(&given, err) != 0 || cli_limits(given.config, &limits, err) != 0)
        return -1;
    snprintf(history.device, sizeof history.device, "%s", given.device);
    if (read_git(&given, &limits, &history, err) != 0 ||
        read_state(&given, &history, err) != 0 || history_sum_up(&history, err) != 0)
        return -1;
    return show(&history, &given, err);
}
