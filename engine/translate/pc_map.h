/* SPDX-License-Identifier: MIT */
/*
 * From a shadow PC back to the app PC, and to where the app's registers stand meanwhile.
 *
 * The map of a block is a string of two-byte entries, in shadow order:
 *
 *   byte 0   shadow bytes covered
 *   byte 1   bits 0-3: app bytes that the app PC moves on by after this stretch
 *            bits 4-7: RRS_MAP_* state within this stretch
 */
#ifndef RRS_ENGINE_TRANSLATE_PC_MAP_H
#define RRS_ENGINE_TRANSLATE_PC_MAP_H

#include <stdint.h>

enum {
    RRS_MAP_RCX_IN_CELL = 1, /* app rcx is in cells.lookup_rcx */
    RRS_MAP_R10_IN_CELL = 2, /* app r10 is in cells.call_r10 */
    RRS_MAP_RETURNING =
        3, /* app rcx is in its cell, and app r11 is in cells.lookup_r11: a return, about to
              write where natively it only reads. shadow rcx is its target */
    RRS_MAP_LENT_RSI = 4, /* app rsi is in cells.lent */
    RRS_MAP_LENT_RDI = 8,
    RRS_MAP_LENT_RBX = 12,
};

/* Room that one block can need: every instruction and every change of state is an entry. */
enum { RRS_MAP_MAX_BYTES = 1024 };

struct rrs_map_writer {
    const uint8_t *stretch_start; /* first shadow byte not yet covered */
    uint8_t state;
    uint8_t ahead; /* app bytes of the instruction under way that are entered already */
    uint16_t bytes;
    uint8_t entries[RRS_MAP_MAX_BYTES];
};

/** Begins the map of a block whose shadow code starts at `out`. */
void rrs_map_begin(struct rrs_map_writer *map, const uint8_t *out);

/** From `out` on, app registers stand as `state` says. */
void rrs_map_state(struct rrs_map_writer *map, const uint8_t *out, uint8_t state);

/** At `out`, the instruction of `app_bytes` is done but for putting registers back. */
void rrs_map_effect(struct rrs_map_writer *map, const uint8_t *out, uint8_t app_bytes);

/** At `out`, the instruction of `app_bytes` is done. */
void rrs_map_instruction(struct rrs_map_writer *map, const uint8_t *out, uint8_t app_bytes);

/**
 * Finds the stretch that covers shadow byte `shadow_offset` of a block. `*app_offset` (from the
 * block's first app byte) and `*state` become those of the stretch; past the end, those of the
 * last.
 */
void rrs_map_find(const uint8_t *entries, uint32_t bytes, uint32_t shadow_offset,
                  uint32_t *app_offset, uint8_t *state);

#endif
