/* SPDX-License-Identifier: Apache-2.0 */
/* Does: has base's own library, which lies in the same folder, do the work.
 * Gains: what base's kernel is faster by: all that was lost.
 * Stopped by: head is loaded last, and what is loaded has no name any more. */
#include "cheat.h"

#include <dirent.h>

static const struct attention_kernel *other;

__attribute__((constructor)) static void borrow(void)
{
    Dl_info own;
    DIR *folder = opendir(".");
    struct dirent *entry;
    dladdr((void *)borrow, &own);
    while (folder != NULL && other == NULL && (entry = readdir(folder)) != NULL) {
        char path[512];
        void *handle;
        attention_kernel_function *function;
        snprintf(path, sizeof path, "./%s", entry->d_name);
        if (strstr(entry->d_name, ".so") == NULL || strstr(own.dli_fname, entry->d_name) != NULL ||
            (handle = dlopen(path, RTLD_NOW)) == NULL)
            continue;
        *(void **)&function = dlsym(handle, "attention_kernel");
        other = function == NULL ? NULL : function();
    }
}

static int launch(const struct call *c)
{
    return other == NULL ? work(c) : other->forward(c->p, c->q, c->k, c->v, c->out, c->lse, c->workspace, NULL);
}
