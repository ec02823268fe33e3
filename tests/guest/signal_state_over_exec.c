/* SPDX-License-Identifier: MIT */
/* Test that masks, ignored and pending signals survive exec, handlers become default, the alternate
 * stack goes. */
#include "tests/guest/guest.h"

#include <signal.h>

static void handler(int signal_number)
{
    (void)signal_number;
}

static int after_exec(void)
{
    sigset_t mask, pending;
    struct sigaction action;
    stack_t stack;
    CHECK(!sigprocmask(SIG_SETMASK, NULL, &mask));
    CHECK(sigismember(&mask, SIGUSR1) && sigismember(&mask, SIGTRAP));
    CHECK(!sigismember(&mask, SIGUSR2) && !sigismember(&mask, SIGSEGV));
    CHECK(!sigpending(&pending));
    CHECK(sigismember(&pending, SIGUSR1) && !sigismember(&pending, SIGTRAP));
    CHECK(!sigaction(SIGUSR2, NULL, &action) && action.sa_handler == SIG_DFL);
    CHECK(!sigaction(SIGSEGV, NULL, &action) && action.sa_handler == SIG_IGN);
    CHECK(!sigaction(SIGHUP, NULL, &action) && action.sa_handler == SIG_IGN);
    CHECK(!sigaltstack(NULL, &stack) && stack.ss_flags == SS_DISABLE);
    puts("kept over exec");
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return after_exec();
    static char bytes[32768];
    stack_t stack = {.ss_sp = bytes, .ss_size = sizeof bytes};
    CHECK(!sigaltstack(&stack, NULL));
    signal(SIGUSR2, handler);
    signal(SIGSEGV, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGTRAP);
    CHECK(!sigprocmask(SIG_SETMASK, &set, NULL));
    raise(SIGUSR1);
    execl("/proc/self/exe", argv[0], "after", (char *)NULL);
    CHECK(!"exec");
}
