/* SPDX-License-Identifier: MIT */
/* A thread ends the process by a signal while others wait. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>

static pthread_barrier_t barrier;
static __thread int own;

static void *work(void *argument)
{
    own = (int)(long)argument;
    pthread_barrier_wait(&barrier);
    if (own == 2)
        abort(); /* mark: abort */
    pthread_barrier_wait(&barrier); /* nobody comes */
    return NULL;
}

int main(void)
{
    pthread_t threads[3];
    pthread_barrier_init(&barrier, NULL, 4);
    for (long i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, work, (void *)(i + 1));
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
