/* SPDX-License-Identifier: MIT */
/* Test that backtrace, frame pointers and return addresses show the program's own functions, in
 * signal handlers too. */
#include "tests/guest/guest.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>
#include <stdint.h>

enum { FRAMES = 32 };

static void show(void)
{
    void *frames[FRAMES];
    int count = backtrace(frames, FRAMES);
    for (int i = 0; i < count; i++) {
        Dl_info info;
        CHECK(dladdr(frames[i], &info));
        if (info.dli_sname && !strncmp(info.dli_sname, "walk_", 5))
            printf(" %s", info.dli_sname);
    }
    puts("");
}

static void on_signal(int signal_number)
{
    (void)signal_number;
    printf("handler:");
    show();
}

__attribute__((noinline)) void walk_leaf(int how)
{
    if (how == 1)
        raise(SIGUSR1);
    else if (how == 2)
        __asm__ volatile("ud2");
    else {
        printf("plain:");
        show();
    }
    __asm__ volatile("");
}

__attribute__((noinline)) void walk_middle(int how, int depth)
{
    if (depth)
        walk_middle(how, depth - 1);
    else
        walk_leaf(how);
    __asm__ volatile("");
}

static void on_illegal(int signal_number, siginfo_t *info, void *context)
{
    (void)info;
    on_signal(signal_number);
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}

/* The return address on the stack is the address after the call, and the caller may read and check
 * it. */
extern char walk_after_call[];
__attribute__((noinline)) static void check_return_address(void)
{
    CHECK(__builtin_return_address(0) == (void *)walk_after_call);
}

__attribute__((noinline)) static void return_address(void)
{
    __asm__ volatile("mov %%rsp, %%rbx\n\tand $-16, %%rsp\n\t"
                     "call *%0\n"
                     ".globl walk_after_call\nwalk_after_call:\n\t"
                     "mov -8(%%rsp), %%rcx\n\t" /* still there, below the stack pointer */
                     "lea walk_after_call(%%rip), %%rdx\n\t"
                     "mov %%rbx, %%rsp\n\t"
                     "cmp %%rcx, %%rdx\n\tje 1f\n\tud2\n1:\n\t"
                     :
                     : "r"(check_return_address)
                     : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory",
                       "cc");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGUSR1, on_signal);
    struct sigaction action = {.sa_sigaction = on_illegal, .sa_flags = SA_SIGINFO};
    CHECK(!sigaction(SIGILL, &action, NULL));
    for (int how = 0; how < 3; how++)
        walk_middle(how, how + 2);
    for (int i = 0; i < 20; i++)
        return_address();
    puts("return addresses");
    return 0;
}
