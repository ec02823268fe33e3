/* SPDX-License-Identifier: MIT */
/* Test that many short-lived threads, joined or detached, come and go while their stacks and TLS
 * are reused. */
#include "tests/guest/guest.h"

#include <pthread.h>
#include <stdatomic.h>

static atomic_int done;
static __thread int local[16];

static void *work(void *argument)
{
    for (int i = 0; i < 16; i++) {
        CHECK_EQUAL(local[i], 0);
        local[i] = i;
    }
    volatile char frame[3000];
    for (unsigned i = 0; i < sizeof frame; i++)
        frame[i] = (char)i;
    done += frame[7] == 7;
    return argument;
}

int main(void)
{
    pthread_t threads[16];
    for (int round = 0; round < 12; round++) {
        for (long i = 0; i < 16; i++)
            CHECK(!pthread_create(&threads[i], NULL, work, (void *)i));
        for (int i = 0; i < 16; i++) {
            if (i % 3 == 0) {
                CHECK(!pthread_detach(threads[i]));
                continue;
            }
            void *result;
            CHECK(!pthread_join(threads[i], &result));
            CHECK_EQUAL(result, i);
        }
    }
    while (done < 192)
        usleep(100);
    printf("%d threads\n", done);
    return 0;
}
