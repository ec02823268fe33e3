/* SPDX-License-Identifier: MIT */
/* Test that sessions, process groups and a pseudo-terminal with job control work: ^C and ^Z reach
 * the foreground group. */
#include "tests/guest/guest.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    interrupted++;
}

static void groups(void)
{
    pid_t children[3];
    for (int i = 0; i < 3; i++) {
        children[i] = fork();
        CHECK(children[i] >= 0);
        if (!children[i])
            for (;;)
                pause();
        CHECK(!setpgid(children[i], children[0]));
        CHECK_EQUAL(getpgid(children[i]), children[0]);
    }
    int status;
    CHECK(!killpg(children[0], SIGTERM));
    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(waitpid(-children[0], &status, 0) > 0, 1);
        CHECK_EQUAL(status, SIGTERM);
    }
    CHECK_EQUAL(killpg(children[0], 0), -1);
    CHECK_EQUAL(errno, ESRCH);
    puts("groups");
}

/* The leader of a session on the terminal: a foreground child, stopped and continued by keys. */
static void session(const char *terminal)
{
    CHECK(setsid() == getpid());
    int fd = open(terminal, O_RDWR);
    CHECK(fd >= 0);
    CHECK(!ioctl(fd, TIOCSCTTY, 0));
    CHECK_EQUAL(tcgetpgrp(fd), getpid());
    signal(SIGTTOU, SIG_IGN);
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        setpgid(0, 0);
        struct sigaction action = {.sa_handler = on_interrupt};
        sigaction(SIGINT, &action, NULL);
        while (tcgetpgrp(fd) != getpid())
            usleep(200);
        CHECK(write(fd, "ready\n", 6) == 6);
        while (!interrupted)
            pause();
        CHECK(write(fd, "interrupted\n", 12) == 12);
        for (;;)
            pause();
    }
    setpgid(child, child);
    CHECK(!tcsetpgrp(fd, child));
    int status;
    CHECK_EQUAL(waitpid(child, &status, WUNTRACED), child);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP);
    CHECK(!tcsetpgrp(fd, getpid()));
    CHECK(write(fd, "stopped\n", 8) == 8);
    CHECK(!kill(child, SIGKILL) && waitpid(child, &status, 0) == child);
    _exit(0);
}

static void expect(int master, const char *text)
{
    char seen[512];
    size_t length = 0;
    do {
        ssize_t part = read(master, seen + length, sizeof seen - 1 - length);
        CHECK(part > 0);
        length += (size_t)part;
        seen[length] = 0;
    } while (!strstr(seen, text));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    groups();
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0)
        guest_skip("no pseudo-terminals");
    CHECK(!grantpt(master) && !unlockpt(master));
    struct winsize size = {24, 80, 0, 0};
    CHECK(!ioctl(master, TIOCSWINSZ, &size));
    char name[64];
    CHECK(!ptsname_r(master, name, sizeof name));
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child)
        session(name);
    expect(master, "ready");
    CHECK(write(master, "\003", 1) == 1);
    expect(master, "interrupted");
    CHECK(write(master, "\032", 1) == 1);
    expect(master, "stopped");
    int status;
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK_EQUAL(status, 0);
    puts("terminal");
    return 0;
}
