/* SPDX-License-Identifier: MIT */
/* Test that signals which come between any two instructions of loops that keep the flags alive over
 * every jump are all delivered and lose no flag. */
#include "tests/guest/guest.h"

#include <signal.h>
#include <stdint.h>
#include <time.h>

enum { SIGNALS_WANTED = 2000, ROUNDS_MAX = 1000000 };

static timer_t storm_timer;
static volatile sig_atomic_t signals_seen;

static void on_signal(int signal_number)
{
    (void)signal_number;
    __asm__ volatile("cmp %%rsp, %%rsp; std; cld" ::: "cc");
    signals_seen++;
}

/* A sum with carry over the loop: CF lives across the jump back. */
__attribute__((noinline)) static uint64_t add_with_carry(uint64_t step)
{
    uint64_t sum = 1, count = 20000;
    __asm__ volatile("clc\n"
                     "1: jrcxz 2f\n"
                     "lea -1(%%rcx), %%rcx\n"
                     "adc %2, %0\n"
                     "jmp 1b\n"
                     "2: adc $0, %0"
                     : "+r"(sum), "+c"(count)
                     : "r"(step)
                     : "cc");
    return sum;
}

int main(void)
{
    const uint64_t step = 0xfedcba9876543211;
    const uint64_t expected = add_with_carry(step);
    struct sigaction action = {.sa_handler = on_signal};
    CHECK(!sigaction(SIGUSR1, &action, NULL));
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    CHECK(!timer_create(CLOCK_MONOTONIC, &event, &storm_timer));
    struct itimerspec every = {{0, 200000}, {0, 200000}};
    CHECK(!timer_settime(storm_timer, 0, &every, NULL));
    for (int i = 0; signals_seen < SIGNALS_WANTED; i++) {
        CHECK(i < ROUNDS_MAX);
        CHECK_EQUAL(add_with_carry(step), expected);
    }
    printf("done\n");
    return 0;
}
