/* SPDX-License-Identifier: MIT */
/* Test that a signal that a thread sends to itself is handled before the call returns, though other
 * threads run. */
#include "tests/guest/guest.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/syscall.h>

enum { ROUNDS = 40 };

static atomic_bool over;
static volatile sig_atomic_t handled;

static void on_signal(int signal_number)
{
    (void)signal_number;
    handled++;
}

static void *spin(void *unused)
{
    while (!over)
        ;
    return unused;
}

/* tgkill and a look at the handler's mark, with no jump between them; returns the mark. */
static int kill_and_look(long group, long thread)
{
    long result = SYS_tgkill;
    int seen;
    __asm__ volatile("syscall\n"
                     "mov (%3), %1"
                     : "+a"(result), "=&r"(seen)
                     : "D"(group), "r"(&handled), "S"(thread), "d"((long)SIGUSR1)
                     : "rcx", "r11", "memory");
    CHECK_EQUAL(result, 0);
    return seen;
}

int main(void)
{
    pthread_t threads[2];
    struct sigaction action = {.sa_handler = on_signal};
    CHECK(!sigaction(SIGUSR1, &action, NULL));
    for (int i = 0; i < 2; i++)
        CHECK(!pthread_create(&threads[i], NULL, spin, NULL));
    for (int i = 1; i <= ROUNDS; i++)
        CHECK_EQUAL(kill_and_look(getpid(), syscall(SYS_gettid)), i);
    over = 1;
    for (int i = 0; i < 2; i++)
        CHECK(!pthread_join(threads[i], NULL));
    printf("done\n");
    return 0;
}
