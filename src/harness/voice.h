/* SPDX-License-Identifier: Apache-2.0 */
/* How the harness hears and speaks: private descriptors that a library's printf cannot reach,
 * answers written in one piece, and last words when a signal ends the process. */
#ifndef RATCHET_HARNESS_VOICE_H
#define RATCHET_HARNESS_VOICE_H

#include "base/err.h"
#include "wire.h"

#include <stdbool.h>
#include <stddef.h>

/* Move stdin and stdout to private descriptors; 0 reads /dev/null, 1 writes to stderr. */
MUST_CHECK int voice_open(struct err *err);

/* The next command, NUL-terminated, without its newline: 1, or 0 at the end of input. */
MUST_CHECK int voice_hear(char line[WIRE_LINE_BYTES], struct err *err);

/* Keep one line of an answer until voice_flush, or the end by a signal, sends it. */
void voice_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Send what was kept. A parent that is gone ends the process. */
void voice_flush(void);

/* Send what was kept, and that a signal was the end, which this is. */
_Noreturn void voice_last_words(int signal_number);

/* From now on, `ms` milliseconds until the process gives up by itself; 0: no limit. */
void voice_watchdog(unsigned long ms);

#endif
