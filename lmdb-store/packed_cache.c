/* SPDX-License-Identifier: MIT */
#include "lmdb-store/packed_cache.h"

#include "lmdb-store/clock.h"
#include "lmdb-store/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

enum {
    KEPT_BYTES_MIN = 64 << 10,
    ENTRY_NAME_BYTES = 2 * 16 + 1,
    MAGIC_BYTES = 8,
};
static const char magic[MAGIC_BYTES] = "rrspack1";
static const uint64_t second_ns = 1000000000;
static const uint64_t young_ns = 2 * second_ns;
static const uint64_t room_bytes = 4ull << 30; /* of all entries, above which old ones go, */
static const uint64_t kept_bytes = 3ull << 30; /*   down to this */

struct rrs_packed_cache {
    int directory;
};

/* Only this machine reads it: numbers are as they stand in memory. */
struct entry_head {
    char magic[MAGIC_BYTES];
    struct rrs_packed_key key;
    uint64_t checksum; /* of all the rest of the head, and of the index */
};

struct entry_chunk {
    struct rrs_hash hash;
    uint32_t size_bytes, packed_bytes;
    uint64_t at; /* offset in the entry */
    uint64_t checksum;
};

static uint32_t chunk_count(const struct rrs_packed_key *key)
{
    return (uint32_t)rrs_chunk_count(key->part_bytes);
}

static uint32_t chunk_bytes(const struct rrs_packed_key *key, uint32_t index)
{
    uint64_t before = (uint64_t)index * RRS_CHUNK_MAX_BYTES, left = key->part_bytes - before;
    return left < RRS_CHUNK_MAX_BYTES ? (uint32_t)left : RRS_CHUNK_MAX_BYTES;
}

static uint64_t checksum(const struct entry_head *head, const struct entry_chunk *index)
{
    uint64_t seed = XXH3_64bits(head, offsetof(struct entry_head, checksum));
    return XXH3_64bits_withSeed(index, chunk_count(&head->key) * sizeof *index, seed);
}

static void name_entry(const struct rrs_packed_key *key, char name[ENTRY_NAME_BYTES])
{
    XXH128_hash_t hash = XXH3_128bits(key, sizeof *key);
    snprintf(name, ENTRY_NAME_BYTES, "%016llx%016llx", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
}

/* ---- the directory ---- */

/* What others could write to could hold anything. */
static bool is_private(int directory)
{
    struct stat st;
    return fstat(directory, &st) == 0 && st.st_uid == geteuid() && !(st.st_mode & 022);
}

static void make_directories(const char *path)
{
    _cleanup_free_ char *part = strdup(path);
    for (char *at = part; at && (at = strchr(at + 1, '/'));) {
        *at = '\0';
        mkdir(part, 0700);
        *at = '/';
    }
    mkdir(path, 0700);
}

struct rrs_packed_cache *rrs_packed_cache_open(const char *path)
{
    make_directories(path);
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct rrs_packed_cache *cache = calloc(1, sizeof *cache);
    if (directory < 0 || !cache || !is_private(directory)) {
        rrs_scope_close(&directory);
        free(cache);
        return NULL;
    }
    cache->directory = directory;
    return cache;
}

void rrs_packed_cache_close(struct rrs_packed_cache *cache)
{
    if (!cache)
        return;
    close(cache->directory);
    free(cache);
}

static uint64_t in_ns(const struct timespec *time)
{
    return (uint64_t)time->tv_sec * second_ns + (uint64_t)time->tv_nsec;
}

bool rrs_packed_key_of(int fd, uint64_t offset_bytes, uint64_t part_bytes,
                       struct rrs_packed_key *key)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !st.st_nlink)
        return false;
    uint64_t size = (uint64_t)st.st_size, left = size > offset_bytes ? size - offset_bytes : 0;
    *key = (struct rrs_packed_key){
        .device = st.st_dev,
        .inode = st.st_ino,
        .size_bytes = size,
        .modified_ns = in_ns(&st.st_mtim),
        .changed_ns = in_ns(&st.st_ctim),
        .offset_bytes = offset_bytes,
        .part_bytes = left < part_bytes ? left : part_bytes,
    };
    uint64_t now = rrs_clock_ns(CLOCK_REALTIME);
    return key->part_bytes >= KEPT_BYTES_MIN && key->modified_ns + young_ns < now &&
           key->changed_ns + young_ns < now && rrs_chunk_count(key->part_bytes) < UINT32_MAX;
}

/* ---- old entries go ---- */

struct old_entry {
    char name[ENTRY_NAME_BYTES];
    uint64_t used_ns, bytes;
};

