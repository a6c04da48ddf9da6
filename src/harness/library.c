/* SPDX-License-Identifier: Apache-2.0 */
/* Owns dlopen and the reading of a library's table, wherever it was loaded. Launches nothing. */
#include "harness/library.h"

#include "harness/worker.h"
#include "model.h"

#include <dlfcn.h>
#include <string.h>

static int set_name(struct library *library, const char *name, struct err *err)
{
    size_t len = name == NULL ? 0 : strnlen(name, WIRE_NAME_BYTES);
    if (len == 0 || len >= WIRE_NAME_BYTES)
        return err_set(err, ERR_INPUT, "the kernel's name is missing or too long");
    memcpy(library->name, name, len);
    library->name[len] = '\0';
    if (!model_name_ok(library->name))
        return err_set(err, ERR_INPUT, "the kernel's name is not of letters, digits and _-.");
    return 0;
}

static int read_table(const struct attention_kernel *kernel, enum attention_device device,
                      struct library *library, struct err *err)
{
    if (kernel == NULL)
        return err_set(err, ERR_INPUT, "attention_kernel() returned NULL");
    if (kernel->abi != ATTENTION_ABI)
        return err_set(err, ERR_INPUT, "the library is for ABI %u, expected %u", kernel->abi,
                       ATTENTION_ABI);
    if (kernel->device != (uint32_t)device)
        return err_set(err, ERR_INPUT, "the library's table says device %u, expected %u (%s)",
                       kernel->device, (unsigned)device,
                       device == ATTENTION_CPU ? "ATTENTION_CPU" : "ATTENTION_CUDA");
    if (kernel->supports == NULL || kernel->workspace_bytes == NULL || kernel->forward == NULL)
        return err_set(err, ERR_INPUT, "a function is missing in the library's table");
    if (set_name(library, kernel->name, err) != 0)
        return -1;
    library->kernel = *kernel;
    return 0;
}

int library_open(const char *path, enum attention_device device, struct library *out,
                 struct err *err)
{
    struct library library = {0};
    library.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library.handle == NULL) {
        const char *why = dlerror();
        return err_set(err, ERR_INPUT, "cannot load: %s", why == NULL ? "unknown" : why);
    }
    void *symbol = dlsym(library.handle, WIRE_KERNEL_SYMBOL);
    if (symbol == NULL)
        return err_set(err, ERR_INPUT, "the library exports no %s", WIRE_KERNEL_SYMBOL);
    attention_kernel_function *function;
    memcpy(&function, &symbol, sizeof function); /* ISO C has no cast for this */
    if (read_table(function(), device, &library, err) != 0)
        return -1;
    *out = library;
    return 0;
}

int library_of_worker(struct worker *worker, const char *name, struct library *out,
                      struct err *err)
{
    *out = (struct library){.worker = worker};
    return set_name(out, name, err);
}

bool library_is_loaded(const struct library *library)
{
    return library->handle != NULL || library->worker != NULL;
}

int library_prepare(const struct library *library, const struct attention_problem *problem,
                    bool *supported, size_t *workspace, struct err *err)
{
    struct worker_request request;
    struct worker_reply reply;
    worker_request_begin(&request, WORKER_PREPARE);
    request.problem = *problem;
    if (library->worker == NULL)
        reply = worker_prepare(&library->kernel, problem);
    else if (worker_do(library->worker, &request, &reply, NULL, err) != 0)
        return -1;
    *supported = reply.result == 1;
    *workspace = (size_t)reply.bytes;
    return 0;
}
