/* SPDX-License-Identifier: MIT */
/*
 * Appending events. The appender copies each event into the frame it is filling and publishes it by
 * storing the count: no lock, no varint, no compression on its thread. A full frame goes to the
 * queue; a worker packs it and collects what the indexes need; the committer writes all of it.
 */
#include "lmdb-store/event_log_writer.h"

#include "lmdb-store/event_index.h"
#include "lmdb-store/invariant.h"
#include "lmdb-store/scope.h"
#include "lmdb-store/writer_state.h"

#include <string.h>

enum {
    /* A frame is full at this much data. Measured with 64-byte events, random reads (p50) and disk
     * room per event: 8 KiB 10 us, 42 bytes; 16 KiB 14 us, 21 bytes; 20 KiB 17 us, 17 bytes; 32 KiB
     * 23 us, 19 bytes; 64 KiB 41 us, 17 bytes. */
    FRAME_DATA_BYTES = 20 << 10,
    FRAME_EVENTS = 512,
};

struct rrs_staged_frame {
    struct rrs_work_item item;
    struct rrs_packed_frame *packed;
    atomic_uint n_events; /* stored with release, after the event: the committer may look */
    uint32_t used_bytes;
    uint32_t capacity_bytes;
    uint8_t *data;
    struct rrs_event events[FRAME_EVENTS];
};

/* ---- the index of a frame: which tasks and kinds it has, and how many events of each ---- */

struct rrs_packed_frame {
    struct rrs_frame_head head;
    size_t size_bytes;
    uint32_t n_tasks, n_kinds;
    struct rrs_id_count tasks[FRAME_EVENTS];
    struct rrs_id_count kinds[FRAME_EVENTS];
    uint8_t bytes[];
};

static struct rrs_error *pack(struct rrs_frame_encoder *encoder, const struct rrs_event *events,
                              uint32_t n_events, struct rrs_packed_frame **packed)
{
    const uint8_t *bytes;
    size_t size_bytes;
    RRS_TRY(rrs_frame_encode(encoder, events, n_events, &bytes, &size_bytes));
    struct rrs_packed_frame *made = malloc(sizeof *made + size_bytes);
    if (!made)
        return rrs_error_no_memory();
    made->head.first_event = events[0].number;
    made->head.first_tick = events[0].tick;
    made->size_bytes = size_bytes;
    memcpy(made->bytes, bytes, size_bytes);
    made->n_tasks = made->n_kinds = 0;
    for (uint32_t i = 0; i < n_events; i++) {
        rrs_id_count_add(made->tasks, &made->n_tasks, events[i].task);
        rrs_id_count_add(made->kinds, &made->n_kinds, events[i].event_kind);
    }
    *packed = made;
    return NULL;
}

void rrs_packed_frame_destroy(struct rrs_packed_frame *frame)
{
    free(frame);
}

static struct rrs_error *write_counts(const struct rrs_transaction *transaction,
                                      const struct rrs_packed_frame *frame)
{
    uint8_t key[12], body[4];
    for (uint32_t i = 0; i < frame->n_tasks; i++) {
        size_t key_bytes = rrs_task_key(key, (int32_t)frame->tasks[i].id, frame->head.first_event);
        rrs_store_le32(body, frame->tasks[i].n_events);
        RRS_TRY(
            rrs_record_put(transaction, RRS_DATABASE_BY_TASK, key, key_bytes, body, sizeof body));
    }
    for (uint32_t i = 0; i < frame->n_kinds; i++) {
        size_t key_bytes = rrs_kind_key(key, (uint16_t)frame->kinds[i].id, frame->head.first_event);
        rrs_store_le32(body, frame->kinds[i].n_events);
        RRS_TRY(
            rrs_record_put(transaction, RRS_DATABASE_BY_KIND, key, key_bytes, body, sizeof body));
    }
    return NULL;
}

struct rrs_error *rrs_packed_frame_write(const struct rrs_packed_frame *frame,
                                         const struct rrs_transaction *transaction)
{
    uint8_t key[16];
    rrs_store_be64(key, frame->head.first_event);
    RRS_TRY(rrs_record_put_plain(transaction, RRS_DATABASE_FRAMES, key, 8, frame->bytes,
                                 frame->size_bytes));
    size_t key_bytes = rrs_tick_key(key, frame->head.first_tick, frame->head.first_event);
    RRS_TRY(rrs_record_put(transaction, RRS_DATABASE_BY_TICK, key, key_bytes, NULL, 0));
    return write_counts(transaction, frame);
}

/* ---- a full frame on its way ---- */

static struct rrs_staged_frame *staged_of(struct rrs_work_item *item)
{
    return (struct rrs_staged_frame *)item; /* its first member */
}

static struct rrs_error *prepare_frame(struct rrs_work_item *item, struct rrs_worker *worker)
{
    struct rrs_staged_frame *staged = staged_of(item);
    return pack(worker->encoder, staged->events, atomic_load(&staged->n_events), &staged->packed);
}

static struct rrs_error *apply_frame(struct rrs_work_item *item, struct rrs_committer *committer)
{
    return rrs_packed_frame_write(staged_of(item)->packed, &committer->transaction);
}

static void destroy_frame(struct rrs_work_item *item)
{
    rrs_staged_frame_destroy(staged_of(item));
}

static const struct rrs_work_operations frame_operations = {
    .prepare = prepare_frame,
    .apply = apply_frame,
    .destroy = destroy_frame,
};

