/* SPDX-License-Identifier: MIT */
/* The writer's threads: workers, which prepare; the committer (committer.c); the syncer. */
#include "lmdb-store/writer_state.h"

#include "lmdb-store/clock.h"

#include <sched.h>
#include <signal.h>
#include <time.h>

static void *worker_main(void *argument)
{
    struct rrs_worker *worker = argument;
    struct rrs_work_queue *queue = &worker->writer->queue;
    for (struct rrs_work_item *item; (item = rrs_work_queue_take(queue));) {
        /* Behind a failure nothing is applied, so nothing needs preparing. */
        if (!atomic_load(&worker->writer->has_failed))
            item->error = item->operations->prepare(item, worker);
        rrs_work_queue_give_back(queue, item);
    }
    return NULL;
}

static void sync_if_needed(struct rrs_trace_writer *writer)
{
    if (!atomic_exchange(&writer->syncer.has_work, false))
        return;
    struct rrs_error *error = rrs_environment_sync(writer->environment);
    if (error)
        rrs_trace_writer_fail(writer, error);
}

/* A thread of its own, because a sync can take longer than the queue can bridge. */
static void *syncer_main(void *argument)
{
    struct rrs_trace_writer *writer = argument;
    struct rrs_work_queue *queue = &writer->queue;
    rrs_work_queue_lock(queue);
    while (!queue->stopping) {
        uint64_t until_ns =
            rrs_clock_ns(CLOCK_MONOTONIC) + UINT64_C(1000000) * RRS_SYNC_INTERVAL_MS;
        rrs_work_queue_wait_stop_locked(queue, until_ns);
        rrs_work_queue_unlock(queue);
        sync_if_needed(writer);
        rrs_work_queue_lock(queue);
    }
    rrs_work_queue_unlock(queue);
    return NULL;
}

static struct rrs_error *start(pthread_t *thread, void *(*main)(void *), void *argument)
{
    int code = pthread_create(thread, NULL, main, argument);
    return code ? rrs_error_os(code, NULL, "cannot start a thread") : NULL;
}

static int count_cpus(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

static struct rrs_error *start_worker(struct rrs_trace_writer *writer, struct rrs_worker *worker)
{
    worker->writer = writer;
    worker->transaction.environment = writer->environment;
    RRS_TRY(rrs_frame_encoder_create(&worker->encoder));
    RRS_TRY(rrs_packer_create(&worker->packer));
    RRS_TRY(start(&worker->thread, worker_main, worker));
    writer->n_workers++;
    return NULL;
}

static struct rrs_error *start_committer(struct rrs_trace_writer *writer)
{
    struct rrs_committer *committer = &writer->committer;
    RRS_TRY(rrs_packer_create(&committer->packer));
    RRS_TRY(rrs_unpacker_create(&committer->unpacker));
    RRS_TRY(rrs_frame_encoder_create(&committer->encoder));
    return start(&committer->thread, rrs_committer_main, committer);
}

static void stop_workers(struct rrs_trace_writer *writer)
{
    for (int i = 0; i < writer->n_workers; i++) {
        pthread_join(writer->workers[i].thread, NULL);
        if (writer->workers[i].transaction.txn)
            mdb_txn_abort(writer->workers[i].transaction.txn);
    }
}

static struct rrs_error *start_all(struct rrs_trace_writer *writer)
{
    int n_workers = count_cpus();
    if (n_workers > RRS_MAX_WORKERS)
        n_workers = RRS_MAX_WORKERS;
    while (writer->n_workers < n_workers)
        RRS_TRY(start_worker(writer, &writer->workers[writer->n_workers]));
    RRS_TRY(start(&writer->syncer.thread, syncer_main, writer));
    struct rrs_error *error = start_committer(writer);
    if (error) {
        rrs_work_queue_stop(&writer->queue);
        pthread_join(writer->syncer.thread, NULL);
    }
    return error;
}

struct rrs_error *rrs_writer_threads_start(struct rrs_trace_writer *writer)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    struct rrs_error *error = start_all(writer);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error) {
        rrs_work_queue_stop(&writer->queue);
        stop_workers(writer);
    }
    writer->threads_running = !error;
    return error;
}

void rrs_writer_threads_stop(struct rrs_trace_writer *writer)
{
    if (!writer->threads_running)
        return;
    writer->threads_running = false;
    rrs_work_queue_stop(&writer->queue);
    pthread_join(writer->committer.thread, NULL);
    pthread_join(writer->syncer.thread, NULL);
    stop_workers(writer);
}
