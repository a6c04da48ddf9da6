/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the descriptors of the protocol, the lines not sent yet, and the signal handlers.
 *
 * A turn's lines are kept and sent at its end: a write would wake the parent in the middle of
 * the turn, perhaps on the very processor that is being measured. That is why a crash or a
 * hang must send them from a signal handler: they say how far the turn had come. */
#include "harness/voice.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum { PENDING_BYTES = (WIRE_TURN_ARMS_MAX + 2) * 128 + 2 * WIRE_LINE_BYTES };

/* Static because signal handlers have no other way to it. */
static struct {
    int in, out;
    char pending[PENDING_BYTES];
    volatile sig_atomic_t pending_len;
    char heard[WIRE_LINE_BYTES]; /* read, and not yet handed out */
    size_t heard_len;
} voice = {.in = -1, .out = -1};

/* Only what is allowed in a signal handler. Gives up on any error. */
static void write_all(const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t done = write(voice.out, bytes, len);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            _exit(1);
        bytes += done;
        len -= (size_t)done;
    }
}

_Noreturn void voice_last_words(int signal_number)
{
    char line[] = "died 00\n";
    size_t len = sizeof line - 1;
    if (signal_number < 10) {
        line[5] = (char)('0' + signal_number);
        line[6] = '\n';
        len--;
    } else {
        line[5] = (char)('0' + signal_number / 10 % 10);
        line[6] = (char)('0' + signal_number % 10);
    }
    write_all(voice.pending, (size_t)voice.pending_len);
    write_all(line, len);
    _exit(128 + signal_number);
}

static int catch_signals(struct err *err)
{
    static const int caught[] = {SIGSEGV, SIGBUS,  SIGILL,  SIGFPE, SIGABRT,
                                 SIGSYS,  SIGTRAP, SIGALRM, SIGTERM};
    static char stack[32 * 1024]; /* a stack that overflowed cannot run a handler */
    const stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    if (sigaltstack(&alternate, NULL) != 0)
        return err_errno(err, ERR_HOST, errno, "set up a signal stack");
    struct sigaction action = {.sa_handler = voice_last_words, .sa_flags = SA_ONSTACK};
    sigfillset(&action.sa_mask);
    for (size_t i = 0; i < sizeof caught / sizeof caught[0]; i++)
        if (sigaction(caught[i], &action, NULL) != 0)
            return err_errno(err, ERR_HOST, errno, "catch signal %d", caught[i]);
    return 0;
}

int voice_open(struct err *err)
{
    voice.in = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    voice.out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (voice.in < 0 || voice.out < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 ||
        dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        return err_errno(err, ERR_HOST, errno, "set up descriptors");
    close(null);
    return catch_signals(err);
}

int voice_hear(char line[WIRE_LINE_BYTES], struct err *err)
{
    for (;;) {
        char *newline = memchr(voice.heard, '\n', voice.heard_len);
        if (newline != NULL) {
            size_t len = (size_t)(newline - voice.heard);
            memcpy(line, voice.heard, len);
            line[len] = '\0';
            voice.heard_len -= len + 1;
            memmove(voice.heard, newline + 1, voice.heard_len);
            return 1;
        }
        if (voice.heard_len == sizeof voice.heard)
            return err_set(err, ERR_INPUT, "a command is longer than %d bytes",
                           WIRE_LINE_BYTES);
        ssize_t got = read(voice.in, voice.heard + voice.heard_len,
                           sizeof voice.heard - voice.heard_len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(err, ERR_HOST, errno, "read a command");
        if (got == 0)
            return 0;
        voice.heard_len += (size_t)got;
    }
}

void voice_say(const char *format, ...)
{
    char line[WIRE_LINE_BYTES];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line - 1, format, args);
    va_end(args);
    size_t len = length < 0 ? 0 : strnlen(line, sizeof line - 2);
    for (size_t i = 0; i < len; i++)
        if (line[i] < 0x20 || line[i] > 0x7e)
            line[i] = '?';
    line[len++] = '\n';
    size_t used = (size_t)voice.pending_len;
    if (len > sizeof voice.pending - used) {
        voice_flush();
        used = 0;
    }
    memcpy(voice.pending + used, line, len);
    voice.pending_len = (sig_atomic_t)(used + len);
}

void voice_flush(void)
{
    size_t len = (size_t)voice.pending_len;
    voice.pending_len = 0;
    write_all(voice.pending, len);
}

void voice_watchdog(unsigned long ms)
{
    struct itimerval timer = {.it_value = {.tv_sec = (time_t)(ms / 1000),
                                           .tv_usec = (suseconds_t)(ms % 1000 * 1000)}};
    setitimer(ITIMER_REAL, &timer, NULL);
}
