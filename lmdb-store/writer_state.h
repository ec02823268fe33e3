/* SPDX-License-Identifier: MIT */
/*
 * What an open writer is, for the files that write through it. Internal to lmdb-store.
 *
 * Three parts, by the thread that may touch them: the appender's, the workers', the committer's.
 * What crosses between them goes through the queue, or under the queue's lock.
 */
#ifndef RRS_LMDB_STORE_WRITER_STATE_H
#define RRS_LMDB_STORE_WRITER_STATE_H

#include "lmdb-store/chunk.h"
#include "lmdb-store/frame.h"
#include "lmdb-store/hash.h"
#include "lmdb-store/packed_cache.h"
#include "lmdb-store/record.h"
#include "lmdb-store/trace_writer.h"
#include "lmdb-store/work_queue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    /* Queued and uncommitted bytes together stay below the 16 MiB that a kill may cost. */
    RRS_QUEUE_LIMIT_BYTES = 8 << 20,
    RRS_COMMIT_BYTES = 6 << 20,
    RRS_COMMIT_INTERVAL_MS = 500, /* of the 1 s promised: leaves time for the commit itself */
    RRS_SYNC_INTERVAL_MS = 1000,
    RRS_TIDY_COMMITS = 10, /* so many large commits map about 10 MiB of the file */
    RRS_MAX_WORKERS = 4,
};

struct rrs_staged_frame;
struct rrs_checkpoint_builder;

/* One of the threads that compress. */
struct rrs_worker {
    struct rrs_trace_writer *writer;
    pthread_t thread;
    struct rrs_frame_encoder *encoder;
    struct rrs_packer *packer;
    struct rrs_transaction transaction; /* read-only; renewed for each look, NULL until the first */
};

/* The thread that has the write transaction. */
struct rrs_committer {
    struct rrs_trace_writer *writer;
    pthread_t thread;
    struct rrs_transaction transaction; /* its txn is NULL between two */
    struct rrs_packer *packer;
    struct rrs_unpacker *unpacker;
    uint64_t next_chunk_id;
    uint64_t applied_sequence;
    size_t uncommitted_bytes;
    unsigned n_untidied_commits;
    uint64_t deadline_ns; /* of the next commit */
    /* The beginning of the frame that the appender is filling: written in time, and overwritten by
     * the whole frame later. */
    struct rrs_frame_encoder *encoder;
    struct rrs_frame_snapshot {
        struct rrs_packed_frame *frame; /* NULL if none waits */
        uint64_t after_sequence;        /* to be written when this much is applied */
        uint64_t last_event;            /* the last event ever put in a snapshot */
    } snapshot;
};

/* The thread that syncs once a second. */
struct rrs_syncer {
    pthread_t thread;
    atomic_bool has_work; /* something was committed since the last sync */
};

struct rrs_trace_writer {
    struct rrs_environment *environment;
    struct rrs_work_queue queue;
    struct rrs_committer committer;
    struct rrs_syncer syncer;
    struct rrs_worker workers[RRS_MAX_WORKERS];
    int n_workers;
    bool threads_running;

    atomic_bool has_failed;
    struct rrs_error *failure; /* set once, under the queue's lock, before has_failed */

    /* The appender's. */
    struct rrs_hasher *hasher;
    struct rrs_packed_cache *cache;  /* NULL: none */
    struct rrs_staged_frame *staged; /* changed under the queue's lock */
    uint64_t next_event;
    uint64_t last_tick;
    struct rrs_checkpoint_builder *builder; /* at most one */
    bool finished;
};

/* ---- for the appender's functions ---- */

/** A copy of what made writing fail, or NULL. */
RRS_MUST_CHECK struct rrs_error *rrs_trace_writer_failure(struct rrs_trace_writer *writer);

/**
 * Queues `item`, behind the events appended so far if `behind_events`. The item is destroyed on
 * failure too. Errors: what made writing fail; USAGE in another process, or after finish.
 */
