/* SPDX-License-Identifier: MIT */
/*
 * The committer: applies what is queued, in order, in write transactions, and decides when to
 * commit.
 *
 * A commit is due after RRS_COMMIT_BYTES, and every RRS_COMMIT_INTERVAL_MS, for the promise of what
 * a kill may cost. At the second kind the appender may be half way through a frame, and may be
 * waiting for the recorded program for hours; so the beginning of that frame is packed and written
 * from here (a snapshot), under the number under which the whole frame will follow.
 */
#include "lmdb-store/writer_state.h"

#include "lmdb-store/clock.h"
#include "lmdb-store/metadata_format.h"

#include <stdio.h>

static void set_deadline(struct rrs_committer *committer)
{
    committer->deadline_ns =
        rrs_clock_ns(CLOCK_MONOTONIC) + UINT64_C(1000000) * RRS_COMMIT_INTERVAL_MS;
}

static struct rrs_error *begin(struct rrs_committer *committer)
{
    if (committer->transaction.txn)
        return NULL;
    struct rrs_environment *environment = committer->transaction.environment;
    int code =
        mdb_txn_begin(rrs_environment_lmdb(environment), NULL, 0, &committer->transaction.txn);
    if (!code)
        return NULL;
    committer->transaction.txn = NULL;
    return rrs_lmdb_error(code, rrs_environment_data_path(environment),
                          "cannot write to the trace");
}

static void abort_transaction(struct rrs_committer *committer)
{
    if (committer->transaction.txn)
        mdb_txn_abort(committer->transaction.txn);
    committer->transaction.txn = NULL;
    committer->uncommitted_bytes = 0;
}

/* Keeps the writer's memory and the file's waste bounded. */
static void tidy_sometimes(struct rrs_committer *committer)
{
    if (++committer->n_untidied_commits < RRS_TIDY_COMMITS)
        return;
    committer->n_untidied_commits = 0;
    rrs_environment_tidy(committer->transaction.environment);
}

/* Commits what is applied, if anything is. */
static struct rrs_error *commit(struct rrs_committer *committer)
{
    MDB_txn *txn = committer->transaction.txn;
    if (txn) {
        const char *path = rrs_environment_data_path(committer->transaction.environment);
        committer->transaction.txn = NULL;
        committer->uncommitted_bytes = 0;
        int code = mdb_txn_commit(txn);
        if (code)
            return rrs_lmdb_error(code, path, "cannot commit to the trace");
        atomic_store(&committer->writer->syncer.has_work, true);
        tidy_sometimes(committer);
    }
    set_deadline(committer);
    rrs_work_queue_complete(&committer->writer->queue, committer->applied_sequence);
    return NULL;
}

/* Applies an item whose pusher waits: alone, so that its failure costs nothing else. */
static struct rrs_error *apply_alone(struct rrs_committer *committer, struct rrs_work_item *item)
{
    RRS_TRY(commit(committer));
    RRS_TRY(begin(committer));
    struct rrs_error *error = item->operations->apply(item, committer);
    if (error && (error->code == RRS_ERROR_DISK_FULL || error->code == RRS_ERROR_OS))
        return error;
    if (error)
        abort_transaction(committer);
    *item->result = error;
    committer->applied_sequence = item->sequence;
    return commit(committer);
}

static struct rrs_error *apply(struct rrs_committer *committer, struct rrs_work_item *item)
{
    if (item->error) {
        struct rrs_error *error = item->error;
        item->error = NULL;
        return error;
    }
    if (item->result)
        return apply_alone(committer, item);
    RRS_TRY(begin(committer));
    RRS_TRY(item->operations->apply(item, committer));
    committer->applied_sequence = item->sequence;
    committer->uncommitted_bytes += item->cost_bytes;
    return item->commits ? commit(committer) : NULL;
}

