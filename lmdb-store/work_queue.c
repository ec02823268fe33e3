/* SPDX-License-Identifier: MIT */
#include "lmdb-store/work_queue.h"

#include <string.h>
#include <time.h>

void rrs_work_queue_init(struct rrs_work_queue *queue, size_t limit_bytes)
{
    memset(queue, 0, sizeof *queue);
    queue->limit_bytes = limit_bytes;
    pthread_mutex_init(&queue->mutex, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->can_push, &attributes);
    pthread_cond_init(&queue->can_prepare, &attributes);
    pthread_cond_init(&queue->can_apply, &attributes);
    pthread_cond_init(&queue->completed, &attributes);
    pthread_cond_init(&queue->stopped, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void destroy_item(struct rrs_work_item *item)
{
    rrs_error_destroy(item->error);
    item->operations->destroy(item);
}

void rrs_work_queue_deinit(struct rrs_work_queue *queue)
{
    while (queue->head) {
        struct rrs_work_item *item = queue->head;
        queue->head = item->next;
        destroy_item(item);
    }
    pthread_cond_destroy(&queue->stopped);
    pthread_cond_destroy(&queue->completed);
    pthread_cond_destroy(&queue->can_apply);
    pthread_cond_destroy(&queue->can_prepare);
    pthread_cond_destroy(&queue->can_push);
    pthread_mutex_destroy(&queue->mutex);
}

void rrs_work_queue_lock(struct rrs_work_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
}

void rrs_work_queue_unlock(struct rrs_work_queue *queue)
{
    pthread_mutex_unlock(&queue->mutex);
}

static void append(struct rrs_work_queue *queue, struct rrs_work_item *item)
{
    item->next = NULL;
    item->error = NULL;
    item->sequence = ++queue->pushed_sequence;
    item->state = item->operations->prepare ? RRS_WORK_UNPREPARED : RRS_WORK_PREPARED;
    if (queue->tail)
        queue->tail->next = item;
    else
        queue->head = item;
    queue->tail = item;
    queue->used_bytes += item->cost_bytes;
}

uint64_t rrs_work_queue_push_locked(struct rrs_work_queue *queue, struct rrs_work_item *item)
{
    while (queue->head && queue->used_bytes + item->cost_bytes > queue->limit_bytes &&
           !queue->stopping)
        pthread_cond_wait(&queue->can_push, &queue->mutex);
    append(queue, item);
    if (item->state == RRS_WORK_UNPREPARED) {
        if (!queue->unprepared)
            queue->unprepared = item;
        pthread_cond_signal(&queue->can_prepare);
    } else if (queue->head == item) {
        pthread_cond_signal(&queue->can_apply);
    }
    return queue->pushed_sequence;
}

void rrs_work_queue_wait_completed(struct rrs_work_queue *queue, uint64_t sequence)
{
    pthread_mutex_lock(&queue->mutex);
    while (queue->completed_sequence < sequence && !queue->stopping)
        pthread_cond_wait(&queue->completed, &queue->mutex);
    pthread_mutex_unlock(&queue->mutex);
}

struct rrs_work_item *rrs_work_queue_take(struct rrs_work_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    while (!queue->unprepared && !queue->stopping)
        pthread_cond_wait(&queue->can_prepare, &queue->mutex);
    struct rrs_work_item *item = queue->stopping ? NULL : queue->unprepared;
    if (item) {
        item->state = RRS_WORK_PREPARING;
        struct rrs_work_item *next = item->next;
        while (next && next->state != RRS_WORK_UNPREPARED)
            next = next->next;
        queue->unprepared = next;
    }
    pthread_mutex_unlock(&queue->mutex);
    return item;
}

void rrs_work_queue_give_back(struct rrs_work_queue *queue, struct rrs_work_item *item)
{
    pthread_mutex_lock(&queue->mutex);
    item->state = RRS_WORK_PREPARED;
    if (queue->head == item)
        pthread_cond_signal(&queue->can_apply);
    pthread_mutex_unlock(&queue->mutex);
}

static struct timespec to_timespec(uint64_t time_ns)
{
    return (struct timespec){.tv_sec = (time_t)(time_ns / 1000000000),
                             .tv_nsec = (long)(time_ns % 1000000000)};
}

struct rrs_work_item *rrs_work_queue_wait(struct rrs_work_queue *queue, uint64_t deadline_ns)
{
    struct timespec deadline = to_timespec(deadline_ns);
    int code = 0;
    pthread_mutex_lock(&queue->mutex);
    while (!queue->stopping && code == 0 &&
           (!queue->head || queue->head->state != RRS_WORK_PREPARED))
        code = pthread_cond_timedwait(&queue->can_apply, &queue->mutex, &deadline);
    struct rrs_work_item *item = queue->head;
    if (item && (queue->stopping || item->state != RRS_WORK_PREPARED))
        item = NULL;
    pthread_mutex_unlock(&queue->mutex);
    return item;
}

void rrs_work_queue_pop(struct rrs_work_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    struct rrs_work_item *item = queue->head;
    queue->head = item->next;
    if (!queue->head)
        queue->tail = NULL;
    queue->used_bytes -= item->cost_bytes;
    /* A full queue lets the pusher wait until half is free: to wake it per item costs more. */
    if (queue->used_bytes <= queue->limit_bytes / 2)
        pthread_cond_signal(&queue->can_push);
    pthread_mutex_unlock(&queue->mutex);
    destroy_item(item);
}

void rrs_work_queue_complete(struct rrs_work_queue *queue, uint64_t sequence)
{
    pthread_mutex_lock(&queue->mutex);
    queue->completed_sequence = sequence;
    pthread_cond_broadcast(&queue->completed);
    pthread_mutex_unlock(&queue->mutex);
}

void rrs_work_queue_stop(struct rrs_work_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->stopping = true;
    pthread_cond_broadcast(&queue->can_push);
    pthread_cond_broadcast(&queue->can_prepare);
    pthread_cond_broadcast(&queue->can_apply);
    pthread_cond_broadcast(&queue->completed);
    pthread_cond_broadcast(&queue->stopped);
    pthread_mutex_unlock(&queue->mutex);
}

void rrs_work_queue_wait_stop_locked(struct rrs_work_queue *queue, uint64_t deadline_ns)
{
    struct timespec deadline = to_timespec(deadline_ns);
    int code = 0;
    while (!queue->stopping && code == 0)
        code = pthread_cond_timedwait(&queue->stopped, &queue->mutex, &deadline);
}

bool rrs_work_queue_is_stopping(struct rrs_work_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    bool stopping = queue->stopping;
    pthread_mutex_unlock(&queue->mutex);
    return stopping;
}
