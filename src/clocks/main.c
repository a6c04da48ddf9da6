/* SPDX-License-Identifier: Apache-2.0 */
/* ratchet-clocks: locks GPUs' clocks for ratchetd, which has not the right to, at what ratchetd.conf says,
 * while it measures. `ratchet-clocks --for USER --config FILE --folder FOLDER` serves the socket that systemd
 * holds, `--socket PATH` one of its own. Only USER and root may ask. */
#include "base/err.h"
#include "base/file.h"
#include "base/inherited.h"
#include "base/line.h"
#include "base/local_socket.h"
#include "base/program.h"
#include "clocks/serve.h"
#include "measure/device/clocks.h"

#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static int run(const char *user, const char *path, struct clocks_server *server,
               struct err *err)
{
    const struct passwd *entry = user == NULL ? NULL : getpwnam(user);
    int fd = inherited_socket();
    prctl(PR_SET_DUMPABLE, 0);
    umask(077);
    if (entry == NULL)
        return err_set(err, ERR_USAGE, "--for: no user `%s`", user == NULL ? "" : user);
    if (server->config == NULL || server->folder == NULL || server->folder[0] != '/')
        return err_set(err, ERR_USAGE,
                       "expected a file with --config, an absolute path with --folder");
    if (file_mkdirs(server->folder, 0700, err) != 0)
        return -1;
    if (fd < 0 && path == NULL)
        return err_set(err, ERR_USAGE, "no socket: neither systemd's nor --socket");
    if (fd < 0 && local_listen(path, &fd, err) != 0)
        return -1;
    server->user = entry->pw_uid;
    return clocks_serve(fd, server, err);
}

int main(int argc, char **argv)
{
    static const char usage[] =
        "usage: ratchet-clocks --for USER --config FILE --folder FOLDER [--socket "
        "PATH]\n\nlocks the clocks of GPUs for ratchetd\n";
    const char *user = NULL, *path = NULL;
    struct clocks_server server = {.config = NULL};
    struct err err = {0};
    const struct {
        const char *name, **value;
    } options[] = {{"--for", &user},
                   {"--socket", &path},
                   {"--config", &server.config},
                   {"--folder", &server.folder}};
    bool wrong = argc % 2 == 0;
    int guarded = clocks_guard(argc, argv);
    if (guarded >= 0)
        return guarded;
    program_begin();
    enum program_asked asked = program_asked(argc, argv);
    if (asked != PROGRAM_RUN)
        return program_answer("ratchet-clocks", asked, usage);
    for (int i = 1; !wrong && i < argc; i += 2) {
        size_t j = 0;
        while (j < sizeof options / sizeof *options && strcmp(argv[i], options[j].name) != 0)
            j++;
        wrong = j == sizeof options / sizeof *options;
        if (!wrong)
            *options[j].value = argv[i + 1];
    }
    if (wrong) {
        line_text(stderr, usage, strlen(usage));
        return EXIT_USAGE;
    }
    if (run(user, path, &server, &err) == 0)
        return 0;
    line_err("ratchet-clocks: %s", err.text);
    return (int)err_exit_code(err.class);
}
