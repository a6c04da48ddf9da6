/* SPDX-License-Identifier: Apache-2.0 */
/* `ratchet status`: the daemon's newest jobs. */
#include "cli/cli.h"

#include "base/line.h"
#include "base/utc.h"
#include "daemon/client.h"
#include "daemon/message.h"

#include <stdio.h>
#include <string.h>

static void print_job(const json_t *message)
{
    char when[UTC_BYTES];
    utc_text(when, json_integer_value(json_object_get(message, "accepted")));
    when[strlen("2026-11-21")] = ' ';
    /* Of a pull request its number, of a push its branch: "#7", "main". */
    char about[JOB_REF_BYTES];
    long long pr = json_integer_value(json_object_get(message, "pr"));
    if (pr > 0)
        snprintf(about, sizeof about, "#%lld", pr);
    else
        snprintf(about, sizeof about, "%s", message_text(message, "branch"));
    /* Both of a newer daemon. The lane: where there are several. */
    const char *waits = message_text(message, "waits");
    const char *lane = message_text(message, "lane");
    line_out("%6lld  %s  %-9s %-10s %-8s %s %s on %s%s%s%s%s",
             (long long)json_integer_value(json_object_get(message, "id")), when,
             message_text(message, "state"), message_text(message, "verdict"),
             message_text(message, "kind"), message_text(message, "repository"), about,
             message_text(message, "device"), lane[0] == '\0' ? "" : ", lane ", lane,
             waits[0] == '\0' ? "" : ": ", waits);
}

int cli_status(int argc, char **argv, struct err *err)
{
    const char *config = NULL, *socket = NULL;
    const struct cli_option options[] = {
        CLI_CONFIG(config),
        {"socket", &socket, NULL, "PATH", "of ratchetd (else the configured one)"},
        CLI_OPTIONS_END};
    struct host host;
    struct client_connection connection = {.fd = -1};
    if (cli_options(argc, argv, options, NULL, 0, NULL, err) != 0 ||
        cli_host(config, &host, err) != 0)
        return -1;
    if (client_connect(socket == NULL ? host.socket : socket, NULL, &connection, err) != 0)
        return err_wrap(err,
                        "no answer: the daemon is what `systemctl start ratchetd` starts, and "
                        "checks by hand need none; see ratchet(1), PENDING STATUS");
    int result = client_send(&connection, json_pack("{s:s}", "type", "status"), err);
    bool more = result == 0;
    size_t jobs = 0;
    while (more) {
        JSON_AUTO *message = NULL;
        result = client_receive(&connection, &message, err);
        const char *type = message_text(message, "type");
        more = result == 0 && strcmp(type, "job") == 0;
        jobs += more;
        if (more)
            print_job(message);
        else if (result == 0 && strcmp(type, "error") == 0)
            result = err_set(err, ERR_AUTH, "%s", message_text(message, "text"));
    }
    client_close(&connection);
    if (result == 0 && jobs == 0)
        line_out("nothing yet: no job was given to this daemon");
    return result;
}
