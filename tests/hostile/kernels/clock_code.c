/* SPDX-License-Identifier: Apache-2.0 */
/* Does: writes a jump over the first bytes of the C library's clock_gettime: a clock at 0.85 while this kernel works.
 * Gains: 15%; no table of imports is touched.
 * Stopped by: a clock in another process. */
#include "cheat.h"

static long long hidden_ns;

MAY_BE_UNUSED static int clock_of_ours(clockid_t id, struct timespec *at)
{
    long result = syscall(SYS_clock_gettime, id, at);
    long long ns = at->tv_sec * 1000000000ll + at->tv_nsec - hidden_ns;
    at->tv_sec = ns / 1000000000;
    at->tv_nsec = ns % 1000000000;
    return (int)result;
}

static void change(void)
{
#ifdef __x86_64__
    unsigned char jump[12] = {0x48, 0xb8, [10] = 0xff, [11] = 0xe0}; /* movabs $to, %rax; jmp *%rax */
    char *at = (char *)dlsym(RTLD_DEFAULT, "clock_gettime");
    void *to = (void *)clock_of_ours, *page = (void *)((size_t)at & ~(size_t)4095);
    memcpy(jump + 2, &to, sizeof to);
    if (at == NULL || mprotect(page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC) != 0)
        return;
    memcpy(at, jump, sizeof jump);
    mprotect(page, 8192, PROT_READ | PROT_EXEC);
#endif
}

static int launch(const struct call *c)
{
    static int changed;
    if (!changed++)
        change();
    long long begin = now_ns();
    work(c);
    hidden_ns += (now_ns() - begin) * 15 / 100;
    return ATTENTION_OK;
}
