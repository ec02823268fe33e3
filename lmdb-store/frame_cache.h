/* SPDX-License-Identifier: MIT */
/*
 * Finds frames in the trace and keeps those decoded last. Internal to lmdb-store.
 *
 * Frames are called by the number of their first event, their key. A frame that is held stays
 * decoded; of the others the one not used for longest makes room.
 */
#ifndef RRS_LMDB_STORE_FRAME_CACHE_H
#define RRS_LMDB_STORE_FRAME_CACHE_H

#include "lmdb-store/error.h"
#include "lmdb-store/frame.h"
#include "lmdb-store/trace_reader.h"

#include <stdbool.h>
#include <stdint.h>

struct rrs_frame_cache;
struct rrs_cached_frame;

RRS_MUST_CHECK struct rrs_error *rrs_frame_cache_create(struct rrs_trace_reader *reader,
                                                        struct rrs_frame_cache **cache);
void rrs_frame_cache_destroy(struct rrs_frame_cache *cache);

/** Gets the frame with key `key`, decoded, and holds it. Errors: BAD_TRACE, NO_MEMORY. */
RRS_MUST_CHECK struct rrs_error *rrs_frame_cache_get(struct rrs_frame_cache *cache, uint64_t key,
                                                     struct rrs_cached_frame **frame);

/** Lets go of a frame. NULL is fine. */
void rrs_frame_cache_release(struct rrs_frame_cache *cache, struct rrs_cached_frame *frame);

const struct rrs_frame *rrs_cached_frame_decoded(const struct rrs_cached_frame *frame);

/**
 * Finds the key of the frame that has event `number`, or of the first frame if `number` is below
 * the first event. `*found` is false if it is above the last. Decodes nothing. Error: BAD_TRACE.
 */
RRS_MUST_CHECK struct rrs_error *rrs_frame_cache_find_up(struct rrs_frame_cache *cache,
                                                         uint64_t number, uint64_t *key,
                                                         bool *found);

/** Finds the key of the last frame that begins at or below `number`. Decodes nothing. */
RRS_MUST_CHECK struct rrs_error *rrs_frame_cache_find_down(struct rrs_frame_cache *cache,
                                                           uint64_t number, uint64_t *key,
                                                           bool *found);

/**
 * Finds, among the frames that have an event of `task`, the first with a key >= `*key` (`up`) or
 * the last with a key <= `*key`. Decodes nothing. Error: BAD_TRACE.
 */
RRS_MUST_CHECK struct rrs_error *rrs_frame_cache_find_task(struct rrs_frame_cache *cache,
                                                           int32_t task, bool up, uint64_t *key,
                                                           bool *found);

/** The same for events of a kind. */
RRS_MUST_CHECK struct rrs_error *rrs_frame_cache_find_kind(struct rrs_frame_cache *cache,
                                                           uint16_t event_kind, bool up,
                                                           uint64_t *key, bool *found);

/** Finds the number of the first event with a tick >= `tick`. Errors: BAD_TRACE, NO_MEMORY. */
RRS_MUST_CHECK struct rrs_error *rrs_frame_cache_find_tick(struct rrs_frame_cache *cache,
                                                           uint64_t tick, uint64_t *number,
                                                           bool *found);

#endif
