/* SPDX-License-Identifier: MIT */
/* Test that rt_sigreturn and iretq from frames that the program built itself load all their
 * registers. */
#include "tests/guest/guest.h"

#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <ucontext.h>

static ucontext_t copy;
static volatile int stage;
static char stack_bytes[65536] __attribute__((aligned(64)));

static void arrived(void)
{
    stage++;
    printf("arrived %d\n", stage);
    fflush(stdout);
    /* rt_sigreturn reads the ucontext at rsp: back by a frame of our own, to where the first signal
     * came from. */
    copy.uc_mcontext.gregs[REG_RAX] = 77;
    __asm__ volatile("mov %0, %%rsp; mov $15, %%eax; syscall; ud2" ::"r"(&copy) : "memory");
}

static void on_signal(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    (void)info;
    memcpy(&copy, context, sizeof copy - sizeof copy.__fpregs_mem);
    static char state[16384] __attribute__((aligned(64)));
    uint32_t extended;
    memcpy(&extended, (char *)copy.uc_mcontext.fpregs + 468, 4);
    CHECK(extended < sizeof state);
    memcpy(state, copy.uc_mcontext.fpregs, extended);
    copy.uc_mcontext.fpregs = (fpregset_t)state;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    registers[REG_RIP] = (greg_t)arrived;
    registers[REG_RSP] = (greg_t)(stack_bytes + sizeof stack_bytes - 8);
}

__attribute__((noinline)) static void by_sigreturn(void)
{
    long result;
    uint64_t rbx = 0xb0b;
    __asm__ volatile("syscall"
                     : "=a"(result), "+b"(rbx)
                     : "0"((long)SYS_kill), "D"((long)getpid()), "S"((long)SIGUSR1)
                     : "rcx", "r11", "memory");
    CHECK_EQUAL(result, 77);
    CHECK_EQUAL(rbx, 0xb0b);
}

/* iretq: PC, CS, flags, SP, SS from the stack; a jump whose target no call made. */
__attribute__((noinline)) static void by_iretq(void)
{
    uint64_t flags, difference;
    __asm__ volatile(
        "mov %%rsp, %%rdx\n\t"
        "mov %%ss, %%eax\n\tpush %%rax\n\t"
        "lea -256(%%rdx), %%rax\n\tpush %%rax\n\t"
        "push $0x2d7\n\t"
        "mov %%cs, %%eax\n\tpush %%rax\n\t"
        "lea 1f(%%rip), %%rax\n\tpush %%rax\n\t"
        "iretq\n\tud2\n"
        "1:\tmov %%rdx, %[difference]\n\tsub %%rsp, %[difference]\n\t"
        "mov %%rdx, %%rsp\n\t"
        "push $0xad7\n\tpopfq\n\t" /* all arithmetic flags, again through iretq below */
        "mov %%rsp, %%rdx\n\t"
        "mov %%ss, %%eax\n\tpush %%rax\n\tpush %%rdx\n\tpush $0xa93\n\t"
        "mov %%cs, %%eax\n\tpush %%rax\n\t"
        "lea 2f(%%rip), %%rax\n\tpush %%rax\n\t"
        "iretq\n\tud2\n"
        "2:\tpushfq\n\tpop %[flags]\n\t"
        : [flags] "=&r"(flags), [difference] "=&r"(difference)
        :
        : "rax", "rdx", "cc", "memory");
    CHECK_EQUAL(flags & 0x8d5, 0x891);
    CHECK_EQUAL(difference, 256);
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    CHECK(!sigaction(SIGUSR1, &action, NULL));
    by_sigreturn();
    by_sigreturn();
    for (int i = 0; i < 5; i++)
        by_iretq();
    CHECK_EQUAL(stage, 2);
    puts("returned");
    return 0;
}
