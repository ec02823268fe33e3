/* SPDX-License-Identifier: MIT */
/* Test that wait, waitpid, wait4 and waitid report each end once, to the right parent, with the
 * right words. */
#include "tests/guest/guest.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

static volatile sig_atomic_t children_ended;
static volatile int code_seen, status_seen;

static void on_child(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    (void)context;
    children_ended++;
    code_seen = info->si_code;
    status_seen = info->si_status;
}

static pid_t ending(int code, int signal_number)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child)
        return child;
    if (signal_number)
        raise(signal_number);
    _exit(code);
}

static void words(void)
{
    int status;
    struct rusage usage;
    pid_t child = ending(200, 0);
    CHECK_EQUAL(wait(&status), child);
    CHECK_EQUAL(status, 200 << 8);
    child = ending(0x1ff, 0);
    CHECK_EQUAL(wait4(child, &status, 0, &usage), child);
    CHECK_EQUAL(status, 255 << 8);
    child = ending(0, SIGUSR1);
    CHECK_EQUAL(waitpid(-1, &status, 0), child);
    CHECK_EQUAL(status, SIGUSR1);
    siginfo_t info;
    child = ending(0, SIGKILL);
    CHECK_EQUAL(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    CHECK(info.si_code == CLD_KILLED && info.si_status == SIGKILL && info.si_pid == child);
    CHECK_EQUAL(waitid(P_ALL, 0, &info, WEXITED), 0);
    CHECK_EQUAL(info.si_pid, child);
    CHECK_EQUAL(waitpid(-1, &status, WNOHANG), -1);
    CHECK_EQUAL(errno, ECHILD);
    CHECK_EQUAL(waitpid(1, &status, 0), -1);
    CHECK_EQUAL(errno, ECHILD);
    puts("status words");
}

static void not_yet(void)
{
    int status, fds[2];
    char byte;
    CHECK(!pipe(fds));
    pid_t child = fork();
    if (!child) {
        close(fds[1]);
        _exit(read(fds[0], &byte, 1) == 0 ? 4 : 5);
    }
    close(fds[0]);
    CHECK_EQUAL(waitpid(child, &status, WNOHANG), 0);
    close(fds[1]);
    while (waitpid(child, &status, WNOHANG) == 0)
        usleep(200);
    CHECK_EQUAL(status, 4 << 8);
    puts("not yet, then");
}

static void handler(void)
{
    struct sigaction action = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO};
    CHECK(!sigaction(SIGCHLD, &action, NULL));
    int status;
    for (int i = 0; i < 10; i++) {
        sigset_t set, old;
        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        sigprocmask(SIG_BLOCK, &set, &old);
        pid_t child = ending(i, 0);
        sigsuspend(&old);
        CHECK_EQUAL(children_ended, i + 1);
        CHECK(code_seen == CLD_EXITED && status_seen == i);
        CHECK_EQUAL(waitpid(child, &status, 0), child);
        sigprocmask(SIG_SETMASK, &old, NULL);
    }
    signal(SIGCHLD, SIG_IGN); /* children are reaped by the kernel */
    ending(0, 0);
    ending(0, 0);
    CHECK_EQUAL(wait(&status), -1);
    CHECK_EQUAL(errno, ECHILD);
    signal(SIGCHLD, SIG_DFL);
    puts("SIGCHLD");
}

static void orphans(void)
{
    CHECK(!prctl(PR_SET_CHILD_SUBREAPER, 1));
    int fds[2], status;
    CHECK(!pipe(fds));
    pid_t child = fork();
    if (!child) {
        pid_t parent = getpid();
        pid_t grandchild = fork();
        if (grandchild)
            _exit(1);
        while (getppid() == parent)
            usleep(200);
        pid_t me = getpid();
        CHECK(write(fds[1], &me, sizeof me) == sizeof me);
        _exit(2);
    }
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    pid_t adopted;
    CHECK(read(fds[0], &adopted, sizeof adopted) == sizeof adopted);
    CHECK_EQUAL(waitpid(adopted, &status, 0), adopted);
    CHECK_EQUAL(status, 2 << 8);

    child = fork();
    if (!child) {
        pid_t grandchild = fork();
        if (!grandchild) {
            prctl(PR_SET_PDEATHSIG, SIGUSR1);
            pid_t me = getpid();
            CHECK(write(fds[1], &me, sizeof me) == sizeof me);
            for (;;)
                pause();
        }
        usleep(1000);
        CHECK(read(fds[0], &adopted, sizeof adopted) == sizeof adopted);
        CHECK(write(fds[1], &adopted, sizeof adopted) == sizeof adopted);
        _exit(0);
    }
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK(read(fds[0], &adopted, sizeof adopted) == sizeof adopted);
    CHECK_EQUAL(waitpid(adopted, &status, 0), adopted);
    CHECK_EQUAL(status, SIGUSR1);
    puts("orphans");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    words();
    not_yet();
    handler();
    orphans();
    return 0;
}
