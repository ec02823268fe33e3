/* SPDX-License-Identifier: MIT */
/* Test that raw futex operations, robust and priority-inheriting mutexes, cancellation and
 * clear_child_tid do what they say. */
#include "tests/guest/guest.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static atomic_uint words[3];
static atomic_int woken, asleep;

static long futex(void *word, int operation, uint32_t value, uintptr_t timeout, void *word2,
                  uint32_t value3)
{
    long result = syscall(SYS_futex, word, operation, value, timeout, word2, value3);
    return result < 0 ? -errno : result;
}

static void *waiter(void *unused)
{
    asleep++;
    CHECK_EQUAL(futex(&words[0], FUTEX_WAIT_PRIVATE, 0, 0, NULL, 0), 0);
    woken++;
    return unused;
}

static void requeue(void)
{
    pthread_t threads[5];
    for (int i = 0; i < 5; i++)
        CHECK(!pthread_create(&threads[i], NULL, waiter, NULL));
    long moved = 0;
    while (moved < 3) /* until three sleep there, then three wait on the other word */
        moved += futex(&words[0], FUTEX_REQUEUE_PRIVATE, 0, (uintptr_t)(3 - moved), &words[1], 0);
    CHECK_EQUAL(moved, 3);
    CHECK_EQUAL(woken, 0);
    long woke = 0;
    while (woke < 3)
        woke += futex(&words[1], FUTEX_WAKE_PRIVATE, 1, 0, NULL, 0);
    while (woke < 5)
        woke += futex(&words[0], FUTEX_WAKE_PRIVATE, 5, 0, NULL, 0);
    for (int i = 0; i < 5; i++)
        CHECK(!pthread_join(threads[i], NULL));
    CHECK_EQUAL(woken, 5);
    CHECK_EQUAL(futex(&words[0], FUTEX_CMP_REQUEUE_PRIVATE, 1, 1, &words[1], 99), -EAGAIN);
    CHECK_EQUAL(futex(&words[0], FUTEX_WAIT_PRIVATE, 99, 0, NULL, 0), -EAGAIN);
    struct timespec little = {0, 2000000};
    CHECK_EQUAL(futex(&words[0], FUTEX_WAIT_PRIVATE, 0, (uintptr_t)&little, NULL, 0), -ETIMEDOUT);
    CHECK_EQUAL(futex((char *)words + 1, FUTEX_WAIT_PRIVATE, 0, 0, NULL, 0), -EINVAL);
    puts("wait, wake, requeue");
}

static pthread_mutex_t robust, inherit;
static atomic_int held;

static void *die_holding(void *unused)
{
    pthread_mutex_lock(&robust);
    held = 1;
    return unused;
}

static void *hold_for_a_while(void *unused)
{
    pthread_mutex_lock(&inherit);
    held = 2;
    usleep(5000);
    pthread_mutex_unlock(&inherit);
    return unused;
}

static void mutexes(void)
{
    pthread_mutexattr_t attributes;
    pthread_t thread;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust, &attributes);
    CHECK(!pthread_create(&thread, NULL, die_holding, NULL));
    CHECK(!pthread_join(thread, NULL));
    CHECK_EQUAL(pthread_mutex_lock(&robust), EOWNERDEAD);
    CHECK(!pthread_mutex_consistent(&robust) && !pthread_mutex_unlock(&robust));
    CHECK(!pthread_mutex_lock(&robust));

    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&inherit, &attributes);
    CHECK(!pthread_create(&thread, NULL, hold_for_a_while, NULL));
    while (held != 2)
        usleep(100);
    CHECK(!pthread_mutex_lock(&inherit));
    CHECK(!pthread_join(thread, NULL));
    CHECK_EQUAL(inherit.__data.__lock & 0x3fffffff, (int)syscall(SYS_gettid));
    CHECK(!pthread_mutex_unlock(&inherit));
    CHECK_EQUAL(inherit.__data.__lock, 0);
    puts("robust and inheriting mutexes");
}

/* A robust mutex in shared memory whose owner is killed. */
static void killed_owner(void)
{
    pthread_mutex_t *shared =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(shared, &attributes);
    pid_t child = fork();
    if (!child) {
        pthread_mutex_lock(shared);
        kill(getpid(), 9);
    }
    CHECK(waitpid(child, NULL, 0) == child);
    CHECK_EQUAL(pthread_mutex_lock(shared), EOWNERDEAD);
    puts("killed owner seen");
}

static atomic_int cleaned;
static void cleanup(void *unused)
{
    (void)unused;
    cleaned++;
}

static void *cancelled(void *spinning)
{
    pthread_cleanup_push(cleanup, NULL);
    if (spinning)
        pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    held = 3;
    while (spinning)
        __asm__ volatile("" ::: "memory");
    for (;;)
        pause();
    pthread_cleanup_pop(0);
    return NULL;
}

static void cancellation(void)
{
    for (long spinning = 0; spinning < 2; spinning++) {
        pthread_t thread;
        void *result;
        held = 0;
        CHECK(!pthread_create(&thread, NULL, cancelled, (void *)spinning));
        while (held != 3)
            usleep(100);
        CHECK(!pthread_cancel(thread) && !pthread_join(thread, &result));
        CHECK(result == PTHREAD_CANCELED);
    }
    CHECK_EQUAL(cleaned, 2);
    puts("cancelled");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    requeue();
    mutexes();
    killed_owner();
    cancellation();
    return 0;
}
