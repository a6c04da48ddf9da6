/* SPDX-License-Identifier: Apache-2.0 */
/* Owns dlopen and the reading of a library's table. Calls no kernel. */
#include "harness/library.h"

#include "model.h"

#include <dlfcn.h>
#include <string.h>

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
    size_t len = kernel->name == NULL ? 0 : strnlen(kernel->name, WIRE_NAME_BYTES);
    if (len == 0 || len >= WIRE_NAME_BYTES)
        return err_set(err, ERR_INPUT, "the kernel's name is missing or too long");
    memcpy(library->name, kernel->name, len);
    library->name[len] = '\0';
    if (!model_name_ok(library->name))
        return err_set(err, ERR_INPUT, "the kernel's name is not of letters, digits and _-.");
    library->kernel = *kernel;
    return 0;
}

int library_load(struct library libraries[WIRE_SLOTS_MAX], size_t slot, const char *path,
                 enum attention_device device, struct err *err)
{
    struct library library = {0};
    if (libraries[slot].handle != NULL)
        return err_set(err, ERR_INPUT, "slot %zu is taken", slot);
    library.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library.handle == NULL) {
        const char *why = dlerror();
        return err_set(err, ERR_INPUT, "cannot load: %s", why == NULL ? "unknown" : why);
    }
    /* One object in two slots would share its code and state: no comparison of two arms. */
    for (size_t i = 0; i < WIRE_SLOTS_MAX; i++)
        if (libraries[i].handle == library.handle)
            return err_set(err, ERR_INPUT, "the same object as slot %zu", i);
    void *symbol = dlsym(library.handle, WIRE_KERNEL_SYMBOL);
    if (symbol == NULL)
        return err_set(err, ERR_INPUT, "the library exports no %s", WIRE_KERNEL_SYMBOL);
    attention_kernel_function *function;
    memcpy(&function, &symbol, sizeof function); /* ISO C has no cast for this */
    if (read_table(function(), device, &library, err) != 0)
        return -1;
    libraries[slot] = library;
    return 0;
}
