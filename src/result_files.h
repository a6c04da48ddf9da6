/* SPDX-License-Identifier: Apache-2.0 */
/* The files that a check or a promotion leaves in its folder, by name. ratchetd sends these to
 * a client, and `ratchet submit` writes no others: a name from the socket is a path. Owns no
 * code. */
#ifndef RATCHET_RESULT_FILES_H
#define RATCHET_RESULT_FILES_H

#define RESULT_REPORT "report.md"
#define RESULT_VERDICT "verdict.json"
#define RESULT_SAMPLES "samples.json"
#define RESULT_ENVIRONMENT "env.json"
#define RESULT_EXPLAIN "explain.txt"
#define RESULT_LOG "log" /* lines of progress; the daemon's alone */
/* Where head does not compile, as gcc says it; sent line by line (publish/annotations.h). */
#define RESULT_ANNOTATIONS "annotations"

/* In the order in which they are sent. */
static const char *const result_files[] = {RESULT_REPORT,      RESULT_VERDICT, RESULT_SAMPLES,
                                           RESULT_ENVIRONMENT, RESULT_EXPLAIN, RESULT_LOG};
enum { RESULT_FILE_COUNT = sizeof result_files / sizeof result_files[0] };

#endif
