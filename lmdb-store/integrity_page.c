/* SPDX-License-Identifier: MIT */
/*
 * Checks of one branch or leaf page by itself: nothing here reads the file. Every offset is checked
 * before it is used, so the tree walk may decode nodes of a page that passed without a look.
 */
#include "lmdb-store/integrity_walk.h"

enum { UNITS_PER_WORD = 64, UNIT_BYTES = 2 }; /* nodes begin at even offsets */

/* Which parts of a page are covered by nodes: one bit per UNIT_BYTES. */
struct coverage {
    uint64_t words[LMDB_MAX_PAGE_BYTES / UNIT_BYTES / UNITS_PER_WORD];
};

/* Marks [begin, end) of the page; false if a part was marked already. */
static bool cover(struct coverage *coverage, uint32_t begin, uint32_t end)
{
    uint32_t unit = begin / UNIT_BYTES;
    uint32_t last = end / UNIT_BYTES;
    while (unit < last) {
        uint32_t bit = unit % UNITS_PER_WORD;
        uint32_t count = UNITS_PER_WORD - bit;
        if (count > last - unit)
            count = last - unit;
        uint64_t mask = (count == UNITS_PER_WORD ? UINT64_MAX : (UINT64_C(1) << count) - 1) << bit;
        uint64_t *word = &coverage->words[unit / UNITS_PER_WORD];
        if (*word & mask)
            return false;
        *word |= mask;
        unit += count;
    }
    return true;
}

static struct rrs_error *check_head(const struct rrs_integrity_walk *walk, uint64_t number,
                                    const uint8_t *page, enum lmdb_page_flags flags)
{
    uint64_t own_number = lmdb_u64(page);
    uint16_t own_flags = lmdb_u16(page + 10);
    uint16_t lower = lmdb_u16(page + 12);
    uint16_t upper = lmdb_u16(page + 14);
    const char *kind = flags == LMDB_PAGE_LEAF ? "leaf" : "branch";
    if (own_number != number)
        return rrs_integrity_damage(walk, number, "calls itself page %llu",
                                    (unsigned long long)own_number);
    if (own_flags != flags)
        return rrs_integrity_damage(walk, number, "is no %s page (flags 0x%x)", kind, own_flags);
    if (lower < LMDB_HEAD_BYTES || lower % 2 || lower > upper || upper > walk->page_bytes)
        return rrs_integrity_damage(walk, number, "free space from byte %u to %u does not fit",
                                    lower, upper);
    if (lower == LMDB_HEAD_BYTES)
        return rrs_integrity_damage(walk, number, "%s page without an entry", kind);
    return NULL;
}

/* The bytes that a node takes in its page, 0 if its head does not fit or it claims more than there
 * is. `begin` is even. */
static uint32_t node_bytes(const struct rrs_integrity_walk *walk, const uint8_t *page,
                           uint32_t begin, enum lmdb_page_flags flags)
{
    if (begin + LMDB_NODE_HEAD_BYTES > walk->page_bytes)
        return 0;
    const uint8_t *node = page + begin;
    uint64_t bytes = LMDB_NODE_HEAD_BYTES + (uint64_t)lmdb_u16(node + 6);
    if (flags == LMDB_PAGE_LEAF)
        bytes += lmdb_u16(node + 4) & LMDB_NODE_BIGDATA ? sizeof(uint64_t) : lmdb_u32(node);
    bytes += bytes % 2;
    return bytes > walk->page_bytes - begin ? 0 : (uint32_t)bytes;
}

static struct rrs_error *check_key_size(const struct rrs_integrity_walk *walk, uint64_t number,
                                        const uint8_t *page, unsigned index,
                                        enum lmdb_page_flags flags)
{
    uint32_t key_bytes = lmdb_node_at(page, index).key_bytes;
    bool may_be_empty = flags == LMDB_PAGE_BRANCH && index == 0; /* "all below the next key" */
    if (key_bytes > LMDB_MAX_KEY_BYTES || (key_bytes == 0 && !may_be_empty))
        return rrs_integrity_damage(walk, number, "entry %u has a key of %u bytes", index,
                                    key_bytes);
    return NULL;
}

/* Nodes fill the page from `upper` to its end without gap or overlap; liblmdb keeps them so, and
 * moves them on the assumption that they are. */
