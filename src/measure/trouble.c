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

void trouble_set(struct trouble *trouble, enum trouble_kind kind, bool whole,
                 const char *stage, const char *text)
{
    if (trouble->kind != TROUBLE_NONE)
        return;
    trouble->kind = kind;
    trouble->whole = whole;
    snprintf(trouble->text, sizeof trouble->text, "%.400s%.100s", text, stage);
}

enum trouble_kind trouble_of_loss(enum loss loss)
{
    static const enum trouble_kind kinds[] = {[LOSS_NONE] = TROUBLE_HOST,
                                              [LOSS_CRASH] = TROUBLE_CRASH,
                                              [LOSS_KILLED] = TROUBLE_CRASH,
                                              [LOSS_HANG] = TROUBLE_HANG,
                                              [LOSS_GARBLED] = TROUBLE_GARBLED};
    return kinds[loss];
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
    enum loss loss = session_loss(session);
    const char *text = session_text(session);
    if (reply == REPLY_WRONG || (loss == LOSS_GARBLED && arm == ARM_COUNT)) {
        bool head = arms[ARM_HEAD];
        trouble_set(&all[head ? ARM_HEAD : ARM_COUNT], TROUBLE_GARBLED, head, stage,
                    reply == REPLY_WRONG ? "a wrong result of an arm that is not there"
                                         : text);
        return;
    }
    if (arm == ARM_COUNT)
        trouble_set(&all[ARM_COUNT], TROUBLE_HOST, false, stage, text);
    else
        trouble_set(&all[arm], trouble_of_loss(loss), arm == ARM_HEAD, stage, text);
}
