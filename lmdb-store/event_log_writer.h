/* SPDX-License-Identifier: MIT */
/* Appending to the event log of a trace that is open for writing. */
#ifndef RRS_LMDB_STORE_EVENT_LOG_WRITER_H
#define RRS_LMDB_STORE_EVENT_LOG_WRITER_H

#include "lmdb-store/error.h"
#include "lmdb-store/event.h"
#include "lmdb-store/trace_writer.h"

#include <stdint.h>

/**
 * Appends an event: `event->number` is set to the number it gets; all other fields are the
 * caller's, and the data is copied. Waits only while the queue is full.
 *
 * Errors (nothing is appended): USAGE if the data is larger than RRS_EVENT_MAX_BYTES, the tick is
 * below that of the event before, or the writer was opened by another process; else what made
 * writing fail.
 */
RRS_MUST_CHECK struct rrs_error *rrs_event_log_append(struct rrs_trace_writer *writer,
                                                      struct rrs_event *event);

/** The number that the next event will get. */
uint64_t rrs_event_log_next_number(const struct rrs_trace_writer *writer);

#endif
