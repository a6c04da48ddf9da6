/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what systemd says of the socket that it hands over. */
#include "base/inherited.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SYSTEMD_FIRST_FD = 3 };

int inherited_socket(void)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    char own[24];
    snprintf(own, sizeof own, "%ld", (long)getpid());
    if (pid == NULL || count == NULL || strcmp(pid, own) != 0 || strcmp(count, "1") != 0)
        return -1;
    return fcntl(SYSTEMD_FIRST_FD, F_SETFD, FD_CLOEXEC) == 0 ? SYSTEMD_FIRST_FD : -1;
}
