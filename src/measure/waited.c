/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the search for a process below another. */
#include "measure/waited.h"

#include "base/run_delay.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { DEPTH_MAX = 8, TEXT_BYTES = 256 };

/* A small file of /proc; "" where it cannot be read. */
static void read_small(const char *path, char text[TEXT_BYTES])
{
    text[0] = '\0';
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return;
    ssize_t got = read(file, text, TEXT_BYTES - 1);
    text[got > 0 ? got : 0] = '\0';
    close(file);
}

static bool is_called(pid_t pid, const char *name)
{
    char path[64], comm[TEXT_BYTES];
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    read_small(path, comm);
    comm[strcspn(comm, "\n")] = '\0';
    return strcmp(comm, name) == 0;
}

/* The first child of a process's first thread; 0: there is none. */
static pid_t child_of(pid_t pid)
{
    char path[96], text[TEXT_BYTES];
    int child = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    read_small(path, text);
    return sscanf(text, "%d", &child) == 1 ? child : 0;
}

void waited_open(struct waited *waited, pid_t sandbox, const char *name)
{
    pid_t pid = sandbox;
    waited->file = -1;
    for (int depth = 0; depth < DEPTH_MAX && pid > 0 && !is_called(pid, name); depth++)
        pid = child_of(pid);
    if (pid > 0 && is_called(pid, name))
        waited->file = run_delay_open(pid);
}

void waited_close(struct waited *waited)
{
    if (waited->file >= 0)
        close(waited->file);
    waited->file = -1;
}

uint64_t waited_ns(const struct waited *waited)
{
    return run_delay_ns(waited->file);
}
