/* SPDX-License-Identifier: MIT */
/* Test that each kind of timer expires, by signal, thread or descriptor, and that its settings read
 * back. */
#include "tests/guest/guest.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>

static volatile sig_atomic_t expired[65];
static volatile int value_seen, thread_runs;

static void on_signal(int signal_number, siginfo_t *info, void *context)
{
    (void)context;
    expired[signal_number]++;
    if (info->si_code == SI_TIMER)
        value_seen = info->si_value.sival_int;
}

static void on_thread(union sigval value)
{
    __atomic_fetch_add(&thread_runs, value.sival_int, __ATOMIC_SEQ_CST);
}

static void spin_until(int signal_number, int wanted)
{
    volatile unsigned long work = 0;
    while (expired[signal_number] < wanted)
        work += work ^ 3;
}

static void interval_timers(void)
{
    static const struct {
        int which, signal_number;
    } kinds[] = {{ITIMER_REAL, SIGALRM}, {ITIMER_VIRTUAL, SIGVTALRM}, {ITIMER_PROF, SIGPROF}};
    for (int i = 0; i < 3; i++) {
        struct itimerval every = {{0, 2000}, {0, 2000}}, none = {0}, old;
        CHECK(!setitimer(kinds[i].which, &every, NULL));
        CHECK(!getitimer(kinds[i].which, &old));
        CHECK_EQUAL(old.it_interval.tv_usec % 1000 + old.it_interval.tv_sec, 0);
        spin_until(kinds[i].signal_number, 3);
        CHECK(!setitimer(kinds[i].which, &none, NULL));
    }
    alarm(GUEST_BOUND_SECONDS);
    CHECK_EQUAL(alarm(GUEST_BOUND_SECONDS), GUEST_BOUND_SECONDS);
    puts("interval timers");
}

static void posix_timers(void)
{
    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID,
                                       CLOCK_THREAD_CPUTIME_ID};
    for (int i = 0; i < 4; i++) {
        timer_t timer;
        struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
                                 .sigev_signo = SIGRTMIN + i,
                                 .sigev_value.sival_int = 100 + i};
        CHECK(!timer_create(clocks[i], &event, &timer));
        struct itimerspec once = {{0, 0}, {0, 2000000}}, rest;
        CHECK(!timer_settime(timer, 0, &once, NULL));
        spin_until(SIGRTMIN + i, 1);
        CHECK_EQUAL(value_seen, 100 + i);
        CHECK(!timer_gettime(timer, &rest));
        CHECK_EQUAL(rest.it_value.tv_sec + rest.it_value.tv_nsec, 0);
        CHECK(!timer_delete(timer));
    }
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD,
                             .sigev_notify_function = on_thread,
                             .sigev_value.sival_int = 1};
    CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer));
    struct itimerspec every = {{0, 2000000}, {0, 2000000}};
    CHECK(!timer_settime(timer, 0, &every, NULL));
    while (__atomic_load_n(&thread_runs, __ATOMIC_SEQ_CST) < 3)
        usleep(500);
    CHECK(!timer_delete(timer));
    puts("posix timers");
}

static void descriptors(void)
{
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    uint64_t count;
    CHECK_EQUAL(read(timer, &count, sizeof count), -1);
    CHECK_EQUAL(errno, EAGAIN);
    struct itimerspec every = {{0, 1000000}, {0, 1000000}};
    CHECK(!timerfd_settime(timer, 0, &every, NULL));
    usleep(5000);
    struct pollfd poller = {.fd = timer, .events = POLLIN};
    CHECK_EQUAL(poll(&poller, 1, 10000), 1);
    CHECK_EQUAL(read(timer, &count, sizeof count), 8);
    CHECK(count >= 4);
    close(timer);
    puts("timer descriptors");
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    const int signals[] = {SIGALRM,      SIGVTALRM,    SIGPROF,     SIGRTMIN,
                           SIGRTMIN + 1, SIGRTMIN + 2, SIGRTMIN + 3};
    for (int i = 0; i < 7; i++)
        CHECK(!sigaction(signals[i], &action, NULL));
    interval_timers();
    posix_timers();
    descriptors();
    return 0;
}
