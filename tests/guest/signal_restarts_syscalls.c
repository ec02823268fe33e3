/* SPDX-License-Identifier: MIT */
/* Test that interrupted syscalls restart, fail with EINTR or report the rest, by SA_RESTART and by
 * the call's own rules. */
#include "tests/guest/guest.h"

#include <poll.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

/* Shared with the helper, who sends no signal before the one before is handled: two would be one. */
static volatile int *handled_cell;
#define handled (*handled_cell)

static void on_usr1(int signal_number)
{
    (void)signal_number;
    handled++;
}

static void install(int flags)
{
    struct sigaction action = {.sa_handler = on_usr1, .sa_flags = flags};
    CHECK(!sigaction(SIGUSR1, &action, NULL));
    if (!handled_cell)
        handled_cell = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(handled_cell != MAP_FAILED);
    handled = 0;
}

/* A child that signals its parent `signals` times, 4 ms apart, then writes one byte if `byte` is
 * not 0. */
static pid_t helper(int signals, int fd, char byte)
{
    pid_t parent = getpid(), child = fork();
    CHECK(child >= 0);
    if (child)
        return child;
    for (int i = 0; i < signals; i++) {
        usleep(4000);
        int before = handled;
        kill(parent, SIGUSR1);
        while (handled == before)
            usleep(200);
    }
    usleep(4000);
    if (byte)
        CHECK(write(fd, &byte, 1) == 1);
    _exit(0);
}

static void reap(pid_t child)
{
    int status;
    pid_t reaped;
    while ((reaped = waitpid(child, &status, 0)) < 0)
        CHECK(errno == EINTR);
    CHECK(reaped == child && status == 0);
}

static void reads(void)
{
    int fds[2];
    char byte = 0;
    CHECK(!pipe(fds));
    install(SA_RESTART);
    pid_t child = helper(3, fds[1], 'r');
    CHECK_EQUAL(read(fds[0], &byte, 1), 1);
    CHECK(byte == 'r');
    CHECK_EQUAL(handled, 3);
    reap(child);
    install(0);
    child = helper(1, fds[1], 'n');
    CHECK_EQUAL(read(fds[0], &byte, 1), -1);
    CHECK_EQUAL(errno, EINTR);
    CHECK_EQUAL(handled, 1);
    CHECK_EQUAL(read(fds[0], &byte, 1), 1);
    reap(child);
    close(fds[0]);
    close(fds[1]);
    puts("read: restarted, interrupted");
}

static void sockets(void)
{
    int fds[2];
    char byte;
    CHECK(!socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
    install(SA_RESTART);
    pid_t child = helper(2, fds[1], 's');
    CHECK_EQUAL(recv(fds[0], &byte, 1, 0), 1);
    reap(child);
    struct timeval timeout = {5, 0};
    CHECK(!setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout));
    child = helper(1, fds[1], 0);
    CHECK_EQUAL(recv(fds[0], &byte, 1, 0),
                -1); /* with a time limit never restarted: man 7 signal */
    CHECK_EQUAL(errno, EINTR);
    reap(child);
    close(fds[0]);
    close(fds[1]);
    puts("recv: restarted, with timeout interrupted");
}

static void sleeps(void)
{
    install(SA_RESTART);
    pid_t child = helper(1, -1, 0);
    struct timespec wanted = {20, 0}, rest = {0};
    CHECK_EQUAL(nanosleep(&wanted, &rest), -1);
    CHECK_EQUAL(errno, EINTR);
    CHECK(rest.tv_sec <= 19 && rest.tv_sec > 0);
    reap(child);
    child = helper(1, -1, 0);
    CHECK_EQUAL(poll(NULL, 0, 20000), -1);
    CHECK_EQUAL(errno, EINTR);
    reap(child);
    child = helper(1, -1, 0);
    struct timeval timeout = {20, 0};
    CHECK_EQUAL(select(0, NULL, NULL, NULL, &timeout), -1);
    CHECK_EQUAL(errno, EINTR);
    reap(child);
    child = helper(1, -1, 0);
    CHECK_EQUAL(pause(), -1);
    CHECK_EQUAL(errno, EINTR);
    reap(child);
    puts("nanosleep, poll, select, pause: always interrupted");
}

static void waits(void)
{
    install(SA_RESTART);
    int status;
    pid_t parent = getpid(), child = fork();
    CHECK(child >= 0);
    if (!child) {
        for (int i = 0; i < 3; i++) {
            usleep(3000);
            kill(parent, SIGUSR1);
        }
        usleep(3000);
        _exit(7);
    }
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    CHECK_EQUAL(handled, 3);
    puts("waitpid: restarted");
}

/* A handler that runs over a pipe write of more than the pipe holds: the count tells what was
 * written. */
static void partial_write(void)
{
    int fds[2];
    static char big[300000];
    CHECK(!pipe(fds));
    install(0);
    pid_t parent = getpid(), child = fork();
    if (!child) {
        close(fds[1]);
        usleep(8000);
        kill(parent, SIGUSR1);
        usleep(8000);
        size_t total = 0;
        ssize_t part;
        while ((part = read(fds[0], big, sizeof big)) > 0)
            total += (size_t)part;
        _exit(total == sizeof big ? 0 : 1);
    }
    close(fds[0]);
    ssize_t written = write(fds[1], big, sizeof big);
    CHECK(written > 0 && written < (ssize_t)sizeof big);
    CHECK_EQUAL(handled, 1);
    size_t done = (size_t)written;
    while (done < sizeof big) {
        written = write(fds[1], big + done, sizeof big - done);
        CHECK(written > 0);
        done += (size_t)written;
    }
    close(fds[1]);
    reap(child);
    puts("write: part reported, rest written");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    reads();
    sockets();
    sleeps();
    waits();
    partial_write();
    return 0;
}
