/* SPDX-License-Identifier: MIT */
/*
 * Numbers in records: little-endian in values, big-endian in keys (so that LMDB's byte-wise order
 * of keys is the order of the numbers). No alignment is asked for.
 */
#ifndef RRS_LMDB_STORE_BYTES_H
#define RRS_LMDB_STORE_BYTES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t rrs_load_le32(const void *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof value);
    return le32toh(value);
}

static inline uint64_t rrs_load_le64(const void *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return le64toh(value);
}

static inline uint64_t rrs_load_be64(const void *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return be64toh(value);
}

static inline uint32_t rrs_load_be32(const void *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof value);
    return be32toh(value);
}

static inline uint16_t rrs_load_be16(const void *from)
{
    uint16_t value;
    memcpy(&value, from, sizeof value);
    return be16toh(value);
}

static inline void rrs_store_le32(void *to, uint32_t value)
{
    value = htole32(value);
    memcpy(to, &value, sizeof value);
}

static inline void rrs_store_le64(void *to, uint64_t value)
{
    value = htole64(value);
    memcpy(to, &value, sizeof value);
}

static inline void rrs_store_be64(void *to, uint64_t value)
{
    value = htobe64(value);
    memcpy(to, &value, sizeof value);
}

static inline void rrs_store_be32(void *to, uint32_t value)
{
    value = htobe32(value);
    memcpy(to, &value, sizeof value);
}

static inline void rrs_store_be16(void *to, uint16_t value)
{
    value = htobe16(value);
    memcpy(to, &value, sizeof value);
}

#endif
