/* SPDX-License-Identifier: MIT */
/* Signals, with and without a handler, and system calls to be caught. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int handled;

static void handle(int signal)
{
    handled += signal; /* mark: handler */
}

__attribute__((noinline)) static void signal_itself(void)
{
    raise(SIGUSR1);
    raise(SIGUSR2);
}

__attribute__((noinline)) static int make_child(void)
{
    pid_t child = fork(); /* mark: fork */
    if (child == 0) {
        handled = 1000; /* mark: child */
        _exit(7);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

int main(void)
{
    signal(SIGUSR1, handle);
    signal(SIGUSR2, handle);
    signal_itself();
    int code = make_child();
    write(1, "done\n", 5); /* mark: write */
    return code - 7 + handled - SIGUSR1 - SIGUSR2;
}
