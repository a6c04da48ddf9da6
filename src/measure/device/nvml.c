/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the loading of NVML, once a process and never undone: it is the driver's. */
#include "measure/device/nvml.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static const struct function {
    const char *name, *other;
    size_t offset; /* of its pointer in struct nvml */
    bool needed;
} functions[] = {
#define NVML_NEED(name, other, parameters) {#name, other, offsetof(struct nvml, name), true},
#define NVML_MAY(name, other, parameters) {#name, other, offsetof(struct nvml, name), false},
    NVML_TABLE(NVML_NEED, NVML_MAY)
#undef NVML_NEED
#undef NVML_MAY
        {"nvmlErrorString", "", offsetof(struct nvml, nvmlErrorString), true},
};

static int load(struct nvml *nvml, struct err *err)
{
    void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return err_set(err, ERR_HOST, "no NVIDIA driver: %s", dlerror());
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        const struct function *function = &functions[i];
        void *symbol = dlsym(library, function->name);
        if (symbol == NULL && function->other[0] != '\0')
            symbol = dlsym(library, function->other);
        if (symbol == NULL && function->needed)
            return err_set(err, ERR_HOST, "the NVIDIA driver's NVML has no %s: too old",
                           function->name);
        /* ISO C has no cast from an object's address to a function's */
        memcpy((char *)nvml + function->offset, &symbol, sizeof symbol);
    }
    return 0;
}

static int start(const struct nvml *nvml, struct err *err)
{
    nvml_result result = nvml->nvmlInit_v2();
    if (result == NVML_OK)
        return 0;
    return err_set(err, ERR_HOST, "NVML does not start: %s", nvml->nvmlErrorString(result));
}

int nvml_get(const struct nvml **out, struct err *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct nvml nvml;
    static pid_t starter; /* 0: nobody yet */
    pthread_mutex_lock(&lock);
    int result = 0;
    if (starter == 0) {
        result = load(&nvml, err);
        if (result == 0)
            result = start(&nvml, err);
        if (result == 0)
            starter = getpid();
    } else if (starter != getpid()) {
        result = err_set(err, ERR_INTERNAL, "NVML was started before this process was forked");
    }
    pthread_mutex_unlock(&lock);
    *out = &nvml;
    return result;
}
