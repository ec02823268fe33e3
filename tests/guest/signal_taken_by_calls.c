/* SPDX-License-Identifier: MIT */
/* Test that sigtimedwait, sigwaitinfo, sigsuspend, ppoll, epoll_pwait and signalfd take signals as
 * documented. */
#include "tests/guest/guest.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>

static volatile sig_atomic_t handled;

static void on_signal(int signal_number)
{
    handled = signal_number;
}

static void send_later(int signal_number, int value)
{
    pid_t parent = getpid(), child = fork();
    CHECK(child >= 0);
    if (child)
        return;
    usleep(5000);
    union sigval payload = {.sival_int = value};
    CHECK(!sigqueue(parent, signal_number, payload));
    _exit(0);
}

static void reap(void)
{
    int status;
    CHECK(wait(&status) > 0);
    CHECK_EQUAL(status, 0);
}

static void timed_waits(const sigset_t *set)
{
    siginfo_t info;
    struct timespec zero = {0, 0}, little = {0, 3000000}, much = {30, 0};
    CHECK_EQUAL(sigtimedwait(set, &info, &zero), -1);
    CHECK_EQUAL(errno, EAGAIN);
    CHECK_EQUAL(sigtimedwait(set, &info, &little), -1);
    CHECK_EQUAL(errno, EAGAIN);
    raise(SIGUSR1);
    CHECK_EQUAL(sigtimedwait(set, &info, &zero), SIGUSR1);
    CHECK_EQUAL(info.si_code, SI_USER); /* glibc makes SI_TKILL of raise into this */
    CHECK_EQUAL(info.si_pid, getpid());
    send_later(SIGRTMIN + 1, 4711);
    CHECK_EQUAL(sigtimedwait(set, &info, &much), SIGRTMIN + 1);
    CHECK_EQUAL(info.si_value.sival_int, 4711);
    reap();
    send_later(SIGUSR1, 42);
    CHECK_EQUAL(sigwaitinfo(set, &info), SIGUSR1);
    CHECK_EQUAL(info.si_value.sival_int, 42);
    reap();
    /* A handler for another signal interrupts the wait. */
    send_later(SIGUSR2, 0);
    CHECK_EQUAL(sigtimedwait(set, &info, &much), -1);
    CHECK_EQUAL(errno, EINTR);
    CHECK_EQUAL(handled, SIGUSR2);
    reap();
    puts("timed waits");
}

static void by_mask(void)
{
    sigset_t none;
    sigemptyset(&none);
    handled = 0;
    raise(SIGRTMIN + 1);
    CHECK_EQUAL(handled, 0);
    CHECK_EQUAL(sigsuspend(&none), -1);
    CHECK_EQUAL(handled, SIGRTMIN + 1);
    raise(SIGUSR1);
    struct timespec much = {30, 0};
    CHECK_EQUAL(ppoll(NULL, 0, &much, &none), -1);
    CHECK(errno == EINTR && handled == SIGUSR1);
    raise(SIGRTMIN + 1);
    CHECK_EQUAL(pselect(0, NULL, NULL, NULL, &much, &none), -1);
    CHECK(errno == EINTR && handled == SIGRTMIN + 1);
    int epoll = epoll_create1(0);
    struct epoll_event event;
    raise(SIGUSR1);
    CHECK_EQUAL(epoll_pwait(epoll, &event, 1, 30000, &none), -1);
    CHECK(errno == EINTR && handled == SIGUSR1);
    sigset_t now;
    sigprocmask(SIG_SETMASK, NULL, &now);
    CHECK(sigismember(&now, SIGUSR1) && sigismember(&now, SIGRTMIN + 1));
    close(epoll);
    puts("waits with a mask");
}

static void by_descriptor(const sigset_t *set)
{
    int fd = signalfd(-1, set, SFD_NONBLOCK);
    CHECK(fd >= 0);
    struct signalfd_siginfo infos[4];
    CHECK_EQUAL(read(fd, infos, sizeof infos), -1);
    CHECK_EQUAL(errno, EAGAIN);
    union sigval value = {.sival_int = 9};
    for (int i = 0; i < 3; i++)
        CHECK(!sigqueue(getpid(), SIGRTMIN + 1, value));
    CHECK_EQUAL(read(fd, infos, sizeof infos), 3 * (long)sizeof infos[0]);
    CHECK_EQUAL(infos[2].ssi_signo, SIGRTMIN + 1);
    CHECK_EQUAL(infos[2].ssi_int, 9);
    send_later(SIGUSR1, 1);
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    CHECK_EQUAL(poll(&poller, 1, 30000), 1);
    CHECK_EQUAL(read(fd, infos, sizeof infos), (long)sizeof infos[0]);
    CHECK_EQUAL(infos[0].ssi_signo, SIGUSR1);
    reap();
    close(fd);
    puts("signalfd");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct sigaction action = {.sa_handler = on_signal};
    const int signals[] = {SIGUSR1, SIGUSR2, SIGRTMIN + 1};
    for (int i = 0; i < 3; i++)
        CHECK(!sigaction(signals[i], &action, NULL));
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN + 1);
    CHECK(!sigprocmask(SIG_BLOCK, &set, NULL));
    timed_waits(&set);
    by_mask();
    by_descriptor(&set);
    return 0;
}
