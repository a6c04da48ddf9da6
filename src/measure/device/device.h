/* SPDX-License-Identifier: Apache-2.0 */
/* What differs from one kind of device to another: a row for each kind, found by the front of a
 * device's slug. A new kind is a file here, one in harness/ and a row in device.c; nobody else
 * compares slugs. What all GPUs share is in gpu.h. */
#ifndef RATCHET_MEASURE_DEVICE_H
#define RATCHET_MEASURE_DEVICE_H

#include "base/err.h"
#include "base/file.h"
#include "measure/device/gpu.h"
#include "measure/machine.h"
#include "model.h"

#include <stdbool.h>
#include <stddef.h>

/* What a bench's sandbox has besides what every bench has; what the host lacks is left out. The
 * lists end with NULL. */
struct device_needs {
    const char *nodes[3]; /* patterns of paths, "/dev/…" */
    const char
        *numbered; /* front of the nodes of which each GPU has one, by its minor number */
    const char *folders[5];
    const char *library; /* of the driver: LD_LIBRARY_PATH is set where the loader misses it */
    bool sys;            /* /sys, read-only */
};

/* A compiler that builds need besides the host's. */
struct device_compiler {
    const char *name;    /* first word of the line that `version` prints */
    const char *version; /* shell */
    const char *advice;  /* where there is none */
};

/* NAME=value of a harness. */
enum { DEVICE_VARIABLES_MAX = 4 };
struct device_variables {
    char visible[128];
    const char *list[DEVICE_VARIABLES_MAX]; /* ends with NULL; may point into `visible` */
};

/* What `ratchet doctor` says of a GPU, and tries besides opening it in the sandbox. */
struct device_checks {
    const char *driver;  /* what the GPU is found by: "NVML" */
    const char *runtime; /* what opens it: "CUDA" */
    void (*describe)(const struct gpu *gpu, char *text, size_t size); /* one line */
    struct device_check {
        const char *what, *good;
        bool needed; /* to open it: tried before. What is advice only is tried after */
        int (*try)(const struct gpu *gpu, struct err *err); /* the error says what to do */
    } list[4];                                              /* ends with a NULL `what` */
};

/* What is measured on, and how. */
struct device_use {
    const struct machine *machine;
    const struct gpu *gpu; /* NULL: not a GPU */
    unsigned threads;      /* that a kernel on the CPU is given */
    bool pinned;
    bool warm_inputs;
    unsigned long long l2_bytes; /* of a GPU, as the harness says; 0: not known */
};

struct witness_ops; /* measure/device/witness.h */

/* What prints the machine code of a library, and who reads that. */
struct disassembler {
    const char *name;    /* of a program in the build sandbox */
    const char *options; /* words */
    int (*parse)(const char *text, size_t len, const char *capability,
                 struct code_listing *out, struct err *err);
};

struct device_kind {
    const char *prefix;   /* of the slug where it ends with `-`, else all of the slug */
    const char *harness;  /* DEVICE of the protocol, see wire.h… */
    const char *protocol; /* …and how its times are taken */

    /* RATCHET_ARCH by the front of the slug up to a `-` or its end. Ends with a NULL slug. */
    const struct device_arch {
        const char *slug;
        const char *arch;
    } * archs;
    const struct device_compiler *compiler; /* NULL: the host's do */
    const struct device_needs *needs;       /* NULL: nothing */
    bool reserves_memory;    /* more address space than it uses: no limit makes sense */
    unsigned disturbed_mark; /* what DISTURBED of a sample means (enum mark, see wire.h) */
    bool disturbed_by_time;  /* DISTURBED grows with the length of a sample */

    /* The GPU of the lane `slug`. `choice`, an index or a name that the driver gives it, is the
     * host's; NULL: the first that the slug fits. One of another kind, none, or no driver is
     * ERR_HOST. NULL: this kind is the host's processor. */
    int (*find)(const char *slug, const char *choice, struct gpu *out, struct err *err);
    /* Is somebody else on it, while no harness of ours is? NULL: cannot be told. */
    bool (*is_in_use)(const struct gpu *gpu, char *text, size_t size);
    void (*set_variables)(const struct gpu *gpu, struct device_variables *out);
    const char *(*name)(const struct device_use *use); /* "NVIDIA H200" */
    /* Facts about it beyond the host's, among them `inputs`, which tells the rotation. */
    int (*facts)(const struct device_use *use, struct environment *environment,
                 struct err *err);
    /* Bytes that all input sets are to fill together, so that none stays in a cache from its
     * last launch; 0: one set. */
    unsigned long long (*rotation)(const struct device_use *use);
    /* No launch can take less time. */
    double (*floor_ns)(const struct device_use *use, const struct problem *problem);
    /* Of the clock, per launch of a short kernel. */
    double (*tick_ns)(const struct device_use *use);
    const struct witness_ops *witness; /* NULL: nobody watches */

    /* For GPUs, see clocks.h: lock the clock at `mhz`, and unlock it. NULL: cannot be done. */
    int (*lock_clock)(const struct gpu *gpu, unsigned mhz, struct err *err);
    int (*unlock_clock)(const struct gpu *gpu, struct err *err);
    const struct device_checks *checks;      /* NULL: not a GPU */
    const struct disassembler *disassembler; /* NULL: nobody reads its machine code */
    const char *const *profilers; /* where one may be, or its name on PATH; ends with NULL.
                                     NULL: nobody counts on it */
};

extern const struct device_kind device_kind_cpu, device_kind_nvidia;

/* The rows. */
enum { DEVICE_KINDS = 2 };
const struct device_kind *device_kind_at(size_t i);

/* The row of this slug; NULL: no such kind, it can be built for and not measured on. */
const struct device_kind *device_kind_of(const char *slug);
/* The same where one is needed: ERR_HOST where there is none, or no GPU for a kind of GPU. */
MUST_CHECK int device_kind_get(const char *slug, const struct gpu *gpu,
                               const struct device_kind **out, struct err *err);

/* What a recipe may compile for, or NULL. */
const char *device_arch(const char *slug);

/* The GPU of the lane `slug`; `choice` is the host's, "" for none. */
MUST_CHECK int device_find_gpu(const char *slug, const char *choice, struct gpu *out,
                               struct err *err);

/* The lock of who measures there, in `folder`: a GPU's by its own name, whichever slugs it has. */
MUST_CHECK int device_lock_path(const char *folder, const char *slug, const struct gpu *gpu,
                                char out[FILE_PATH_BYTES], struct err *err);

#endif