struct rrs_error *rrs_staged_frame_create(struct rrs_staged_frame **staged)
{
    struct rrs_staged_frame *made = malloc(sizeof *made);
    uint8_t *data = malloc(FRAME_DATA_BYTES);
    if (!made || !data) {
        free(data);
        free(made);
        return rrs_error_no_memory();
    }
    made->item = (struct rrs_work_item){.operations = &frame_operations};
    made->packed = NULL;
    atomic_init(&made->n_events, 0);
    made->used_bytes = 0;
    made->capacity_bytes = FRAME_DATA_BYTES;
    made->data = data;
    *staged = made;
    return NULL;
}

void rrs_staged_frame_destroy(struct rrs_staged_frame *staged)
{
    if (!staged)
        return;
    rrs_packed_frame_destroy(staged->packed);
    free(staged->data);
    free(staged);
}

/* Swapping the frame and queueing it are one step for the committer, which might look between. */
struct rrs_error *rrs_event_log_hand_over(struct rrs_trace_writer *writer)
{
    struct rrs_staged_frame *full = writer->staged, *fresh;
    uint32_t n_events = atomic_load_explicit(&full->n_events, memory_order_relaxed);
    if (n_events == 0)
        return NULL;
    RRS_TRY(rrs_environment_check_process(writer->environment));
    RRS_TRY(rrs_staged_frame_create(&fresh));
    full->item.cost_bytes = full->capacity_bytes + n_events * sizeof full->events[0];
    rrs_work_queue_lock(&writer->queue);
    rrs_work_queue_push_locked(&writer->queue, &full->item);
    writer->staged = fresh;
    rrs_work_queue_unlock(&writer->queue);
    return rrs_trace_writer_failure(writer);
}

/* Makes room for an event of `size_bytes` bytes: in a new frame, and in a larger one if need be. */
static struct rrs_error *make_room(struct rrs_trace_writer *writer, uint32_t size_bytes)
{
    RRS_TRY(rrs_event_log_hand_over(writer));
    struct rrs_staged_frame *staged = writer->staged;
    RRS_INVARIANT(atomic_load(&staged->n_events) == 0, "a frame is empty after it was handed over");
    if (size_bytes <= staged->capacity_bytes)
        return NULL;
    uint8_t *larger = malloc(size_bytes);
    if (!larger)
        return rrs_error_no_memory();
    free(staged->data); /* empty, so nobody looks */
    staged->data = larger;
    staged->capacity_bytes = size_bytes;
    return NULL;
}

static struct rrs_error *check_event(const struct rrs_trace_writer *writer,
                                     const struct rrs_event *event)
{
    if (writer->finished)
        return rrs_error_create(RRS_ERROR_USAGE, "the trace is finished");
    if (event->size_bytes > RRS_EVENT_MAX_BYTES)
        return rrs_error_create(RRS_ERROR_USAGE, "an event of %u bytes is larger than %d",
                                event->size_bytes, RRS_EVENT_MAX_BYTES);
    if (event->tick < writer->last_tick)
        return rrs_error_create(RRS_ERROR_USAGE, "an event at tick %llu comes after tick %llu",
                                (unsigned long long)event->tick,
                                (unsigned long long)writer->last_tick);
    return NULL;
}

struct rrs_error *rrs_event_log_append(struct rrs_trace_writer *writer, struct rrs_event *event)
{
    if (atomic_load_explicit(&writer->has_failed, memory_order_relaxed))
        return rrs_trace_writer_failure(writer);
    RRS_TRY(check_event(writer, event));
    struct rrs_staged_frame *staged = writer->staged;
    uint32_t index = atomic_load_explicit(&staged->n_events, memory_order_relaxed);
    if (index == FRAME_EVENTS || event->size_bytes > staged->capacity_bytes - staged->used_bytes) {
        RRS_TRY(make_room(writer, event->size_bytes));
        staged = writer->staged;
        index = 0;
    }
    uint8_t *data = staged->data + staged->used_bytes;
    if (event->size_bytes)
        memcpy(data, event->data, event->size_bytes);
    staged->used_bytes += event->size_bytes;
    event->number = writer->next_event++;
    writer->last_tick = event->tick;
    staged->events[index] = *event;
    staged->events[index].data = data;
    atomic_store_explicit(&staged->n_events, index + 1, memory_order_release);
    return NULL;
}

uint64_t rrs_event_log_next_number(const struct rrs_trace_writer *writer)
{
    return writer->next_event;
}

struct rrs_error *rrs_event_log_take_snapshot(struct rrs_trace_writer *writer,
                                              struct rrs_frame_encoder *encoder,
                                              struct rrs_frame_snapshot *snapshot)
{
    const struct rrs_staged_frame *staged = writer->staged;
    uint32_t n_events = atomic_load_explicit(&staged->n_events, memory_order_acquire);
    if (n_events == 0 || staged->events[n_events - 1].number == snapshot->last_event)
        return NULL;
    RRS_TRY(pack(encoder, staged->events, n_events, &snapshot->frame));
    snapshot->last_event = staged->events[n_events - 1].number;
    return NULL;
}

struct rrs_error *rrs_event_log_find_end(const struct rrs_transaction *transaction,
                                         uint64_t *next_event, uint64_t *last_tick)
{
    _cleanup_cursor_ MDB_cursor *cursor = NULL;
    MDB_val key, value;
    bool found;
    RRS_TRY(rrs_record_cursor(transaction, RRS_DATABASE_FRAMES, &cursor));
    RRS_TRY(rrs_record_move(transaction, cursor, MDB_LAST, &key, &value, &found));
    struct rrs_frame_head head = {.first_event = RRS_EVENT_FIRST};
    if (found)
        RRS_TRY(rrs_frame_record_head(transaction, &key, &value, &head));
    *next_event = head.first_event + head.n_events;
    *last_tick = head.last_tick;
    return NULL;
}
