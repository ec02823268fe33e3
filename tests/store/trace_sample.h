/* SPDX-License-Identifier: MIT */
/*
 * A trace whose every event, blob and checkpoint is a function of its number, so that a reader
 * knows what must be in it, in part or in whole, without a second copy.
 */
#ifndef RRS_TESTS_STORE_TRACE_SAMPLE_H
#define RRS_TESTS_STORE_TRACE_SAMPLE_H

#include "lmdb-store/checkpoint.h"
#include "lmdb-store/error.h"
#include "lmdb-store/event.h"
#include "lmdb-store/hash.h"
#include "lmdb-store/trace_writer.h"
#include "tests/store/support.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SAMPLE_TASKS = 5,
    SAMPLE_KINDS = 11,
    SAMPLE_FIRST_TASK = 1000,
    SAMPLE_EVENTS_PER_BLOB = 50, /* event n names blob n / 50 if n % 50 == 0 */
    SAMPLE_EVENTS_PER_CHECKPOINT =
        400, /* a checkpoint is taken before event n + 1 if n % 400 == 0 */
    SAMPLE_CHECKPOINT_PAGES = 40,
};

/* How large the events are. */
enum sample_size {
    SAMPLE_SMALL, /* up to 100 bytes */
    SAMPLE_MIXED, /* some of 4 KiB to 1 MiB */
};

struct sample {
    enum sample_size size;
    bool has_blobs;
    bool has_checkpoints;
};

/* What a trace was found to hold. */
struct sample_found {
    uint64_t n_events;
    uint64_t n_blobs;
    uint64_t n_checkpoints;
};

/** The bytes of data of event `number`. */
uint32_t sample_event_bytes(const struct sample *sample, uint64_t number);

/** Creates the directory `path` and a trace in it that has its metadata and no events yet. */
RRS_MUST_CHECK struct rrs_error *sample_create(const char *path, struct rrs_trace_writer **writer);

/** Appends event `number` (the next one), and before it the blob that it names, after it the
 * checkpoint that follows it, as `sample` says. */
RRS_MUST_CHECK struct rrs_error *sample_append(const struct sample *sample,
                                               struct rrs_trace_writer *writer, uint64_t number);

/** Creates a whole trace of `n_events` events, ended as "exited 3". */
void sample_make(const struct sample *sample, const char *path, uint64_t n_events);

/**
 * Opens the trace and reads everything in every way: metadata, events by cursor in both
 * directions, by number, by tick, by task and by kind, blobs, checkpoints, and rrs_trace_check().
 *
 * OUTCOME_RIGHT: all of it was right; `found` says how much there was. OUTCOME_REFUSED: there were
 * errors, and each names the trace and a cause; what was read besides was right. OUTCOME_WRONG:
 * something read was not what had been written, or an error was unclear; printed to standard error.
 * `n_events` is how many events a sound trace has, or 0: any number of the first ones.
 */
enum outcome sample_read(const struct sample *sample, const char *path, uint64_t n_events,
                         struct sample_found *found);

#endif
