/* SPDX-License-Identifier: MIT */
/* Test that the signals of an interval timer, whose si_code is the kernel's own, are delivered
 * wherever they meet the code: between a tick's site and its transfer, and in trapped instructions.
 */
#include "tests/guest/guest.h"

#include <signal.h>
#include <stdint.h>
#include <sys/time.h>

enum { SIGNALS_WANTED = 3000, ROUNDS_MAX = 1000000 };

static volatile sig_atomic_t signals_seen, kernels;

static void on_signal(int signal_number, siginfo_t *info, void *context)
{
    (void)context;
    CHECK_EQUAL(signal_number, SIGALRM);
    kernels += info->si_code == SI_KERNEL;
    signals_seen++;
    struct itimerval soon = {{0, 0}, {0, 20 + signals_seen % 100}};
    if (signals_seen < SIGNALS_WANTED)
        setitimer(ITIMER_REAL, &soon, NULL);
}

/* Long straight lines behind the last place where the flags are dead; and cpuid. */
__attribute__((noinline)) static uint64_t compute(uint64_t value)
{
    for (unsigned i = 0; i < 300; i++) {
        uint64_t quotient = value | 1, remainder = 0;
        __asm__ volatile("test %0, %0\n"
                         "movq %0, %%xmm0\nsqrtpd %%xmm0, %%xmm1\nsqrtpd %%xmm1, %%xmm1\n"
                         "sqrtpd %%xmm1, %%xmm1\nsqrtpd %%xmm1, %%xmm1\nsqrtpd %%xmm1, %%xmm1\n"
                         "js 1f\n"
                         "lea 1(%1), %1\n"
                         "1: lea (%1, %0), %1\n"
                         : "+r"(quotient), "+r"(remainder)
                         :
                         : "xmm0", "xmm1", "cc");
        value = (value ^ remainder) * 0x9E3779B97F4A7C15u;
    }
    uint32_t a = 0, b, c = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return value + a * 0 + (b == 0);
}

int main(void)
{
    alarm(0);
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    CHECK(!sigaction(SIGALRM, &action, NULL));
    const uint64_t expected = compute(1);
    struct itimerval soon = {{0, 0}, {0, 100}};
    CHECK(!setitimer(ITIMER_REAL, &soon, NULL));
    for (int i = 0; signals_seen < SIGNALS_WANTED; i++) {
        CHECK(i < ROUNDS_MAX);
        CHECK_EQUAL(compute(1), expected);
    }
    CHECK_EQUAL(kernels, SIGNALS_WANTED);
    printf("done\n");
    return 0;
}
