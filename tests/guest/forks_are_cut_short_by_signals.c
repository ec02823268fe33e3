/* SPDX-License-Identifier: MIT */
/*
 * Test that children are made although signals come all the time: a fork that finds one pending is
 * given up by the kernel, and made again behind the handler (kernel/fork.c copy_process()).
 */
#include "tests/guest/guest.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

enum { FORKS = 60, THREADS = 2 };

static atomic_int done;
static atomic_long handled, shared;

static void on_signal(int number)
{
    (void)number;
    for (int i = 0; i < 2000; i++)
        atomic_fetch_add(&shared, 1);
    handled++;
}

static void *send_signals(void *target)
{
    struct timespec pause = {.tv_nsec = 20000};
    while (!done) {
        CHECK(!syscall(SYS_tgkill, getpid(), (pid_t)(intptr_t)target, SIGUSR1));
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static void *fork_on(void *unused)
{
    sigset_t none;
    (void)unused;
    sigemptyset(&none);
    CHECK(!pthread_sigmask(SIG_SETMASK, &none, NULL));
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2};
    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer));
    struct itimerspec every = {{.tv_nsec = 150000}, {.tv_nsec = 150000}};
    CHECK(!timer_settime(timer, 0, &every, NULL));
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (!child)
            _exit(i & 127);
        int status;
        pid_t found;
        while ((found = waitpid(child, &status, 0)) < 0 && errno == EINTR)
            ;
        CHECK_EQUAL(found, child);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == (i & 127));
    }
    CHECK(!timer_delete(timer));
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS], sender;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigset_t both;
    CHECK(!sigaction(SIGUSR1, &action, NULL) && !sigaction(SIGUSR2, &action, NULL));
    sigemptyset(&both);
    sigaddset(&both, SIGUSR1);
    sigaddset(&both, SIGUSR2);
    CHECK(!pthread_sigmask(SIG_BLOCK, &both, NULL));
    for (int i = 0; i < THREADS; i++)
        CHECK(!pthread_create(&threads[i], NULL, fork_on, NULL));
    CHECK(!pthread_sigmask(SIG_UNBLOCK, &both, NULL));
    CHECK(!pthread_create(&sender, NULL, send_signals, (void *)(intptr_t)getpid()));
    for (int i = 0; i < THREADS; i++)
        CHECK(!pthread_join(threads[i], NULL));
    done = 1;
    CHECK(!pthread_join(sender, NULL));
    CHECK(handled > 0 && shared == handled * 2000);
    puts("all children were made");
    return 0;
}
