/* SPDX-License-Identifier: MIT */
/*
 * The bounded queue between the appender and the writer's threads. Items are prepared (compressed)
 * by any number of workers at a time and applied by one committer in the order they were pushed.
 * Internal to lmdb-store; knows nothing of LMDB.
 */
#ifndef RRS_LMDB_STORE_WORK_QUEUE_H
#define RRS_LMDB_STORE_WORK_QUEUE_H

#include "lmdb-store/error.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rrs_worker;
struct rrs_committer;
struct rrs_work_item;

/* What is done with a kind of item. */
struct rrs_work_operations {
    /* In a worker, out of order; NULL if there is nothing to prepare. */
    struct rrs_error *(*prepare)(struct rrs_work_item *item, struct rrs_worker *worker);
    /* In the committer, in order, within its transaction. */
    struct rrs_error *(*apply)(struct rrs_work_item *item, struct rrs_committer *committer);
    void (*destroy)(struct rrs_work_item *item);
};

enum rrs_work_state { RRS_WORK_UNPREPARED, RRS_WORK_PREPARING, RRS_WORK_PREPARED };

/* Embedded as the first member of what is queued. Set the first four before pushing. */
struct rrs_work_item {
    const struct rrs_work_operations *operations;
    size_t cost_bytes; /* of memory, counted against the queue's limit */
    /* NULL, or where the pusher, who waits, gets the error of applying it. Such an item has a
     * transaction of its own, and its error leaves the writer going. */
    struct rrs_error **result;
    bool commits; /* what is applied so far is committed right behind it */
    struct rrs_work_item *next;
    enum rrs_work_state state;
    struct rrs_error *error; /* of preparing */
    uint64_t sequence;       /* from 1, in order of pushing */
};

struct rrs_work_queue {
    pthread_mutex_t mutex;
    pthread_cond_t can_push, can_prepare, can_apply, completed, stopped;
    struct rrs_work_item *head, *tail;
    struct rrs_work_item *unprepared; /* the first that no worker has taken */
    size_t used_bytes, limit_bytes;
    uint64_t pushed_sequence, completed_sequence;
    bool stopping;
};

void rrs_work_queue_init(struct rrs_work_queue *queue, size_t limit_bytes);

/** Destroys the items that are left. No thread may use the queue any more. */
void rrs_work_queue_deinit(struct rrs_work_queue *queue);

void rrs_work_queue_lock(struct rrs_work_queue *queue);
void rrs_work_queue_unlock(struct rrs_work_queue *queue);

/**
 * Appends `item`, waiting while the queue is full; the queue is locked by the caller, and unlocked
 * while waiting. Returns the item's sequence number. An item larger than the limit goes in alone.
 */
uint64_t rrs_work_queue_push_locked(struct rrs_work_queue *queue, struct rrs_work_item *item);

/** Waits until everything up to `sequence` is committed or given up, or the queue stops. */
void rrs_work_queue_wait_completed(struct rrs_work_queue *queue, uint64_t sequence);

/** For a worker: the next item to prepare; NULL if the queue stops. */
struct rrs_work_item *rrs_work_queue_take(struct rrs_work_queue *queue);

/** For a worker: `item` is prepared. */
void rrs_work_queue_give_back(struct rrs_work_queue *queue, struct rrs_work_item *item);

/**
 * For the committer: waits until the first item is prepared, and gives it; NULL if that has not
 * come at `deadline_ns` (CLOCK_MONOTONIC) or if the queue stops.
 */
struct rrs_work_item *rrs_work_queue_wait(struct rrs_work_queue *queue, uint64_t deadline_ns);

/** For the committer: takes the first item out of the queue and destroys it. */
void rrs_work_queue_pop(struct rrs_work_queue *queue);

/** For the committer: everything up to `sequence` is committed or given up. */
void rrs_work_queue_complete(struct rrs_work_queue *queue, uint64_t sequence);

/** Makes all waiting end. What is queued stays until deinit. */
void rrs_work_queue_stop(struct rrs_work_queue *queue);

/** Waits until `deadline_ns` or until the queue stops. It is locked by the caller. */
void rrs_work_queue_wait_stop_locked(struct rrs_work_queue *queue, uint64_t deadline_ns);

bool rrs_work_queue_is_stopping(struct rrs_work_queue *queue);

#endif
