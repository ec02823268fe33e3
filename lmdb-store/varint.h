/* SPDX-License-Identifier: MIT */
/*
 * Variable-length numbers: seven bits per byte, lowest first, the top bit set on all but the last
 * byte (LEB128). Signed numbers are folded first (0, -1, 1, -2, ... become 0, 1, 2, 3, ...).
 */
#ifndef RRS_LMDB_STORE_VARINT_H
#define RRS_LMDB_STORE_VARINT_H

#include <stdbool.h>
#include <stdint.h>

enum { RRS_VARINT_MAX_BYTES = 10 };

/** Writes `value` to `to`, which has room for RRS_VARINT_MAX_BYTES. Returns the byte behind it. */
static inline uint8_t *rrs_varint_write(uint8_t *to, uint64_t value)
{
    while (value >= 0x80) {
        *to++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *to++ = (uint8_t)value;
    return to;
}

/**
 * Reads a number from `*from`, which must stay below `end`, and moves `*from` behind it. Returns
 * false, with `*from` anywhere up to `end`, if the number is cut or has more than 64 bits.
 */
static inline bool rrs_varint_read(const uint8_t **from, const uint8_t *end, uint64_t *value)
{
    uint64_t result = 0;
    for (unsigned shift = 0; shift < 64 && *from < end; shift += 7) {
        uint8_t byte = *(*from)++;
        if (shift == 63 && byte > 1)
            return false;
        result |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = result;
            return true;
        }
    }
    return false;
}

static inline uint64_t rrs_zigzag_fold(int64_t value)
{
    return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}

static inline int64_t rrs_zigzag_unfold(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

#endif
