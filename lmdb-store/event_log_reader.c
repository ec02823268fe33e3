/* SPDX-License-Identifier: MIT */
/* Cursors over the event log. Where frames come from: frame_cache.c. */
#include "lmdb-store/event_log_reader.h"

#include "lmdb-store/event_index.h"
#include "lmdb-store/frame_cache.h"
#include "lmdb-store/reader_state.h"
#include "lmdb-store/scope.h"

#include <string.h>

struct rrs_event_log {
    struct rrs_trace_reader *reader;
    struct rrs_frame_cache *cache;
};

enum place { BEFORE_FIRST, AT_EVENT, AFTER_LAST };

struct rrs_event_cursor {
    struct rrs_event_log *log;
    struct rrs_event_filter filter;
    enum place place;
    uint64_t number; /* of the event, if at one */
    struct rrs_cached_frame *frame;
    uint64_t generation; /* of the reader, when the frame was got */
};

struct rrs_error *rrs_event_log_create(struct rrs_trace_reader *reader, struct rrs_event_log **log)
{
    _cleanup_free_ struct rrs_event_log *made = calloc(1, sizeof *made);
    if (!made)
        return rrs_error_no_memory();
    made->reader = reader;
    RRS_TRY(rrs_frame_cache_create(reader, &made->cache));
    *log = rrs_steal_pointer(&made);
    return NULL;
}

void rrs_event_log_destroy(struct rrs_event_log *log)
{
    if (!log)
        return;
    rrs_frame_cache_destroy(log->cache);
    free(log);
}

/* ---- bounds and counts ---- */

/* Reads the head of the first or the last frame. */
static struct rrs_error *read_end(struct rrs_event_log *log, MDB_cursor_op operation,
                                  struct rrs_frame_head *head, bool *found)
{
    const struct rrs_transaction *transaction = &log->reader->transaction;
    _cleanup_cursor_ MDB_cursor *cursor = NULL;
    MDB_val key, value;
    RRS_TRY(rrs_environment_check_process(transaction->environment));
    RRS_TRY(rrs_record_cursor(transaction, RRS_DATABASE_FRAMES, &cursor));
    RRS_TRY(rrs_record_move(transaction, cursor, operation, &key, &value, found));
    return *found ? rrs_frame_record_head(transaction, &key, &value, head) : NULL;
}

struct rrs_error *rrs_event_log_bounds(struct rrs_event_log *log,
                                       struct rrs_event_log_bounds *bounds)
{
    struct rrs_frame_head first = {0}, last = {0};
    bool found;
    RRS_TRY(read_end(log, MDB_FIRST, &first, &found));
    if (found)
        RRS_TRY(read_end(log, MDB_LAST, &last, &found));
    *bounds = (struct rrs_event_log_bounds){
        .n_events = last.first_event + last.n_events - first.first_event,
        .first_event = first.first_event,
        .last_event = found ? last.first_event + last.n_events - 1 : 0,
        .first_tick = first.first_tick,
        .last_tick = last.last_tick,
        .first_wall_ns = first.first_wall_ns,
        .last_wall_ns = last.last_wall_ns,
    };
    return NULL;
}

struct count_list {
    struct rrs_event_log_count *counts;
    uint64_t n_counts, capacity;
};

/* Adds to the last count, or begins another: ids come in rising order. */
static struct rrs_error *add_count(struct count_list *list, int64_t id, uint32_t n_events)
{
    if (list->n_counts == 0 || list->counts[list->n_counts - 1].id != id) {
        if (list->n_counts == list->capacity) {
            uint64_t capacity = list->capacity ? 2 * list->capacity : 16;
            void *larger = reallocarray(list->counts, capacity, sizeof *list->counts);
            if (!larger)
                return rrs_error_no_memory();
            list->counts = larger;
            list->capacity = capacity;
        }
        list->counts[list->n_counts++] = (struct rrs_event_log_count){.id = id};
    }
    list->counts[list->n_counts - 1].n_events += n_events;
    return NULL;
}

static struct rrs_error *collect(struct rrs_event_log *log, enum rrs_database database,
                                 size_t key_bytes, struct count_list *list)
{
    const struct rrs_transaction *transaction = &log->reader->transaction;
    _cleanup_cursor_ MDB_cursor *cursor = NULL;
    RRS_TRY(rrs_environment_check_process(transaction->environment));
    RRS_TRY(rrs_record_cursor(transaction, database, &cursor));
    for (MDB_cursor_op operation = MDB_FIRST;; operation = MDB_NEXT) {
        MDB_val key, value;
        struct rrs_bytes body;
        bool found;
        RRS_TRY(rrs_record_move(transaction, cursor, operation, &key, &value, &found));
        if (!found)
            return NULL;
        RRS_TRY(rrs_record_unseal(transaction, database, &key, &value, &body));
        if (key.mv_size != key_bytes || body.size_bytes != 4)
            return rrs_record_damaged(transaction, database, key.mv_data, key.mv_size,
                                      "its size is wrong");
        int64_t id = database == RRS_DATABASE_BY_TASK ? rrs_task_of_key(key.mv_data)
                                                      : rrs_load_be16(key.mv_data);
        RRS_TRY(add_count(list, id, rrs_load_le32(body.data)));
    }
}

