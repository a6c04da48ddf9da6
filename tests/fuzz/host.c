/* SPDX-License-Identifier: Apache-2.0 */
/* ratchetd.conf: the host's own, but it is edited by hand, and says where tokens go. */
#include "tests/fuzz/fuzz.h"

#include "base/name.h"
#include "intake/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct host host;
    struct err err = {0};
    if (host_parse((const char *)data, size, "ratchetd.conf", &host, &err) != 0) {
        fuzz_error(&err);
        return 0;
    }
    HOLDS(host.device_count > 0 && host.device_count <= HOST_DEVICES_MAX);
    for (size_t i = 0; i < host.device_count; i++) {
        const struct host_device *device = &host.devices[i];
        HOLDS(model_name_ok(device->slug) && device->lane_count > 0 &&
              device->lane_count <= HOST_LANES_MAX);
        for (size_t l = 0; l < device->lane_count; l++)
            HOLDS(device->lanes[l].cpu_count <= HOST_CPUS_MAX &&
                  host_find_lane(device, device->lanes[l].name) == &device->lanes[l]);
        HOLDS(host_find_device(&host, device->slug) == device);
    }
    HOLDS(host.repository_count <= HOST_REPOSITORIES_MAX);
    for (size_t i = 0; i < host.repository_count; i++) {
        const struct host_repository *repository = &host.repositories[i];
        size_t api = strlen(repository->api);
        HOLDS(name_is_repository(repository->name, sizeof repository->name));
        HOLDS(host_find_repository(&host, repository->name) == repository);
        HOLDS(api > 0 && repository->api[api - 1] != '/' && fuzz_is_plain(repository->api));
        HOLDS(repository->git[0] != '\0' && name_is_branch(repository->branch));
        HOLDS(repository->credential != CREDENTIAL_HOST || repository->token_file[0] != '\0');
        HOLDS(repository->credential != CREDENTIAL_APP ||
              (repository->app[0] != '\0' && repository->app_key[0] != '\0'));
        HOLDS(repository->submodule_count <= HOST_SUBMODULES_MAX);
    }
#define SET(field, name, value, most, what) \
    HOLDS(host.limits.field > 0 && host.limits.field <= (most));
    LIMITS_TABLE(SET)
#undef SET
    return 0;
}
