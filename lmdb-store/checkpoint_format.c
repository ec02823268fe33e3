/* SPDX-License-Identifier: MIT */
#include "lmdb-store/checkpoint_format.h"

#include "lmdb-store/bytes.h"
#include "lmdb-store/scope.h"

enum {
    OFFSET_N_PAGES = 0,
    OFFSET_PAYLOAD_BYTES = 8,
    OFFSET_MAP_BYTES = 16,
    OFFSET_IDS = 24,
};

enum {
    ENTRY_SPACE = 0,
    ENTRY_N_PAGES = 4,
    ENTRY_REGION = 8,
    ENTRY_BLOCK = 16,
    ENTRY_BYTES = 24,
};

static const uint64_t region_limit = (UINT64_MAX / RRS_CHECKPOINT_PAGE_BYTES + 1) / RRS_BLOCK_PAGES;

void rrs_checkpoint_key(uint8_t key[RRS_CHECKPOINT_KEY_BYTES],
                        const struct rrs_checkpoint_place *place)
{
    rrs_store_be64(key, place->tick);
    rrs_store_be64(key + 8, place->event);
}

static struct rrs_error *damaged(const struct rrs_transaction *transaction,
                                 const struct rrs_checkpoint_place *place, const char *what)
{
    uint8_t key[RRS_CHECKPOINT_KEY_BYTES];
    rrs_checkpoint_key(key, place);
    return rrs_record_damaged(transaction, RRS_DATABASE_CHECKPOINTS, key, sizeof key, what);
}

struct rrs_error *rrs_checkpoint_record_parse(const struct rrs_transaction *transaction,
                                              const MDB_val *key, const struct rrs_bytes *body,
                                              struct rrs_checkpoint_record *record)
{
    if (key->mv_size != RRS_CHECKPOINT_KEY_BYTES || body->size_bytes < OFFSET_IDS ||
        (body->size_bytes - OFFSET_IDS) % 8)
        return rrs_record_damaged(transaction, RRS_DATABASE_CHECKPOINTS, key->mv_data, key->mv_size,
                                  "its size is wrong");
    struct rrs_checkpoint_record read = {
        .info.place.tick = rrs_load_be64(key->mv_data),
        .info.place.event = rrs_load_be64((const uint8_t *)key->mv_data + 8),
        .info.n_pages = rrs_load_le64(body->data + OFFSET_N_PAGES),
        .info.payload_bytes = rrs_load_le64(body->data + OFFSET_PAYLOAD_BYTES),
        .map_bytes = rrs_load_le64(body->data + OFFSET_MAP_BYTES),
    };
    uint64_t n_ids = (body->size_bytes - OFFSET_IDS) / 8;
    read.n_map_ids = rrs_chunk_count(read.map_bytes);
    read.n_payload_ids = rrs_chunk_count(read.info.payload_bytes);
    if (read.n_map_ids > n_ids || read.n_payload_ids != n_ids - read.n_map_ids)
        return damaged(transaction, &read.info.place, "its lists of chunks do not fit its sizes");
    read.ids = calloc(n_ids + 1, sizeof *read.ids);
    if (!read.ids)
        return rrs_error_no_memory();
    for (uint64_t i = 0; i < n_ids; i++)
        read.ids[i] = rrs_load_le64(body->data + OFFSET_IDS + 8 * i);
    *record = read;
    return NULL;
}

struct rrs_error *rrs_checkpoint_record_get(const struct rrs_transaction *transaction,
                                            const struct rrs_checkpoint_place *place,
                                            struct rrs_checkpoint_record *record)
{
    uint8_t key[RRS_CHECKPOINT_KEY_BYTES];
    struct rrs_bytes body;
    bool found;
    rrs_checkpoint_key(key, place);
    RRS_TRY(rrs_record_find(transaction, RRS_DATABASE_CHECKPOINTS, key, sizeof key, &body, &found));
    if (!found)
        return rrs_error_path(RRS_ERROR_NOT_FOUND,
                              rrs_environment_data_path(transaction->environment),
                              "there is no checkpoint at event %llu, tick %llu",
                              (unsigned long long)place->event, (unsigned long long)place->tick);
    const MDB_val key_value = {sizeof key, key};
    return rrs_checkpoint_record_parse(transaction, &key_value, &body, record);
}