static struct rrs_error *count(struct rrs_event_log *log, enum rrs_database database,
                               size_t key_bytes, struct rrs_event_log_count **counts,
                               uint64_t *n_counts)
{
    struct count_list list = {0};
    struct rrs_error *error = collect(log, database, key_bytes, &list);
    if (error) {
        free(list.counts);
        return error;
    }
    *counts = list.counts;
    *n_counts = list.n_counts;
    return NULL;
}

struct rrs_error *rrs_event_log_count_tasks(struct rrs_event_log *log,
                                            struct rrs_event_log_count **counts, uint64_t *n_counts)
{
    return count(log, RRS_DATABASE_BY_TASK, RRS_TASK_KEY_BYTES, counts, n_counts);
}

struct rrs_error *rrs_event_log_count_kinds(struct rrs_event_log *log,
                                            struct rrs_event_log_count **counts, uint64_t *n_counts)
{
    return count(log, RRS_DATABASE_BY_KIND, RRS_KIND_KEY_BYTES, counts, n_counts);
}

/* ---- cursors ---- */

struct rrs_error *rrs_event_cursor_create(struct rrs_event_log *log,
                                          const struct rrs_event_filter *filter,
                                          struct rrs_event_cursor **cursor)
{
    struct rrs_event_cursor *made = calloc(1, sizeof *made);
    if (!made)
        return rrs_error_no_memory();
    made->log = log;
    if (filter)
        made->filter = *filter;
    *cursor = made;
    return NULL;
}

void rrs_event_cursor_destroy(struct rrs_event_cursor *cursor)
{
    if (!cursor)
        return;
    rrs_frame_cache_release(cursor->log->cache, cursor->frame);
    free(cursor);
}

static bool matches(const struct rrs_event_filter *filter, const struct rrs_event *event)
{
    return (!filter->has_task || filter->task == event->task) &&
           (!filter->has_kind || filter->event_kind == event->event_kind);
}

/* Puts the cursor on an event of `frame`, whose reference it takes over. */
static void stand_at(struct rrs_event_cursor *cursor, struct rrs_cached_frame *frame,
                     const struct rrs_event *event)
{
    rrs_frame_cache_release(cursor->log->cache, cursor->frame);
    cursor->frame = frame;
    cursor->generation = cursor->log->reader->generation;
    cursor->place = AT_EVENT;
    cursor->number = event->number;
}

static void stand_outside(struct rrs_event_cursor *cursor, enum place place)
{
    rrs_frame_cache_release(cursor->log->cache, cursor->frame);
    cursor->frame = NULL;
    cursor->place = place;
}

/* The first event of `frame` from `number` on that the filter lets through, or NULL. */
static const struct rrs_event *search_up(const struct rrs_event_filter *filter,
                                         const struct rrs_frame *frame, uint64_t number)
{
    uint64_t first = frame->head.first_event;
    for (uint64_t i = number > first ? number - first : 0; i < frame->head.n_events; i++)
        if (matches(filter, &frame->events[i]))
            return &frame->events[i];
    return NULL;
}

/* The last event of `frame` up to `number` that the filter lets through, or NULL. */
static const struct rrs_event *search_down(const struct rrs_event_filter *filter,
                                           const struct rrs_frame *frame, uint64_t number)
{
    uint64_t first = frame->head.first_event;
    if (number < first)
        return NULL;
    uint64_t i = number - first < frame->head.n_events ? number - first + 1 : frame->head.n_events;
    while (i > 0)
        if (matches(filter, &frame->events[--i]))
            return &frame->events[i];
    return NULL;
}

/*
 * Finds the frame that the indexes name next: the first with a key >= `*key` (up), or the last with
 * a key <= it, among those that have the task, the kind, or both. With both, each index in turn
 * moves the key on until they agree.
 */
static struct rrs_error *next_indexed(struct rrs_event_cursor *cursor, bool up, uint64_t *key,
                                      bool *found)
{
    struct rrs_frame_cache *cache = cursor->log->cache;
    const struct rrs_event_filter *filter = &cursor->filter;
    uint64_t agreed;
    do {
        agreed = *key;
        if (filter->has_task) {
            RRS_TRY(rrs_frame_cache_find_task(cache, filter->task, up, key, found));
            if (!*found)
                return NULL;
        }
        if (filter->has_kind)
            RRS_TRY(rrs_frame_cache_find_kind(cache, filter->event_kind, up, key, found));
    } while (*found && filter->has_task && filter->has_kind && *key != agreed);
    return NULL;
}

static bool is_filtered(const struct rrs_event_cursor *cursor)
{
    return cursor->filter.has_task || cursor->filter.has_kind;
}

