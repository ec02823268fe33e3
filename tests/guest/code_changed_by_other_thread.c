/* SPDX-License-Identifier: MIT */
/* Test that code rewritten by one thread is seen by another that waits for it. */
#include "tests/guest/guest.h"

#include "tests/guest/jit.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

enum { ROUNDS = 60 };
static unsigned char *page;
static atomic_uint ready, taken;

static void *run(void *unused)
{
    for (uint32_t i = 1; i <= ROUNDS; i++) {
        while (ready != i)
            __builtin_ia32_pause();
        CHECK_EQUAL(jit_call(page + 64 * (i % 4)), i);
        taken = i;
    }
    return unused;
}

int main(void)
{
    page = mmap(NULL, JIT_PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    pthread_t thread;
    CHECK(!pthread_create(&thread, NULL, run, NULL));
    for (uint32_t i = 1; i <= ROUNDS; i++) {
        jit_emit(page + 64 * (i % 4), i);
        ready = i;
        while (taken != i)
            if (i % 2)
                usleep(50);
    }
    CHECK(!pthread_join(thread, NULL));
    printf("%d rounds\n", ROUNDS);
    return 0;
}
