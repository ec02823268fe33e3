/* SPDX-License-Identifier: MIT */
/*
 * Reading the event log: by number, by tick, forwards and backwards, of one task or one kind.
 *
 * A log belongs to one reader and shares its thread. It keeps the frames decoded last, so that
 * steps to and fro cost no decoding.
 */
#ifndef RRS_LMDB_STORE_EVENT_LOG_READER_H
#define RRS_LMDB_STORE_EVENT_LOG_READER_H

#include "lmdb-store/error.h"
#include "lmdb-store/event.h"
#include "lmdb-store/trace_reader.h"

#include <stdbool.h>
#include <stdint.h>

struct rrs_event_log;
struct rrs_event_cursor;

/** Makes a log of `reader`, which must outlive it. Error: NO_MEMORY. */
RRS_MUST_CHECK struct rrs_error *rrs_event_log_create(struct rrs_trace_reader *reader,
                                                      struct rrs_event_log **log);

/** Frees `log`; its cursors must be gone. NULL is fine. */
void rrs_event_log_destroy(struct rrs_event_log *log);

/** All numbers are 0 if there is no event. The wall-clock times are of the first and last event. */
struct rrs_event_log_bounds {
    uint64_t n_events;
    uint64_t first_event, last_event; /* inclusive */
    uint64_t first_tick, last_tick;
    uint64_t first_wall_ns, last_wall_ns;
};

/** Error: BAD_TRACE. */
RRS_MUST_CHECK struct rrs_error *rrs_event_log_bounds(struct rrs_event_log *log,
                                                      struct rrs_event_log_bounds *bounds);

/** What a log has to do with one task, or one kind. */
struct rrs_event_log_count {
    int64_t id; /* task id, or kind */
    uint64_t n_events;
};

/**
 * Counts the events of each task, and of each kind, without decoding a frame. Both arrays are in
 * rising order of id; the caller frees them. Errors: BAD_TRACE, NO_MEMORY.
 */
RRS_MUST_CHECK struct rrs_error *rrs_event_log_count_tasks(struct rrs_event_log *log,
                                                           struct rrs_event_log_count **counts,
                                                           uint64_t *n_counts);
RRS_MUST_CHECK struct rrs_error *rrs_event_log_count_kinds(struct rrs_event_log *log,
                                                           struct rrs_event_log_count **counts,
                                                           uint64_t *n_counts);

/** Which events a cursor sees: those of a task, of a kind, of both, or (all false) every one. */
struct rrs_event_filter {
    bool has_task;
    bool has_kind;
    int32_t task;
    uint16_t event_kind;
};

/**
 * Makes a cursor, which stands before the first event. `filter` is copied; NULL means every event.
 * Frames without an event of that task or kind are skipped undecoded, by an index. Error:
 * NO_MEMORY.
 */
RRS_MUST_CHECK struct rrs_error *rrs_event_cursor_create(struct rrs_event_log *log,
                                                         const struct rrs_event_filter *filter,
                                                         struct rrs_event_cursor **cursor);

/** Frees `cursor`. NULL is fine. */
void rrs_event_cursor_destroy(struct rrs_event_cursor *cursor);

/*
 * The movements. Each gives the event where the cursor then stands in `*event`, or NULL if there is
 * none: the cursor then stands after the last event (next, seek) or before the first (previous),
 * and the opposite movement brings it back. The event and its data are borrowed until the cursor
 * moves or is destroyed, or the reader is refreshed.
 *
 * Errors: BAD_TRACE (payload: path, key: the frame) if a frame is damaged: the cursor has not
 * moved, and events of other frames can still be read; NO_MEMORY; USAGE (after fork).
 */

/** Goes to the first event that the filter lets through with a number >= `number`. */
RRS_MUST_CHECK struct rrs_error *rrs_event_cursor_seek_number(struct rrs_event_cursor *cursor,
                                                              uint64_t number,
                                                              const struct rrs_event **event);

/** Goes to the first event that the filter lets through with a tick >= `tick`. */
RRS_MUST_CHECK struct rrs_error *rrs_event_cursor_seek_tick(struct rrs_event_cursor *cursor,
                                                            uint64_t tick,
                                                            const struct rrs_event **event);

/** Goes to the last event that the filter lets through. */
RRS_MUST_CHECK struct rrs_error *rrs_event_cursor_seek_last(struct rrs_event_cursor *cursor,
                                                            const struct rrs_event **event);

RRS_MUST_CHECK struct rrs_error *rrs_event_cursor_next(struct rrs_event_cursor *cursor,
                                                       const struct rrs_event **event);
RRS_MUST_CHECK struct rrs_error *rrs_event_cursor_previous(struct rrs_event_cursor *cursor,
                                                           const struct rrs_event **event);

#endif
