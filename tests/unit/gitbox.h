/* SPDX-License-Identifier: Apache-2.0 */
/* A temporary folder in which the git command makes repositories for tests of our own
 * code. HOME there holds a configuration that would spoil every test if it were read. */
#ifndef RATCHET_TESTS_GITBOX_H
#define RATCHET_TESTS_GITBOX_H

#include "base/file.h"
#include "base/git.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char box[64]; /* the folder; also the working directory */

/* Run a shell script with git set up; aborts the test when it fails. */
static inline void box_run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline void box_run(const char *format, ...)
{
    char script[8192] = "set -e; ";
    size_t used = strlen(script);
    va_list args;
    va_start(args, format);
    vsnprintf(script + used, sizeof script - used, format, args);
    va_end(args);
    if (system(script) != 0) {
        printf("Bail out! shell: %s\n", script);
        exit(1);
    }
}

/* First line that a script prints; that of eight calls ago is overwritten. */
static inline const char *box_line(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
static inline const char *box_line(const char *format, ...)
{
    static char lines[8][256];
    static int next;
    char *line = lines[next = (next + 1) % 8];
    char script[8192];
    va_list args;
    va_start(args, format);
    vsnprintf(script, sizeof script, format, args);
    va_end(args);
    FILE *pipe = popen(script, "r");
    if (pipe == NULL || fgets(line, 256, pipe) == NULL)
        line[0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    if (pipe == NULL || pclose(pipe) != 0) {
        printf("Bail out! shell: %s\n", script);
        exit(1);
    }
    return line;
}

/* Also at exit, so that a test that bails out leaves nothing. */
static inline void box_close(void)
{
    if (box[0] != '\0' && (chdir("/") != 0 || file_remove_tree(box, NULL) != 0))
        printf("# %s is left over\n", box);
    box[0] = '\0';
}

static inline void box_open(void)
{
    snprintf(box, sizeof box, "/tmp/ratchet-git-XXXXXX");
    if (mkdtemp(box) == NULL || chdir(box) != 0 || atexit(box_close) != 0)
        abort();
    setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
    setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
    setenv("GIT_AUTHOR_NAME", "A U Thor", 1);
    setenv("GIT_AUTHOR_EMAIL", "a@example.org", 1);
    setenv("GIT_COMMITTER_NAME", "A U Thor", 1);
    setenv("GIT_COMMITTER_EMAIL", "a@example.org", 1);
    setenv("GIT_AUTHOR_DATE", "1700000000 +0000", 1);
    setenv("GIT_COMMITTER_DATE", "1700000000 +0000", 1);
    setenv("HOME", box, 1);
    setenv("XDG_CONFIG_HOME", box, 1);
    box_run("mkdir git; printf '[core]\\n\\tautocrlf = true\\n\\tsymlinks = true\\n"
            "[url \"/nowhere/\"]\\n\\tinsteadOf = /\\n"
            "[url \"http://127.0.0.1:9/\"]\\n\\tinsteadOf = http://127.0.0.1\\n"
            "[http]\\n\\tproxy = http://127.0.0.1:9/\\n"
            "[merge]\\n\\tconflictstyle = diff3\\n' | tee git/config > .gitconfig");
}

/* Descriptors this process holds: the same before and after means none leaked. */
static inline int box_descriptors(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (dir != NULL && readdir(dir) != NULL)
        count++;
    if (dir != NULL)
        closedir(dir);
    return count;
}

static inline struct git_remote_spec box_remote(const char *path)
{
    static char urls[8][160];
    static int next;
    char *url = urls[next = (next + 1) % 8];
    snprintf(url, sizeof urls[0], "%s/%s", box, path);
    return (struct git_remote_spec){
        .url = url, .timeout_ms = 60000, .max_bytes = 64 << 20};
}

#endif