struct rrs_error *rrs_checkpoint_record_put(const struct rrs_transaction *transaction,
                                            const struct rrs_checkpoint_record *record)
{
    uint8_t key[RRS_CHECKPOINT_KEY_BYTES];
    uint64_t n_ids = record->n_map_ids + record->n_payload_ids;
    _cleanup_free_ uint8_t *body = malloc(OFFSET_IDS + 8 * n_ids);
    if (!body)
        return rrs_error_no_memory();
    rrs_checkpoint_key(key, &record->info.place);
    rrs_store_le64(body + OFFSET_N_PAGES, record->info.n_pages);
    rrs_store_le64(body + OFFSET_PAYLOAD_BYTES, record->info.payload_bytes);
    rrs_store_le64(body + OFFSET_MAP_BYTES, record->map_bytes);
    for (uint64_t i = 0; i < n_ids; i++)
        rrs_store_le64(body + OFFSET_IDS + 8 * i, record->ids[i]);
    return rrs_record_put(transaction, RRS_DATABASE_CHECKPOINTS, key, sizeof key, body,
                          OFFSET_IDS + 8 * n_ids);
}

/* ---- the map ---- */

void rrs_page_map_deinit(struct rrs_page_map *map)
{
    free(map->entries);
    *map = (struct rrs_page_map){0};
}

struct rrs_error *rrs_page_map_append(struct rrs_page_map *map,
                                      const struct rrs_page_map_entry *entry)
{
    if (map->n_entries == map->capacity) {
        size_t capacity = map->capacity ? 2 * map->capacity : 64;
        void *larger = reallocarray(map->entries, capacity, sizeof *map->entries);
        if (!larger)
            return rrs_error_no_memory();
        map->entries = larger;
        map->capacity = capacity;
    }
    map->entries[map->n_entries++] = *entry;
    return NULL;
}

