/* SPDX-License-Identifier: MIT */
#include "engine/replay/memory_guard.h"

#include "engine/runtime/layout.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct rrs_memory_guard {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool ends; /* under the mutex */
    uint64_t keep_free_bytes;
    _Atomic pid_t groups[RRS_RUNTIME_BASES];
    atomic_uint group_count;
    atomic_bool tripped;
};

/* man 5 proc_meminfo; 0: not known. */
static uint64_t read_meminfo(const char *field)
{
    char format[64];
    unsigned long kib = 0;
    FILE *file = fopen("/proc/meminfo", "re");
    if (!file)
        return 0;
    snprintf(format, sizeof format, "%s: %%lu kB", field);
    char line[128];
    while (!kib && fgets(line, sizeof line, file))
        sscanf(line, format, &kib);
    fclose(file);
    return (uint64_t)kib * 1024;
}

static void look(struct rrs_memory_guard *guard)
{
    uint64_t available = read_meminfo("MemAvailable");
    unsigned count = atomic_load(&guard->group_count);
    if (!available || available >= guard->keep_free_bytes || !count)
        return;
    atomic_store(&guard->tripped, true);
    for (unsigned i = 0; i < count; i++)
        kill(-atomic_load(&guard->groups[i]), SIGKILL);
}

static void *run(void *context)
{
    enum { EVERY_NS = 20000000 };
    struct rrs_memory_guard *guard = context;
    pthread_mutex_lock(&guard->mutex);
    while (!guard->ends) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += EVERY_NS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&guard->wake, &guard->mutex, &until);
        if (!guard->ends)
            look(guard);
    }
    pthread_mutex_unlock(&guard->mutex);
    return NULL;
}

/* Signals are for the caller's threads. */
static int start_thread(struct rrs_memory_guard *guard)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&guard->thread, NULL, run, guard);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure;
}

struct rrs_error *rrs_memory_guard_create(uint64_t keep_free_bytes, struct rrs_memory_guard **guard)
{
    struct rrs_memory_guard *made = calloc(1, sizeof *made);
    if (!made)
        return rrs_error_no_memory();
    uint64_t part = read_meminfo("MemTotal") / 16, half = read_meminfo("MemAvailable") / 2;
    made->keep_free_bytes = keep_free_bytes ? keep_free_bytes : part < half ? part : half;
    pthread_mutex_init(&made->mutex, NULL);
    pthread_cond_init(&made->wake, NULL);
    int failure = start_thread(made);
    if (failure) {
        free(made);
        return rrs_error_os(failure, NULL, "starting a thread");
    }
    *guard = made;
    return NULL;
}

void rrs_memory_guard_destroy(struct rrs_memory_guard *guard)
{
    if (!guard)
        return;
    pthread_mutex_lock(&guard->mutex);
    guard->ends = true;
    pthread_cond_signal(&guard->wake);
    pthread_mutex_unlock(&guard->mutex);
    pthread_join(guard->thread, NULL);
    pthread_cond_destroy(&guard->wake);
    pthread_mutex_destroy(&guard->mutex);
    free(guard);
}

void rrs_memory_guard_add(struct rrs_memory_guard *guard, pid_t group)
{
    unsigned count = atomic_load(&guard->group_count);
    if (count == RRS_RUNTIME_BASES)
        return;
    atomic_store(&guard->groups[count], group);
    atomic_store(&guard->group_count, count + 1);
}

struct rrs_error *rrs_memory_guard_check(const struct rrs_memory_guard *guard)
{
    if (!atomic_load(&guard->tripped))
        return NULL;
    return rrs_error_create(RRS_ERROR_UNSUPPORTED,
                            "the replay was ended before it used up the machine's memory: less "
                            "than %lu MB were free",
                            (unsigned long)(guard->keep_free_bytes / 1000000));
}

struct rrs_error *rrs_memory_guard_explain(const struct rrs_memory_guard *guard,
                                           struct rrs_error *error)
{
    if (!error)
        return NULL;
    struct rrs_error *reason = rrs_memory_guard_check(guard);
    if (!reason && (error->code == RRS_ERROR_TRACEE_GONE || error->os_errno == ESRCH))
        reason = rrs_error_create(RRS_ERROR_OS, "a process of the replay was killed, by somebody "
                                                "or for want of memory");
    if (!reason)
        return error;
    rrs_error_destroy(error);
    return reason;
}
