/* SPDX-License-Identifier: MIT */
/*
 * The layout of an LMDB 0.9 data file, as far as the integrity check reads it. All numbers are in
 * the byte order and word size of the machine that wrote the file (64-bit little-endian here).
 * Source: the comments on MDB_page, MDB_node, MDB_db and MDB_meta in liblmdb 0.9.24, mdb.c.
 *
 * Page head                Meta page, after the head      Database record
 *  0  u64 own number        0  u32 magic 0xBEEFC0DE        0  u32 page size (free list) or 0
 *  8  u16 unused            4  u32 version 1               4  u16 flags
 * 10  u16 flags             8  u64 fixed map address       6  u16 depth
 * 12  u16 lower: end of    16  u64 map size                8  u64 branch pages
 *     the offset array     24  free list's database       16  u64 leaf pages
 * 14  u16 upper: begin     72  main database              24  u64 overflow pages
 *     of the nodes        120  u64 last page used         32  u64 entries
 * 12  u32 page count      128  u64 transaction            40  u64 root page, all ones if empty
 *     (overflow run)
 * 16  u16 offsets[]
 *
 * Node                       leaf                              branch
 *  0  u16 low, 2 u16 high    size of the value                 child page, bits 0-31
 *  4  u16 flags              BIGDATA, SUBDATA, DUPDATA         child page, bits 32-47
 *  6  u16 size of the key
 *  8  key, then              the value, or u64 first page of   nothing
 *                            its overflow run (BIGDATA)
 */
#ifndef RRS_LMDB_STORE_INTEGRITY_FORMAT_H
#define RRS_LMDB_STORE_INTEGRITY_FORMAT_H

#include <stdint.h>
#include <string.h>

enum {
    LMDB_HEAD_BYTES = 16,
    LMDB_META_BYTES = 136, /* without the page head */
    LMDB_META_FREE_OFFSET = 24,
    LMDB_META_MAIN_OFFSET = 72,
    LMDB_DB_BYTES = 48,
    LMDB_NODE_HEAD_BYTES = 8,
    LMDB_MAX_KEY_BYTES = 511,
    LMDB_MIN_PAGE_BYTES = 256,
    LMDB_MAX_PAGE_BYTES = 0x8000,
    LMDB_MAX_DEPTH = 32, /* CURSOR_STACK */
    LMDB_VERSION = 1,
};

#define LMDB_MAGIC   UINT32_C(0xBEEFC0DE)
#define LMDB_NO_PAGE UINT64_MAX

enum lmdb_page_flags {
    LMDB_PAGE_BRANCH = 0x01,
    LMDB_PAGE_LEAF = 0x02,
    LMDB_PAGE_OVERFLOW = 0x04,
    LMDB_PAGE_META = 0x08,
};

enum lmdb_node_flags {
    LMDB_NODE_BIGDATA = 0x01,
    LMDB_NODE_SUBDATA = 0x02,
    LMDB_NODE_DUPDATA = 0x04,
};

enum lmdb_db_flags {
    LMDB_DB_REVERSE_KEY = 0x02,
    LMDB_DB_DUPLICATES = 0x04,
    LMDB_DB_INTEGER_KEY = 0x08,
};

static inline uint16_t lmdb_u16(const uint8_t *bytes)
{
    uint16_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static inline uint32_t lmdb_u32(const uint8_t *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static inline uint64_t lmdb_u64(const uint8_t *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

struct lmdb_db {
    uint32_t pad;
    uint16_t flags;
    uint16_t depth;
    uint64_t branch_pages;
    uint64_t leaf_pages;
    uint64_t overflow_pages;
    uint64_t entries;
    uint64_t root;
};

struct lmdb_meta {
    uint64_t map_address;
    uint64_t map_bytes;
    struct lmdb_db free_list; /* its `pad` is the page size */
    struct lmdb_db main;
    uint64_t last_page;
    uint64_t transaction;
};

static inline struct lmdb_db lmdb_db_decode(const uint8_t *bytes)
{
    return (struct lmdb_db){
        .pad = lmdb_u32(bytes),
        .flags = lmdb_u16(bytes + 4),
        .depth = lmdb_u16(bytes + 6),
        .branch_pages = lmdb_u64(bytes + 8),
        .leaf_pages = lmdb_u64(bytes + 16),
        .overflow_pages = lmdb_u64(bytes + 24),
        .entries = lmdb_u64(bytes + 32),
        .root = lmdb_u64(bytes + 40),
    };
}

static inline struct lmdb_meta lmdb_meta_decode(const uint8_t *bytes)
{
    return (struct lmdb_meta){
        .map_address = lmdb_u64(bytes + 8),
        .map_bytes = lmdb_u64(bytes + 16),
        .free_list = lmdb_db_decode(bytes + LMDB_META_FREE_OFFSET),
        .main = lmdb_db_decode(bytes + LMDB_META_MAIN_OFFSET),
        .last_page = lmdb_u64(bytes + 120),
        .transaction = lmdb_u64(bytes + 128),
    };
}

static inline unsigned lmdb_page_keys(const uint8_t *page)
{
    return (lmdb_u16(page + 12) - LMDB_HEAD_BYTES) / 2;
}

struct lmdb_node {
    const uint8_t *key;
    const uint8_t *value;
    uint32_t key_bytes;
    uint32_t value_bytes; /* leaf only */
    uint16_t flags;       /* leaf only */
    uint64_t child;       /* branch only */
};

/* Decodes node `index` of a page that passed rrs_integrity_page_check(). Borrows from `page`. */
static inline struct lmdb_node lmdb_node_at(const uint8_t *page, unsigned index)
{
    const uint8_t *bytes = page + lmdb_u16(page + LMDB_HEAD_BYTES + 2 * index);
    uint32_t low = lmdb_u32(bytes);
    uint16_t flags = lmdb_u16(bytes + 4);
    uint16_t key_bytes = lmdb_u16(bytes + 6);
    return (struct lmdb_node){
        .key = bytes + LMDB_NODE_HEAD_BYTES,
        .value = bytes + LMDB_NODE_HEAD_BYTES + key_bytes,
        .key_bytes = key_bytes,
        .value_bytes = low,
        .flags = flags,
        .child = low | (uint64_t)flags << 32,
    };
}

#endif
