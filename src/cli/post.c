/* SPDX-License-Identifier: Apache-2.0 */
/* `ratchet post`: one report into one pull request, for those who measured elsewhere. */
#include "cli/cli.h"

#include "base/line.h"
#include "intake/values.h"
#include "publish/github.h"
#include "publish/report.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

int cli_post(int argc, char **argv, struct err *err)
{
    const char *config = NULL, *name = NULL, *pr = NULL, *device = "cpu", *path = NULL;
    size_t count;
    const struct cli_option options[] = {
        CLI_CONFIG(config),
        {"repository", &name, NULL, "OWNER/NAME", "a configured one; needed"},
        {"pr", &pr, NULL, "N", "the pull request; needed"},
        CLI_DEVICE(device),
        CLI_OPTIONS_END};
    long long number;
    struct host host;
    if (cli_options(argc, argv, options, &path, 1, &count, err) != 0)
        return -1;
    if (count != 1 || name == NULL || pr == NULL)
        return err_set(err, ERR_USAGE, "expected --repository, --pr and one report.md");
    if (cli_check_device(device, err) != 0 ||
        value_int(pr, 1, INT_MAX, "--pr", &number, err) != 0 ||
        cli_host(config, &host, err) != 0)
        return -1;
    const struct host_repository *repository = cli_repository(&host, name, err);
    char token[MODEL_TOKEN_BYTES], marker[128];
    if (repository == NULL || cli_token(repository, token, err) != 0)
        return -1;
    BUF_AUTO text;
    BUF_AUTO body;
    buf_init(&text, REPORT_MAX_BYTES - sizeof marker);
    buf_init(&body, REPORT_MAX_BYTES);
    if (cli_read(path, &text, err) != 0)
        return -1;
    report_marker(device, true, marker); /* a part keeps its own section */
    if (strncmp(text.data, marker, strlen(marker)) != 0)
        report_marker(device, false, marker);
    if (strncmp(text.data, marker, strlen(marker)) != 0)
        buf_addf(&body, "%s\n", marker);
    buf_add(&body, text.data, text.len);
    if (buf_check(&body, "the comment", err) != 0)
        return -1;
    struct github github = {.api = repository->api,
                            .token = token,
                            .repository = repository->name,
                            .author = repository->author,
                            .limits = &host.limits};
    struct github_comment comment = {
        .pr = (int)number, .marker = marker, .body = body.data, .len = body.len};
    if (github_upsert_comment(&github, &comment, err) != 0)
        return -1;
    line_out("%s", comment.url);
    return 0;
}
