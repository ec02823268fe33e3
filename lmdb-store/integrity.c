/* SPDX-License-Identifier: MIT */
/*
 * The integrity check's entry: meta pages, choice of the snapshot, and the repeat when a writer
 * committed meanwhile. The walk itself is in integrity_tree.c, the look at one page in
 * integrity_page.c.
 *
 * Cost: one pread per branch page, leaf page and overflow run, so it grows with the number of
 * records, hardly with their size. Measured on files of 3 GB (2 vCPUs, virtual disk), from the page
 * cache / from the disk: runs of 64 KiB 75 / 5.5 GB/s, runs of 8 KiB 9 / 0.6 GB/s, all in leaves
 * 6 / 1.2 GB/s.
 */
#include "lmdb-store/integrity.h"

#include "lmdb-store/integrity_format.h"
#include "lmdb-store/integrity_walk.h"
#include "lmdb-store/scope.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A snapshot stays untouched for two more commits, and a commit takes a second or so; if this many
 * walks in turn are overtaken, the file changes faster than it can be read. */
enum { SNAPSHOTS_MAX = 8, META_READ_BYTES = LMDB_HEAD_BYTES + LMDB_META_BYTES };

struct metas {
    uint8_t raw[2][META_READ_BYTES];
    struct lmdb_meta decoded[2];
};

