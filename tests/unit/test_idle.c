/* SPDX-License-Identifier: Apache-2.0 */
/* When the idle command is due: once for each time of nothing to do, a host that has slept included. */
#include "daemon/idle.h"
#include "tap.h"

enum { SECOND = 1000000000 };

static struct idle_watch watch;

/* At so many seconds of being awake, after so many of sleep. */
static bool due(unsigned awake_s, double slept_s, bool busy)
{
    return idle_watch_turn(&watch, (uint64_t)awake_s * SECOND, (uint64_t)(slept_s * SECOND), busy);
}

static void test_watch(void)
{
    watch = (struct idle_watch){.after_ns = 10ull * SECOND};
    tap_case("after so long without a job");
    OK(!due(9, 0, false));
    OK(due(10, 0, false));
    OK(due(11, 0, false)); /* until somebody says that it ran */
    tap_case("a job begins it anew");
    OK(!due(12, 0, true));
    OK(!due(21, 0, false));
    OK(!due(1000, 0, true));
    OK(!due(1009, 0, false));
    OK(due(1010, 0, false));
    tap_case("once, until there was a job again");
    watch.ran = true;
    OK(!due(5000, 0, false));
    OK(!due(5001, 0, true));
    OK(!due(5010, 0, false));
    OK(due(5011, 0, false));
    tap_case("… or the host has slept");
    watch.ran = true;
    OK(!due(5100, 0.9, false)); /* two clocks, read one after the other, are no sleep */
    OK(!due(5200, 0.9, false));
    OK(!due(5201, 3600, false));
    OK(!due(5210, 3600, false));
    OK(due(5211, 3600, false));
}

static void test_due(void)
{
    struct host host = {.idle_after_s = 10};
    struct idle idle;
    idle_open(&idle, &host, NULL);
    tap_case("no command: never");
    OK(!idle_is_wanted(&idle));
    OK(idle_due_ns(&idle) == UINT64_MAX);
    tap_case("the loop is told when it has to look again");
    strcpy(host.idle_command, "true");
    host.limits.idle_ms = 1000;
    OK(idle_is_wanted(&idle));
    idle.watch = (struct idle_watch){.after_ns = 10ull * SECOND, .since_ns = 5};
    OK(idle_due_ns(&idle) == 10ull * SECOND + 5);
    idle.watch.ran = true;
    OK(idle_due_ns(&idle) == UINT64_MAX);
    idle.pid = 1;
    idle.started_ns = 7;
    OK(idle_due_ns(&idle) == SECOND + 7ull);
    idle.stopped = true;
    OK(idle_due_ns(&idle) == UINT64_MAX);
}

int main(void)
{
    test_watch();
    test_due();
    return tap_done();
}
