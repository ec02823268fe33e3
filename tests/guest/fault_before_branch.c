/* SPDX-License-Identifier: MIT */
/* Test that a fault between what decides a backward transfer and the transfer itself is resumed
 * with nothing done twice. */
#include "tests/guest/guest.h"

#include <signal.h>
#include <stdint.h>
#include <ucontext.h>

static uint64_t good = 5;
static volatile uint64_t faults, wrong;
extern char load_in_loop[], load_before_ret[], load_before_jump[], load_before_call[];

/* Mends rdx and goes on at the same instruction; checks the PC and the loop counter at every fault.
 */
static void on_fault(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    (void)info;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const char *pc = (const char *)registers[REG_RIP];
    if (pc != load_in_loop && pc != load_before_ret && pc != load_before_jump &&
        pc != load_before_call)
        wrong++;
    if (pc == load_in_loop && (uint64_t)registers[REG_RCX] != 99 - faults)
        wrong++;
    if (pc == load_in_loop && !(registers[REG_EFL] & 0x40) != (registers[REG_RCX] != 0))
        wrong++;
    faults++;
    registers[REG_RDX] = (greg_t)&good;
}

/* The flags of dec are live over the load: the branch reads them after the fault. */
__attribute__((noinline)) static uint64_t loop(void)
{
    uint64_t sum = 0;
    __asm__ volatile("mov $100, %%ecx\n"
                     "1:\tmov $16, %%edx\n\t"
                     "dec %%rcx\n"
                     "load_in_loop: mov (%%rdx), %%rsi\n\t"
                     "lea (%[sum],%%rsi), %[sum]\n\t"
                     "jnz 1b\n\t"
                     : [sum] "+r"(sum)
                     :
                     : "rcx", "rdx", "rsi", "cc", "memory");
    return sum;
}

/* The same before a ret, an indirect jump back, and an indirect call. */
__attribute__((noinline)) static uint64_t transfers(void)
{
    uint64_t sum = 0;
    __asm__ volatile("jmp 5f\n"
                     "1:\tmov $16, %%edx\n" /* called */
                     "load_before_ret: mov (%%rdx), %%rsi\n\t"
                     "ret\n"
                     "2:\tmov $10, %%ecx\n\t"
                     "lea 3f(%%rip), %%rdi\n"
                     "3:\tadd %%rsi, %[sum]\n\t"
                     "mov $16, %%edx\n\t"
                     "dec %%ecx\n\t"
                     "jz 4f\n"
                     "load_before_jump: mov (%%rdx), %%rsi\n\t"
                     "jmp *%%rdi\n"
                     "4:\tmov $16, %%edx\n\t"
                     "lea 1b(%%rip), %%rdi\n\t"
                     "lea -256(%%rsp), %%rsp\n"
                     "load_before_call: add (%%rdx), %[sum]\n\t"
                     "call *%%rdi\n\t"
                     "lea 256(%%rsp), %%rsp\n\t"
                     "jmp 6f\n"
                     "5:\tlea -256(%%rsp), %%rsp\n\tcall 1b\n\tlea 256(%%rsp), %%rsp\n\t"
                     "jmp 2b\n"
                     "6:\tadd %%rsi, %[sum]\n\t"
                     : [sum] "+b"(sum)
                     :
                     : "rcx", "rdx", "rsi", "rdi", "cc", "memory");
    return sum;
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    CHECK(!sigaction(SIGSEGV, &action, NULL));
    for (int i = 0; i < 3; i++) {
        faults = 0;
        CHECK_EQUAL(loop(), 500);
        CHECK_EQUAL(faults, 100);
        CHECK_EQUAL(transfers(), 60);
        CHECK_EQUAL(faults, 112);
        CHECK_EQUAL(wrong, 0);
    }
    puts("resumed");
    return 0;
}
