/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the CUDA driver API that the harness uses, looked up in libcuda.so.1 at run time:
 * a host without a driver can still run the harness on its CPU, and no toolkit is needed to
 * build it. Names, numbers and types are the driver's binary interface. */
#ifndef RATCHET_HARNESS_CUDA_API_H
#define RATCHET_HARNESS_CUDA_API_H

#include "base/err.h"

#include <stddef.h>

typedef int cuda_result;
typedef unsigned long long cuda_address;
struct cuda_opaque;
typedef struct cuda_opaque *cuda_handle; /* context, stream, event, graph, module, function */

enum cuda_number {
    CUDA_OK = 0,
    CUDA_OUT_OF_MEMORY = 2,
    CUDA_ECC_UNCORRECTABLE = 214,
    CUDA_ILLEGAL_ADDRESS = 700, /* from here to 719: the context is lost */
    CUDA_LAUNCH_FAILED = 719,
    CUDA_CAPTURE_UNSUPPORTED = 900, /* from here to 908: what a capture does not allow */
    CUDA_CAPTURE_LAST = 908,

    CUDA_ATTRIBUTE_PROCESSORS = 16,
    CUDA_ATTRIBUTE_L2_BYTES = 38,
    CUDA_HOST_PORTABLE_MAPPED = 3,
    CUDA_CAPTURE_THREAD_LOCAL = 1,
    CUDA_NODE_KERNEL = 0 /* CU_GRAPH_NODE_TYPE_KERNEL */
};

/* CUDA_KERNEL_NODE_PARAMS_v2 of cuda.h. */
struct cuda_kernel_node {
    cuda_handle function; /* NULL: `kernel` */
    unsigned grid[3], block[3], shared;
    void **parameters, **extra;
    cuda_handle kernel, context;
};

/* name as the library exports it, parameters */
#define CUDA_API_TABLE(X)                                                                     \
    X(cuInit, (unsigned flags))                                                               \
    X(cuGetErrorName, (cuda_result error, const char **out))                                  \
    X(cuGetErrorString, (cuda_result error, const char **out))                                \
    X(cuDeviceGet, (int *out, int ordinal))                                                   \
    X(cuDeviceGetCount, (int *out))                                                           \
    X(cuDeviceGetAttribute, (int *out, int attribute, int device))                            \
    X(cuDevicePrimaryCtxRetain, (cuda_handle * out, int device))                              \
    X(cuDevicePrimaryCtxRelease_v2, (int device))                                             \
    X(cuCtxSetCurrent, (cuda_handle context))                                                 \
    X(cuCtxSynchronize, (void))                                                               \
    X(cuMemGetInfo_v2, (size_t * free, size_t * total))                                       \
    X(cuMemAlloc_v2, (cuda_address * out, size_t bytes))                                      \
    X(cuMemFree_v2, (cuda_address memory))                                                    \
    X(cuMemHostAlloc, (void **out, size_t bytes, unsigned flags))                             \
    X(cuMemHostGetDevicePointer_v2, (cuda_address * out, void *host, unsigned flags))         \
    X(cuMemFreeHost, (void *host))                                                            \
    X(cuMemcpyHtoD_v2, (cuda_address to, const void *from, size_t bytes))                     \
    X(cuMemcpyDtoH_v2, (void *to, cuda_address from, size_t bytes))                           \
    X(cuMemsetD8_v2, (cuda_address to, unsigned char value, size_t count))                    \
    X(cuMemsetD16_v2, (cuda_address to, unsigned short value, size_t count))                  \
    X(cuMemsetD32_v2, (cuda_address to, unsigned value, size_t count))                        \
    X(cuModuleLoadData, (cuda_handle * out, const void *image))                               \
    X(cuModuleGetFunction, (cuda_handle * out, cuda_handle module, const char *name))         \
    X(cuLaunchKernel, (cuda_handle function, unsigned grid_x, unsigned grid_y,                \
                       unsigned grid_z, unsigned block_x, unsigned block_y, unsigned block_z, \
                       unsigned shared, cuda_handle stream, void **arguments, void **extra))  \
    X(cuStreamCreate, (cuda_handle * out, unsigned flags))                                    \
    X(cuStreamDestroy_v2, (cuda_handle stream))                                               \
    X(cuStreamBeginCapture_v2, (cuda_handle stream, int mode))                                \
    X(cuStreamEndCapture, (cuda_handle stream, cuda_handle * graph))                          \
    X(cuEventCreate, (cuda_handle * out, unsigned flags))                                     \
    X(cuEventRecord, (cuda_handle event, cuda_handle stream))                                 \
    X(cuEventSynchronize, (cuda_handle event))                                                \
    X(cuEventElapsedTime, (float *ms, cuda_handle start, cuda_handle end))                    \
    X(cuEventDestroy_v2, (cuda_handle event))                                                 \
    X(cuGraphCreate, (cuda_handle * out, unsigned flags))                                     \
    X(cuGraphAddChildGraphNode, (cuda_handle * out, cuda_handle graph,                        \
                                 const cuda_handle *after, size_t count, cuda_handle child))  \
    X(cuGraphGetNodes, (cuda_handle graph, cuda_handle * nodes, size_t * count))              \
    X(cuGraphGetEdges,                                                                        \
      (cuda_handle graph, cuda_handle * from, cuda_handle * to, size_t * count))              \
    X(cuGraphNodeGetType, (cuda_handle node, int *type))                                      \
    X(cuGraphKernelNodeGetParams_v2, (cuda_handle node, struct cuda_kernel_node * out))       \
    X(cuGraphKernelNodeCopyAttributes, (cuda_handle to, cuda_handle from))                    \
    X(cuGraphAddKernelNode_v2,                                                                \
      (cuda_handle * out, cuda_handle graph, const cuda_handle *after, size_t count,          \
       const struct cuda_kernel_node *kernel))                                                \
    X(cuGraphInstantiateWithFlags,                                                            \
      (cuda_handle * out, cuda_handle graph, unsigned long long flags))                       \
    X(cuGraphUpload, (cuda_handle exec, cuda_handle stream))                                  \
    X(cuGraphLaunch, (cuda_handle exec, cuda_handle stream))                                  \
    X(cuGraphExecDestroy, (cuda_handle exec))                                                 \
    X(cuGraphDestroy, (cuda_handle graph))

struct cuda_api {
    void *library;
/* A declaration: neither its name nor its parameters take parentheses. */
/* NOLINTNEXTLINE(bugprone-macro-parentheses) */
#define CUDA_API_FIELD(name, parameters) cuda_result(*name) parameters;
    CUDA_API_TABLE(CUDA_API_FIELD)
#undef CUDA_API_FIELD
};

/* Look every function up and initialise the driver. ERR_HOST: there is none, or an old one. */
MUST_CHECK int cuda_api_open(struct cuda_api *api, struct err *err);

/* "CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was encountered)" */
void cuda_api_describe(const struct cuda_api *api, cuda_result result, char *out, size_t size);

#endif
