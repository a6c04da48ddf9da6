/* SPDX-License-Identifier: Apache-2.0 */
/* The table of ci/ratchet.conf, and where the values of each of its sections go. */
#ifndef RATCHET_INTAKE_CONFIG_KEYS_H
#define RATCHET_INTAKE_CONFIG_KEYS_H

#include "intake/config.h"
#include "intake/keys.h"

enum { CONFIG_DEVICES_MAX = 16 };

/* One [config "name"]. */
struct config_entry {
    struct problem problem;
    char devices[CONFIG_DEVICES_MAX][MODEL_NAME_BYTES];
    size_t device_count;
};

/* Sections, and their targets. */
enum config_section {
    CONFIG_KERNEL,    /* struct kernel_source */
    CONFIG_RULE,      /* struct rule */
    CONFIG_PROMOTION, /* struct ratchet_config */
    CONFIG_REPORT,    /* struct ratchet_config */
    CONFIG_BUILD,     /* struct recipe */
    CONFIG_BENCH,     /* struct bench_settings */
    CONFIG_TUNE,      /* struct tune_space */
    CONFIG_CONFIG,    /* struct config_entry */
    CONFIG_SECTIONS
};

extern const struct keys_table config_keys;

#endif
