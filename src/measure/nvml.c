/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the loading of NVML, once a process and never undone: it is the driver's. */
#include "measure/nvml.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

static int open_library(struct nvml *nvml, struct err *err)
{
    void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return err_set(err, ERR_HOST, "no NVIDIA driver: %s", dlerror());
    const struct {
        const char *name;
        void *to;
    } functions[] = {
#define NVML_ENTRY(name, parameters) {#name, &nvml->name},
        NVML_TABLE(NVML_ENTRY)
#undef NVML_ENTRY
        {"nvmlErrorString", &nvml->nvmlErrorString},
    };
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        void *symbol = dlsym(library, functions[i].name);
        if (symbol == NULL)
            return err_set(err, ERR_HOST, "the NVIDIA driver's NVML has no %s: too old",
                           functions[i].name);
        memcpy(functions[i].to, &symbol, sizeof symbol); /* ISO C has no cast for this */
    }
    nvml_result result = nvml->nvmlInit_v2();
    if (result == NVML_OK)
        return 0;
    return err_set(err, ERR_HOST, "NVML does not start: %s", nvml->nvmlErrorString(result));
}

int nvml_get(const struct nvml **out, struct err *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct nvml nvml;
    static bool opened;
    pthread_mutex_lock(&lock);
    int result = opened ? 0 : open_library(&nvml, err);
    opened = result == 0;
    pthread_mutex_unlock(&lock);
    *out = &nvml;
    return result;
}
