/* SPDX-License-Identifier: MIT */
/* Test that stop signals stop, SIGCONT continues and cancels stops, and the parent sees each change
 * once. */
#include "tests/guest/guest.h"

#include <signal.h>
#include <sys/wait.h>

static volatile unsigned long counter;
static volatile sig_atomic_t continued;

static void on_continue(int signal_number)
{
    (void)signal_number;
    continued++;
}

static pid_t start(void (*body)(void))
{
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    setpgid(child, child);
    if (!child) {
        setpgid(0, 0); /* SIGTSTP does not stop a member of an orphaned group */
        body();
        _exit(9);
    }
    return child;
}

static void spin(void)
{
    while (!continued)
        counter++;
}

static void stop_self(void)
{
    for (int i = 0; i < 3; i++)
        raise(i == 1 ? SIGTSTP : SIGSTOP);
}

static void sleep_long(void)
{
    sleep(60);
}

/* Without WCONTINUED: a child that stops or ends again at once shows its latest change only. */
static int wait_change(pid_t child)
{
    int status;
    CHECK_EQUAL(waitpid(child, &status, WUNTRACED), child);
    return status;
}

static void expect_stopped(pid_t child, int signal_number)
{
    int status = wait_change(child);
    CHECK(WIFSTOPPED(status));
    CHECK_EQUAL(WSTOPSIG(status), signal_number);
}

static void go_on(pid_t child)
{
    CHECK(!kill(child, SIGCONT));
}

static void expect_exit(pid_t child)
{
    int status = wait_change(child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 9);
}

int main(void)
{
    pid_t child = start(stop_self);
    expect_stopped(child, SIGSTOP);
    go_on(child);
    expect_stopped(child, SIGTSTP);
    go_on(child);
    expect_stopped(child, SIGSTOP);
    go_on(child);
    expect_exit(child);
    puts("stops itself");

    signal(SIGCONT, on_continue); /* the child must not be late with it */
    child = start(spin);
    signal(SIGCONT, SIG_DFL);
    usleep(3000);
    CHECK(!kill(child, SIGSTOP));
    expect_stopped(child, SIGSTOP);
    go_on(child);
    expect_exit(child);
    puts("stopped while computing");

    child = start(sleep_long);
    usleep(3000);
    CHECK(!kill(child, SIGTTIN));
    expect_stopped(child, SIGTTIN);
    CHECK(!kill(child, SIGTERM)); /* waits until the child goes on */
    CHECK_EQUAL(waitpid(child, NULL, WNOHANG), 0);
    CHECK(!kill(child, SIGCONT));
    int status = wait_change(child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    puts("terminated after a stop");

    child = start(sleep_long);
    usleep(3000);
    CHECK(!kill(child, SIGSTOP));
    expect_stopped(child, SIGSTOP);
    CHECK(!kill(child, SIGKILL));
    status = wait_change(child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    puts("killed while stopped");

    child = start(sleep_long);
    CHECK(!kill(child, SIGSTOP));
    expect_stopped(child, SIGSTOP);
    go_on(child);
    CHECK_EQUAL(waitpid(child, &status, WCONTINUED), child);
    CHECK(WIFCONTINUED(status));
    CHECK(!kill(child, SIGKILL));
    CHECK(WIFSIGNALED(wait_change(child)));
    puts("seen to go on");
    return 0;
}
