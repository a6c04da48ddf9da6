/* SPDX-License-Identifier: Apache-2.0 */
/* Owns CUPTI: its library, the buffers it fills, and the two fields read of its records. */
#include "harness/cupti.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    CUPTI_OK = 0,
    CUPTI_KIND_CONCURRENT_KERNEL = 10,
    CUPTI_FLUSH_FORCED = 1,
    CUPTI_BUFFER_BYTES = 4 << 20,
    /* Every layout of the record since CUDA 9 has these at the same place. */
    CUPTI_KERNEL_START = 16,
    CUPTI_KERNEL_END = 24,
    CUPTI_KERNEL_GRID = 52, /* x, y, z of the grid, then of a block */
};

typedef void cupti_request(uint8_t **buffer, size_t *size, size_t *records);
typedef void cupti_complete(void *context, uint32_t stream, uint8_t *buffer, size_t size,
                            size_t valid);

/* Static because CUPTI's callbacks carry no pointer of ours. */
static struct {
    void *library;
    int (*register_callbacks)(cupti_request *request, cupti_complete *complete);
    int (*enable)(int kind);
    int (*flush_all)(uint32_t flag);
    int (*next_record)(uint8_t *buffer, size_t valid, uint8_t **record);
    unsigned long long total_ns, kernels; /* since cupti_forget */
    int lost;                             /* records that cannot be used */
} cupti;

static void request_buffer(uint8_t **buffer, size_t *size, size_t *records)
{
    *buffer = aligned_alloc(8, CUPTI_BUFFER_BYTES);
    *size = *buffer == NULL ? 0 : CUPTI_BUFFER_BYTES;
    *records = 0; /* as many as fit */
}

static void take_record(const uint8_t *record)
{
    uint32_t kind;
    uint64_t start, end;
    int32_t sizes[6];
    memcpy(&kind, record, sizeof kind);
    if (kind != CUPTI_KIND_CONCURRENT_KERNEL)
        return;
    memcpy(&start, record + CUPTI_KERNEL_START, sizeof start);
    memcpy(&end, record + CUPTI_KERNEL_END, sizeof end);
    memcpy(sizes, record + CUPTI_KERNEL_GRID, sizeof sizes);
    if (sizes[0] == 1 && sizes[1] == 1 && sizes[2] == 1 && sizes[3] == 1 && sizes[4] == 1)
        return;
    if (start == 0 || end <= start) {
        cupti.lost++;
        return;
    }
    cupti.total_ns += end - start;
    cupti.kernels++;
}

static void complete_buffer(void *context, uint32_t stream, uint8_t *buffer, size_t size,
                            size_t valid)
{
    (void)context;
    (void)stream;
    (void)size;
    uint8_t *record = NULL;
    while (valid > 0 && cupti.next_record(buffer, valid, &record) == CUPTI_OK)
        take_record(record);
    free(buffer);
}

static int open_library(struct err *err)
{
    static const char *const names[] = {"libcupti.so.13", "libcupti.so.12", "libcupti.so",
                                        "/usr/local/cuda/extras/CUPTI/lib64/libcupti.so",
                                        "/usr/local/cuda/lib64/libcupti.so"};
    for (size_t i = 0; i < sizeof names / sizeof names[0] && cupti.library == NULL; i++)
        cupti.library = dlopen(names[i], RTLD_NOW);
    if (cupti.library == NULL)
        return err_set(err, ERR_HOST, "no CUPTI: %s", dlerror());
    const struct {
        const char *name;
        void *to;
    } functions[] = {
        {"cuptiActivityRegisterCallbacks", &cupti.register_callbacks},
        {"cuptiActivityEnable", &cupti.enable},
        {"cuptiActivityFlushAll", &cupti.flush_all},
        {"cuptiActivityGetNextRecord", &cupti.next_record},
    };
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        void *symbol = dlsym(cupti.library, functions[i].name);
        if (symbol == NULL)
            return err_set(err, ERR_HOST, "CUPTI has no %s", functions[i].name);
        memcpy(functions[i].to, &symbol, sizeof symbol);
    }
    if (cupti.register_callbacks(request_buffer, complete_buffer) != CUPTI_OK)
        return err_set(err, ERR_HOST, "CUPTI takes no buffers");
    return 0;
}

int cupti_begin(struct err *err)
{
    if (cupti.library == NULL && open_library(err) != 0)
        return -1;
    int result = cupti.enable(CUPTI_KIND_CONCURRENT_KERNEL);
    if (result != CUPTI_OK)
        return err_set(err, ERR_HOST, "CUPTI does not record kernels: error %d", result);
    return 0;
}

void cupti_forget(void)
{
    cupti.flush_all(CUPTI_FLUSH_FORCED);
    cupti.total_ns = cupti.kernels = 0;
    cupti.lost = 0;
}

int cupti_sum(unsigned long long *total_ns, struct err *err)
{
    int result = cupti.flush_all(CUPTI_FLUSH_FORCED);
    if (result != CUPTI_OK || cupti.lost > 0 || cupti.kernels == 0)
        return err_set(err, ERR_HOST, "CUPTI recorded %llu kernels, lost %d, error %d",
                       cupti.kernels, cupti.lost, result);
    *total_ns = cupti.total_ns;
    return 0;
}
