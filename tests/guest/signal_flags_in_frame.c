/* SPDX-License-Identifier: MIT */
/* Test that a signal frame shows the flags, rcx and r11 that the program has at its own syscall or
 * fault. */
#include "tests/guest/guest.h"

#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <ucontext.h>

enum { ARITHMETIC = 0x8d5, DIRECTION = 0x400, SHOWN = ARITHMETIC | DIRECTION };

static struct {
    greg_t flags, r11, rcx, rip;
} seen;

static void on_signal(int signal_number, siginfo_t *info, void *context)
{
    (void)info;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    seen.flags = registers[REG_EFL];
    seen.r11 = registers[REG_R11];
    seen.rcx = registers[REG_RCX];
    seen.rip = registers[REG_RIP];
    if (signal_number == SIGILL)
        registers[REG_RIP] += 2;
}

/* kill(getpid(), SIGUSR1) with the given flags; the syscall instruction itself leaves rcx and r11.
 */
__attribute__((noinline)) static void kill_with_flags(uint64_t flags, uint64_t *after,
                                                      uint64_t *next)
{
    long result;
    uint64_t flags_after, pc;
    __asm__ volatile("push %[flags]\n\tpopfq\n\t"
                     "syscall\n"
                     "1:\tpushfq\n\tpop %[after]\n\t"
                     "cld\n\t"
                     "lea 1b(%%rip), %[pc]\n\t"
                     : "=a"(result), [after] "=&r"(flags_after), [pc] "=&r"(pc)
                     : "0"((long)SYS_kill), "D"((long)getpid()),
                       "S"((long)SIGUSR1), [flags] "r"(flags)
                     : "rcx", "r11", "cc", "memory");
    CHECK_EQUAL(result, 0);
    *after = flags_after;
    *next = pc;
}

__attribute__((noinline)) static void fault_with_flags(uint64_t flags, uint64_t *after)
{
    uint64_t flags_after;
    __asm__ volatile("push %[flags]\n\tpopfq\n\tud2\n\tpushfq\n\tpop %[after]\n\tcld\n\t"
                     : [after] "=&r"(flags_after)
                     : [flags] "r"(flags)
                     : "cc", "memory");
    *after = flags_after;
}

/* The flags of a comparison are live over a load that faults: the branch behind reads them. */
__attribute__((noinline)) static int fault_between(uint64_t left, uint64_t right, greg_t *flags)
{
    int below;
    __asm__ volatile("xor %%eax, %%eax\n\t"
                     "cmp %[right], %[left]\n\t"
                     "ud2\n\t"
                     "setb %%al\n\t"
                     "jae 1f\n\tadd $2, %%eax\n1:\n\t"
                     : "=&a"(below)
                     : [left] "r"(left), [right] "r"(right)
                     : "cc", "memory");
    *flags = seen.flags;
    return below;
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    CHECK(!sigaction(SIGUSR1, &action, NULL) && !sigaction(SIGILL, &action, NULL));
    const uint64_t wanted[] = {0x202, 0x203, 0x206, 0x242, 0x282,
                               0xa02, 0x602, 0xad7, 0xed7, 0x252};
    for (unsigned i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        uint64_t after, next;
        kill_with_flags(wanted[i], &after, &next);
        CHECK_EQUAL(seen.flags & SHOWN, wanted[i] & SHOWN);
        CHECK_EQUAL(seen.r11, wanted[i]);
        CHECK_EQUAL(seen.rip, next);
        CHECK_EQUAL(seen.rcx, next);
        CHECK_EQUAL(after & SHOWN, wanted[i] & SHOWN);
        printf("kill: flags %llx r11 %llx\n", seen.flags & SHOWN, seen.r11);
        fault_with_flags(wanted[i], &after);
        CHECK_EQUAL(seen.flags & SHOWN, wanted[i] & SHOWN);
        CHECK_EQUAL(after & SHOWN, wanted[i] & SHOWN);
        printf("fault: flags %llx\n", seen.flags & SHOWN);
    }
    for (uint64_t i = 0; i < 4; i++) {
        greg_t flags;
        int below = fault_between(i, 2, &flags);
        printf("between: %d flags %llx\n", below, flags & SHOWN);
        CHECK_EQUAL(below, i < 2 ? 3 : 0);
    }
    return 0;
}