struct rrs_error *rrs_integrity_damage(const struct rrs_integrity_walk *walk, uint64_t page,
                                       const char *format, ...)
{
    char text[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    struct rrs_error *error = rrs_error_path(RRS_ERROR_BAD_TRACE, walk->path, "page %llu: %s",
                                             (unsigned long long)page, text);
    if (error->code == RRS_ERROR_BAD_TRACE &&
        asprintf(&error->key, "page %llu", (unsigned long long)page) < 0)
        error->key = NULL;
    return error;
}

struct rrs_error *rrs_integrity_read(struct rrs_integrity_walk *walk, uint64_t offset, void *bytes,
                                     uint32_t size_bytes)
{
    uint32_t done = 0;
    while (done < size_bytes) {
        ssize_t got =
            pread(walk->fd, (uint8_t *)bytes + done, size_bytes - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return rrs_error_os(errno, walk->path, "cannot read at byte %llu",
                                (unsigned long long)(offset + done));
        if (got == 0)
            return rrs_integrity_damage(walk, walk->page_bytes ? offset / walk->page_bytes : 0,
                                        "the file ends within it");
        done += (uint32_t)got;
    }
    walk->report.bytes_read += size_bytes;
    return NULL;
}

struct rrs_error *rrs_integrity_claim(struct rrs_integrity_walk *walk, uint64_t first,
                                      uint64_t count, bool must_exist)
{
    uint64_t last = walk->last_page;
    if (count == 0)
        return NULL;
    if (first < 2)
        return rrs_integrity_damage(walk, first, "is a meta page, yet an entry refers to it");
    if (first > last || count - 1 > last - first)
        return rrs_integrity_damage(walk, first,
                                    "%llu pages from here reach over the last page %llu",
                                    (unsigned long long)count, (unsigned long long)last);
    if (must_exist && first + count > walk->file_pages)
        return rrs_integrity_damage(walk, first, "is cut off: the file has only %llu pages",
                                    (unsigned long long)walk->file_pages);
    for (uint64_t page = first; page < first + count; page++) {
        uint8_t bit = (uint8_t)(1 << page % 8);
        if (walk->claimed[page / 8] & bit)
            return rrs_integrity_damage(walk, page, "is used twice");
        walk->claimed[page / 8] |= bit;
    }
    return NULL;
}

/* Sets the file's length in the walk. Asked after the meta pages were read, so that pages a writer
 * added for them are seen. */
static struct rrs_error *measure(struct rrs_integrity_walk *walk)
{
    struct stat status;
    if (fstat(walk->fd, &status) < 0)
        return rrs_error_os(errno, walk->path, "cannot ask for the file's length");
    if (!S_ISREG(status.st_mode))
        return rrs_error_path(RRS_ERROR_BAD_TRACE, walk->path, "is not a regular file");
    walk->report.file_bytes = (uint64_t)status.st_size;
    walk->file_pages = walk->page_bytes ? walk->report.file_bytes / walk->page_bytes : 0;
    return NULL;
}

static struct rrs_error *check_meta_stamp(const struct rrs_integrity_walk *walk, uint64_t number,
                                          const uint8_t *raw)
{
    const uint8_t *meta = raw + LMDB_HEAD_BYTES;
    if (lmdb_u32(meta) != LMDB_MAGIC)
        return rrs_integrity_damage(walk, number, "the meta page has no LMDB magic number");
    if (lmdb_u32(meta + 4) != LMDB_VERSION)
        return rrs_integrity_damage(walk, number, "LMDB data format %u, only %u is known",
                                    lmdb_u32(meta + 4), LMDB_VERSION);
    if (lmdb_u64(raw) != number || lmdb_u16(raw + 10) != LMDB_PAGE_META)
        return rrs_integrity_damage(walk, number, "the head of the meta page is damaged");
    return NULL;
}

static bool page_size_is_possible(uint32_t bytes)
{
    return bytes >= LMDB_MIN_PAGE_BYTES && bytes <= LMDB_MAX_PAGE_BYTES &&
           (bytes & (bytes - 1)) == 0;
}

/* Says what the file is if it is certainly no store, without a page number that would only puzzle.
 */
static struct rrs_error *check_first_bytes(struct rrs_integrity_walk *walk)
{
    uint64_t length = walk->report.file_bytes;
    uint8_t head[LMDB_HEAD_BYTES + 4];
    if (length == 0)
        return rrs_error_path(RRS_ERROR_BAD_TRACE, walk->path, "is empty");
    bool foreign = length < sizeof head;
    if (!foreign) {
        RRS_TRY(rrs_integrity_read(walk, 0, head, sizeof head));
        foreign = lmdb_u32(head + LMDB_HEAD_BYTES) != LMDB_MAGIC;
    }
    if (foreign)
        return rrs_error_path(RRS_ERROR_BAD_TRACE, walk->path,
                              "is not an LMDB file (its magic number is missing)");
    if (length < 2 * LMDB_MIN_PAGE_BYTES)
        return rrs_error_path(RRS_ERROR_BAD_TRACE, walk->path,
                              "is cut: %llu bytes do not hold the two meta pages",
                              (unsigned long long)length);
    return NULL;
}

static struct rrs_error *read_metas(struct rrs_integrity_walk *walk, struct metas *metas)
{
    RRS_TRY(rrs_integrity_read(walk, 0, metas->raw[0], META_READ_BYTES));
    RRS_TRY(check_meta_stamp(walk, 0, metas->raw[0]));
    metas->decoded[0] = lmdb_meta_decode(metas->raw[0] + LMDB_HEAD_BYTES);
    walk->page_bytes = metas->decoded[0].free_list.pad;
    if (!page_size_is_possible(walk->page_bytes))
        return rrs_integrity_damage(walk, 0, "pages of %u bytes", walk->page_bytes);
    RRS_TRY(rrs_integrity_read(walk, walk->page_bytes, metas->raw[1], META_READ_BYTES));
    RRS_TRY(check_meta_stamp(walk, 1, metas->raw[1]));
    metas->decoded[1] = lmdb_meta_decode(metas->raw[1] + LMDB_HEAD_BYTES);
    return NULL;
}

/* Transaction N is in meta page N % 2, so the two hold neighbours, or both 0 in a new file. */
static struct rrs_error *check_transactions(const struct rrs_integrity_walk *walk,
                                            const struct metas *metas)
{
    uint64_t even = metas->decoded[0].transaction;
    uint64_t odd = metas->decoded[1].transaction;
    bool fresh = even == 0 && odd == 0;
    /* Transaction 0 is that of a file in which nothing was committed: its page leads nowhere. */
    for (uint64_t i = 0; i < 2; i++)
        if (metas->decoded[i].transaction == 0 &&
            (metas->decoded[i].main.depth || metas->decoded[i].free_list.depth))
            return rrs_integrity_damage(walk, i, "transaction 0 with data in it");
    bool neighbours = even % 2 == 0 && odd % 2 == 1 && (odd - even == 1 || even - odd == 1);
    if (fresh || neighbours)
        return NULL;
    return rrs_integrity_damage(walk, even < odd, "the meta pages hold transactions %llu and %llu",
                                (unsigned long long)even, (unsigned long long)odd);
}

static struct rrs_error *check_meta(const struct rrs_integrity_walk *walk,
                                    const struct lmdb_meta *meta, uint64_t number)
{
    if (meta->free_list.pad != walk->page_bytes)
        return rrs_integrity_damage(walk, number, "pages of %u bytes", meta->free_list.pad);
    if (meta->map_address != 0)
        return rrs_integrity_damage(walk, number, "asks for a fixed address in memory");
    if (meta->free_list.flags != LMDB_DB_INTEGER_KEY)
        return rrs_integrity_damage(walk, number, "free list flags are 0x%x",
                                    meta->free_list.flags);
    if (meta->last_page < 1 || meta->last_page >= meta->map_bytes / walk->page_bytes)
        return rrs_integrity_damage(walk, number, "last page %llu in a map of %llu bytes",
                                    (unsigned long long)meta->last_page,
                                    (unsigned long long)meta->map_bytes);
    return NULL;
}

/*
 * A commit replaces at least the root of a tree, so the free list's last record carries its own
 * transaction's number. A meta page whose number was flipped into another plausible one is found
 * out by that; nothing else would, since the snapshot before the last is intact, only old.
 */
static struct rrs_error *check_meta_age(struct rrs_integrity_walk *walk, const struct metas *metas,
                                        uint64_t number)
{
    const struct lmdb_meta *meta = &metas->decoded[number];
    uint64_t newest;
    if (meta->transaction < 2 || metas->decoded[!number].main.depth == 0)
        return NULL; /* nothing was there to replace */
    RRS_TRY(rrs_integrity_free_list_newest(walk, meta, &newest));
    if (newest != meta->transaction)
        return rrs_integrity_damage(
            walk, number, "says transaction %llu, its free list was written by %llu",
            (unsigned long long)meta->transaction, (unsigned long long)newest);
    return NULL;
}

static struct rrs_error *cut_error(const struct rrs_integrity_walk *walk)
{
    return rrs_error_path(RRS_ERROR_BAD_TRACE, walk->path,
                          "is cut: it has %llu pages, the last one in use is page %llu",
                          (unsigned long long)walk->file_pages,
                          (unsigned long long)walk->last_page);
}

/* Pages that count as used but are missing in the file must all be free ones. */
static struct rrs_error *check_file_end(const struct rrs_integrity_walk *walk)
{
    for (uint64_t page = walk->file_pages; page <= walk->last_page; page++) {
        if (!(walk->claimed[page / 8] & 1 << page % 8))
            return cut_error(walk);
    }
    return NULL;
}

static struct rrs_error *walk_snapshot(struct rrs_integrity_walk *walk,
                                       const struct lmdb_meta *meta)
{
    walk->last_page = meta->last_page;
    walk->report.transaction = meta->transaction;
    walk->report.last_page = meta->last_page;
    walk->report.page_bytes = walk->page_bytes;
    if (meta->last_page >= walk->file_pages + RRS_INTEGRITY_UNWRITTEN_PAGES_MAX)
        return cut_error(walk);
    _cleanup_free_ uint8_t *claimed = calloc(meta->last_page / 8 + 1, 1);
    if (!claimed)
        return rrs_error_no_memory();
    walk->claimed = claimed;
    if (walk->visitor)
        walk->visitor->begin(walk->visitor->context);
    /* The free list first: it is short, and a page both used and free then is named where an entry
     * refers to it. */
    RRS_TRY(rrs_integrity_free_list_check(walk, meta));
    RRS_TRY(rrs_integrity_main_check(walk, meta));
    RRS_TRY(check_file_end(walk));
    walk->report.lost_pages = meta->last_page - 1 - walk->report.branch_pages -
                              walk->report.leaf_pages - walk->report.overflow_pages -
                              walk->report.free_pages;
    walk->claimed = NULL;
    return NULL;
}

static struct rrs_error *check_metas(struct rrs_integrity_walk *walk, struct metas *metas)
{
    RRS_TRY(measure(walk));
    RRS_TRY(check_first_bytes(walk));
    RRS_TRY(read_metas(walk, metas));
    RRS_TRY(measure(walk));
    RRS_TRY(check_transactions(walk, metas));
    RRS_TRY(check_meta(walk, &metas->decoded[0], 0));
    return check_meta(walk, &metas->decoded[1], 1);
}

static struct rrs_error *check_all(struct rrs_integrity_walk *walk, struct metas *metas)
{
    RRS_TRY(check_metas(walk, metas));
    RRS_TRY(check_meta_age(walk, metas, 0));
    RRS_TRY(check_meta_age(walk, metas, 1));
    bool odd = metas->decoded[0].transaction < metas->decoded[1].transaction;
    return walk_snapshot(walk, &metas->decoded[odd]);
}

/* Whether the meta pages differ from those that a failed check went by. */
static bool was_overtaken(int fd, const struct metas *metas, uint32_t page_bytes)
{
    uint8_t now[META_READ_BYTES];
    for (unsigned i = 0; i < 2; i++) {
        if (pread(fd, now, sizeof now, (off_t)i * page_bytes) != (ssize_t)sizeof now)
            return false;
        if (memcmp(now, metas->raw[i], sizeof now) != 0)
            return true;
    }
    return false;
}

/* Runs `check`, again if a writer committed meanwhile: then it may have seen two states at once. */
static struct rrs_error *check_repeatedly(struct rrs_error *(*check)(struct rrs_integrity_walk *,
                                                                     struct metas *),
                                          const struct rrs_integrity_walk *begin,
                                          struct rrs_integrity_report *report)
{
    for (uint32_t tries = 1;; tries++) {
        struct metas metas = {0};
        struct rrs_integrity_walk walk = *begin;
        struct rrs_error *error = check(&walk, &metas);
        if (!error && report) {
            *report = walk.report;
            report->snapshots_tried = tries;
        }
        bool again = error && error->code == RRS_ERROR_BAD_TRACE && tries < SNAPSHOTS_MAX &&
                     walk.page_bytes && was_overtaken(walk.fd, &metas, walk.page_bytes);
        if (!again)
            return error;
        rrs_error_destroy(error);
    }
}

struct rrs_error *rrs_integrity_check(int data_fd, const char *path,
                                      struct rrs_integrity_report *report)
{
    return rrs_integrity_check_visiting(data_fd, path, NULL, report);
}

struct rrs_error *rrs_integrity_check_visiting(int data_fd, const char *path,
                                               const struct rrs_integrity_visitor *visitor,
                                               struct rrs_integrity_report *report)
{
    const struct rrs_integrity_walk walk = {.fd = data_fd, .path = path, .visitor = visitor};
    return check_repeatedly(check_all, &walk, report);
}

struct rrs_error *rrs_integrity_check_metas(int data_fd, const char *path)
{
    const struct rrs_integrity_walk walk = {.fd = data_fd, .path = path};
    return check_repeatedly(check_metas, &walk, NULL);
}
