/* SPDX-License-Identifier: MIT */
/* Benchmark: two threads hand a turn to each other through a mutex and a condition variable,
 * argv[1] times. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long turn, rounds;

static void *play(void *argument)
{
    long me = (long)argument;
    pthread_mutex_lock(&lock);
    for (long i = 0; i < rounds; i++) {
        while (turn % 2 != me)
            pthread_cond_wait(&changed, &lock);
        turn++;
        pthread_cond_signal(&changed);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[2];
    rounds = argc > 1 ? atol(argv[1]) : 1000;
    for (long i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, play, (void *)i))
            return 1;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    printf("%ld\n", turn);
    return 0;
}
