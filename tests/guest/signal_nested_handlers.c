/* SPDX-License-Identifier: MIT */
/* Test that handlers nest, mask, re-enter and reset as their sigaction flags say. */
#include "tests/guest/guest.h"

#include <signal.h>

static char journal[512];
static size_t journal_length;
static int depth;

static void note(char letter)
{
    if (journal_length < sizeof journal - 1)
        journal[journal_length++] = letter;
}

static void show(const char *title)
{
    printf("%-10s %s\n", title, journal);
    memset(journal, 0, sizeof journal);
    journal_length = 0;
}

static void inner(int signal_number)
{
    (void)signal_number;
    note('i');
}

static void outer(int signal_number)
{
    (void)signal_number;
    note('[');
    raise(SIGUSR2);
    note(']');
}

static void again(int signal_number)
{
    note('(');
    if (++depth < 5)
        raise(signal_number);
    note(')');
}

static void install(int signal_number, void (*handler)(int), int flags, int masked)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    if (masked)
        sigaddset(&action.sa_mask, masked);
    CHECK(!sigaction(signal_number, &action, NULL));
}

/* USR1's handler faults inside, the fault's handler steps over the fault and raises again. */
static void on_illegal(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    (void)info;
    note('x');
    raise(SIGUSR2);
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}

static void faulting(int signal_number)
{
    (void)signal_number;
    note('f');
    __asm__ volatile("ud2");
    note('F');
}

/* Several signals pending at once, unblocked together: lowest number first in the kernel's queue,
 * so its frame is built first and it runs last. */
static void pending_together(void)
{
    sigset_t set, old;
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, &old);
    raise(SIGUSR1);
    raise(SIGUSR2);
    raise(SIGUSR2);
    kill(getpid(), SIGUSR1);
    sigset_t pending;
    CHECK(!sigpending(&pending));
    CHECK(sigismember(&pending, SIGUSR1) && sigismember(&pending, SIGUSR2));
    CHECK(!sigismember(&pending, SIGHUP));
    note('a');
    sigprocmask(SIG_SETMASK, &old, NULL);
    note('b');
}

int main(void)
{
    install(SIGUSR2, inner, 0, 0);
    install(SIGUSR1, outer, 0, 0);
    raise(SIGUSR1);
    show("nested");
    install(SIGUSR1, outer, 0, SIGUSR2);
    raise(SIGUSR1);
    show("masked");
    install(SIGUSR1, again, 0, 0);
    raise(SIGUSR1);
    show("deferred");
    depth = 0;
    install(SIGUSR1, again, SA_NODEFER, 0);
    raise(SIGUSR1);
    show("nodefer");
    install(SIGUSR1, inner, SA_RESETHAND, 0);
    raise(SIGUSR1);
    struct sigaction now;
    CHECK(!sigaction(SIGUSR1, NULL, &now));
    CHECK(now.sa_handler == SIG_DFL);
    show("resethand");
    install(SIGUSR1, faulting, 0, 0);
    struct sigaction action = {.sa_sigaction = on_illegal, .sa_flags = SA_SIGINFO};
    CHECK(!sigaction(SIGILL, &action, NULL));
    for (int i = 0; i < 3; i++)
        raise(SIGUSR1);
    show("faulting");
    install(SIGUSR1, inner, 0, 0);
    install(SIGUSR2, again, 0, SIGUSR1);
    depth = 4;
    pending_together();
    show("together");
    return 0;
}
