/* SPDX-License-Identifier: MIT */
#include "engine/record/checksum.h"

#include "engine/events/checksum.h"
#include "engine/run/address_space.h"
#include "engine/tracee/maps.h"
#include "lmdb-store/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What was written about one address space. */
struct known_space {
    uint64_t identity;
    struct rrs_page_sums pages;
};

struct rrs_recorded_sums {
    struct known_space *spaces;
    size_t count;
};

struct rrs_error *rrs_recorded_sums_create(struct rrs_recorded_sums **sums)
{
    *sums = calloc(1, sizeof **sums);
    return *sums ? NULL : rrs_error_no_memory();
}

void rrs_recorded_sums_destroy(struct rrs_recorded_sums *sums)
{
    for (size_t i = 0; sums && i < sums->count; i++)
        rrs_page_sums_deinit(&sums->spaces[i].pages);
    if (sums)
        free(sums->spaces);
    free(sums);
}

static bool is_alive(const struct rrs_session *session, uint64_t identity)
{
    for (const struct rrs_task *task = session->tasks; task; task = task->next)
        if (task->space && task->space->identity == identity)
            return true;
    return false;
}

static void drop_ended(const struct rrs_session *session, struct rrs_recorded_sums *sums)
{
    size_t kept = 0;
    for (size_t i = 0; i < sums->count; i++)
        if (is_alive(session, sums->spaces[i].identity))
            sums->spaces[kept++] = sums->spaces[i];
        else
            rrs_page_sums_deinit(&sums->spaces[i].pages);
    sums->count = kept;
}

static struct rrs_error *pages_of(const struct rrs_session *session, struct rrs_recorded_sums *sums,
                                  uint64_t identity, struct rrs_page_sums **pages)
{
    for (size_t i = 0; i < sums->count; i++)
        if (sums->spaces[i].identity == identity) {
            *pages = &sums->spaces[i].pages;
            return NULL;
        }
    drop_ended(session, sums);
    void *moved = realloc(sums->spaces, (sums->count + 1) * sizeof *sums->spaces);
    if (!moved)
        return rrs_error_no_memory();
    sums->spaces = moved;
    sums->spaces[sums->count] = (struct known_space){.identity = identity};
    *pages = &sums->spaces[sums->count++].pages;
    return NULL;
}

/* --- the pages that there are --- */

struct scan {
    int memory, pagemap; /* files of /proc */
    struct stat pool;    /* the engine's own memory */
    struct rrs_page_sums pages;
    struct rrs_error *error;
};

/* linux/Documentation/admin-guide/mm/pagemap.rst */
static bool counts(uint64_t entry, bool shared)
{
    const uint64_t present = 1ull << 63, swapped = 1ull << 62, of_file = 1ull << 61;
    return entry & (present | swapped) && (shared || !(entry & of_file));
}

static struct rrs_error *hash_page(struct scan *scan, rrs_addr address)
{
    uint8_t page[RRS_PAGE_BYTES];
    if (pread(scan->memory, page, sizeof page, (off_t)address) != sizeof page)
        return NULL; /* behind the end of a file */
    return rrs_page_sums_append(&scan->pages, address, rrs_page_hash(page));
}

static struct rrs_error *hash_pages(struct scan *scan, rrs_addr start, rrs_addr end, bool shared)
{
    enum { PIECE = 4096 };
    _cleanup_free_ uint64_t *entries = malloc(PIECE * sizeof *entries);
    if (!entries)
        return rrs_error_no_memory();
    while (start < end) {
        size_t pages = (end - start) / RRS_PAGE_BYTES < PIECE ? (end - start) / RRS_PAGE_BYTES : PIECE;
        ssize_t bytes = pread(scan->pagemap, entries, pages * sizeof *entries,
                              (off_t)(start / RRS_PAGE_BYTES * sizeof *entries));
        if (bytes <= 0)
            return NULL;
        for (size_t i = 0; i < (size_t)bytes / sizeof *entries; i++)
            if (counts(entries[i], shared))
                RRS_TRY(hash_page(scan, start + i * RRS_PAGE_BYTES));
        start += pages * RRS_PAGE_BYTES;
    }
    return NULL;
}

static bool visit(void *context, const struct rrs_mapping *mapping)
{
    struct scan *scan = context;
    bool ours = mapping->inode == scan->pool.st_ino && mapping->device == scan->pool.st_dev;
    bool kernels = mapping->start >= 1ull << 63 || !strcmp(mapping->path, "[vdso]") ||
                   !strncmp(mapping->path, "[vvar", 5);
    bool constant = !mapping->prot || (mapping->shared && !(mapping->prot & PROT_WRITE));
    if (!ours && !kernels && !constant)
        scan->error = hash_pages(scan, mapping->start, mapping->end, mapping->shared);
    return !scan->error;
}

static int open_of(pid_t tid, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", tid, name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static struct rrs_error *scan_pages(const struct rrs_recorder *recorder,
                                    const struct rrs_task *task, struct scan *scan)
{
    _cleanup_close_ int memory = open_of(task->tid, "mem"), pagemap = open_of(task->tid, "pagemap");
    if (memory < 0 || pagemap < 0 || fstat(recorder->session->pool.fd, &scan->pool) < 0)
        return rrs_error_os(errno, NULL, "reading the memory of task %d", task->tid);
    scan->memory = memory;
    scan->pagemap = pagemap;
    struct rrs_error *error = rrs_maps_visit(task->tid, visit, scan);
    return error ? error : scan->error;
}

/* --- items --- */

/* What no event can hold follows with the next one: to replay, it is not known until then. */
static struct rrs_error *write_changes(struct rrs_recorder *recorder, struct rrs_page_sums *known,
                                       const struct rrs_page_sums *now,
                                       struct rrs_checksum_head *head)
{
    enum { MOST = 16384 };
    struct rrs_page_sums changes = {0};
    struct rrs_error *error = rrs_page_sums_compare(known, now, &changes);
    if (!error && changes.count > MOST) {
        head->flags |= RRS_CHECKSUM_FORGET;
        known->count = changes.count = 0;
        error = rrs_page_sums_compare(known, now, &changes);
        changes.count = changes.count < MOST ? changes.count : MOST;
    }
    if (!error)
        error = rrs_page_sums_apply(known, &changes);
    if (!error)
        rrs_body_put_checksum(&recorder->body, head, &changes);
    rrs_page_sums_deinit(&changes);
    return error;
}

struct rrs_error *rrs_recorder_add_checksum(struct rrs_recorder *recorder,
                                            const struct rrs_task *task,
                                            const struct user_regs_struct *regs)
{
    uint8_t xstate[RRS_XSTATE_MAX_BYTES];
    size_t xstate_bytes;
    struct rrs_page_sums *known;
    struct scan scan = {0};
    if (!recorder->sums)
        return NULL;
    struct rrs_checksum_head head = {.flags = recorder->guessed ? RRS_CHECKSUM_GUESSED : 0};
    RRS_TRY(rrs_ptrace_get_xstate(task->tid, xstate, sizeof xstate, &xstate_bytes));
    rrs_checksum_fill(&head, regs, xstate, xstate_bytes);
    RRS_TRY(pages_of(recorder->session, recorder->sums, task->space->identity, &known));
    struct rrs_error *error = scan_pages(recorder, task, &scan);
    if (!error)
        error = write_changes(recorder, known, &scan.pages, &head);
    rrs_page_sums_deinit(&scan.pages);
    return error;
}
