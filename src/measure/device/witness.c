/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which witness a device has. What one sees is each kind's own. */
#include "measure/device/witness.h"

#include "measure/device/device.h"

int witness_open(const char *device, const struct gpu *gpu, struct witness **out,
                 struct err *err)
{
    const struct device_kind *kind = device_kind_of(device);
    *out = NULL;
    if (kind == NULL || kind->witness == NULL || (kind->find != NULL && gpu == NULL))
        return 0;
    return kind->witness->open(gpu, out, err);
}

void witness_begin(struct witness *witness, enum arm at_work)
{
    if (witness != NULL)
        witness->ops->begin(witness, at_work);
}

void witness_sample(struct witness *witness, enum arm at_work)
{
    if (witness != NULL && witness->ops->sample != NULL)
        witness->ops->sample(witness, at_work);
}

unsigned witness_end(struct witness *witness, unsigned long long tolerated,
                     unsigned of[ARM_COUNT])
{
    return witness == NULL ? 0 : witness->ops->end(witness, tolerated, of);
}

unsigned witness_marks(struct witness *witness, unsigned of[ARM_COUNT])
{
    return witness == NULL || witness->ops->marks == NULL ? 0
                                                          : witness->ops->marks(witness, of);
}

void witness_close(struct witness **witness, struct gpu_watch *seen)
{
    if (*witness == NULL)
        return;
    (*witness)->ops->close(*witness, seen);
    *witness = NULL;
}
