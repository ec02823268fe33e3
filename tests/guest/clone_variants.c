/* SPDX-License-Identifier: MIT */
/* Test that clone and clone3 with their flags share memory, descriptors, thread words and stacks as
 * asked. */
#include "tests/guest/guest.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { STACK_BYTES = 65536 };
static char stack[STACK_BYTES] __attribute__((aligned(16)));
static volatile int value;
static volatile int parent_tid, child_tid;

static int set_value(void *argument)
{
    value = (int)(long)argument;
    return 21;
}

static int open_file(void *argument)
{
    return dup2(STDIN_FILENO, (int)(long)argument) < 0;
}

static int run(int (*body)(void *), int flags, long argument)
{
    int status;
    pid_t child = clone(body, stack + STACK_BYTES, flags | SIGCHLD, (void *)argument, &parent_tid,
                        NULL, &child_tid);
    CHECK(child > 0);
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    if (flags & CLONE_PARENT_SETTID)
        CHECK_EQUAL(parent_tid, child);
    return status;
}

static void flags(void)
{
    CHECK_EQUAL(run(set_value, 0, 5), 21 << 8);
    CHECK_EQUAL(value, 0);
    CHECK_EQUAL(run(set_value, CLONE_VM, 6), 21 << 8);
    CHECK_EQUAL(value, 6);
    CHECK_EQUAL(run(set_value, CLONE_VM | CLONE_VFORK, 7), 21 << 8);
    CHECK_EQUAL(value, 7);
    CHECK_EQUAL(run(open_file, 0, 200), 0);
    CHECK_EQUAL(fcntl(200, F_GETFD), -1);
    CHECK_EQUAL(run(open_file, CLONE_FILES, 200), 0);
    CHECK(fcntl(200, F_GETFD) >= 0);
    CHECK_EQUAL(run(open_file, CLONE_UNTRACED, 201), 0); /* natively it only concerns debuggers */
    child_tid = 55;
    CHECK_EQUAL(run(set_value, CLONE_VM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID, 8), 21 << 8);
    CHECK_EQUAL(child_tid, 0);
    puts("clone flags");
}

/* A thread without libpthread: own stack, shared everything, its end told by the kernel through a
 * futex. */
static int thread_body(void *argument)
{
    volatile int *count = argument;
    for (int i = 0; i < 1000; i++)
        __atomic_fetch_add(count, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_exit, 0);
    return 0;
}

static void raw_threads(void)
{
    static int count;
    for (int i = 0; i < 10; i++) {
        child_tid = 77;
        int result = clone(thread_body, stack + STACK_BYTES,
                           CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                               CLONE_SYSVSEM | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID,
                           &count, NULL, NULL, &child_tid);
        CHECK(result > 0);
        while (child_tid)
            syscall(SYS_futex, &child_tid, FUTEX_WAIT, child_tid, NULL, NULL, 0);
    }
    CHECK_EQUAL(count, 10000);
    puts("raw threads");
}

static void with_clone3(void)
{
    int descriptor = -1;
    struct clone_args arguments = {
        .flags = CLONE_PIDFD, .pidfd = (uintptr_t)&descriptor, .exit_signal = SIGCHLD};
    pid_t child = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
    if (child < 0 && errno == ENOSYS) { /* as on an older kernel */
        puts("clone3");
        return;
    }
    CHECK(child >= 0);
    if (!child)
        _exit(12);
    CHECK(descriptor >= 0);
    struct pollfd poller = {.fd = descriptor, .events = POLLIN};
    CHECK_EQUAL(poll(&poller, 1, 20000), 1);
    siginfo_t info;
    CHECK_EQUAL(waitid((idtype_t)3 /* P_PIDFD */, (id_t)descriptor, &info, WEXITED), 0);
    CHECK_EQUAL(info.si_status, 12);
    close(descriptor);
    arguments.flags = CLONE_UNTRACED | CLONE_PARENT_SETTID;
    arguments.parent_tid = (uintptr_t)&parent_tid;
    child = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
    CHECK(child >= 0);
    if (!child)
        _exit((int)write(STDOUT_FILENO, "", 0) + 13);
    CHECK_EQUAL(parent_tid, child);
    int status;
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK_EQUAL(status, 13 << 8);
    puts("clone3");
}

static void no_exit_signal(void)
{
    pid_t child = (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, 0);
    CHECK(child >= 0);
    if (!child)
        _exit(3);
    int status;
    CHECK_EQUAL(waitpid(child, &status, 0), -1);
    CHECK_EQUAL(errno, ECHILD);
    CHECK_EQUAL(waitpid(child, &status, __WALL), child);
    CHECK_EQUAL(status, 3 << 8);
    puts("no exit signal");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    flags();
    raw_threads();
    with_clone3();
    no_exit_signal();
    return 0;
}
