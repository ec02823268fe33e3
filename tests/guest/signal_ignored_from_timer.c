/* SPDX-License-Identifier: MIT */
/* Test that a timer whose signal is ignored disturbs no call of a process that is alone. */
#include "tests/guest/guest.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <time.h>

enum { LIMIT_MS = 30, ROUNDS = 5 };

static const struct timespec limit = {0, LIMIT_MS * 1000000};

static void start_timer(void)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGWINCH};
    struct itimerspec every = {{0, 2000000}, {0, 2000000}};
    CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer));
    CHECK(!timer_settime(timer, 0, &every, NULL));
}

static void check_epoll(int epoll)
{
    struct epoll_event event;
    CHECK_EQUAL(epoll_wait(epoll, &event, 1, LIMIT_MS), 0);
}

static void check_semaphore(int semaphore)
{
    struct sembuf down = {0, -1, 0};
    CHECK_EQUAL(semtimedop(semaphore, &down, 1, &limit), -1);
    CHECK_EQUAL(errno, EAGAIN);
}

static void check_sigtimedwait(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    CHECK_EQUAL(sigtimedwait(&set, NULL, &limit), -1);
    CHECK_EQUAL(errno, EAGAIN);
}

int main(void)
{
    int epoll = epoll_create1(0), semaphore = semget(IPC_PRIVATE, 1, 0600);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    CHECK(!sigprocmask(SIG_BLOCK, &set, NULL));
    CHECK(epoll >= 0 && semaphore >= 0);
    start_timer();
    for (int i = 0; i < ROUNDS; i++) {
        check_epoll(epoll);
        check_semaphore(semaphore);
        check_sigtimedwait();
        CHECK(!clock_nanosleep(CLOCK_MONOTONIC, 0, &limit, NULL));
    }
    semctl(semaphore, 0, IPC_RMID);
    printf("done\n");
    return 0;
}