static struct rrs_error *take_snapshot(struct rrs_committer *committer)
{
    struct rrs_trace_writer *writer = committer->writer;
    rrs_work_queue_lock(&writer->queue);
    struct rrs_error *error =
        rrs_event_log_take_snapshot(writer, committer->encoder, &committer->snapshot);
    committer->snapshot.after_sequence = writer->queue.pushed_sequence;
    rrs_work_queue_unlock(&writer->queue);
    return error;
}

static struct rrs_error *write_snapshot(struct rrs_committer *committer)
{
    struct rrs_packed_frame *frame = committer->snapshot.frame;
    committer->snapshot.frame = NULL;
    struct rrs_error *error = begin(committer);
    if (!error)
        error = rrs_packed_frame_write(frame, &committer->transaction);
    rrs_packed_frame_destroy(frame);
    RRS_TRY(error);
    return commit(committer);
}

/* Commits if it is time to, and takes care that what is staged gets its turn. */
static struct rrs_error *keep_promise(struct rrs_committer *committer)
{
    bool is_due = rrs_clock_ns(CLOCK_MONOTONIC) >= committer->deadline_ns;
    if (is_due || committer->uncommitted_bytes >= RRS_COMMIT_BYTES)
        RRS_TRY(commit(committer));
    if (is_due && !committer->snapshot.frame)
        RRS_TRY(take_snapshot(committer));
    /* What the snapshot names was queued before it was taken, and must be applied first. */
    if (committer->snapshot.frame &&
        committer->applied_sequence >= committer->snapshot.after_sequence)
        RRS_TRY(write_snapshot(committer));
    return NULL;
}

/* An end that the trace has already is that of the recording: it stays. */
static struct rrs_error *write_end_if_none(struct rrs_committer *committer,
                                           const struct rrs_trace_end *end)
{
    struct rrs_trace_end present;
    bool found;
    RRS_TRY(begin(committer));
    RRS_TRY(rrs_trace_end_read(&committer->transaction, &present, &found));
    if (found)
        return NULL;
    RRS_TRY(rrs_trace_end_write(&committer->transaction, end));
    return commit(committer);
}

/* Tries to leave a word about a full disk: a small transaction may fit into pages that are free
 * inside the file. That it may not is no news. */
static void write_epitaph(struct rrs_committer *committer, const struct rrs_error *failure)
{
    struct rrs_trace_end end = {.end_kind = failure->code == RRS_ERROR_DISK_FULL
                                                ? RRS_TRACE_END_DISK_FULL
                                                : RRS_TRACE_END_FAILED};
    end.wall_ns = rrs_clock_ns(CLOCK_REALTIME);
    snprintf(end.detail, sizeof end.detail, "%s", failure->message);
    struct rrs_error *error = write_end_if_none(committer, &end);
    abort_transaction(committer);
    rrs_error_destroy(error);
}

/* From now on whatever comes is given up unread. */
static void fail(struct rrs_committer *committer, struct rrs_error *error)
{
    abort_transaction(committer);
    write_epitaph(committer, error);
    rrs_trace_writer_fail(committer->writer, error);
}

void *rrs_committer_main(void *argument)
{
    struct rrs_committer *committer = argument;
    struct rrs_trace_writer *writer = committer->writer;
    set_deadline(committer);
    while (!rrs_work_queue_is_stopping(&writer->queue)) {
        struct rrs_work_item *item = rrs_work_queue_wait(&writer->queue, committer->deadline_ns);
        struct rrs_error *error = NULL;
        bool has_failed = atomic_load(&writer->has_failed);
        if (item && !has_failed)
            error = apply(committer, item);
        if (!error && !has_failed)
            error = keep_promise(committer);
        if (error)
            fail(committer, error);
        if (has_failed)
            set_deadline(committer);
        if (item) {
            uint64_t sequence = item->sequence;
            rrs_work_queue_pop(&writer->queue);
            if (has_failed || error)
                rrs_work_queue_complete(&writer->queue, sequence);
        }
    }
    abort_transaction(committer);
    return NULL;
}
