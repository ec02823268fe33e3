/* SPDX-License-Identifier: MIT */
/* Test that a program that sets AC with popf gets SIGBUS at its own misaligned access only. */
#include "tests/guest/guest.h"

#include <signal.h>
#include <stdint.h>
#include <ucontext.h>

extern char misaligned_at[];
static volatile greg_t fault_pc;
static volatile int fault_code;

static void on_bus(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    fault_pc = registers[REG_RIP];
    fault_code = info->si_code;
    registers[REG_EFL] &= ~(greg_t)0x40000;
}

__attribute__((noinline)) static uint32_t with_alignment_check(const char *bytes)
{
    uint32_t value;
    __asm__ volatile("pushfq\n\torq $0x40000, (%%rsp)\n\tpopfq\n\t"
                     "mov (%[p]), %%eax\n\t"
                     "mov $3, %%ecx\n"
                     "1:\tdec %%ecx\n\tjnz 1b\n"
                     "misaligned_at: mov 1(%[p]), %%eax\n\t"
                     : "=&a"(value)
                     : [p] "r"(bytes)
                     : "rcx", "cc", "memory");
    return value;
}

int main(void)
{
    static const char bytes[16] __attribute__((aligned(16))) = {0, 1, 2, 3, 4, 5, 6, 7};
    struct sigaction action = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};
    CHECK(!sigaction(SIGBUS, &action, NULL));
    CHECK_EQUAL(with_alignment_check(bytes), 0x04030201);
    CHECK_EQUAL(fault_pc, misaligned_at);
    CHECK_EQUAL(fault_code, BUS_ADRALN);
    puts("one alignment fault");
    return 0;
}
