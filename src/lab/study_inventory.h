/* SPDX-License-Identifier: Apache-2.0 */
/* inventory.json (schema ratchet.inventory/1): every other file of a study's folder, `path`, `bytes` and `sha256`. */
#ifndef RATCHET_LAB_STUDY_INVENTORY_H
#define RATCHET_LAB_STUDY_INVENTORY_H

#include "lab/study_folder.h"

#define STUDY_INVENTORY "inventory.json"
#define STUDY_INVENTORY_SCHEMA "ratchet.inventory/1"
enum { STUDY_INVENTORY_BYTES = 4 << 20 };

MUST_CHECK int study_inventory_of(const char *path, struct buf *out, struct err *err);

/* Appends a line for each file that is missing, is another one, or is not listed; adds them to *differ. */
MUST_CHECK int study_inventory_verify(const char *path, struct buf *out, size_t *differ,
                                      struct err *err);

#endif
