/* SPDX-License-Identifier: MIT */
/* Test that handlers left by siglongjmp leave the mask, the registers and the stack right,
 * thousands of times. */
#include "tests/guest/guest.h"

#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <time.h>

static sigjmp_buf out;
static volatile unsigned jumps;
static volatile int *volatile nowhere = (volatile int *)16;

static void on_signal(int signal_number)
{
    jumps++;
    siglongjmp(out, signal_number);
}

__attribute__((noinline)) static int deep_fault(int depth)
{
    volatile char frame[64];
    frame[depth % 64] = (char)depth;
    if (!depth)
        return *nowhere;
    return deep_fault(depth - 1) + frame[depth % 64];
}

static void faults(void)
{
    for (volatile unsigned i = 0; i < 1500; i++) {
        volatile unsigned before = i;
        volatile double real = i * 0.5;
        int signal_number = sigsetjmp(out, 1);
        if (!signal_number)
            deep_fault((int)(i % 20));
        CHECK_EQUAL(signal_number, SIGSEGV);
        CHECK_EQUAL(before, i);
        CHECK(real == i * 0.5);
    }
    CHECK_EQUAL(jumps, 1500);
}

static volatile uint64_t spinning;

static void asynchronous(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    timer_t timer;
    CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer));
    jumps = 0;
    while (jumps < 100) {
        if (!sigsetjmp(out, 1)) {
            struct itimerspec once = {{0, 0}, {0, 200000}};
            CHECK(!timer_settime(timer, 0, &once, NULL));
            for (;;)
                spinning += spinning ^ 5;
        }
    }
    timer_delete(timer);
}

int main(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    CHECK(!sigaction(SIGSEGV, &action, NULL) && !sigaction(SIGUSR1, &action, NULL));
    faults();
    asynchronous();
    sigset_t now;
    CHECK(!sigprocmask(SIG_SETMASK, NULL, &now));
    CHECK(!sigismember(&now, SIGSEGV) && !sigismember(&now, SIGUSR1));
    puts("1600 jumps");
    return 0;
}
