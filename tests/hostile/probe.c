/* SPDX-License-Identifier: Apache-2.0 */
/* What a hostile branch tries, by name: `probe WHAT [ARG…]`. Prints `GOT what` where it worked, else `stopped: what:
 * why`. A kernel includes it and ends with the errno of what stopped it, 99 where nothing did. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int reads(const char *path)
{
    char text[256];
    int fd = open(path, O_RDONLY);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (got > 0) {
        text[got] = '\0';
        printf("%.100s\n", text);
    }
    return got >= 0 ? 0 : errno;
}

static int writes(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
    return fd >= 0 && write(fd, "x", 1) == 1 ? 0 : errno;
}

/* `@NAME`: an abstract one. */
static int unix_connects(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len >= sizeof to.sun_path)
        return ENAMETOOLONG;
    memcpy(to.sun_path, path, len);
    if (path[0] == '@')
        to.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (path[0] != '@'));
    return fd >= 0 && connect(fd, (struct sockaddr *)&to, size) == 0 ? 0 : errno;
}

static int inet_sends(int kind, const char *address, int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    inet_pton(AF_INET, address, &to.sin_addr);
    int fd = socket(AF_INET, kind, 0);
    return fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0 && write(fd, "GET /canary\r\n\r\n", 15) > 0
               ? 0
               : errno;
}

static int raw_opens(void)
{
    return socket(AF_PACKET, SOCK_RAW, htons(3)) >= 0 ? 0 : errno;
}

static int environ_has(const char *name)
{
    extern char **environ;
    for (char **at = environ; *at != NULL; at++)
        if (strstr(*at, name) != NULL || strstr(*at, "GITHUB") != NULL)
            return 0;
    return ENOENT;
}

static int memory_reads(int pid)
{
    static char of[64];
    struct iovec ours = {of, sizeof of}, theirs = {(void *)(size_t)0x400000, sizeof of};
    return process_vm_readv(pid, &ours, 1, &theirs, 1, 0) > 0 ? 0 : errno;
}

static int traces(int pid)
{
    return ptrace(PTRACE_ATTACH, pid, NULL, NULL) == 0 ? 0 : errno;
}

static int dumps(void)
{
    struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
    return setrlimit(RLIMIT_CORE, &all) == 0 ? 0 : errno;
}

static int mounts(void)
{
    return mount("none", "/tmp", "tmpfs", 0, "") == 0 ? 0 : errno;
}

static int device_made(const char *path)
{
    return mknod(path, S_IFBLK | 0666, makedev(8, 0)) == 0 ? 0 : errno;
}

static int root_again(void)
{
    return setuid(0) == 0 ? 0 : errno;
}

/* A key of this user's, where another job's process would find it. */
static int key_left(const char *name)
{
    return syscall(SYS_add_key, "user", name, "x", 1, -4) > 0 ? 0 : errno;
}

static int key_found(const char *name)
{
    return syscall(SYS_keyctl, 10, -4, "user", name, 0) > 0 ? 0 : errno;
}

static int tried(const char *what, const char *arg, int number)
{
    errno = 0;
    return strcmp(what, "read") == 0       ? reads(arg)
           : strcmp(what, "write") == 0    ? writes(arg)
           : strcmp(what, "unix") == 0     ? unix_connects(arg)
           : strcmp(what, "tcp") == 0      ? inet_sends(SOCK_STREAM, arg, number)
           : strcmp(what, "udp") == 0      ? inet_sends(SOCK_DGRAM, arg, number)
           : strcmp(what, "raw") == 0      ? raw_opens()
           : strcmp(what, "env") == 0      ? environ_has(arg)
           : strcmp(what, "vm") == 0       ? memory_reads(number)
           : strcmp(what, "ptrace") == 0   ? traces(number)
           : strcmp(what, "core") == 0     ? dumps()
           : strcmp(what, "mount") == 0    ? mounts()
           : strcmp(what, "mknod") == 0    ? device_made(arg)
           : strcmp(what, "setuid") == 0   ? root_again()
           : strcmp(what, "key-left") == 0 ? key_left(arg)
           : strcmp(what, "key") == 0      ? key_found(arg)
                                           : EINVAL;
}

#ifdef PROBE_IN_A_KERNEL
__attribute__((unused)) static void ends_with(const char *what, const char *arg, int number)
{
    int stopped = tried(what, arg, number);
    _exit(stopped == 0 ? 99 : stopped);
}
#else
int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "", *arg = argc > 2 ? argv[2] : "";
    int stopped = tried(what, arg, atoi(argc > 3 ? argv[3] : arg));
    if (stopped == 0)
        printf("GOT %s %s\n", what, arg);
    else
        printf("stopped: %s: %s\n", what, strerror(stopped));
    return 0;
}
#endif
