/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reading of a failed step: which arm it tells of, and in what words. */
#include "measure/trouble.h"

#include <stdio.h>

bool trouble_any(const struct trouble all[TROUBLE_COUNT])
{
    for (int arm = 0; arm < TROUBLE_COUNT; arm++)
        if (all[arm].kind != TROUBLE_NONE)
            return true;
    return false;
}

bool trouble_killed(const struct trouble all[TROUBLE_COUNT], enum arm *arm)
{
    for (int i = 0; i < TROUBLE_COUNT; i++) {
        if (all[i].kind != TROUBLE_KILLED)
            continue;
        *arm = (enum arm)i;
        return true;
    }
    return false;
}

void trouble_set(struct trouble *trouble, enum trouble_kind kind, bool whole,
                 const char *stage, const char *text)
{
    if (trouble->kind != TROUBLE_NONE)
        return;
    trouble->kind = kind;
    trouble->whole = whole;
    snprintf(trouble->text, sizeof trouble->text, "%.400s%.100s", text, stage);
}

void trouble_set_loss(struct trouble all[TROUBLE_COUNT], const struct session *session,
                      enum arm arm, const char *stage)
{
    static const enum trouble_kind kinds[] = {
        [LOSS_NONE] = TROUBLE_HOST,       [LOSS_CRASH] = TROUBLE_CRASH,
        [LOSS_KILLED] = TROUBLE_KILLED,   [LOSS_HANG] = TROUBLE_HANG,
        [LOSS_GARBLED] = TROUBLE_GARBLED, [LOSS_OURS] = TROUBLE_OURS};
    enum trouble_kind kind = kinds[session_loss(session)];
    if (kind == TROUBLE_OURS)
        arm = ARM_COUNT;
    else if (arm == ARM_COUNT && kind != TROUBLE_KILLED)
        kind = TROUBLE_HOST;
    trouble_set(&all[arm], kind, arm == ARM_HEAD, stage, session_text(session));
}

void trouble_note(struct trouble all[TROUBLE_COUNT], const bool arms[ARM_COUNT],
                  const struct session *session, enum reply reply, enum arm arm,
                  enum line_kind want, const struct line *line, const char *stage)
{
    if (reply == REPLY_WRONG && line->arm < ARM_COUNT && arms[line->arm]) {
        char text[WIRE_TEXT_BYTES + 32];
        /* Before anything was launched there was no result. */
        snprintf(text, sizeof text, "%s%s",
                 want == LINE_PREPARED ? "" : "wrong result: ", line->text);
        trouble_set(&all[line->arm], TROUBLE_WRONG, false, stage, text);
        return;
    }
    if (reply == REPLY_FAILED) {
        trouble_set(&all[ARM_COUNT], TROUBLE_HOST, false, stage, line->text);
        return;
    }
    bool garbled = session_loss(session) == LOSS_GARBLED;
    if (reply == REPLY_WRONG || (garbled && arm == ARM_COUNT)) {
        bool head = arms[ARM_HEAD];
        trouble_set(&all[head ? ARM_HEAD : ARM_COUNT], TROUBLE_GARBLED, head, stage,
                    reply == REPLY_WRONG ? "a wrong result of an arm that is not there"
                                         : session_text(session));
        return;
    }
    trouble_set_loss(all, session, arm, stage);
}
