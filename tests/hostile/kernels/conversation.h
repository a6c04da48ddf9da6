/* SPDX-License-Identifier: Apache-2.0 */
/* The harness's pipes, from within: where they are, a line written to the parent, and all of the conversation taken
 * over (src/wire.h). For kernels on any device. */
#ifndef CONVERSATION_H
#define CONVERSATION_H
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The first pipe or socket above the standard ones that is open for this. */
static inline int find_pipe(int mode)
{
    for (int fd = 3; fd < 64; fd++) {
        struct stat what;
        int flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fstat(fd, &what) != 0 || !(S_ISFIFO(what.st_mode) || S_ISSOCK(what.st_mode)))
            continue;
        if ((flags & O_ACCMODE) == mode || (flags & O_ACCMODE) == O_RDWR)
            return fd;
    }
    return -1;
}

static inline void say(const char *text)
{
    size_t size = strlen(text);
    while (size > 0) {
        ssize_t wrote = write(find_pipe(O_WRONLY), text, size);
        if (wrote <= 0)
            _exit(1);
        text += wrote;
        size -= (size_t)wrote;
    }
}

static inline double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static char staged_arms[64][16];
static double staged_launches[64];
static size_t staged;

/* `SEED ARM:LAUNCHES…` */
static inline void tell_stage(char *words)
{
    char text[4096], *save;
    size_t used = 0;
    staged = 0;
    strtok_r(words, " ", &save);
    for (char *entry = strtok_r(NULL, " ", &save); entry != NULL && staged < 64; entry = strtok_r(NULL, " ", &save)) {
        if (sscanf(entry, "%15[a-z]:%lf", staged_arms[staged], &staged_launches[staged]) == 2)
            used += (size_t)snprintf(text + used, sizeof text - used, "staged %s\n", staged_arms[staged]);
        staged++;
    }
    say(text);
}

/* A turn in which head takes `share` of what the others do, and as long by any clock. */
static inline void tell_turn(double launch_ns, double share)
{
    char text[8192];
    size_t used = 0;
    double began = seconds(), total = 0;
    for (size_t i = 0; i < staged; i++) {
        double ns = staged_launches[i] * launch_ns * (strcmp(staged_arms[i], "head") == 0 ? share : 1) *
                    (1 + 1e-4 * (rand() % 100));
        total += ns;
        used += (size_t)snprintf(text + used, sizeof text - used, "sample %s %.0f 0\n", staged_arms[i], ns);
    }
    while (seconds() < began + 1e-9 * total)
        ;
    snprintf(text + used, sizeof text - used, "done\n");
    say(text);
}

/* Answer to everything, from `forward head …` on, which is open. Never returns. */
static inline void take_over(size_t rows, double launch_ns, double share, unsigned launches)
{
    static char line[4096];
    char text[256], arm[64] = "head";
    say("ran head 0\n");
    FILE *in = fdopen(find_pipe(O_RDONLY), "r");
    while (in != NULL && fgets(line, sizeof line, in) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *rest = strchr(line, ' ');
        rest = rest == NULL ? line + strlen(line) : rest + 1;
        sscanf(rest, "%63s", arm);
        text[0] = '\0';
        if (strncmp(line, "stage ", 6) == 0)
            tell_stage(rest);
        else if (strcmp(line, "turn") == 0)
            tell_turn(launch_ns, share);
        else if (strcmp(line, "compare") == 0)
            snprintf(text, sizeof text, "compared\n");
        else if (strncmp(line, "forward ", 8) == 0)
            snprintf(text, sizeof text, "ran %s 0\n", arm);
        else if (strncmp(line, "rows ", 5) == 0)
            snprintf(text, sizeof text, "right %s %zu 1000\n", arm, rows < 256 ? rows : 256);
        else if (strncmp(line, "bits ", 5) == 0)
            snprintf(text, sizeof text, "hashed %s 1 1\n", arm);
        else if (strncmp(line, "fill ", 5) == 0)
            snprintf(text, sizeof text, "filled\n");
        else if (strncmp(line, "calibrate ", 10) == 0)
            snprintf(text, sizeof text, "calibrated %s %u\n", arm, launches);
        else if (strncmp(line, "release", 7) == 0)
            snprintf(text, sizeof text, "released\n");
        else if (strncmp(line, "quit", 4) == 0)
            _exit(0);
        else
            snprintf(text, sizeof text, "failed unknown command\n");
        say(text);
    }
    _exit(0);
}
#endif
