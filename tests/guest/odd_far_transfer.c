/* SPDX-License-Identifier: MIT */
/* Test that far returns and far jumps within the program's own code segment work, or are refused
 * with a clear message. */
#include "tests/guest/guest.h"

#include <stdint.h>

static uint64_t by_far_return(void)
{
    uint64_t result;
    __asm__ volatile("mov %%cs, %%eax\n\tpush %%rax\n\tlea 1f(%%rip), %%rax\n\tpush %%rax\n\t"
                     "lretq\n\tud2\n"
                     "1:\tmov $21, %0"
                     : "=r"(result)
                     :
                     : "rax", "memory");
    return result;
}

static uint64_t by_far_jump(void)
{
    struct {
        uint32_t offset; /* all that AMD CPUs take: the program is linked below 2 GiB */
        uint16_t selector;
    } __attribute__((packed)) target;
    uint64_t result;
    __asm__ volatile("mov %%cs, 4(%1)\n\tlea 1f(%%rip), %%rax\n\tmov %%eax, (%1)\n\t"
                     "ljmp *(%1)\n\tud2\n"
                     "1:\tmov $22, %0"
                     : "=r"(result)
                     : "c"(&target)
                     : "rax", "memory");
    return result;
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    if (!strcmp(argv[1], "return"))
        CHECK_EQUAL(by_far_return(), 21);
    else
        CHECK_EQUAL(by_far_jump(), 22);
    puts("far transfer");
    return 0;
}
