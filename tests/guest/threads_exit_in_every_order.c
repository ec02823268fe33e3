/* SPDX-License-Identifier: MIT */
/* Test that a process ends right whatever order its threads end in: main first, last, by
 * exit_group, exec or SIGKILL. */
#include "tests/guest/guest.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static atomic_int running;
static char *self;

static void *spin(void *unused)
{
    running++;
    for (volatile unsigned long i = 0;; i++)
        ;
    return unused;
}

static void *sleeper(void *unused)
{
    running++;
    for (;;)
        sleep(100);
    return unused;
}

static void *exit_group_7(void *unused)
{
    while (running < 3)
        usleep(100);
    exit(7);
    return unused;
}

static void *exit_last(void *unused)
{
    usleep(5000);
    return unused;
}

static void *exit_status_last(void *unused)
{
    usleep(5000);
    exit(6);
    return unused;
}

static void *raw_exit(void *unused)
{
    syscall(SYS_exit, 3);
    return unused;
}

static void *exec_from_thread(void *unused)
{
    while (running < 2)
        usleep(100);
    execl(self, self, "execed", (char *)NULL);
    return unused;
}

static void *fault(void *unused)
{
    while (running < 2)
        usleep(100);
    __asm__ volatile("ud2");
    return unused;
}

static void *kill_9(void *unused)
{
    while (running < 2)
        usleep(100);
    kill(getpid(), SIGKILL);
    return unused;
}

static void start(void *(*body)(void *))
{
    pthread_t thread;
    CHECK(!pthread_create(&thread, NULL, body, NULL));
    pthread_detach(thread);
}

static void wait_forever(void)
{
    for (;;)
        pause();
}

static void main_first(void)
{
    start(exit_last);
    pthread_exit(NULL);
}
static void main_first_raw(void)
{
    start(exit_status_last);
    syscall(SYS_exit, 4);
}
static void main_returns(void)
{
    start(spin);
    start(sleeper);
    while (running < 2)
        usleep(100);
    exit(5);
}
static void group_exit_by_thread(void)
{
    start(spin);
    start(sleeper);
    start(spin);
    start(exit_group_7);
    wait_forever();
}
static void four_group_exits(void)
{
    running = 3;
    start(exit_group_7);
    start(exit_group_7);
    start(exit_group_7);
    exit_group_7(NULL);
}
static void threads_end_raw(void)
{
    start(raw_exit);
    start(raw_exit);
    usleep(3000);
    exit(8);
}
static void thread_execs(void)
{
    start(spin);
    start(sleeper);
    start(exec_from_thread);
    wait_forever();
}
static void thread_execs_after_main(void)
{
    start(spin);
    start(sleeper);
    start(exec_from_thread);
    pthread_exit(NULL);
}
static void thread_faults(void)
{
    start(spin);
    start(sleeper);
    start(fault);
    wait_forever();
}
static void thread_kills(void)
{
    start(spin);
    start(sleeper);
    start(kill_9);
    wait_forever();
}
static void main_spins_thread_exits(void)
{
    running = 3;
    start(exit_group_7);
    spin(NULL);
}
/* The end of main's thread is not reported before the others' are looked at. */
static void main_maps_thread_exits(void)
{
    running = 2;
    start(sleeper);
    start(exit_group_7);
    for (;;) {
        void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(page != MAP_FAILED && !munmap(page, 4096));
    }
}

static const struct {
    const char *name;
    void (*body)(void);
    int status; /* as waitpid gives it */
} rows[] = {
    {"main first", main_first, 0},
    {"main first by raw exit", main_first_raw, 6 << 8},
    {"main returns", main_returns, 5 << 8},
    {"exit_group by a thread", group_exit_by_thread, 7 << 8},
    {"exit_group by four threads", four_group_exits, 7 << 8},
    {"threads end raw", threads_end_raw, 8 << 8},
    {"a thread execs", thread_execs, 9 << 8},
    {"a thread execs, main is gone", thread_execs_after_main, 9 << 8},
    {"a thread faults", thread_faults, SIGILL},
    {"a thread kills", thread_kills, SIGKILL},
    {"main spins, a thread exits", main_spins_thread_exits, 7 << 8},
    {"main maps, a thread exits", main_maps_thread_exits, 7 << 8},
};

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1) {
        CHECK(getpid() == (pid_t)syscall(SYS_gettid));
        return 9;
    }
    self = argv[0];
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (!child) {
            alarm(GUEST_BOUND_SECONDS);
            rows[i].body();
        }
        int status;
        CHECK_EQUAL(waitpid(child, &status, 0), child);
        printf("%s: %x\n", rows[i].name, status & 0xff7f);
        CHECK_EQUAL(status & 0xff7f, rows[i].status);
    }
    return 0;
}
