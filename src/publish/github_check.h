/* SPDX-License-Identifier: Apache-2.0 */
/* Check runs: what an App that may make them sets in place of a status, under the same name. Nobody but
 * the App can change them. Private to src/publish. */
#ifndef RATCHET_PUBLISH_GITHUB_CHECK_H
#define RATCHET_PUBLISH_GITHUB_CHECK_H

#include "publish/github_call.h"

/* state: as of a status. "error" becomes a conclusion that lets nothing through. `title` is UTF-8, 255
 * bytes at most; `url`: NULL or of the web. Every one of ours that is in progress is brought
 * there; where there is none, and the newest does not say the same, another is made, once: an answer that is
 * lost is an error, and the next call sees what came of it. */
MUST_CHECK int github_set_check(const struct github *github, struct github_budget *budget,
                                const char *sha, const char *name, const char *state,
                                const char *title, const char *url, struct err *err);

#endif
