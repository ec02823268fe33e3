/* SPDX-License-Identifier: MIT */
/* Test that threads with mutexes, condition variables, barriers, rwlocks, once and TLS compute what
 * they must. */
#include "tests/guest/guest.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

enum { THREADS = 6, ROUNDS = 2000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static sem_t semaphore;
static long counter, turn, once_runs, destroyed, pair[2];
static atomic_long atomic_counter;
static __thread long local_counter = 5;

static void run_once(void)
{
    once_runs++;
}

static void destroy(void *value)
{
    pthread_mutex_lock(&lock);
    destroyed += (long)value;
    pthread_mutex_unlock(&lock);
}

static void take_turns(long me)
{
    for (int i = 0; i < 20; i++) {
        pthread_mutex_lock(&lock);
        while (turn % THREADS != me)
            pthread_cond_wait(&changed, &lock);
        turn++;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
    }
}

static void *work(void *argument)
{
    long me = (long)argument;
    pthread_once(&once, run_once);
    pthread_setspecific(key, (void *)(me + 1));
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&lock);
        counter++;
        pthread_mutex_unlock(&lock);
        atomic_fetch_add(&atomic_counter, me);
        local_counter += me;
        if (i % 64 == 0) {
            pthread_rwlock_wrlock(&rwlock);
            pair[0]++;
            pair[1]--;
            pthread_rwlock_unlock(&rwlock);
        }
        pthread_rwlock_rdlock(&rwlock);
        CHECK_EQUAL(pair[0] + pair[1], 0);
        pthread_rwlock_unlock(&rwlock);
    }
    CHECK_EQUAL(local_counter, 5 + ROUNDS * me);
    pthread_barrier_wait(&barrier);
    CHECK_EQUAL(counter, THREADS * ROUNDS);
    take_turns(me);
    sem_post(&semaphore);
    return (void *)(me * me);
}

int main(void)
{
    pthread_t threads[THREADS];
    long sum = 0;
    pthread_barrier_init(&barrier, NULL, THREADS);
    pthread_key_create(&key, destroy);
    sem_init(&semaphore, 0, 0);
    for (long i = 0; i < THREADS; i++)
        CHECK(!pthread_create(&threads[i], NULL, work, (void *)i));
    for (int i = 0; i < THREADS; i++)
        sem_wait(&semaphore);
    for (int i = 0; i < THREADS; i++) {
        void *result;
        CHECK(!pthread_join(threads[i], &result));
        sum += (long)result;
    }
    CHECK_EQUAL(sum, 55);
    CHECK_EQUAL(turn, 20 * THREADS);
    CHECK_EQUAL(once_runs, 1);
    CHECK_EQUAL(destroyed, 21);
    CHECK_EQUAL(atomic_counter, 15 * ROUNDS);
    CHECK_EQUAL(local_counter, 5);
    printf("counter %ld\n", counter);
    return 0;
}
