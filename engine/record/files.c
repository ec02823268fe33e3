/* SPDX-License-Identifier: MIT */
#include "engine/record/files.h"

#include "lmdb-store/blob.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

/* A larger file is stored as far as it is mapped, unless it holds code. */
static const uint64_t whole_bytes_max = 16ull << 20;

/* Contents that are in the trace. */
struct recorded {
    dev_t device;
    ino_t inode;
    struct timespec modified;
    uint64_t size; /* of the file */
    uint64_t offset, bytes;
    struct rrs_hash blob;
};

struct identity {
    dev_t device;
    ino_t inode;
    uint64_t number;
};

/* A file that some task has mapped. */
struct mapped {
    dev_t device;
    ino_t inode;
    uint64_t size; /* as last seen */
    bool shrank;
};

struct rrs_recorded_files {
    struct mapped *mapped;
    size_t mapped_count, mapped_room;
    struct recorded *recorded;
    size_t recorded_count, recorded_room;
    struct identity *identities;
    size_t identity_count, identity_room;
};

struct rrs_error *rrs_recorded_files_create(struct rrs_recorded_files **files)
{
    struct rrs_recorded_files *made = calloc(1, sizeof *made);
    if (!made)
        return rrs_error_no_memory();
    *files = made;
    return NULL;
}

void rrs_recorded_files_destroy(struct rrs_recorded_files *files)
{
    if (!files)
        return;
    free(files->mapped);
    free(files->recorded);
    free(files->identities);
    free(files);
}

/* Room for one more element of an array. */
static struct rrs_error *grow(void *array_at, size_t count, size_t *room, size_t element_bytes)
{
    void **array = array_at;
    if (count < *room)
        return NULL;
    size_t larger = *room ? *room * 2 : 32;
    void *moved = realloc(*array, larger * element_bytes);
    if (!moved)
        return rrs_error_no_memory();
    *array = moved;
    *room = larger;
    return NULL;
}

static struct mapped *find_mapped(const struct rrs_recorded_files *files, const struct stat *st)
{
    for (size_t i = 0; i < files->mapped_count; i++)
        if (files->mapped[i].inode == st->st_ino && files->mapped[i].device == st->st_dev)
            return &files->mapped[i];
    return NULL;
}

bool rrs_recorded_files_mapped(struct rrs_recorded_files *files, const struct stat *st,
                               bool *shrank)
{
    struct mapped *mapped = find_mapped(files, st);
    if (!mapped)
        return false;
    mapped->shrank |= (uint64_t)st->st_size < mapped->size;
    mapped->size = (uint64_t)st->st_size;
    *shrank = mapped->shrank;
    return true;
}

static struct rrs_error *note_mapped(struct rrs_recorded_files *files, const struct stat *st)
{
    bool shrank;
    if (rrs_recorded_files_mapped(files, st, &shrank))
        return NULL;
    RRS_TRY(grow(&files->mapped, files->mapped_count, &files->mapped_room, sizeof *files->mapped));
    files->mapped[files->mapped_count++] =
        (struct mapped){st->st_dev, st->st_ino, (uint64_t)st->st_size, false};
    return NULL;
}

static struct rrs_error *identify(struct rrs_recorded_files *files, const struct stat *st,
                                  uint64_t *next_identity, uint64_t *number)
{
    for (size_t i = 0; i < files->identity_count; i++)
        if (files->identities[i].device == st->st_dev && files->identities[i].inode == st->st_ino) {
            *number = files->identities[i].number;
            return NULL;
        }
    RRS_TRY(grow(&files->identities, files->identity_count, &files->identity_room,
                 sizeof *files->identities));
    *number = (*next_identity)++;
    files->identities[files->identity_count++] = (struct identity){st->st_dev, st->st_ino, *number};
    return NULL;
}

static const struct recorded *find(const struct rrs_recorded_files *files, const struct stat *st,
                                   uint64_t offset, uint64_t bytes)
{
    for (size_t i = files->recorded_count; i-- > 0;) {
        const struct recorded *r = &files->recorded[i];
        if (r->device == st->st_dev && r->inode == st->st_ino && r->offset == offset &&
            r->bytes == bytes && r->size == (uint64_t)st->st_size &&
            !memcmp(&r->modified, &st->st_mtim, sizeof r->modified))
            return r;
    }
    return NULL;
}

/* Times are as coarse as the kernel's clock tick: two writes may have the same. */
static bool is_young(const struct stat *st)
{
    enum { SECONDS = 2 };
    return time(NULL) < st->st_mtim.tv_sec + SECONDS;
}

static struct rrs_error *store(struct rrs_recorded_files *files, struct rrs_trace_writer *writer,
                               int fd, const struct stat *st, struct rrs_map_item *map)
{
    struct recorded new = {st->st_dev,       st->st_ino,      st->st_mtim, (uint64_t)st->st_size,
                           map->blob_offset, map->blob_bytes, {{0}}};
    RRS_TRY(rrs_blob_put_file(writer, fd, map->blob_offset, map->blob_bytes, &new.blob, NULL));
    map->blob = new.blob;
    if (map->shared || !st->st_nlink || is_young(st))
        return NULL; /* it may change without a new time */
    RRS_TRY(grow(&files->recorded, files->recorded_count, &files->recorded_room,
                 sizeof *files->recorded));
    files->recorded[files->recorded_count++] = new;
    return NULL;
}

struct rrs_error *rrs_recorded_files_add(struct rrs_recorded_files *files,
                                         struct rrs_trace_writer *writer, int fd,
                                         uint64_t *next_identity, struct rrs_map_item *map)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return rrs_error_os(errno, NULL, "looking at a file that is mapped");
    map->source = RRS_MAP_ANONYMOUS;
    map->blob_offset = map->blob_bytes = 0;
    if (map->shared)
        RRS_TRY(identify(files, &st, next_identity, &map->identity));
    if (!S_ISREG(st.st_mode))
        return NULL;
    RRS_TRY(note_mapped(files, &st));
    uint64_t size = (uint64_t)st.st_size, mapped = map->end - map->start;
    bool whole = !map->shared && (size <= whole_bytes_max || map->prot & PROT_EXEC);
    map->source = RRS_MAP_FILE;
    map->blob_offset = whole ? 0 : map->file_offset;
    map->blob_bytes = size > map->blob_offset ? size - map->blob_offset : 0;
    if (!whole && map->blob_bytes > mapped)
        map->blob_bytes = mapped;
    const struct recorded *known =
        map->shared ? NULL : find(files, &st, map->blob_offset, map->blob_bytes);
    if (!known)
        return store(files, writer, fd, &st, map);
    map->blob = known->blob;
    return NULL;
}
