/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the loading of libcuda.so.1. Calls nothing of it but cuInit. */
#include "harness/cuda_api.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

int cuda_api_open(struct cuda_api *api, struct err *err)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
    if (library == NULL)
        return err_set(err, ERR_HOST, "no CUDA driver: %s; see ratchet(1), DRIVER AND TOOLKIT",
                       dlerror());
    const struct {
        const char *name;
        void *to;
    } functions[] = {
#define CUDA_API_ENTRY(name, parameters) {#name, &api->name},
        CUDA_API_TABLE(CUDA_API_ENTRY)
#undef CUDA_API_ENTRY
    };
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        void *symbol = dlsym(library, functions[i].name);
        if (symbol == NULL)
            return err_set(err, ERR_HOST,
                           "the CUDA driver has no %s: it is older than CUDA 12; see "
                           "ratchet(1), DRIVER AND TOOLKIT",
                           functions[i].name);
        memcpy(functions[i].to, &symbol, sizeof symbol); /* ISO C has no cast for this */
    }
    api->library = library;
    cuda_result result = api->cuInit(0);
    if (result == CUDA_OK)
        return 0;
    char text[200];
    cuda_api_describe(api, result, text, sizeof text);
    return err_set(err, ERR_HOST,
                   "the CUDA driver does not start: %s; see ratchet(1), DRIVER AND TOOLKIT",
                   text);
}

void cuda_api_describe(const struct cuda_api *api, cuda_result result, char *out, size_t size)
{
    const char *name = NULL;
    const char *text = NULL;
    if (api->cuGetErrorName(result, &name) != CUDA_OK || name == NULL)
        snprintf(out, size, "CUDA error %d", result);
    else if (api->cuGetErrorString(result, &text) != CUDA_OK || text == NULL)
        snprintf(out, size, "%s", name);
    else
        snprintf(out, size, "%s (%s)", name, text);
}