struct old_entries {
    struct old_entry *entries;
    size_t count, room;
    uint64_t bytes;
};

static bool note_entry(struct old_entries *all, int directory, const char *name)
{
    struct stat st;
    if (strlen(name) != ENTRY_NAME_BYTES - 1 ||
        fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return true;
    if (all->count == all->room) {
        size_t room = all->room ? 2 * all->room : 64;
        struct old_entry *larger = reallocarray(all->entries, room, sizeof *larger);
        if (!larger)
            return false;
        all->entries = larger;
        all->room = room;
    }
    struct old_entry *entry = &all->entries[all->count++];
    memcpy(entry->name, name, ENTRY_NAME_BYTES);
    entry->used_ns = in_ns(&st.st_mtim);
    entry->bytes = (uint64_t)st.st_size;
    all->bytes += entry->bytes;
    return true;
}

static int by_use(const void *a, const void *b)
{
    uint64_t first = ((const struct old_entry *)a)->used_ns;
    uint64_t second = ((const struct old_entry *)b)->used_ns;
    return (first > second) - (first < second);
}

/* The modification time of an entry is when it was last of use. */
static void make_room(const struct rrs_packed_cache *cache)
{
    struct old_entries all = {0};
    int fd = openat(cache->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    while (directory && (entry = readdir(directory)))
        if (!note_entry(&all, cache->directory, entry->d_name))
            break;
    if (all.bytes > room_bytes) {
        qsort(all.entries, all.count, sizeof *all.entries, by_use);
        for (size_t i = 0; all.bytes > kept_bytes && i < all.count; i++) {
            unlinkat(cache->directory, all.entries[i].name, 0);
            all.bytes -= all.entries[i].bytes;
        }
    }
    free(all.entries);
}

/* ---- reading an entry ---- */

struct rrs_packed_entry {
    int directory, fd;
    char name[ENTRY_NAME_BYTES];
    struct entry_head head;
    struct entry_chunk *index;
    uint32_t next;
};

static bool read_at(int fd, void *buffer, size_t size_bytes, uint64_t at)
{
    uint8_t *to = buffer;
    while (size_bytes > 0) {
        ssize_t n = pread(fd, to, size_bytes, (off_t)at);
        if (n <= 0 && !(n < 0 && errno == EINTR))
            return false;
        n = n < 0 ? 0 : n;
        to += n;
        at += (uint64_t)n;
        size_bytes -= (size_t)n;
    }
    return true;
}

static bool read_index(struct rrs_packed_entry *entry, const struct rrs_packed_key *key)
{
    struct entry_head *head = &entry->head;
    if (!read_at(entry->fd, head, sizeof *head, 0) || memcmp(head->magic, magic, sizeof magic) ||
        memcmp(&head->key, key, sizeof *key))
        return false;
    size_t bytes = chunk_count(key) * sizeof *entry->index;
    entry->index = malloc(bytes);
    return entry->index && read_at(entry->fd, entry->index, bytes, sizeof *head) &&
           checksum(head, entry->index) == head->checksum;
}

struct rrs_packed_entry *rrs_packed_entry_open(struct rrs_packed_cache *cache,
                                               const struct rrs_packed_key *key)
{
    struct rrs_packed_entry *entry = calloc(1, sizeof *entry);
    if (!entry)
        return NULL;
    name_entry(key, entry->name);
    entry->directory = cache->directory;
    entry->fd = openat(cache->directory, entry->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (entry->fd >= 0 && read_index(entry, key)) {
        futimens(entry->fd, NULL);
        return entry;
    }
    if (entry->fd >= 0) /* else it would be in the way of a sound one */
        unlinkat(cache->directory, entry->name, 0);
    rrs_packed_entry_close(entry);
    return NULL;
}

void rrs_packed_entry_close(struct rrs_packed_entry *entry)
{
    if (!entry)
        return;
    rrs_scope_close(&entry->fd);
    free(entry->index);
    free(entry);
}

bool rrs_packed_entry_next(struct rrs_packed_entry *entry, struct rrs_chunk_head *head,
                           uint8_t **data, size_t *data_bytes)
{
    if (entry->next == chunk_count(&entry->head.key))
        return false;
    const struct entry_chunk *chunk = &entry->index[entry->next];
    _cleanup_free_ uint8_t *packed = malloc(chunk->packed_bytes);
    if (!packed || !read_at(entry->fd, packed, chunk->packed_bytes, chunk->at) ||
        XXH3_64bits(packed, chunk->packed_bytes) != chunk->checksum)
        return false;
    entry->next++;
    *head = (struct rrs_chunk_head){chunk->size_bytes, chunk->hash};
    *data = rrs_steal_pointer(&packed);
    *data_bytes = chunk->packed_bytes;
    return true;
}

bool rrs_packed_entry_ends_well(struct rrs_packed_entry *entry)
{
    if (entry->next == chunk_count(&entry->head.key))
        return true;
    unlinkat(entry->directory, entry->name, 0);
    return false;
}

/* ---- making an entry ---- */

struct rrs_packed_filling {
    struct rrs_packed_cache *cache;
    atomic_uint owners;
    int fd; /* without a name as yet: a kill leaves nothing behind */
    struct entry_head head;
    struct entry_chunk *index;
    atomic_uint added;
    atomic_ullong end_bytes; /* of the data so far */
    atomic_bool failed;
};

static bool write_at(int fd, const void *buffer, size_t size_bytes, uint64_t at)
{
    const uint8_t *from = buffer;
    while (size_bytes > 0) {
        ssize_t n = pwrite(fd, from, size_bytes, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        from += n;
        at += (uint64_t)n;
        size_bytes -= (size_t)n;
    }
    return true;
}

struct rrs_packed_filling *rrs_packed_filling_begin(struct rrs_packed_cache *cache,
                                                    const struct rrs_packed_key *key)
{
    struct rrs_packed_filling *filling = calloc(1, sizeof *filling);
    if (!filling)
        return NULL;
    filling->cache = cache;
    atomic_init(&filling->owners, 1);
    filling->fd = openat(cache->directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    filling->index = calloc(chunk_count(key), sizeof *filling->index);
    if (filling->fd < 0 || !filling->index) {
        rrs_packed_filling_destroy(filling);
        return NULL;
    }
    memcpy(filling->head.magic, magic, sizeof magic);
    filling->head.key = *key;
    atomic_init(&filling->end_bytes,
                sizeof filling->head + chunk_count(key) * sizeof *filling->index);
    return filling;
}

void rrs_packed_filling_add(struct rrs_packed_filling *filling, uint32_t index,
                            const struct rrs_chunk_head *head, const struct rrs_bytes *packed)
{
    const struct rrs_packed_key *key = &filling->head.key;
    if (index >= chunk_count(key) || head->size_bytes != chunk_bytes(key, index)) {
        atomic_store(&filling->failed, true); /* the file became another meanwhile */
        return;
    }
    uint64_t at = atomic_fetch_add(&filling->end_bytes, packed->size_bytes);
    filling->index[index] = (struct entry_chunk){
        .hash = head->hash,
        .size_bytes = head->size_bytes,
        .packed_bytes = (uint32_t)packed->size_bytes,
        .at = at,
        .checksum = XXH3_64bits(packed->data, packed->size_bytes),
    };
    if (!write_at(filling->fd, packed->data, packed->size_bytes, at))
        atomic_store(&filling->failed, true); /* the disk is full, say */
    atomic_fetch_add(&filling->added, 1);
}

void rrs_packed_filling_give_up(struct rrs_packed_filling *filling)
{
    atomic_store(&filling->failed, true);
}

static void give_name(const struct rrs_packed_filling *filling)
{
    char name[ENTRY_NAME_BYTES], path[64];
    name_entry(&filling->head.key, name);
    snprintf(path, sizeof path, "/proc/self/fd/%d", filling->fd);
    linkat(AT_FDCWD, path, filling->cache->directory, name, AT_SYMLINK_FOLLOW);
}

void rrs_packed_filling_end(struct rrs_packed_filling *filling)
{
    uint32_t count = chunk_count(&filling->head.key);
    if (atomic_load(&filling->failed) || atomic_load(&filling->added) != count)
        return;
    filling->head.checksum = checksum(&filling->head, filling->index);
    if (!write_at(filling->fd, &filling->head, sizeof filling->head, 0) ||
        !write_at(filling->fd, filling->index, count * sizeof *filling->index,
                  sizeof filling->head))
        return;
    give_name(filling);
    make_room(filling->cache);
}

struct rrs_packed_filling *rrs_packed_filling_share(struct rrs_packed_filling *filling)
{
    if (filling)
        atomic_fetch_add(&filling->owners, 1);
    return filling;
}

void rrs_packed_filling_destroy(struct rrs_packed_filling *filling)
{
    if (!filling || atomic_fetch_sub(&filling->owners, 1) > 1)
        return;
    rrs_scope_close(&filling->fd);
    free(filling->index);
    free(filling);
}