static struct rrs_error *check_nodes(const struct rrs_integrity_walk *walk, uint64_t number,
                                     const uint8_t *page, enum lmdb_page_flags flags)
{
    struct coverage coverage;
    memset(&coverage, 0, walk->page_bytes / UNIT_BYTES / 8);
    uint32_t upper = lmdb_u16(page + 14);
    uint32_t total_bytes = 0;
    unsigned keys = lmdb_page_keys(page);
    for (unsigned i = 0; i < keys; i++) {
        uint32_t begin = lmdb_u16(page + LMDB_HEAD_BYTES + 2 * i);
        if (begin < upper || begin % 2)
            return rrs_integrity_damage(walk, number, "entry %u is at byte %u, outside the entries",
                                        i, begin);
        uint32_t bytes = node_bytes(walk, page, begin, flags);
        if (bytes == 0)
            return rrs_integrity_damage(walk, number, "entry %u reaches over the page's end", i);
        if (!cover(&coverage, begin, begin + bytes))
            return rrs_integrity_damage(walk, number, "entry %u overlaps another", i);
        total_bytes += bytes;
        RRS_TRY(check_key_size(walk, number, page, i, flags));
    }
    if (total_bytes != walk->page_bytes - upper)
        return rrs_integrity_damage(walk, number, "entries take %u bytes, the page says %u",
                                    total_bytes, walk->page_bytes - upper);
    return NULL;
}

struct rrs_error *rrs_integrity_page_check(const struct rrs_integrity_walk *walk, uint64_t number,
                                           const uint8_t *page, enum lmdb_page_flags flags)
{
    RRS_TRY(check_head(walk, number, page, flags));
    return check_nodes(walk, number, page, flags);
}

static int compare_integers(const struct lmdb_node *left, const struct lmdb_node *right)
{
    uint64_t a = left->key_bytes == 8 ? lmdb_u64(left->key) : lmdb_u32(left->key);
    uint64_t b = right->key_bytes == 8 ? lmdb_u64(right->key) : lmdb_u32(right->key);
    return (a > b) - (a < b);
}

static int compare_reversed(const struct lmdb_node *left, const struct lmdb_node *right)
{
    uint32_t a = left->key_bytes;
    uint32_t b = right->key_bytes;
    while (a && b) {
        int difference = left->key[--a] - right->key[--b];
        if (difference)
            return difference;
    }
    return (a > b) - (a < b);
}

static int compare_bytes(const struct lmdb_node *left, const struct lmdb_node *right)
{
    uint32_t a = left->key_bytes;
    uint32_t b = right->key_bytes;
    int difference = memcmp(left->key, right->key, a < b ? a : b);
    return difference ? difference : (a > b) - (a < b);
}

int rrs_integrity_compare(uint16_t db_flags, const struct lmdb_node *left,
                          const struct lmdb_node *right)
{
    if (db_flags & LMDB_DB_REVERSE_KEY)
        return compare_reversed(left, right);
    if (db_flags & LMDB_DB_INTEGER_KEY)
        return compare_integers(left, right);
    return compare_bytes(left, right);
}

static struct rrs_error *check_integer_size(const struct rrs_integrity_walk *walk, uint64_t number,
                                            unsigned index, uint32_t key_bytes,
                                            uint32_t *integer_key_bytes)
{
    if (*integer_key_bytes == 0 && (key_bytes == 4 || key_bytes == 8))
        *integer_key_bytes = key_bytes;
    if (key_bytes != *integer_key_bytes)
        return rrs_integrity_damage(walk, number, "entry %u has an integer key of %u bytes", index,
                                    key_bytes);
    return NULL;
}

struct rrs_error *rrs_integrity_page_order(const struct rrs_integrity_walk *walk, uint64_t number,
                                           const uint8_t *page, uint16_t db_flags,
                                           uint32_t *integer_key_bytes)
{
    bool branch = lmdb_u16(page + 10) == LMDB_PAGE_BRANCH;
    unsigned keys = lmdb_page_keys(page);
    struct lmdb_node previous = {0};
    for (unsigned i = branch ? 1 : 0; i < keys; i++) { /* a branch's first key is never compared */
        struct lmdb_node node = lmdb_node_at(page, i);
        if (db_flags & LMDB_DB_INTEGER_KEY)
            RRS_TRY(check_integer_size(walk, number, i, node.key_bytes, integer_key_bytes));
        if (previous.key && rrs_integrity_compare(db_flags, &previous, &node) >= 0)
            return rrs_integrity_damage(walk, number, "entry %u is out of order", i);
        previous = node;
    }
    return NULL;
}
