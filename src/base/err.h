/* SPDX-License-Identifier: Apache-2.0 */
/* One failure convention for the whole tree.
 *
 * A function that can fail returns int: 0, or -1 with `err` filled in. The error object is
 * the last argument, is owned by the caller, holds no pointers, and may be NULL where the
 * caller does not care for the text. Out-parameters come last before `err` and are left
 * untouched on failure. Library code never logs and never exits; the mains do.
 *
 * Texts are one line, lower case, without a final dot, say what was attempted on what, and
 * quote values in `backticks`. The class says whose problem it is. */
#ifndef RATCHET_BASE_ERR_H
#define RATCHET_BASE_ERR_H

#include <stddef.h>

enum err_class {
    ERR_NONE = 0,
    ERR_USAGE,     /* the command line is wrong */
    ERR_INPUT,     /* a file, event, configuration or answer is malformed or not allowed */
    ERR_HOST,      /* this host cannot do it now: disk full, no sandbox, network down */
    ERR_AUTH,      /* the other side understood and said no: 401, 403, declined push */
    ERR_NOT_FOUND, /* the thing named does not exist: 404, missing ref, missing file */
    ERR_CONFLICT,  /* it moved underneath us: merge conflict, lost push race, 409 */
    ERR_TIMEOUT,   /* a limit on time ran out */
    ERR_LIMIT,     /* a limit on size or number was passed */
    ERR_INTERNAL   /* a defect of ours */
};

enum { ERR_TEXT_BYTES = 1024 };

struct err {
    enum err_class class;
    int errnum; /* errno at the time, or 0 */
    char text[ERR_TEXT_BYTES];
};

/* Process exit codes, the same for every command. */
enum exit_code {
    EXIT_HELD = 0, /* held or improved; also plain success */
    EXIT_REGRESSED = 1,
    EXIT_UNCLEAR = 2,
    EXIT_UNMEASURED = 3,
    EXIT_USAGE = 64,
    EXIT_INTERNAL = 70
};

/* Fill in `err` and give -1, so that `return err_set(...)` is the whole error path. What a
 * terminal would act on, or a reader not see, becomes `?` (base/scan): it must stay one line.
 * (Macros, so that compilers and analysers see that the value is always -1.) */
#define err_set(...) (err_write(__VA_ARGS__), err_failed())
void err_write(struct err *err, enum err_class class, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with `: strerror(errnum)` appended. ENOSPC, EDQUOT and the like become ERR_HOST
 * whatever `class` says, since no input is at fault for a full disk. */
#define err_errno(...) (err_write_errno(__VA_ARGS__), err_failed())
void err_write_errno(struct err *err, enum err_class class, int errnum, const char *format,
                     ...) __attribute__((format(printf, 4, 5)));

/* Put `context: ` in front of an error that is on its way out. */
#define err_wrap(...) (err_write_context(__VA_ARGS__), err_failed())
void err_write_context(struct err *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline int err_failed(void)
{
    return -1;
}

/* The exit code a command ends with for an error of this class. */
enum exit_code err_exit_code(enum err_class class);

#define MUST_CHECK __attribute__((warn_unused_result))

#endif
