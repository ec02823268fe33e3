/* SPDX-License-Identifier: MIT */
/* Test that makecontext/swapcontext coroutines, and hand-made stack switches that return elsewhere,
 * keep their ways. */
#include "tests/guest/guest.h"

#include <stdint.h>
#include <ucontext.h>

enum { COROUTINES = 5, STACK_BYTES = 32768 };

static ucontext_t scheduler, contexts[COROUTINES];
static char stacks[COROUTINES][STACK_BYTES] __attribute__((aligned(16)));
static int produced[COROUTINES], finished;

__attribute__((noinline)) static void yield_deep(int me, int depth)
{
    volatile int local = depth;
    if (depth) {
        yield_deep(me, depth - 1);
        CHECK_EQUAL(local, depth);
        return;
    }
    CHECK(!swapcontext(&contexts[me], &scheduler));
}

static void body(int me, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        produced[me] += me + i;
        yield_deep(me, i % 7);
    }
    finished++;
}

static void with_ucontext(void)
{
    for (volatile int i = 0; i < COROUTINES; i++) {
        CHECK(!getcontext(&contexts[i]));
        contexts[i].uc_stack.ss_sp = stacks[i];
        contexts[i].uc_stack.ss_size = STACK_BYTES;
        contexts[i].uc_link = &scheduler;
        makecontext(&contexts[i], (void (*)(void))body, 2, i, 100 + i);
    }
    int turns = 0;
    while (finished < COROUTINES)
        for (int i = 0; i < COROUTINES; i++)
            if (produced[i] >= 0 && turns++ < 100000) {
                int before = finished;
                CHECK(!swapcontext(&scheduler, &contexts[i]));
                if (finished > before) {
                    printf("coroutine %d produced %d\n", i, produced[i]);
                    produced[i] = -1;
                }
            }
}

/* switch_to(&save, new): pushes callee-saved registers, swaps rsp and returns on the other stack.
 */
__asm__(".text\n.globl switch_to\nswitch_to:\n\t"
        "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n\t"
        "mov %rsp, (%rdi)\n\tmov %rsi, %rsp\n\t"
        "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n\tret\n");
void switch_to(uintptr_t *save, uintptr_t other);

static uintptr_t main_stack, other_stack;
static int ping_pongs;

static void other_side(void)
{
    for (;;) {
        ping_pongs++;
        switch_to(&other_stack, main_stack);
    }
}

static void by_hand(void)
{
    uintptr_t *top = (uintptr_t *)(void *)(stacks[0] + STACK_BYTES - 64);
    *--top = 0;
    *--top = (uintptr_t)other_side;
    for (int i = 0; i < 6; i++)
        *--top = 0;
    other_stack = (uintptr_t)top;
    for (int i = 1; i <= 5000; i++) {
        switch_to(&main_stack, other_stack);
        CHECK_EQUAL(ping_pongs, i);
    }
    puts("by hand");
}

int main(void)
{
    with_ucontext();
    by_hand();
    return 0;
}
