/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reading of a graph's kernel nodes. The functions are looked up on their own: a driver
 * without them still measures. */
#include "harness/cuda_launches.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

enum {
    NODES_MAX = 1024, /* of one call of forward */
    NODE_KERNEL = 0,  /* CU_GRAPH_NODE_TYPE_KERNEL */
    WARP = 32
};

/* CUDA_KERNEL_NODE_PARAMS_v2 of cuda.h. */
struct kernel_node {
    cuda_handle function; /* NULL: `kernel` */
    unsigned grid[3], block[3], shared;
    void **parameters, **extra;
    cuda_handle kernel, context;
};

struct functions {
    cuda_result (*nodes)(cuda_handle graph, cuda_handle *nodes, size_t *count);
    cuda_result (*type)(cuda_handle node, int *type);
    cuda_result (*parameters)(cuda_handle node, struct kernel_node *out);
    cuda_result (*function)(cuda_handle *out, cuda_handle kernel);
    cuda_result (*name)(const char **out, cuda_handle function);
    cuda_result (*occupancy)(int *blocks, cuda_handle function, int threads, size_t shared);
};

static int look_up(const struct cuda_api *api, struct functions *out, struct err *err)
{
    const struct {
        const char *name;
        void *to;
    } names[] = {{"cuGraphGetNodes", &out->nodes},
                 {"cuGraphNodeGetType", &out->type},
                 {"cuGraphKernelNodeGetParams_v2", &out->parameters},
                 {"cuKernelGetFunction", &out->function},
                 {"cuFuncGetName", &out->name},
                 {"cuOccupancyMaxActiveBlocksPerMultiprocessor", &out->occupancy}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        void *symbol = dlsym(api->library, names[i].name);
        if (symbol == NULL)
            return err_set(err, ERR_HOST, "the CUDA driver has no %s", names[i].name);
        memcpy(names[i].to, &symbol, sizeof symbol); /* ISO C has no cast for this */
    }
    return 0;
}

static cuda_result read_node(const struct functions *cuda, cuda_handle node,
                             struct device_launches *out)
{
    struct kernel_node found = {0};
    int type = -1, blocks = 0;
    const char *name = NULL;
    cuda_result result = cuda->type(node, &type);
    if (result != CUDA_OK || type != NODE_KERNEL)
        return result;
    result = cuda->parameters(node, &found);
    if (result == CUDA_OK && found.function == NULL)
        result = cuda->function(&found.function, found.kernel);
    if (result == CUDA_OK)
        result = cuda->name(&name, found.function);
    unsigned threads = found.block[0] * found.block[1] * found.block[2];
    if (result == CUDA_OK)
        result = cuda->occupancy(&blocks, found.function, (int)threads, found.shared);
    if (result != CUDA_OK || name == NULL)
        return result;
    if (out->count == WIRE_LAUNCHED_MAX)
        return CUDA_OK;
    struct device_launch *launch = &out->launches[out->count++];
    launch->threads = threads;
    launch->blocks = (unsigned long long)found.grid[0] * found.grid[1] * found.grid[2];
    launch->shared = found.shared;
    launch->warps = (unsigned long long)blocks * ((threads + WARP - 1) / WARP);
    snprintf(launch->name, sizeof launch->name, "%s", name[0] == '\0' ? "?" : name);
    return CUDA_OK;
}

int cuda_launches_read(const struct cuda_api *api, cuda_handle graph,
                       struct device_launches *out, struct err *err)
{
    struct functions cuda;
    cuda_handle nodes[NODES_MAX];
    size_t count = 0;
    *out = (struct device_launches){.count = 0};
    if (look_up(api, &cuda, err) != 0)
        return -1;
    cuda_result result = cuda.nodes(graph, NULL, &count);
    if (result == CUDA_OK && count > NODES_MAX)
        return err_set(err, ERR_HOST, "%zu launches in one call, at most %d are looked at",
                       count, NODES_MAX);
    if (result == CUDA_OK && count > 0)
        result = cuda.nodes(graph, nodes, &count);
    for (size_t i = 0; result == CUDA_OK && i < count; i++)
        result = read_node(&cuda, nodes[i], out);
    if (result == CUDA_OK)
        return 0;
    char text[200];
    cuda_api_describe(api, result, text, sizeof text);
    return err_set(err, ERR_HOST, "read a graph's nodes: %s", text);
}
