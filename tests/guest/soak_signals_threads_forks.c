/* SPDX-License-Identifier: MIT */
/* Test that threads, forks and timers under a storm of signals leave every checksum right, for a
 * long time. */
#include "tests/guest/guest.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

enum { THREADS = 3, SECONDS_DEFAULT = 60 };

static atomic_bool over;
static atomic_ulong handled, rounds;
static uint64_t expected[16];

static uint64_t checksum(unsigned seed)
{
    uint64_t hash = seed + 1;
    double sum = 0;
    for (unsigned i = 0; i < 3000; i++) {
        hash = (hash << 9 | hash >> 55) * 0x9E3779B97F4A7C15u + i;
        sum += (double)(hash >> 33) / 7;
        uint64_t carry = hash, count = hash & 15;
        __asm__ volatile("clc\n1: jrcxz 2f\nlea -1(%%rcx), %%rcx\nadc %0, %0\njmp 1b\n2: adc $0, %0"
                         : "+r"(carry), "+c"(count)
                         :
                         : "cc");
        hash ^= carry;
    }
    uint64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    return hash ^ bits;
}

static void on_signal(int signal_number)
{
    int saved = errno;
    (void)signal_number;
    handled++;
    checksum(3);
    errno = saved;
}

static unsigned next(unsigned *state)
{
    *state = *state * 1103515245 + 12345;
    return *state >> 16;
}

static void fork_one(unsigned *state)
{
    unsigned which = next(state) % 16;
    int killed = next(state) % 4 == 0;
    pid_t child = fork(), waited;
    CHECK(child >= 0);
    if (!child) {
        for (int i = 0; killed || i < 3; i++)
            if (checksum(which) != expected[which])
                _exit(9);
        _exit(4);
    }
    if (next(state) % 2)
        kill(child, SIGUSR1);
    if (killed)
        kill(child, SIGKILL);
    int status;
    while ((waited = waitpid(child, &status, 0)) < 0)
        CHECK(errno == EINTR);
    CHECK_EQUAL(waited, child);
    CHECK_EQUAL(status, killed ? SIGKILL : 4 << 8);
}

static void map_and_unmap(void)
{
    static const unsigned char function[] = {0xb8, 42, 0, 0, 0, 0xc3}; /* mov $42, %eax; ret */
    unsigned char *area =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(area != MAP_FAILED);
    for (unsigned char i = 0; i < 3; i++) {
        memcpy(area, function, sizeof function);
        area[1] = i;
        CHECK_EQUAL(((int (*)(void))area)(), i);
    }
    CHECK(!munmap(area, 4096));
}

static void wait_a_little(void)
{
    struct epoll_event event;
    int epoll = epoll_create1(0);
    CHECK(epoll >= 0);
    int result = epoll_wait(epoll, &event, 1, 1);
    CHECK(!result || errno == EINTR);
    close(epoll);
}

static void *work(void *argument)
{
    unsigned state = (unsigned)(uintptr_t)argument;
    while (!over) {
        unsigned which = next(&state) % 16;
        CHECK_EQUAL(checksum(which), expected[which]);
        rounds++;
        switch (next(&state) % 12) {
        case 0:
            fork_one(&state);
            break;
        case 1:
            map_and_unmap();
            break;
        case 2:
            wait_a_little();
            break;
        case 3:
            raise(SIGUSR2);
            break;
        case 4:
            sched_yield();
            break;
        case 5:
            kill(getpid(), SIGWINCH);
            break;
        default:
            break;
        }
    }
    return NULL;
}

static void *nothing(void *argument)
{
    kill(getpid(), SIGUSR1);
    return argument;
}

static void storm(void)
{
    const int numbers[] = {SIGUSR1, SIGUSR2, SIGVTALRM, SIGRTMIN};
    for (int i = 0; i < 4; i++) {
        struct sigaction action = {.sa_handler = on_signal, .sa_flags = i % 2 ? SA_RESTART : 0};
        CHECK(!sigaction(numbers[i], &action, NULL));
    }
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
    struct itimerspec every = {{0, 1300000}, {0, 1300000}};
    CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer));
    CHECK(!timer_settime(timer, 0, &every, NULL));
    struct itimerval user_time = {{0, 1700}, {0, 1700}};
    CHECK(!setitimer(ITIMER_VIRTUAL, &user_time, NULL));
}

int main(int argc, char **argv)
{
    int seconds = argc > 1 ? atoi(argv[1]) : SECONDS_DEFAULT;
    unsigned seed = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 0) : (unsigned)time(NULL);
    fprintf(stderr, "seed %u\n", seed);
    for (unsigned i = 0; i < 16; i++)
        expected[i] = checksum(i);
    storm();
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK(!pthread_create(&threads[i], NULL, work, (void *)(seed + i)));
    for (time_t end = time(NULL) + seconds; time(NULL) < end;) {
        pthread_t brief;
        CHECK(!pthread_create(&brief, NULL, nothing, NULL) && !pthread_join(brief, NULL));
        struct timespec pause = {0, 2000000};
        nanosleep(&pause, NULL);
    }
    over = true;
    for (int i = 0; i < THREADS; i++)
        CHECK(!pthread_join(threads[i], NULL));
    CHECK(handled > 0 && rounds > 0);
    printf("done\n");
    return 0;
}
