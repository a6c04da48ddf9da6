/* SPDX-License-Identifier: Apache-2.0 */
/* Which graphs are this kernel's, and which is timed now, by the driver's functions that the harness calls. */
#ifndef GRAPHS_H
#define GRAPHS_H
#include "cheat_cuda.h"

enum { GRAPHS = 4096 };
static void *ours[GRAPHS];
static unsigned graphs;
static bool captured;                 /* a launch of ours since a graph was made */
static volatile bool is_ours, before; /* the graph launched last; the one before it */
static int (*make_graph)(void **, void *, unsigned long long);
static int (*launch_graph)(void *, void *);

static int make_graph_ours(void **out, void *graph, unsigned long long flags)
{
    int result = make_graph(out, graph, flags);
    for (unsigned i = 0; i < graphs; i++) /* an address may come again */
        if (result == 0 && ours[i] == *out)
            ours[i] = nullptr;
    if (result == 0 && captured && graphs < GRAPHS)
        ours[graphs++] = *out;
    captured = false;
    return result;
}

static void launched(void *stream); /* a cheat's: what it does behind a graph that was launched */

static int launch_graph_ours(void *exec, void *stream)
{
    before = is_ours;
    bool found = false;
    for (unsigned i = 0; i < graphs; i++)
        found |= ours[i] == exec;
    is_ours = found;
    int result = launch_graph(exec, stream);
    launched(stream);
    return result;
}

/* Called first in each launch: what is captured from now on is known. */
static void watch(const call &c)
{
    if (launch_graph == nullptr) {
        void *driver = dlopen("libcuda.so.1", RTLD_NOW);
        make_graph = (int (*)(void **, void *, unsigned long long))dlsym(driver, "cuGraphInstantiateWithFlags");
        launch_graph = (int (*)(void *, void *))dlsym(driver, "cuGraphLaunch");
        hook("cuGraphInstantiateWithFlags", (void *)make_graph_ours);
        hook("cuGraphLaunch", (void *)launch_graph_ours);
    }
    captured |= capture_of(c) != 0;
}
#endif
