/* SPDX-License-Identifier: MIT */
/*
 * One frame: a run of consecutive events packed, delta-coded and compressed.
 *
 * Pure functions on memory: no file, no LMDB. The decoder takes bytes from a stranger: any input
 * gives either the events or an error. docs/TRACE-FORMAT.md draws the layout.
 */
#ifndef RRS_LMDB_STORE_FRAME_H
#define RRS_LMDB_STORE_FRAME_H

#include "lmdb-store/error.h"
#include "lmdb-store/event.h"

#include <stddef.h>
#include <stdint.h>

enum {
    RRS_FRAME_MAX_EVENTS = 4096,
    RRS_FRAME_MAX_RAW_BYTES = RRS_EVENT_MAX_BYTES + (256 << 10), /* before compression */
    RRS_FRAME_HEAD_BYTES = 64,
};

/* The head of a frame: what can be known without decoding it. */
struct rrs_frame_head {
    uint64_t first_event;
    uint64_t first_tick, last_tick;
    uint64_t first_wall_ns, last_wall_ns; /* of the first and the last event */
    uint32_t n_events;
    uint32_t raw_bytes; /* of the packed events before compression */
};

/* A decoded frame, and the memory to decode the next one into. */
struct rrs_frame {
    struct rrs_frame_head head;
    struct rrs_event *events; /* head.n_events of them; their data lies in `raw` */
    uint8_t *raw;
    size_t raw_capacity_bytes;
    size_t events_capacity;
};

struct rrs_frame_encoder;
struct rrs_frame_decoder;

RRS_MUST_CHECK struct rrs_error *rrs_frame_encoder_create(struct rrs_frame_encoder **encoder);
void rrs_frame_encoder_destroy(struct rrs_frame_encoder *encoder);

/**
 * Packs `n_events` events (1 to RRS_FRAME_MAX_EVENTS; numbers consecutive, ticks not falling; all
 * data together no more than RRS_EVENT_MAX_BYTES + 64 KiB) into a frame. `*bytes` is borrowed until
 * the encoder packs again. Error: NO_MEMORY.
 */
RRS_MUST_CHECK struct rrs_error *rrs_frame_encode(struct rrs_frame_encoder *encoder,
                                                  const struct rrs_event *events, uint32_t n_events,
                                                  const uint8_t **bytes, size_t *size_bytes);

RRS_MUST_CHECK struct rrs_error *rrs_frame_decoder_create(struct rrs_frame_decoder **decoder);
void rrs_frame_decoder_destroy(struct rrs_frame_decoder *decoder);

/** Makes an empty frame. */
void rrs_frame_init(struct rrs_frame *frame);

/** Frees its memory. */
void rrs_frame_deinit(struct rrs_frame *frame);

/**
 * Reads the head of a frame of `size_bytes` bytes and checks it in itself. The checksum is not
 * looked at. Error: BAD_TRACE (no path, no key).
 */
RRS_MUST_CHECK struct rrs_error *rrs_frame_decode_head(const uint8_t *bytes, size_t size_bytes,
                                                       struct rrs_frame_head *head);

/**
 * Checks the checksum of a frame and unpacks it into `frame`, whose memory is used again. On
 * failure `frame` holds no event. Memory is bounded by the limits above, whatever the bytes say.
 * Errors: BAD_TRACE (no path, no key), NO_MEMORY.
 */
RRS_MUST_CHECK struct rrs_error *rrs_frame_decode(struct rrs_frame_decoder *decoder,
                                                  const uint8_t *bytes, size_t size_bytes,
                                                  struct rrs_frame *frame);

#endif
