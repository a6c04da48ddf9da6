/* SPDX-License-Identifier: Apache-2.0 */
/* Does: a timer's signal handler that burns half of the time while anybody but this kernel is at work.
 * Gains: half: main's arms read twice as slow.
 * Stopped by: one process an arm, which is stopped outside its turn; the anchor's time without head must agree. */
#include "cheat.h"

#include <signal.h>

static volatile sig_atomic_t at_work;

static void burns(int number)
{
    (void)number;
    if (!at_work)
        burn(100000);
}

static void begin(void)
{
    struct sigaction action = {.sa_handler = burns, .sa_flags = SA_RESTART};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct itimerspec each = {.it_interval = {0, 200000}, .it_value = {0, 200000}}; /* ns */
    timer_t timer;
    sigaction(SIGUSR1, &action, NULL);
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0)
        timer_settime(timer, 0, &each, NULL);
}

static int launch(const struct call *c)
{
    static int begun;
    if (!begun++)
        begin();
    at_work = 1;
    work(c);
    at_work = 0;
    return ATTENTION_OK;
}
