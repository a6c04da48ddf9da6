/* SPDX-License-Identifier: Apache-2.0 */
/* The git calls on a command line, for test_git_http.py. Token from $TOKEN, limits from
 * $TIMEOUT_MS, $RETRY_MS and $MAX_BYTES. Prints what came back, one fact per line, and exits 0; or
 * `CLASS: text` of the error, and exits 1.
 *
 *     git_driver fetch REPO URL WHAT
 *     git_driver push REPO URL SHA REF EXPECTED
 *     git_driver commit REPO PARENT PATH TEXT
 *     git_driver pin REPO URL PR BASE HEAD
 *     git_driver promote REPO URL BRANCH TIP PATH TEXT [API OWNER/NAME] */
#include "base/git.h"
#include "limit.h"
#include "measure/checkout.h"
#include "publish/promote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned long long number(const char *name, unsigned long long otherwise)
{
    const char *text = getenv(name);
    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

static int do_fetch(struct git_repo *repo, const struct git_remote_spec *remote,
                    char **args, int count, struct err *err)
{
    char sha[GIT_SHA_BYTES];
    (void)count;
    if (git_fetch(repo, remote, args[0], sha, err) < 0)
        return -1;
    puts(sha);
    return 0;
}

static int do_push(struct git_repo *repo, const struct git_remote_spec *remote,
                   char **args, int count, struct err *err)
{
    (void)count;
    return git_push_commit(repo, remote, args[0], args[1], args[2], err);
}

static int do_commit(struct git_repo *repo, const struct git_remote_spec *remote,
                     char **args, int count, struct err *err)
{
    char sha[GIT_SHA_BYTES];
    struct git_change change = {
        .path = args[0], .bytes = args[1], .len = strlen(args[1])};
    (void)count;
    if (git_commit_files(repo, remote->url, &change, 1, "driver", "driver@localhost",
                         "driver\n", sha, err) < 0)
        return -1;
    puts(sha);
    return 0;
}

static int do_pin(struct git_repo *repo, const struct git_remote_spec *remote,
                  char **args, int count, struct err *err)
{
    struct job job = {.pr = (int)strtol(args[0], NULL, 10)};
    (void)count;
    snprintf(job.base_ref, sizeof job.base_ref, "%s", args[1]);
    snprintf(job.head, sizeof job.head, "%s", args[2]);
    if (checkout_pin(repo, remote, &job, err) < 0)
        return -1;
    printf("%s\n%s\n", job.base, job.merge);
    return 0;
}

static int do_promote(struct git_repo *repo, const struct git_remote_spec *remote,
                      char **args, int count, struct err *err)
{
    static const char *const ends[] = {"promoted", "branch", "race"};
    struct limits limits = limits_default();
    struct github github = {.api = args[4],
                            .token = getenv("TOKEN"),
                            .limits = &limits,
                            .repository = count > 5 ? args[5] : "",
                            .author = "bot"};
    struct promote_request request = {
        .repo = repo,
        .remote = remote,
        .github = count > 5 ? &github : NULL,
        .branch = args[0],
        .tip = args[1],
        .path = args[2],
        .bytes = args[3],
        .len = strlen(args[3]),
        .device = "cpu",
        .message = "baseline: cpu, 2 configs improved\n\nb1: -4.0%\n",
    };
    struct promote_result result;
    if (promote_push(&request, &result, err) < 0)
        return -1;
    printf("%s\n%s\n%s\n%s\n%s\n", ends[result.end], result.commit, result.branch,
           result.pull_url, result.declined);
    return 0;
}

static const struct {
    const char *name;
    int args;
    int (*function)(struct git_repo *, const struct git_remote_spec *, char **, int,
                    struct err *);
} commands[] = {{"fetch", 1, do_fetch},
                {"push", 3, do_push},
                {"commit", 2, do_commit},
                {"pin", 3, do_pin},
                {"promote", 4, do_promote}};

static const char *class_name(enum err_class class)
{
    static const char *const names[] = {"none",  "usage",     "input",    "host",
                                        "auth",  "not found", "conflict", "timeout",
                                        "limit", "internal"};
    return names[class];
}

int main(int argc, char **argv)
{
    struct err err = {0};
    GIT_AUTO *repo = NULL;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (argc < 4 + commands[i].args || strcmp(argv[1], commands[i].name) != 0)
            continue;
        struct git_remote_spec remote = {
            .url = argv[3],
            .token = getenv("TOKEN"),
            .timeout_ms = (unsigned)number("TIMEOUT_MS", 60000),
            .retry_ms = (unsigned)number("RETRY_MS", 0),
            .max_bytes = number("MAX_BYTES", 64 << 20),
        };
        if (git_cache_open(argv[2], &repo, &err) == 0 &&
            commands[i].function(repo, &remote, argv + 4, argc - 4, &err) == 0)
            return 0;
        printf("%s: %s\n", class_name(err.class), err.text);
        return 1;
    }
    fprintf(stderr, "git_driver: see its first lines\n");
    return 64;
}