/* Gets the next frame in which a search, having come to `number`, has to look; NULL if none. */
static struct rrs_error *get_frame(struct rrs_event_cursor *cursor, bool up, uint64_t number,
                                   struct rrs_cached_frame **frame)
{
    struct rrs_frame_cache *cache = cursor->log->cache;
    uint64_t key = number;
    bool found = true;
    /* The indexes know frames by their first events, so going up begins at that of the frame where
     * `number` is. */
    if (up)
        RRS_TRY(rrs_frame_cache_find_up(cache, number, &key, &found));
    if (found && is_filtered(cursor))
        RRS_TRY(next_indexed(cursor, up, &key, &found));
    else if (!up)
        RRS_TRY(rrs_frame_cache_find_down(cache, number, &key, &found));
    *frame = NULL;
    return found ? rrs_frame_cache_get(cache, key, frame) : NULL;
}

/* Goes to the first match at or above `number`. */
static struct rrs_error *move_up(struct rrs_event_cursor *cursor, uint64_t number,
                                 const struct rrs_event **event)
{
    struct rrs_frame_cache *cache = cursor->log->cache;
    struct rrs_cached_frame *frame;
    RRS_TRY(get_frame(cursor, true, number, &frame));
    while (frame) {
        const struct rrs_frame *decoded = rrs_cached_frame_decoded(frame);
        const struct rrs_event *match = search_up(&cursor->filter, decoded, number);
        if (match) {
            stand_at(cursor, frame, match);
            *event = match;
            return NULL;
        }
        number = decoded->head.first_event + decoded->head.n_events;
        rrs_frame_cache_release(cache, frame);
        RRS_TRY(get_frame(cursor, true, number, &frame));
    }
    stand_outside(cursor, AFTER_LAST);
    *event = NULL;
    return NULL;
}

/* Goes to the last match at or below `number`. */
static struct rrs_error *move_down(struct rrs_event_cursor *cursor, uint64_t number,
                                   const struct rrs_event **event)
{
    struct rrs_frame_cache *cache = cursor->log->cache;
    struct rrs_cached_frame *frame;
    RRS_TRY(get_frame(cursor, false, number, &frame));
    while (frame) {
        const struct rrs_frame *decoded = rrs_cached_frame_decoded(frame);
        const struct rrs_event *match = search_down(&cursor->filter, decoded, number);
        if (match) {
            stand_at(cursor, frame, match);
            *event = match;
            return NULL;
        }
        number = decoded->head.first_event - 1;
        rrs_frame_cache_release(cache, frame);
        RRS_TRY(get_frame(cursor, false, number, &frame));
    }
    stand_outside(cursor, BEFORE_FIRST);
    *event = NULL;
    return NULL;
}

struct rrs_error *rrs_event_cursor_seek_number(struct rrs_event_cursor *cursor, uint64_t number,
                                               const struct rrs_event **event)
{
    return move_up(cursor, number, event);
}

struct rrs_error *rrs_event_cursor_seek_tick(struct rrs_event_cursor *cursor, uint64_t tick,
                                             const struct rrs_event **event)
{
    uint64_t number;
    bool found;
    RRS_TRY(rrs_frame_cache_find_tick(cursor->log->cache, tick, &number, &found));
    if (found)
        return move_up(cursor, number, event);
    stand_outside(cursor, AFTER_LAST);
    *event = NULL;
    return NULL;
}

struct rrs_error *rrs_event_cursor_seek_last(struct rrs_event_cursor *cursor,
                                             const struct rrs_event **event)
{
    return move_down(cursor, UINT64_MAX, event);
}

/* A step to a neighbour in the frame at hand, which is nearly every step. */
static bool step_within(struct rrs_event_cursor *cursor, bool up, const struct rrs_event **event)
{
    if (!cursor->frame || cursor->generation != cursor->log->reader->generation)
        return false;
    const struct rrs_frame *decoded = rrs_cached_frame_decoded(cursor->frame);
    const struct rrs_event *match = up ? search_up(&cursor->filter, decoded, cursor->number + 1)
                                       : search_down(&cursor->filter, decoded, cursor->number - 1);
    if (!match)
        return false;
    cursor->number = match->number;
    *event = match;
    return true;
}

struct rrs_error *rrs_event_cursor_next(struct rrs_event_cursor *cursor,
                                        const struct rrs_event **event)
{
    if (cursor->place == BEFORE_FIRST)
        return move_up(cursor, RRS_EVENT_FIRST, event);
    if (cursor->place == AT_EVENT && step_within(cursor, true, event))
        return NULL;
    if (cursor->place == AT_EVENT)
        return move_up(cursor, cursor->number + 1, event);
    *event = NULL;
    return NULL;
}

struct rrs_error *rrs_event_cursor_previous(struct rrs_event_cursor *cursor,
                                            const struct rrs_event **event)
{
    if (cursor->place == AFTER_LAST)
        return move_down(cursor, UINT64_MAX, event);
    if (cursor->place == AT_EVENT && step_within(cursor, false, event))
        return NULL;
    if (cursor->place == AT_EVENT)
        return move_down(cursor, cursor->number - 1, event);
    *event = NULL;
    return NULL;
}
