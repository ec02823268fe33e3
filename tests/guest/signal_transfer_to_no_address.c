/* SPDX-License-Identifier: MIT */
/* Test that a return, a jump or a call to what can be no address (a smashed stack) faults where it
 * stands, with the stack as it was before, and that it is resumed there. */
#include "tests/guest/guest.h"

#include <signal.h>
#include <stdint.h>
#include <ucontext.h>

enum { ROWS = 5, ROUNDS = 3 };

extern char at_ret[], at_ret_n[], at_jump[], at_call[], at_jump_by_memory[];
static const char *const expected_pc[ROWS] = {at_ret, at_ret_n, at_jump, at_call, at_jump_by_memory};
static volatile uint64_t nowhere = 0x4141414141414141, stack_at[ROWS], faults, wrong;
static uint64_t good_place;

/* Mends what the transfer goes by, and lets it be made again. */
static void on_fault(int signal_number, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    uint64_t row = faults++ % ROWS;
    uint64_t *stack = (uint64_t *)registers[REG_RSP];
    wrong += signal_number != SIGSEGV || info->si_addr != NULL;
    wrong += (const char *)registers[REG_RIP] != expected_pc[row];
    wrong += (uint64_t)registers[REG_RSP] != stack_at[row];
    wrong += (uint64_t)registers[REG_RCX] != 11 || (uint64_t)registers[REG_RDX] != 12 ||
             (uint64_t)registers[REG_R11] != 13;
    if (row < 2)
        stack[0] = (uint64_t)registers[REG_RBX];
    else if (row < 4)
        registers[REG_RAX] = registers[REG_RBX];
    else
        good_place = (uint64_t)registers[REG_RBX];
}

/* rbx: where each transfer is to go in the end. r8 notes the stack pointer at each. */
__attribute__((noinline)) static void transfers(void)
{
    good_place = nowhere;
    __asm__ volatile("mov $11, %%ecx\n\tmov $12, %%edx\n\tmov $13, %%r11d\n\t"
                     "sub $128, %%rsp\n\t"
                     "lea 1f(%%rip), %%rbx\n\tpush %[nowhere]\n\tmov %%rsp, %[stacks]\n"
                     "at_ret: ret\n"
                     "1:\tlea 2f(%%rip), %%rbx\n\tpush $0\n\tpush %[nowhere]\n\t"
                     "mov %%rsp, 8+%[stacks]\n"
                     "at_ret_n: ret $8\n"
                     "2:\tlea 3f(%%rip), %%rbx\n\tmov %[nowhere], %%rax\n\t"
                     "mov %%rsp, 16+%[stacks]\n"
                     "at_jump: jmp *%%rax\n"
                     "3:\tlea 4f(%%rip), %%rbx\n\tmov %[nowhere], %%rax\n\t"
                     "mov %%rsp, 24+%[stacks]\n"
                     "at_call: call *%%rax\n"
                     "4:\tadd $8, %%rsp\n\t"
                     "lea 5f(%%rip), %%rbx\n\tmov %%rsp, 32+%[stacks]\n"
                     "at_jump_by_memory: jmp *%[place]\n"
                     "5:\tadd $128, %%rsp\n\t"
                     : [stacks] "=m"(stack_at), [place] "+m"(good_place)
                     : [nowhere] "r"(nowhere)
                     : "rax", "rbx", "rcx", "rdx", "r11", "cc", "memory");
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    for (int round = 0; round < ROUNDS; round++)
        transfers();
    CHECK_EQUAL(faults, ROWS * ROUNDS);
    CHECK_EQUAL(wrong, 0);
    return 0;
}
