/* SPDX-License-Identifier: Apache-2.0 */
/* A message of the outbox, for those files that are part of it. */
#ifndef RATCHET_PUBLISH_OUTBOX_INTERNAL_H
#define RATCHET_PUBLISH_OUTBOX_INTERNAL_H

#include "publish/outbox.h"

enum { MESSAGE_TEXTS = 6 };
struct message {
    long long id, job;
    bool weak;
    bool again;         /* it was said, and is said once more */
    long long refusals; /* so often until now */
    const char *kind;
    union {
        struct {
            const char *repository, *subject, *slot, *text, *state, *url;
        };
        const char *texts[MESSAGE_TEXTS]; /* the same, in the order of the columns */
    };
    char *owned; /* what they point into, where the message was read from the box */
};

void outbox_message_free(struct message *message);
#define MESSAGE_AUTO __attribute__((cleanup(outbox_message_free))) struct message

#endif
