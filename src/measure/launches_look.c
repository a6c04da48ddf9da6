/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the asking: one process, and what each arm of each config said. */
#include "measure/launches.h"

#include "measure/machine.h"
#include "measure/process.h"

#include <stdlib.h>

int launches_look(const struct bench_request *request, const bool *want,
                  struct code_listing (*out)[ARM_COUNT], struct err *err)
{
    struct machine machine;
    struct process_config *configs = calloc(request->config_count, sizeof *configs);
    size_t count = 0;
    if (configs == NULL)
        return err_set(err, ERR_HOST, "out of memory for launches");
    machine_read(&machine);
    for (size_t i = 0; i < request->config_count; i++) {
        if (!want[i])
            continue;
        configs[count].bench = &request->configs[i];
        configs[count].launches = out[i];
        for (int arm = 0; arm < ARM_COUNT; arm++)
            configs[count].arms[arm] = request->configs[i].library[arm] != NULL;
        count++;
    }
    int rc = count == 0 ? 0 : process_run(request, &machine, configs, count, NULL, err);
    for (size_t i = 0; i < count; i++)
        for (int arm = 0; arm < ARM_COUNT && !configs[i].done; arm++)
            code_listing_free(&configs[i].launches[arm]);
    free(configs);
    return rc;
}
