/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reading of schedstat. */
#include "base/run_delay.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

int run_delay_open(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/schedstat", (int)pid);
    return open(path, O_RDONLY | O_CLOEXEC);
}

uint64_t run_delay_ns(int file)
{
    char text[256]; /* time on a processor, time waiting for one, slices */
    uint64_t delay = 0;
    ssize_t got = file < 0 ? -1 : pread(file, text, sizeof text - 1, 0);
    text[got > 0 ? got : 0] = '\0';
    return sscanf(text, "%*u %" SCNu64, &delay) == 1 ? delay : 0;
}
