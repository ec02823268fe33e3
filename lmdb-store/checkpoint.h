/* SPDX-License-Identifier: MIT */
/*
 * Stored checkpoints: a payload that only the engine understands, and a set of memory pages.
 *
 * A page set maps (space, page address) to 4 KiB of content. Contents are stored once per trace,
 * and parts of the map that two checkpoints have in common are stored once as well: a checkpoint
 * costs what differs from the others. A checkpoint stands for itself: any other can be deleted.
 *
 * Checkpoints are named by their place: the number of the event before which, and the tick at
 * which, they were taken. Both rise together, so either orders them.
 */
#ifndef RRS_LMDB_STORE_CHECKPOINT_H
#define RRS_LMDB_STORE_CHECKPOINT_H

#include "lmdb-store/error.h"
#include "lmdb-store/trace_reader.h"
#include "lmdb-store/trace_writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RRS_CHECKPOINT_PAGE_BYTES = 4096 };

/* Where a checkpoint was taken: its name. */
struct rrs_checkpoint_place {
    uint64_t tick;
    uint64_t event;
};

struct rrs_checkpoint_info {
    struct rrs_checkpoint_place place;
    uint64_t n_pages;       /* in its page set */
    uint64_t payload_bytes; /* before compression */
};

/* A page of a page set. Spaces are numbered by the engine. */
struct rrs_checkpoint_page {
    uint32_t space;
    uint64_t address; /* in the tracee; a multiple of RRS_CHECKPOINT_PAGE_BYTES */
    uint64_t content; /* within a trace, two pages have the same content iff this is the same */
};

/* ---- writing ---- */

struct rrs_checkpoint_builder;

/**
 * Begins a checkpoint. With a `base` it starts with the page set of that one, else (NULL) empty.
 * One builder at a time per writer. Errors: NOT_FOUND if there is no such base; USAGE; what made
 * writing fail.
 */
RRS_MUST_CHECK struct rrs_error *rrs_checkpoint_builder_create(
    struct rrs_trace_writer *writer, const struct rrs_checkpoint_place *base,
    struct rrs_checkpoint_builder **builder);

/** Frees the builder; unless it was finished there is no checkpoint. NULL is fine. */
void rrs_checkpoint_builder_destroy(struct rrs_checkpoint_builder *builder);

/**
 * Sets the content of a page. Pages must come in rising order of (space, address), and so must
 * removed ranges among them. `content` (RRS_CHECKPOINT_PAGE_BYTES) is copied. Errors: USAGE if the
 * order is broken or the address is not aligned; what made writing fail.
 */
RRS_MUST_CHECK struct rrs_error *rrs_checkpoint_builder_put_page(
    struct rrs_checkpoint_builder *builder, uint32_t space, uint64_t address, const void *content);

/** Takes the pages of a range, as far as the base had them, out of the set. Errors: as above. */
RRS_MUST_CHECK struct rrs_error *rrs_checkpoint_builder_remove_pages(
    struct rrs_checkpoint_builder *builder, uint32_t space, uint64_t address, uint64_t n_pages);

/**
 * Stores the checkpoint at `place` with a payload, and waits until it is committed. The builder can
 * only be destroyed then. Errors: EXISTS if there is one at that place; what made writing fail.
 */
RRS_MUST_CHECK struct rrs_error *rrs_checkpoint_builder_finish(
    struct rrs_checkpoint_builder *builder, const struct rrs_checkpoint_place *place,
    const void *payload, uint64_t payload_bytes);

/**
 * Deletes a checkpoint, and the pages and payload parts that no other one has: their room in the
 * file is used again (the file does not shrink). Waits until that is committed. Errors: NOT_FOUND;
 * USAGE while a builder is open (it may have met pages that would go); BAD_TRACE; what made writing
 * fail.
 */
RRS_MUST_CHECK struct rrs_error *rrs_checkpoint_delete(struct rrs_trace_writer *writer,
                                                       const struct rrs_checkpoint_place *place);

/* ---- reading ---- */

/**
 * Finds the last checkpoint with a tick <= `tick`. Its event may lie after the first place that has
 * that tick; where that matters use rrs_checkpoint_find_place(). Errors: NOT_FOUND, BAD_TRACE.
 */
RRS_MUST_CHECK struct rrs_error *rrs_checkpoint_find_tick(struct rrs_trace_reader *reader,
                                                          uint64_t tick,
                                                          struct rrs_checkpoint_info *info);

/** Finds the last checkpoint at or before `place`. Errors: NOT_FOUND, BAD_TRACE. */
RRS_MUST_CHECK struct rrs_error *rrs_checkpoint_find_place(struct rrs_trace_reader *reader,
                                                           const struct rrs_checkpoint_place *place,
                                                           struct rrs_checkpoint_info *info);

/** Lists all checkpoints in order. The caller frees `*infos`. Errors: BAD_TRACE, NO_MEMORY. */
RRS_MUST_CHECK struct rrs_error *rrs_checkpoint_list(struct rrs_trace_reader *reader,
                                                     struct rrs_checkpoint_info **infos,
                                                     size_t *n_infos);

struct rrs_checkpoint;

/**
 * Opens a checkpoint to read it. It holds the map of its page set in memory (not the contents) and
 * is valid until the reader is refreshed or destroyed. Errors: NOT_FOUND, BAD_TRACE, NO_MEMORY.
 */
RRS_MUST_CHECK struct rrs_error *rrs_checkpoint_open(struct rrs_trace_reader *reader,
                                                     const struct rrs_checkpoint_place *place,
                                                     struct rrs_checkpoint **checkpoint);
void rrs_checkpoint_destroy(struct rrs_checkpoint *checkpoint);

void rrs_checkpoint_get_info(const struct rrs_checkpoint *checkpoint,
                             struct rrs_checkpoint_info *info);

/** Copies the whole payload to `buffer`, which has room for info.payload_bytes. Error: BAD_TRACE.
 */
RRS_MUST_CHECK struct rrs_error *rrs_checkpoint_read_payload(struct rrs_checkpoint *checkpoint,
                                                             void *buffer);

/**
 * Finds the first page of the set that begins at or after (`space`, `address`). To walk all pages
 * ask again with the address of the last one + 1. `*found` is false if there is none. Error:
 * BAD_TRACE.
 */
RRS_MUST_CHECK struct rrs_error *rrs_checkpoint_find_page(struct rrs_checkpoint *checkpoint,
                                                          uint32_t space, uint64_t address,
                                                          struct rrs_checkpoint_page *page,
                                                          bool *found);

/** Copies the content of a page that rrs_checkpoint_find_page() gave. Error: BAD_TRACE. */
RRS_MUST_CHECK struct rrs_error *rrs_checkpoint_read_page(
    struct rrs_checkpoint *checkpoint, const struct rrs_checkpoint_page *page,
    uint8_t content[RRS_CHECKPOINT_PAGE_BYTES]);

#endif
