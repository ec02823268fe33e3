/* SPDX-License-Identifier: MIT */
/*
 * A program with a race, for chaos_finds_race.py: a thread uses what its creator sets right behind
 * pthread_create(). Natively the creator is faster by far. Exits with 1 if the thread was first.
 */
#include <pthread.h>
#include <stdio.h>

static volatile int prepared, seen;

static void *work(void *unused)
{
    (void)unused;
    seen = prepared;
    return NULL;
}

int main(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, NULL) != 0)
        return 2;
    prepared = 1;
    pthread_join(thread, NULL);
    puts(seen ? "in order" : "used before it was set");
    return !seen;
}
