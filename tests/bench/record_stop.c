/* SPDX-License-Identifier: MIT */
/*
 * Benchmark: what a system call costs, in nanoseconds. `stop call N`: as it is; `stop bare N`: with a stop
 * at its entry and one at its exit for a tracer on the same CPU that only lets it go on.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void make_calls(long count)
{
    double start = now_ns();
    for (long i = 0; i < count; i++)
        syscall(SYS_getppid);
    printf("%f\n", (now_ns() - start) / (double)count);
}

static void keep_to_one_cpu(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(sched_getcpu(), &set);
    sched_setaffinity(0, sizeof set, &set);
}

static int trace(long count)
{
    keep_to_one_cpu();
    pid_t child = fork();
    if (child == 0) {
        raise(SIGSTOP);
        make_calls(count);
        exit(0);
    }
    int status;
    waitpid(child, &status, WUNTRACED);
    if (ptrace(PTRACE_SEIZE, child, 0, PTRACE_O_EXITKILL) < 0)
        return 1;
    kill(child, SIGCONT);
    while (waitpid(child, &status, __WALL) == child && WIFSTOPPED(status))
        ptrace(PTRACE_SYSCALL, child, 0, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
    long count = argc > 2 ? atol(argv[2]) : 100000;
    if (argc > 1 && strcmp(argv[1], "bare") == 0)
        return trace(count);
    make_calls(count);
    return 0;
}
