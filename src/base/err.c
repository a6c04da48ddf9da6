/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the text of errors. Does not print: the mains do. */
#include "base/err.h"

#include "base/scan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 0))) static void
format_text(struct err *err, enum err_class class, const char *format, va_list args)
{
    err->class = class;
    err->errnum = 0;
    vsnprintf(err->text, sizeof err->text, format, args);
    scan_line(err->text);
}

void err_write(struct err *err, enum err_class class, const char *format, ...)
{
    if (err == NULL)
        return;
    va_list args;
    va_start(args, format);
    format_text(err, class, format, args);
    va_end(args);
}

static enum err_class class_of_errno(enum err_class class, int errnum)
{
    switch (errnum) {
    case ENOSPC:
    case EDQUOT:
    case EROFS:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return ERR_HOST;
    default:
        return class;
    }
}

void err_write_errno(struct err *err, enum err_class class, int errnum, const char *format,
                     ...)
{
    if (err == NULL)
        return;
    va_list args;
    va_start(args, format);
    format_text(err, class_of_errno(class, errnum), format, args);
    va_end(args);
    err->errnum = errnum;
    size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof err->text - used, ": %s", strerror(errnum));
}

void err_write_context(struct err *err, const char *format, ...)
{
    if (err == NULL)
        return;
    char inner[ERR_TEXT_BYTES];
    memcpy(inner, err->text, sizeof inner);
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof err->text - used, ": %s", inner);
    scan_line(err->text);
}

enum exit_code err_exit_code(enum err_class class)
{
    switch (class) {
    case ERR_NONE:
        return EXIT_HELD;
    case ERR_USAGE:
    case ERR_INPUT:
        return EXIT_USAGE;
    case ERR_INTERNAL:
        return EXIT_INTERNAL;
    default:
        return EXIT_UNMEASURED;
    }
}
