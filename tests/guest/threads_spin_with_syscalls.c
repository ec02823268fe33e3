/* SPDX-License-Identifier: MIT */
/* Test that threads that wait for each other in loops of system calls soon give way. A loop of
 * calls retires few ticks but takes long: if only ticks ended its turn, this would take minutes. */
#include "tests/guest/guest.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

enum { ROUNDS = 6 };

static atomic_int turn;

static void ask_for_time(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC_RAW, &now) == 0);
}

static void give_way(void)
{
    sched_yield();
}

static void wait_for(int number, void (*pause)(void))
{
    while (atomic_load(&turn) != number)
        pause();
}

static void *answer(void *pause)
{
    for (int i = 0; i < ROUNDS; i++) {
        wait_for(2 * i + 1, *(void (**)(void))pause);
        atomic_store(&turn, 2 * i + 2);
    }
    return NULL;
}

static void play(void (*pause)(void))
{
    pthread_t thread;
    atomic_store(&turn, 0);
    CHECK(pthread_create(&thread, NULL, answer, &pause) == 0);
    for (int i = 0; i < ROUNDS; i++) {
        atomic_store(&turn, 2 * i + 1);
        wait_for(2 * i + 2, pause);
    }
    CHECK(pthread_join(thread, NULL) == 0);
}

int main(void)
{
    play(ask_for_time);
    play(give_way);
    puts("all rounds played");
    return 0;
}
