/* SPDX-License-Identifier: MIT */
/* Test that queued real-time signals from another process arrive once each, in order, with their
 * values. */
#include "tests/guest/guest.h"

#include <signal.h>
#include <sys/wait.h>

enum { SIGNALS = 400 };

static volatile sig_atomic_t received;
static volatile sig_atomic_t out_of_order;
static volatile pid_t sender;

static void on_signal(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    (void)context;
    if (info->si_value.sival_int != received || info->si_code != SI_QUEUE || info->si_pid != sender)
        out_of_order++;
    received++;
}

static int send_all(pid_t parent)
{
    for (int i = 0; i < SIGNALS; i++) {
        union sigval value = {.sival_int = i};
        while (sigqueue(parent, SIGRTMIN + 3, value))
            CHECK(errno == EAGAIN);
        if (i % 16 == 0)
            usleep(100);
    }
    return 0;
}

int main(void)
{
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 3);
    CHECK(!sigprocmask(SIG_BLOCK, &set, &old));
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    CHECK(!sigaction(SIGRTMIN + 3, &action, NULL));
    pid_t parent = getpid();
    sender = fork();
    CHECK(sender >= 0);
    if (!sender)
        _exit(send_all(parent));
    CHECK(!sigprocmask(SIG_SETMASK, &old, NULL));
    unsigned long sum = 0;
    while (received < SIGNALS)
        for (unsigned long i = 0; i < 1000; i++)
            sum += i ^ (sum >> 3);
    int status;
    CHECK(waitpid(sender, &status, 0) == sender);
    CHECK_EQUAL(status, 0);
    CHECK_EQUAL(out_of_order, 0);
    printf("%d signals in order\n", (int)received);
    return 0;
}
