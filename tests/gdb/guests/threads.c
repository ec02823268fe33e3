/* SPDX-License-Identifier: MIT */
/* Three threads that count under a lock, each with a variable of its own. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>

enum { THREADS = 3, ROUNDS = 20 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t barrier;
static long shared;
static __thread long own;

__attribute__((noinline)) static void count(long number)
{
    own += number;
    pthread_mutex_lock(&lock);
    shared += number; /* mark: shared */
    pthread_mutex_unlock(&lock);
}

static void *work(void *argument)
{
    long number = (long)argument;
    for (int i = 0; i < ROUNDS; i++)
        count(number);
    pthread_barrier_wait(&barrier); /* mark: barrier */
    pthread_barrier_wait(&barrier); /* nobody is gone before all_done() was called */
    return NULL;
}

__attribute__((noinline)) static void all_done(void)
{
    printf("%ld\n", shared); /* mark: done */
}

int main(void)
{
    pthread_t threads[THREADS];
    pthread_barrier_init(&barrier, NULL, THREADS + 1);
    for (long i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, work, (void *)(i + 1));
        char name[16];
        snprintf(name, sizeof name, "worker %ld", i + 1);
        pthread_setname_np(threads[i], name);
    }
    own = 77;
    pthread_barrier_wait(&barrier);
    all_done();
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
