/* SPDX-License-Identifier: MIT */
/* Test that threads that wait for each other by spinning, with no syscall, all make progress. */
#include "tests/guest/guest.h"

#include <pthread.h>
#include <stdatomic.h>

enum { HANDOVERS = 12 };
static atomic_int turn;
static atomic_flag spin_lock = ATOMIC_FLAG_INIT;
static volatile long guarded;

/* Waits as C code does; as an empty jump to itself would (with pause); and in a push/ret loop. */
static void wait_plain(int wanted)
{
    while (atomic_load_explicit(&turn, memory_order_acquire) != wanted)
        ;
}

static void wait_pause(int wanted)
{
    while (atomic_load_explicit(&turn, memory_order_acquire) != wanted)
        __builtin_ia32_pause();
}

/* No backward jump, only a push and a ret that goes back: the loop's one tick instruction is `ret`.
 */
__attribute__((noinline)) static void wait_push_ret(int wanted)
{
    void *again;
    __asm__ volatile("lea 1f(%%rip), %[again]\n"
                     "1:\tcmp %[wanted], %[turn]\n\t"
                     "je 2f\n\t"
                     "push %[again]\n\tret\n"
                     "2:\n\t"
                     : [again] "=&r"(again)
                     : [wanted] "r"(wanted), [turn] "m"(turn)
                     : "cc", "memory");
}

/* The same with an indirect jump through a register. */
__attribute__((noinline)) static void wait_indirect(int wanted)
{
    void *again;
    __asm__ volatile("lea 1f(%%rip), %[again]\n"
                     "1:\tcmp %[wanted], %[turn]\n\t"
                     "je 2f\n\t"
                     "jmp *%[again]\n"
                     "2:\n\t"
                     : [again] "=&r"(again)
                     : [wanted] "r"(wanted), [turn] "m"(turn)
                     : "cc", "memory");
}

static void (*const waits[])(int) = {wait_plain, wait_pause, wait_push_ret, wait_indirect};
enum { WAITS = sizeof waits / sizeof waits[0] };

static void *ping(void *argument)
{
    int me = (int)(long)argument;
    for (int i = 0; i < HANDOVERS; i++) {
        waits[i % WAITS](me);
        atomic_store(&turn, (me + 1) % 3);
    }
    for (int i = 0; i < 2000; i++) {
        while (atomic_flag_test_and_set(&spin_lock))
            ;
        guarded = guarded + 1;
        atomic_flag_clear(&spin_lock);
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[3];
    for (long i = 0; i < 3; i++)
        CHECK(!pthread_create(&threads[i], NULL, ping, (void *)i));
    for (int i = 0; i < 3; i++)
        CHECK(!pthread_join(threads[i], NULL));
    CHECK_EQUAL(guarded, 6000);
    printf("%d handovers\n", 3 * HANDOVERS);
    return 0;
}
