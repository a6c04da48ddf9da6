/* SPDX-License-Identifier: Apache-2.0 */
/* Main's own last verdict in the state folder: kept and found again, and never half believed. */
#include "pipeline/main_verdict.h"

#include "judge/verdict.h"
#include "tests/tap.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHA "1a2b3c4d5e6f708192a3b4c5d6e7f80912345678"
#define OLD "0000000000000000000000000000000000000001"

static struct host host;
static struct err err;
static char path[FILE_PATH_BYTES];

static struct main_verdict lost(struct config_verdict *row)
{
    *row = (struct config_verdict){.config = {.name = "small",
                                              .problem = {1, 1, 1, 48, 48, 32, DTYPE_FP32, false}},
                                   .verdict = VERDICT_REGRESSED,
                                   .clause = CLAUSE_BEYOND,
                                   .reason = "wholly above \"3%\"",
                                   .against = AGAINST_ANCHOR,
                                   .change = {.known = true, .change = 28.13, .ci = {28.0, 28.2}}};
    struct main_verdict verdict = {.commit = SHA,
                                   .comparison = {.device = {"cpu", "CPU"},
                                                  .configs = row,
                                                  .count = 1,
                                                  .verdict = VERDICT_REGRESSED,
                                                  .clause = CLAUSE_BEYOND,
                                                  .reason = "wholly above \"3%\""},
                                   .losses = {{"small", OLD}},
                                   .loss_count = 1};
    return verdict;
}

/* The one file below state/main. */
static void find_file(void)
{
    char folder[FILE_PATH_BYTES];
    snprintf(folder, sizeof folder, "%s/main", host.state);
    DIR *dir = opendir(folder);
    size_t count = 0;
    for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
        if (entry->d_name[0] != '.') {
            count++;
            OK(file_path(path, NULL, "%s/%s", folder, entry->d_name) == 0);
        }
    if (dir != NULL)
        closedir(dir);
    EQ_INT(count, 1);
}

static void test_kept(void)
{
    struct config_verdict row;
    struct main_verdict verdict = lost(&row), found = {0};
    bool is_there = true;
    tap_case("kept and found");
    OK(main_verdict_find(&host, "octo/kernels", "cpu", &found, &is_there, &err) == 0);
    OK(!is_there);
    for (int i = 0; i < 2; i++) /* the second takes the first one's place */
        OK(main_verdict_keep(&host, "octo/kernels", &verdict, &err) == 0);
    find_file();
    OK(main_verdict_find(&host, "octo/kernels", "cpu", &found, &is_there, &err) == 0);
    OK(is_there);
    EQ_STR(found.commit, SHA);
    EQ_INT(found.loss_count, 1);
    EQ_STR(found.losses[0].config, "small");
    EQ_STR(found.losses[0].since, OLD);
    EQ_INT(found.comparison.count, 1);
    EQ_INT(found.comparison.configs[0].verdict, VERDICT_REGRESSED);
    EQ_INT(found.comparison.configs[0].clause, CLAUSE_BEYOND);
    EQ_STR(found.comparison.configs[0].reason, row.reason);
    OK(found.comparison.configs[0].change.change == row.change.change);
    main_verdict_free(&found);
    OK(main_verdict_find(&host, "octo/others", "cpu", &found, &is_there, &err) == 0);
    OK(!is_there);
    OK(main_verdict_find(&host, "octo/kernels", "nvidia-l4", &found, &is_there, &err) == 0);
    OK(!is_there);
}

static void refused(const char *text, size_t len, const char *message)
{
    struct main_verdict found = {.loss_count = 77};
    bool is_there = true;
    OK(file_write(path, text, len, 0600, &err) == 0);
    OK(main_verdict_find(&host, "octo/kernels", "cpu", &found, &is_there, &err) == -1);
    EQ_INT(err.class, ERR_INPUT);
    HAS(err.text, message);
    EQ_INT(found.loss_count, 77); /* untouched */
}

static void replaced(const struct buf *whole, const char *from, const char *to,
                     const char *message)
{
    BUF_AUTO text;
    buf_init(&text, 1 << 20);
    const char *at = strstr(whole->data, from);
    if (!OK(at != NULL))
        return;
    buf_add(&text, whole->data, (size_t)(at - whole->data));
    buf_adds(&text, to);
    buf_adds(&text, at + strlen(from));
    refused(text.data, text.len, message);
}

static void test_corrupt(void)
{
    BUF_AUTO whole;
    buf_init(&whole, 1 << 20);
    tap_case("corrupt");
    OK(file_read(path, &whole, &err) == 0);
    for (size_t len = 0; len < whole.len; len += 7)
        refused(whole.data, len, path);
    replaced(&whole, "ratchet.main/1", "ratchet.main/2", "schema: expected `ratchet.main/1`");
    replaced(&whole, "\"" SHA "\"", "\"HEAD\"", "commit: expected 40 hex digits");
    replaced(&whole, "\"" OLD "\"", "7", "losses.small: expected a string");
    replaced(&whole, "{\n  \"small\"", "{\n  \"../x\"", "losses: expected at most");
    replaced(&whole, "\"ratchet.verdict/1\"", "\"x\"", "schema");
    replaced(&whole, "\"slug\": \"cpu\"", "\"slug\": \"gpu\"", "of device `gpu`, expected `cpu`");
}

int main(void)
{
    char folder[] = "/tmp/ratchet-test-XXXXXX";
    if (mkdtemp(folder) == NULL)
        return 99;
    host.limits = limits_default();
    snprintf(host.state, sizeof host.state, "%s/state", folder);
    test_kept();
    test_corrupt();
    OK(file_remove_tree(folder, &err) == 0);
    return tap_done();
}
