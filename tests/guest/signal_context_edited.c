/* SPDX-License-Identifier: MIT */
/* Test that what a handler writes into its ucontext (PC, registers, flags, SSE state, mask) is in
 * force after it. */
#include "tests/guest/guest.h"

#include <signal.h>
#include <stdint.h>
#include <ucontext.h>

extern char edited_ud2[], edited_landing[];
enum { FLAG_CARRY = 1, FLAG_ZERO = 0x40, FLAG_DIRECTION = 0x400, FLAG_OVERFLOW = 0x800 };

static void on_illegal(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    ucontext_t *user = context;
    greg_t *registers = user->uc_mcontext.gregs;
    CHECK_EQUAL(registers[REG_RIP], edited_ud2);
    CHECK(info->si_addr == (void *)edited_ud2);
    CHECK_EQUAL(registers[REG_RBX], 0x1111);
    CHECK_EQUAL(registers[REG_R15], 0x2222);
    registers[REG_RIP] = (greg_t)edited_landing;
    registers[REG_RBX] = 0x3333;
    registers[REG_R15] = -1;
    registers[REG_RAX] = INT64_MIN;
    registers[REG_EFL] = (registers[REG_EFL] & ~FLAG_ZERO) | FLAG_CARRY | FLAG_OVERFLOW;
    uint64_t *xmm3 = (uint64_t *)user->uc_mcontext.fpregs->_xmm[3].element;
    xmm3[0] = 0xABCDEF;
    xmm3[1] = 0x123456;
    sigaddset(&user->uc_sigmask, SIGUSR2);
}

__attribute__((noinline)) static void provoke(void)
{
    uint64_t rbx = 0x1111, rax = 0, flags, low, high;
    register uint64_t r15 __asm__("r15") = 0x2222;
    __asm__ volatile("pxor %%xmm3, %%xmm3\n\t"
                     "xor %%ecx, %%ecx\n\t"
                     "edited_ud2: ud2\n\t"
                     "mov $0xbad, %%ebx\n\t"
                     "edited_landing:\n\t"
                     "pushfq\n\tpop %[flags]\n\t"
                     "movq %%xmm3, %[low]\n\t"
                     "psrldq $8, %%xmm3\n\t"
                     "movq %%xmm3, %[high]\n\t"
                     : "+b"(rbx), "+a"(rax),
                       "+r"(r15), [flags] "=&r"(flags), [low] "=&r"(low), [high] "=&r"(high)
                     :
                     : "xmm3", "rcx", "cc", "memory");
    CHECK_EQUAL(rbx, 0x3333);
    CHECK_EQUAL(r15, -1);
    CHECK_EQUAL(rax, INT64_MIN);
    CHECK_EQUAL(flags & (FLAG_CARRY | FLAG_ZERO | FLAG_OVERFLOW), FLAG_CARRY | FLAG_OVERFLOW);
    CHECK_EQUAL(low, 0xABCDEF);
    CHECK_EQUAL(high, 0x123456);
}

static volatile sig_atomic_t landed;
static char other_stack[65536] __attribute__((aligned(16)));

static void land(void)
{
    char here;
    landed = &here > other_stack && &here < other_stack + sizeof other_stack;
    kill(getpid(), SIGUSR1);
}

/* The first USR1 goes to a function on another stack, the second comes from there and goes back. */
static void on_usr1(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    (void)info;
    ucontext_t *user = context;
    greg_t *registers = user->uc_mcontext.gregs;
    static greg_t saved[NGREG];
    if (!landed) {
        memcpy(saved, registers, sizeof saved);
        registers[REG_RIP] = (greg_t)land;
        registers[REG_RSP] = (greg_t)(other_stack + sizeof other_stack - 8);
    } else {
        memcpy(registers, saved, sizeof saved);
    }
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = on_illegal, .sa_flags = SA_SIGINFO};
    CHECK(!sigaction(SIGILL, &action, NULL));
    for (int i = 0; i < 3; i++)
        provoke();
    sigset_t now;
    CHECK(!sigprocmask(SIG_SETMASK, NULL, &now));
    CHECK(sigismember(&now, SIGUSR2) && !sigismember(&now, SIGILL));

    action.sa_sigaction = on_usr1;
    CHECK(!sigaction(SIGUSR1, &action, NULL));
    CHECK(!kill(getpid(), SIGUSR1));
    CHECK(landed == 1);
    puts("edits in force");
    return 0;
}
