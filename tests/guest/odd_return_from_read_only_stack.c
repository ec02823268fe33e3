/* SPDX-License-Identifier: MIT */
/* Test that returns work from a stack that can only be read: natively they only read it. */
#include "tests/guest/guest.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, RETURNS = 8 };

/* Goes through `count` returns at rsp = stack, each to the same place, and comes back. */
__attribute__((noinline)) static uint64_t return_through(const uint64_t *stack)
{
    uint64_t count = 0;
    __asm__ volatile("mov %%rsp, %%r12\n\t"
                     "mov %[stack], %%rsp\n\t"
                     "mov $21, %%ecx\n\tmov $22, %%r11d\n\t"
                     "ret\n"
                     ".globl landing\nlanding:\tlea 1(%[count]), %[count]\n\t"
                     "add %%rcx, %[count]\n\tsub %%r11, %[count]\n\tadd $1, %[count]\n\t"
                     "cmpq $0, (%%rsp)\n\t"
                     "je 1f\n\t"
                     "ret\n"
                     "1:\tmov %%r12, %%rsp\n\t"
                     : [count] "+r"(count)
                     : [stack] "r"(stack)
                     : "rcx", "r11", "r12", "cc", "memory");
    return count;
}

extern char landing[];

int main(void)
{
    uint64_t *stack =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < RETURNS; i++)
        stack[i] = (uint64_t)(uintptr_t)landing;
    CHECK_EQUAL(return_through(stack), RETURNS);
    mprotect(stack, PAGE, PROT_READ);
    for (int i = 0; i < 5; i++)
        CHECK_EQUAL(return_through(stack), RETURNS);
    for (int i = 0; i < RETURNS; i++)
        CHECK_EQUAL(stack[i], (uint64_t)(uintptr_t)landing);
    return 0;
}
