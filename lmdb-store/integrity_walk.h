/* SPDX-License-Identifier: MIT */
/* What the files of the integrity check share: the state of one walk over one snapshot. */
#ifndef RRS_LMDB_STORE_INTEGRITY_WALK_H
#define RRS_LMDB_STORE_INTEGRITY_WALK_H

#include "lmdb-store/error.h"
#include "lmdb-store/integrity.h"
#include "lmdb-store/integrity_format.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * liblmdb may count pages as used that it never wrote: pages taken and given back within one
 * transaction go to the free list, unwritten. At the end of the file they are missing. One
 * transaction touches fewer pages than this (MDB_IDL_UM_MAX in liblmdb's midl.h).
 */
enum { RRS_INTEGRITY_UNWRITTEN_PAGES_MAX = 1 << 17 };

struct rrs_integrity_walk {
    int fd;
    const char *path;
    uint32_t page_bytes;
    uint64_t file_pages; /* whole pages in the file */
    uint64_t last_page;
    const struct rrs_integrity_visitor *visitor; /* may be NULL */
    uint8_t *claimed;                            /* one bit per page up to last_page */
    struct rrs_integrity_report report;
};

/** Makes a BAD_TRACE error about `page` with a printf-style cause. */
RRS_MUST_CHECK struct rrs_error *rrs_integrity_damage(const struct rrs_integrity_walk *walk,
                                                      uint64_t page, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Fills `bytes` with `size_bytes` of the file from `offset`; less than that is a BAD_TRACE error
 * about the page there. */
RRS_MUST_CHECK struct rrs_error *rrs_integrity_read(struct rrs_integrity_walk *walk,
                                                    uint64_t offset, void *bytes,
                                                    uint32_t size_bytes);

/** Notes that pages [first, first + count) are in use by one owner. BAD_TRACE if one of them is
 * taken already, is a meta page, lies behind the last page, or (`must_exist`) behind the file. */
RRS_MUST_CHECK struct rrs_error *rrs_integrity_claim(struct rrs_integrity_walk *walk,
                                                     uint64_t first, uint64_t count,
                                                     bool must_exist);

/** Checks head, offsets and nodes of the branch or leaf page in `page`, apart from what needs other
 * pages or the order of keys. `flags` is the one kind that is right here. */
RRS_MUST_CHECK struct rrs_error *rrs_integrity_page_check(const struct rrs_integrity_walk *walk,
                                                          uint64_t number, const uint8_t *page,
                                                          enum lmdb_page_flags flags);

/** Checks that the keys of a page rise strictly as the database's `db_flags` order them.
 * `integer_key_bytes` is the one size of integer keys in this database; 0 means not yet known, and
 * is set. */
RRS_MUST_CHECK struct rrs_error *rrs_integrity_page_order(const struct rrs_integrity_walk *walk,
                                                          uint64_t number, const uint8_t *page,
                                                          uint16_t db_flags,
                                                          uint32_t *integer_key_bytes);

/** Compares two keys as liblmdb does in a database with `db_flags`. Integer keys must be of one
 * size, which is 4 or 8. */
int rrs_integrity_compare(uint16_t db_flags, const struct lmdb_node *left,
                          const struct lmdb_node *right);

/** Walks the main database and every named one below it. */
RRS_MUST_CHECK struct rrs_error *rrs_integrity_main_check(struct rrs_integrity_walk *walk,
                                                          const struct lmdb_meta *meta);

/** Walks the free list. */
RRS_MUST_CHECK struct rrs_error *rrs_integrity_free_list_check(struct rrs_integrity_walk *walk,
                                                               const struct lmdb_meta *meta);

/** Reads the highest key of the free list of `meta`, 0 if it is empty, without claiming pages. */
RRS_MUST_CHECK struct rrs_error *rrs_integrity_free_list_newest(struct rrs_integrity_walk *walk,
                                                                const struct lmdb_meta *meta,
                                                                uint64_t *transaction);

#endif