size_t rrs_page_map_search(const struct rrs_page_map *map, uint32_t space, uint64_t region)
{
    size_t low = 0, high = map->n_entries;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct rrs_page_map_entry *entry = &map->entries[middle];
        if (rrs_page_map_compare(entry->space, entry->region, space, region) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct rrs_error *rrs_page_map_serialize(const struct rrs_page_map *map, uint8_t **bytes,
                                         uint64_t *size_bytes)
{
    uint8_t *made = malloc(map->n_entries * ENTRY_BYTES + 1);
    if (!made)
        return rrs_error_no_memory();
    for (size_t i = 0; i < map->n_entries; i++) {
        uint8_t *to = made + i * ENTRY_BYTES;
        rrs_store_le32(to + ENTRY_SPACE, map->entries[i].space);
        rrs_store_le32(to + ENTRY_N_PAGES, map->entries[i].n_pages);
        rrs_store_le64(to + ENTRY_REGION, map->entries[i].region);
        rrs_store_le64(to + ENTRY_BLOCK, map->entries[i].block);
    }
    *bytes = made;
    *size_bytes = map->n_entries * ENTRY_BYTES;
    return NULL;
}

/* Appends the entry at `from` if it is sound: in order and in range. */
static bool parse_entry(const uint8_t *from, struct rrs_page_map *map, uint64_t *n_pages)
{
    struct rrs_page_map_entry entry = {
        .space = rrs_load_le32(from + ENTRY_SPACE),
        .n_pages = rrs_load_le32(from + ENTRY_N_PAGES),
        .region = rrs_load_le64(from + ENTRY_REGION),
        .block = rrs_load_le64(from + ENTRY_BLOCK),
    };
    const struct rrs_page_map_entry *last = &map->entries[map->n_entries];
    bool in_order = map->n_entries == 0 || rrs_page_map_compare(last[-1].space, last[-1].region,
                                                                entry.space, entry.region) < 0;
    if (!in_order || entry.n_pages < 1 || entry.n_pages > RRS_BLOCK_PAGES ||
        entry.region >= region_limit || entry.block == RRS_CHUNK_NONE)
        return false;
    map->entries[map->n_entries++] = entry;
    *n_pages += entry.n_pages;
    return true;
}

static struct rrs_error *parse_map(const struct rrs_transaction *transaction,
                                   const struct rrs_checkpoint_record *record, const uint8_t *bytes,
                                   struct rrs_page_map *map)
{
    uint64_t n_entries = record->map_bytes / ENTRY_BYTES, n_pages = 0;
    for (uint64_t i = 0; i < n_entries; i++)
        if (!parse_entry(bytes + i * ENTRY_BYTES, map, &n_pages))
            return damaged(transaction, &record->info.place, "an entry of its page map is wrong");
    if (n_pages != record->info.n_pages)
        return damaged(transaction, &record->info.place, "its pages do not add up");
    return NULL;
}

struct rrs_error *rrs_page_map_read(const struct rrs_transaction *transaction,
                                    struct rrs_unpacker *unpacker,
                                    const struct rrs_checkpoint_record *record,
                                    struct rrs_page_map *map)
{
    /* The record lists a chunk for each 256 KiB, so what is allocated here is bounded by the file.
     */
    if (record->map_bytes % ENTRY_BYTES)
        return damaged(transaction, &record->info.place, "the size of its page map is wrong");
    size_t capacity = record->map_bytes / ENTRY_BYTES;
    _cleanup_free_ uint8_t *bytes = malloc(record->map_bytes + 1);
    struct rrs_page_map read = {
        .entries = calloc(capacity + 1, sizeof *read.entries),
        .capacity = capacity + 1,
    };
    struct rrs_error *error = bytes && read.entries ? NULL : rrs_error_no_memory();
    if (!error)
        error = rrs_chunk_read_list(transaction, unpacker, record->ids, bytes, record->map_bytes);
    if (!error)
        error = parse_map(transaction, record, bytes, &read);
    if (error)
        rrs_page_map_deinit(&read);
    else
        *map = read;
    return error;
}

/* ---- blocks ---- */

struct rrs_error *rrs_page_block_read(const struct rrs_transaction *transaction,
                                      struct rrs_unpacker *unpacker,
                                      const struct rrs_page_map_entry *entry,
                                      struct rrs_page_block *block)
{
    uint8_t bytes[RRS_BLOCK_BYTES], key[8];
    uint32_t n_pages = 0;
    RRS_TRY(rrs_chunk_read(transaction, unpacker, entry->block, bytes, sizeof bytes));
    for (int i = 0; i < RRS_BLOCK_PAGES; i++) {
        block->pages[i] = rrs_load_le64(bytes + 8 * i);
        n_pages += block->pages[i] != RRS_CHUNK_NONE;
    }
    if (n_pages == entry->n_pages)
        return NULL;
    rrs_store_be64(key, entry->block);
    return rrs_record_damaged(transaction, RRS_DATABASE_CHUNKS, key, sizeof key,
                              "a block of pages has not as many as its page map says");
}

void rrs_page_block_serialize(const struct rrs_page_block *block, uint8_t bytes[RRS_BLOCK_BYTES])
{
    for (int i = 0; i < RRS_BLOCK_PAGES; i++)
        rrs_store_le64(bytes + 8 * i, block->pages[i]);
}

void rrs_page_block_hash(struct rrs_hasher *hasher, const uint8_t bytes[RRS_BLOCK_BYTES],
                         struct rrs_hash *hash)
{
    static const char domain[] = "rrsoft block of pages";
    rrs_hasher_begin(hasher);
    rrs_hasher_add(hasher, domain, sizeof domain);
    rrs_hasher_add(hasher, bytes, RRS_BLOCK_BYTES);
    rrs_hasher_end(hasher, hash);
}
