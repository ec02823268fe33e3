/* SPDX-License-Identifier: MIT */
/* Test that a computation interrupted by a storm of asynchronous signals computes what it computes
 * undisturbed. */
#include "tests/guest/guest.h"

#include <signal.h>
#include <stdint.h>
#include <sys/time.h>
#include <time.h>

enum { SIGNALS_WANTED = 150, ROUNDS_MAX = 20000 };

static timer_t storm_timer;
static volatile sig_atomic_t signals_seen;
static volatile double handler_double;
static volatile long double handler_long_double;

/* Integer, SSE, x87, string instructions, calls and flag-dependent branches: all that a lost
 * register would change. */
__attribute__((noinline)) static uint64_t checksum(unsigned seed)
{
    uint64_t hash = seed | 1;
    double sum = 0;
    long double product = 1;
    char from[256], to[256];
    for (unsigned i = 0; i < 600; i++) {
        hash = (hash << 7 | hash >> 57) * 0x9E3779B97F4A7C15u + i;
        sum += (double)(hash >> 40) / 3.0;
        product = product * 1.0000001L + (hash & 3);
        if (hash & 0x10)
            sum -= i;
        memset(from, (int)hash, sizeof from);
        void *destination = to, *source = from;
        size_t count = sizeof to;
        __asm__ volatile("rep movsb" : "+D"(destination), "+S"(source), "+c"(count)::"memory");
        hash += (unsigned char)to[i % sizeof to];
    }
    uint64_t sum_bits;
    memcpy(&sum_bits, &sum, sizeof sum_bits);
    return hash ^ sum_bits ^ (uint64_t)product;
}

static void on_signal(int signal_number)
{
    (void)signal_number;
    handler_double = handler_double * 1.5 + 1;
    handler_long_double = handler_long_double / 3 + 1;
    __asm__ volatile("std; cld; stc; pxor %%xmm0, %%xmm0; pcmpeqd %%xmm7, %%xmm7" ::
                         : "xmm0", "xmm7", "cc");
    if (++signals_seen >= SIGNALS_WANTED) {
        struct itimerspec off = {0};
        timer_settime(storm_timer, 0, &off, NULL);
        struct itimerval none = {0};
        setitimer(ITIMER_VIRTUAL, &none, NULL);
    }
}

static void start_storm(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    CHECK(!sigaction(SIGUSR1, &action, NULL));
    CHECK(!sigaction(SIGVTALRM, &action, NULL));
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    CHECK(!timer_create(CLOCK_MONOTONIC, &event, &storm_timer));
    struct itimerspec every = {{0, 700000}, {0, 700000}};
    CHECK(!timer_settime(storm_timer, 0, &every, NULL));
    struct itimerval user_time = {{0, 1500}, {0, 1500}};
    CHECK(!setitimer(ITIMER_VIRTUAL, &user_time, NULL));
}

int main(void)
{
    uint64_t expected[8];
    for (unsigned i = 0; i < 8; i++)
        expected[i] = checksum(i);
    start_storm();
    unsigned round = 0;
    while (signals_seen < SIGNALS_WANTED && round < ROUNDS_MAX) {
        CHECK_EQUAL(checksum(round % 8), expected[round % 8]);
        round++;
    }
    CHECK(signals_seen >= SIGNALS_WANTED);
    printf("checksum %016llx\n", (unsigned long long)expected[3]);
    return 0;
}
