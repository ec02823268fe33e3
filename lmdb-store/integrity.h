/* SPDX-License-Identifier: MIT */
/*
 * The check that a store's data file can be handed to liblmdb without harm.
 *
 * liblmdb maps its file and follows page numbers, counts and offsets in it without a look: a
 * damaged or cut file makes it read beyond the map, loop or stop on an assertion. So every file
 * that comes from outside is walked here first. Not checked: what the values mean. A flipped bit
 * inside a key or a value that keeps the order is for the checksums of frames, blobs and records to
 * find.
 */
#ifndef RRS_LMDB_STORE_INTEGRITY_H
#define RRS_LMDB_STORE_INTEGRITY_H

#include "lmdb-store/error.h"

#include <stddef.h>
#include <stdint.h>

/** What a check went through. Counts are of the snapshot that liblmdb would open. */
struct rrs_integrity_report {
    uint64_t file_bytes;
    uint64_t transaction; /* number of the last commit */
    uint32_t page_bytes;
    uint64_t last_page; /* highest page number in use, inclusive */
    uint64_t branch_pages;
    uint64_t leaf_pages;
    uint64_t overflow_pages;
    uint64_t free_pages;      /* listed for reuse by a writer */
    uint64_t lost_pages;      /* neither used nor listed as free: wasted space, no damage */
    uint64_t databases;       /* named ones */
    uint64_t entries;         /* of all databases, without the free list */
    uint64_t bytes_read;      /* what the check itself read */
    uint32_t snapshots_tried; /* above 1 if a writer committed during the check */
};

/**
 * Checks everything in the LMDB file `data_fd` that liblmdb (0.9.24 and later of the 0.9 line)
 * trusts when it opens, reads or continues it. `path` is for messages only.
 *
 * Uses pread alone: neither maps the file, nor locks it, nor moves the file offset. All branch and
 * leaf pages and the head of every overflow run are read, once each; the bodies of large values
 * are not. Memory: one bit per page of the file and one page per level of a tree.
 *
 * A writer may commit during the check. Then the check starts again on the newer snapshot, a few
 * times; if each is overtaken, the last finding is returned, and may be no damage. With a read
 * transaction of LMDB open on the file that cannot be: see rrs_integrity_check_metas().
 *
 * `report` may be NULL; untouched on failure.
 *
 * Errors: BAD_TRACE (payload: path; key "page N" where one page is to blame) for an empty, foreign,
 * cut or damaged file; UNSUPPORTED for a sound file that uses a feature of LMDB that the store does
 * not (sorted duplicates); OS if reading fails; NO_MEMORY.
 */
RRS_MUST_CHECK struct rrs_error *rrs_integrity_check(int data_fd, const char *path,
                                                     struct rrs_integrity_report *report);

/* One who looks at records while the check has them at hand. */
struct rrs_integrity_visitor {
    /** A walk begins, perhaps anew: forget what was seen. */
    void (*begin)(void *context);
    /** Gives the named database `name` (not terminated) a tag >= 0 under which its records will be
     * shown, or -1: they are not wanted. */
    int (*choose)(void *context, const void *name, size_t name_bytes);
    /** A record of a database that was chosen. All is borrowed until the call returns, and nothing
     * is aligned. */
    void (*record)(void *context, int tag, const void *key, size_t key_bytes, const void *value,
                   size_t value_bytes);
    void *context;
};

/** The same as rrs_integrity_check(), with a visitor (NULL: none). Values of its databases are read
 * even if they are large. */
RRS_MUST_CHECK struct rrs_error *rrs_integrity_check_visiting(
    int data_fd, const char *path, const struct rrs_integrity_visitor *visitor,
    struct rrs_integrity_report *report);

/**
 * Checks the two meta pages alone: all that liblmdb looks at when it opens a file and begins a read
 * transaction. After that the transaction keeps a writer from using the pages of its snapshot, and
 * of all later ones, again; so rrs_integrity_check() then sees a file that stands still. Errors: as
 * there.
 */
RRS_MUST_CHECK struct rrs_error *rrs_integrity_check_metas(int data_fd, const char *path);

#endif
