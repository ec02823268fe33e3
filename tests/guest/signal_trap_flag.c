/* SPDX-License-Identifier: MIT */
/* Test that a program that sets TF with popf gets one SIGTRAP per instruction, at that
 * instruction's PC. */
#include "tests/guest/guest.h"

#include <signal.h>
#include <stdint.h>
#include <ucontext.h>

enum { STEPS_MAX = 64, TRAP_FLAG = 0x100 };
extern char step_from[], step_0[], step_1[], step_2[], step_3[], step_4[], step_5[], step_6[];

static greg_t steps[STEPS_MAX];
static int step_count, code_bad;

static void on_trap(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    if (info->si_code != TRAP_TRACE)
        code_bad++;
    if (step_count < STEPS_MAX)
        steps[step_count++] = registers[REG_RIP];
    if (registers[REG_RIP] == (greg_t)step_6)
        registers[REG_EFL] &= ~(greg_t)TRAP_FLAG;
}

__attribute__((noinline)) static uint64_t stepped(void)
{
    uint64_t result;
    __asm__ volatile("mov $5, %%eax\n\t"
                     "pushfq\n\torq $0x100, (%%rsp)\n"
                     "step_from: popfq\n"
                     "step_0: add $1, %%eax\n"
                     "step_1: cmp $6, %%eax\n"
                     "step_2: je step_4\n"
                     "step_3: ud2\n"
                     "step_4: lea 7(%%rax), %%rcx\n"
                     "step_5: nop\n"
                     "step_6: nop\n\t"
                     : "=a"(result)
                     :
                     : "rcx", "cc", "memory");
    return result;
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
    CHECK(!sigaction(SIGTRAP, &action, NULL));
    CHECK_EQUAL(stepped(), 6);
    const char *expected[] = {step_1, step_2, step_4, step_5, step_6};
    CHECK_EQUAL(step_count, 5);
    for (int i = 0; i < 5; i++)
        CHECK_EQUAL(steps[i], expected[i]);
    CHECK_EQUAL(code_bad, 0);
    puts("5 steps");
    return 0;
}
