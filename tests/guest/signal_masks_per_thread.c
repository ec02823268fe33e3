/* SPDX-License-Identifier: MIT */
/* Test that signals reach the thread they are sent to, and one sent to the process a thread that
 * does not block it. */
#include "tests/guest/guest.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>

enum { THREADS = 4, ROUNDS = 50 };

static __thread int my_index;
static volatile int handled_by[THREADS + 1], process_signals[THREADS + 1];
static volatile int stop;
static sem_t started;

static void on_thread_signal(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    (void)context;
    CHECK_EQUAL(info->si_code, SI_TKILL);
    handled_by[my_index]++;
}

static void on_process_signal(int signal_number)
{
    (void)signal_number;
    process_signals[my_index]++;
}

/* Even threads spin, odd ones sleep; only thread 3 takes SIGUSR2. */
static void *work(void *argument)
{
    my_index = (int)(long)argument;
    if (my_index != 3) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR2);
        CHECK(!pthread_sigmask(SIG_BLOCK, &set, NULL));
    }
    sem_post(&started);
    while (!stop)
        if (my_index % 2)
            usleep(300);
    return NULL;
}

static void wait_for(volatile int *count, int wanted)
{
    while (*count < wanted)
        usleep(100);
}

int main(void)
{
    pthread_t threads[THREADS + 1];
    struct sigaction action = {.sa_sigaction = on_thread_signal, .sa_flags = SA_SIGINFO};
    CHECK(!sigaction(SIGUSR1, &action, NULL));
    struct sigaction process = {.sa_handler = on_process_signal};
    CHECK(!sigaction(SIGUSR2, &process, NULL));
    sem_init(&started, 0, 0);
    for (long i = 1; i <= THREADS; i++)
        CHECK(!pthread_create(&threads[i], NULL, work, (void *)i));
    for (int i = 0; i < THREADS; i++)
        while (sem_wait(&started))
            CHECK(errno == EINTR);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    CHECK(!pthread_sigmask(SIG_BLOCK, &set, NULL));
    for (int round = 1; round <= ROUNDS; round++) {
        for (int i = 1; i <= THREADS; i++) {
            CHECK(!pthread_kill(threads[i], SIGUSR1));
            wait_for(&handled_by[i], round);
        }
        CHECK(!kill(getpid(), SIGUSR2));
        wait_for(&process_signals[3], round);
    }
    stop = 1;
    for (int i = 1; i <= THREADS; i++) {
        CHECK(!pthread_join(threads[i], NULL));
        CHECK_EQUAL(handled_by[i], ROUNDS);
        CHECK_EQUAL(process_signals[i], i == 3 ? ROUNDS : 0);
    }
    CHECK_EQUAL(handled_by[0], 0);
    puts("each in its thread");
    return 0;
}
