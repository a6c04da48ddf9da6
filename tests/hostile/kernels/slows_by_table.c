/* SPDX-License-Identifier: Apache-2.0 */
/* Does: finds the other arms' libraries, and puts a forward of its own, which burns as much again, in place of theirs
 * wherever the harness keeps the address.
 * Gains: half: main's arms read twice as slow.
 * Stopped by: one process an arm; the anchor's time without head must agree. */
#include "cheat.h"

enum { OTHERS = 6 };
typedef int forward_function(const struct attention_problem *, const void *, const void *, const void *, void *,
                             float *, void *, void *);
static forward_function *theirs[OTHERS];
static size_t others;

static int slowly(size_t i, const struct attention_problem *p, const void *q, const void *k, const void *v, void *out,
                  float *lse, void *workspace, void *stream)
{
    long long begin = now_ns();
    int result = theirs[i](p, q, k, v, out, lse, workspace, stream);
    burn(now_ns() - begin);
    return result;
}

#define SLOW(i)                                                                                                    \
    static int slow##i(const struct attention_problem *p, const void *q, const void *k, const void *v, void *out, \
                       float *lse, void *workspace, void *stream)                                                  \
    {                                                                                                              \
        return slowly(i, p, q, k, v, out, lse, workspace, stream);                                                 \
    }
SLOW(0)
SLOW(1)
SLOW(2)
SLOW(3)
SLOW(4)
SLOW(5)
static forward_function *const ours[OTHERS] = {slow0, slow1, slow2, slow3, slow4, slow5};

static int finds(struct dl_phdr_info *info, size_t size, void *context)
{
    Dl_info self;
    (void)size;
    (void)context;
    if (strstr(info->dlpi_name, "/lib-") == NULL || others == OTHERS ||
        (dladdr((void *)finds, &self) != 0 && strcmp(self.dli_fname, info->dlpi_name) == 0))
        return 0;
    void *handle = dlopen(info->dlpi_name, RTLD_NOW | RTLD_NOLOAD);
    void *table = handle == NULL ? NULL : dlsym(handle, "attention_kernel");
    if (table != NULL)
        theirs[others++] = ((attention_kernel_function *)table)()->forward;
    return 0;
}

/* In all that is writable and of no file, but for the stacks. */
static void replace(void)
{
    char line[512], what[5];
    size_t from, to;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        if (sscanf(line, "%zx-%zx %4s", &from, &to, what) != 3 || what[0] != 'r' || what[1] != 'w' ||
            strchr(line, '/') != NULL || strstr(line, "[stack") != NULL)
            continue;
        for (size_t *at = (size_t *)from; at < (size_t *)to; at++)
            for (size_t i = 0; i < others; i++)
                if (*at == (size_t)theirs[i] && (void *)at != (void *)&theirs[i])
                    *at = (size_t)ours[i];
    }
    if (maps != NULL)
        fclose(maps);
}

static int launch(const struct call *c)
{
    static int begun;
    if (!begun && is_timed(c)) {
        begun = 1;
        dl_iterate_phdr(finds, NULL);
        replace();
    }
    return work(c);
}
