/* SPDX-License-Identifier: MIT */
/* Test that trampolines of nested functions on an executable stack call their own function with
 * their own frame. */
#include "tests/guest/guest.h"

#include <signal.h>
#include <stdint.h>

static volatile int frames;

__attribute__((noinline)) static int apply(int (*function)(int), int x)
{
    return function(x) + function(x + 1);
}

static int sum_with(int factor, int depth)
{
    int local = factor * 10 + depth;
    __attribute__((noinline)) int nested(int x)
    {
        frames++;
        return local + x * factor;
    }
    int result = apply(nested, depth);
    return depth ? result + sum_with(factor, depth - 1) : result;
}

static int by_hand(int factor, int depth)
{
    int local = factor * 10 + depth;
    int result = 2 * local + (2 * depth + 1) * factor;
    return depth ? result + by_hand(factor, depth - 1) : result;
}

/* A function copied to the stack: one address, other code each time. */
static uint32_t on_stack(uint32_t value)
{
    unsigned char code[16] = {0xb8, 0, 0, 0, 0, 0xc3};
    memcpy(code + 1, &value, 4);
    uint32_t (*function)(void);
    unsigned char *place = code;
    memcpy(&function, &place, sizeof function);
    __asm__ volatile("" ::: "memory");
    return function();
}

static volatile sig_atomic_t handled;
static void on_signal(int signal_number)
{
    handled += signal_number == SIGUSR1;
}

int main(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    CHECK(!sigaction(SIGUSR1, &action, NULL));
    for (int i = 1; i < 30; i++)
        CHECK_EQUAL(sum_with(i, 20), by_hand(i, 20));
    CHECK_EQUAL(frames, 29 * 42);
    for (uint32_t i = 0; i < 200; i++) {
        CHECK_EQUAL(on_stack(i * 77), i * 77);
        if (i % 20 == 0)
            raise(SIGUSR1); /* its frame lies on pages that hold code */
    }
    CHECK_EQUAL(handled, 10);
    puts("trampolines");
    return 0;
}
