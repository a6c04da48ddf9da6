/* SPDX-License-Identifier: Apache-2.0 */
/* The files and lines of a GitHub Actions step: job summary (1 MiB ceiling), step outputs
 * with a random delimiter, and log lines that cannot run workflow commands. */
#ifndef RATCHET_PUBLISH_ACTIONS_H
#define RATCHET_PUBLISH_ACTIONS_H

#include "base/buf.h"
#include "base/err.h"

/* Append to $GITHUB_STEP_SUMMARY; what does not fit is cut at a line, with a notice in front,
 * since the runner drops a file that is too long as a whole. */
MUST_CHECK int actions_summary(const char *path, const char *markdown, size_t len,
                               struct err *err);
/* Append `name<<delimiter…` to $GITHUB_OUTPUT; the delimiter is random. */
MUST_CHECK int actions_output(const char *path, const char *name, const char *value,
                              struct err *err);
/* Append a foreign log line made harmless, and a newline: `##[` and a leading `::` broken,
 * control characters and terminal sequences out. */
void actions_log_line(struct buf *out, const char *line, size_t len);
/* Append `::error title=…::text` with GitHub's escapes, and a newline. level: "error",
 * "warning", "notice"; title may be NULL. */
void actions_command(struct buf *out, const char *level, const char *title, const char *text);
/* The same of a place in the checkout: `::error file=…,line=…,col=…::text`; column 0: not told. */
void actions_error_at(struct buf *out, const char *path, unsigned line, unsigned column,
                      const char *text);

#endif