RRS_MUST_CHECK struct rrs_error *rrs_trace_writer_push(struct rrs_trace_writer *writer,
                                                       struct rrs_work_item *item,
                                                       bool behind_events);

/**
 * Does the same and waits until it is committed, or has failed: the errors are then those of
 * applying it, too.
 */
RRS_MUST_CHECK struct rrs_error *rrs_trace_writer_push_and_wait(struct rrs_trace_writer *writer,
                                                                struct rrs_work_item *item);

/* ---- for the threads (writer_threads.c) ---- */

RRS_MUST_CHECK struct rrs_error *rrs_writer_threads_start(struct rrs_trace_writer *writer);

/** Stops and joins them; what is queued and uncommitted is given up. */
void rrs_writer_threads_stop(struct rrs_trace_writer *writer);

/** Makes `error` what made writing fail, unless there is one; takes it over. Any thread. */
void rrs_trace_writer_fail(struct rrs_trace_writer *writer, struct rrs_error *error);

void *rrs_committer_main(void *committer);

/* ---- of the event log (event_log_writer.c) ---- */

/** A frame compressed and indexed, ready to be put into the trace. */
struct rrs_packed_frame;

RRS_MUST_CHECK struct rrs_error *rrs_staged_frame_create(struct rrs_staged_frame **staged);
void rrs_staged_frame_destroy(struct rrs_staged_frame *staged);

/**
 * Hands the events staged so far over to the queue. Errors: what made writing fail; USAGE;
 * NO_MEMORY.
 */
RRS_MUST_CHECK struct rrs_error *rrs_event_log_hand_over(struct rrs_trace_writer *writer);

/**
 * Packs a copy of what the appender has staged by now, if there is more than in the last snapshot.
 * In the committer, with the queue locked.
 */
RRS_MUST_CHECK struct rrs_error *rrs_event_log_take_snapshot(struct rrs_trace_writer *writer,
                                                             struct rrs_frame_encoder *encoder,
                                                             struct rrs_frame_snapshot *snapshot);

RRS_MUST_CHECK struct rrs_error *rrs_packed_frame_write(const struct rrs_packed_frame *frame,
                                                        const struct rrs_transaction *transaction);
void rrs_packed_frame_destroy(struct rrs_packed_frame *frame);

/** Finds where an existing log ends: the appender goes on behind it. Error: BAD_TRACE. */
RRS_MUST_CHECK struct rrs_error *rrs_event_log_find_end(const struct rrs_transaction *transaction,
                                                        uint64_t *next_event, uint64_t *last_tick);

/* ---- of chunks (chunk_writer.c) ---- */

/* A chunk on its way: hashed by the appender, packed by a worker, stored by the committer. */
struct rrs_chunk_work {
    struct rrs_chunk_head head;
    uint8_t *data; /* the content, or the packed content */
    size_t data_bytes;
    bool is_packed;
    struct rrs_packed_filling *filling; /* NULL, or what its packed content goes to, too, */
    uint32_t index;                     /*   as chunk of this number */
};

/** Packs it in a worker, unless the trace has it already. */
RRS_MUST_CHECK struct rrs_error *rrs_chunk_work_prepare(struct rrs_chunk_work *work,
                                                        struct rrs_worker *worker);

/** Finds or stores it in the committer's transaction. */
RRS_MUST_CHECK struct rrs_error *rrs_chunk_work_apply(const struct rrs_chunk_work *work,
                                                      struct rrs_committer *committer,
                                                      uint64_t *id);

/** Queues a chunk. Its data, a heap block, is taken over; its filling is shared. */
RRS_MUST_CHECK struct rrs_error *rrs_chunk_push(struct rrs_trace_writer *writer,
                                                const struct rrs_chunk_work *work);

/** Stores bytes from the committer's thread as a list of chunks, each with a reference more. */
RRS_MUST_CHECK struct rrs_error *rrs_chunk_store_list(struct rrs_committer *committer,
                                                      struct rrs_hasher *hasher, const void *data,
                                                      uint64_t size_bytes, uint64_t *ids);

#endif
