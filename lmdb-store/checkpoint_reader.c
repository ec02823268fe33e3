/* SPDX-License-Identifier: MIT */
/* Finding and reading checkpoints. */
#include "lmdb-store/checkpoint.h"

#include "lmdb-store/checkpoint_format.h"
#include "lmdb-store/reader_state.h"
#include "lmdb-store/scope.h"

struct rrs_checkpoint {
    struct rrs_trace_reader *reader;
    struct rrs_checkpoint_record record;
    struct rrs_page_map map;
    /* The block read last: pages are mostly asked for in order. */
    struct rrs_page_block block;
    uint64_t block_id;
};

/* ---- finding ---- */

static struct rrs_error *parse_info(const struct rrs_transaction *transaction, const MDB_val *key,
                                    const MDB_val *value, struct rrs_checkpoint_info *info)
{
    struct rrs_bytes body;
    struct rrs_checkpoint_record record;
    RRS_TRY(rrs_record_unseal(transaction, RRS_DATABASE_CHECKPOINTS, key, value, &body));
    RRS_TRY(rrs_checkpoint_record_parse(transaction, key, &body, &record));
    *info = record.info;
    free(record.ids);
    return NULL;
}

struct rrs_error *rrs_checkpoint_find_place(struct rrs_trace_reader *reader,
                                            const struct rrs_checkpoint_place *place,
                                            struct rrs_checkpoint_info *info)
{
    const struct rrs_transaction *transaction = &reader->transaction;
    _cleanup_cursor_ MDB_cursor *cursor = NULL;
    uint8_t wanted[RRS_CHECKPOINT_KEY_BYTES];
    MDB_val key = {sizeof wanted, wanted}, value;
    bool found;
    rrs_checkpoint_key(wanted, place);
    RRS_TRY(rrs_environment_check_process(transaction->environment));
    RRS_TRY(rrs_record_cursor(transaction, RRS_DATABASE_CHECKPOINTS, &cursor));
    RRS_TRY(rrs_record_move_down(transaction, cursor, false, &key, &value, &found));
    if (found)
        return parse_info(transaction, &key, &value, info);
    return rrs_error_path(RRS_ERROR_NOT_FOUND, rrs_environment_data_path(transaction->environment),
                          "there is no checkpoint at or before tick %llu",
                          (unsigned long long)place->tick);
}

struct rrs_error *rrs_checkpoint_find_tick(struct rrs_trace_reader *reader, uint64_t tick,
                                           struct rrs_checkpoint_info *info)
{
    const struct rrs_checkpoint_place last_of_tick = {.tick = tick, .event = UINT64_MAX};
    return rrs_checkpoint_find_place(reader, &last_of_tick, info);
}

static struct rrs_error *append_info(struct rrs_checkpoint_info **infos, size_t *n_infos,
                                     const struct rrs_checkpoint_info *info)
{
    /* Grows at powers of two. */
    if ((*n_infos & (*n_infos - 1)) == 0) {
        size_t capacity = *n_infos ? 2 * *n_infos : 1;
        void *larger = reallocarray(*infos, capacity, sizeof **infos);
        if (!larger)
            return rrs_error_no_memory();
        *infos = larger;
    }
    (*infos)[(*n_infos)++] = *info;
    return NULL;
}

static struct rrs_error *collect(struct rrs_trace_reader *reader,
                                 struct rrs_checkpoint_info **infos, size_t *n_infos)
{
    const struct rrs_transaction *transaction = &reader->transaction;
    _cleanup_cursor_ MDB_cursor *cursor = NULL;
    RRS_TRY(rrs_environment_check_process(transaction->environment));
    RRS_TRY(rrs_record_cursor(transaction, RRS_DATABASE_CHECKPOINTS, &cursor));
    for (MDB_cursor_op operation = MDB_FIRST;; operation = MDB_NEXT) {
        MDB_val key, value;
        struct rrs_checkpoint_info info;
        bool found;
        RRS_TRY(rrs_record_move(transaction, cursor, operation, &key, &value, &found));
        if (!found)
            return NULL;
        RRS_TRY(parse_info(transaction, &key, &value, &info));
        RRS_TRY(append_info(infos, n_infos, &info));
    }
}

struct rrs_error *rrs_checkpoint_list(struct rrs_trace_reader *reader,
                                      struct rrs_checkpoint_info **infos, size_t *n_infos)
{
    _cleanup_free_ struct rrs_checkpoint_info *list = NULL;
    size_t n_list = 0;
    RRS_TRY(collect(reader, &list, &n_list));
    *infos = rrs_steal_pointer(&list);
    *n_infos = n_list;
    return NULL;
}

/* ---- reading ---- */

struct rrs_error *rrs_checkpoint_open(struct rrs_trace_reader *reader,
                                      const struct rrs_checkpoint_place *place,
                                      struct rrs_checkpoint **checkpoint)
{
    RRS_TRY(rrs_environment_check_process(reader->transaction.environment));
    struct rrs_checkpoint *made = calloc(1, sizeof *made);
    if (!made)
        return rrs_error_no_memory();
    made->reader = reader;
    struct rrs_error *error = rrs_checkpoint_record_get(&reader->transaction, place, &made->record);
    if (!error)
        error =
            rrs_page_map_read(&reader->transaction, reader->unpacker, &made->record, &made->map);
    if (error)
        rrs_checkpoint_destroy(made);
    else
        *checkpoint = made;
    return error;
}

void rrs_checkpoint_destroy(struct rrs_checkpoint *checkpoint)
{
    if (!checkpoint)
        return;
    rrs_page_map_deinit(&checkpoint->map);
    free(checkpoint->record.ids);
    free(checkpoint);
}

void rrs_checkpoint_get_info(const struct rrs_checkpoint *checkpoint,
                             struct rrs_checkpoint_info *info)
{
    *info = checkpoint->record.info;
}

struct rrs_error *rrs_checkpoint_read_payload(struct rrs_checkpoint *checkpoint, void *buffer)
{
    const struct rrs_checkpoint_record *record = &checkpoint->record;
    return rrs_chunk_read_list(&checkpoint->reader->transaction, checkpoint->reader->unpacker,
                               record->ids + record->n_map_ids, buffer, record->info.payload_bytes);
}

static struct rrs_error *load_block(struct rrs_checkpoint *checkpoint,
                                    const struct rrs_page_map_entry *entry)
{
    if (checkpoint->block_id == entry->block)
        return NULL;
    checkpoint->block_id = RRS_CHUNK_NONE;
    RRS_TRY(rrs_page_block_read(&checkpoint->reader->transaction, checkpoint->reader->unpacker,
                                entry, &checkpoint->block));
    checkpoint->block_id = entry->block;
    return NULL;
}

struct rrs_error *rrs_checkpoint_find_page(struct rrs_checkpoint *checkpoint, uint32_t space,
                                           uint64_t address, struct rrs_checkpoint_page *page,
                                           bool *found)
{
    const struct rrs_page_map *map = &checkpoint->map;
    /* An address inside a page asks for pages behind that one. */
    uint64_t wanted =
        address / RRS_CHECKPOINT_PAGE_BYTES + (address % RRS_CHECKPOINT_PAGE_BYTES != 0);
    size_t i = rrs_page_map_search(map, space, wanted / RRS_BLOCK_PAGES);
    *found = false;
    for (; i < map->n_entries; i++) {
        const struct rrs_page_map_entry *entry = &map->entries[i];
        uint64_t first = entry->region * RRS_BLOCK_PAGES;
        RRS_TRY(load_block(checkpoint, entry));
        uint64_t index = entry->space == space && wanted > first ? wanted - first : 0;
        for (; index < RRS_BLOCK_PAGES; index++) {
            if (checkpoint->block.pages[index] == RRS_CHUNK_NONE)
                continue;
            *page = (struct rrs_checkpoint_page){
                .space = entry->space,
                .address = (first + index) * RRS_CHECKPOINT_PAGE_BYTES,
                .content = checkpoint->block.pages[index],
            };
            *found = true;
            return NULL;
        }
    }
    return NULL;
}

struct rrs_error *rrs_checkpoint_read_page(struct rrs_checkpoint *checkpoint,
                                           const struct rrs_checkpoint_page *page,
                                           uint8_t content[RRS_CHECKPOINT_PAGE_BYTES])
{
    return rrs_chunk_read(&checkpoint->reader->transaction, checkpoint->reader->unpacker,
                          page->content, content, RRS_CHECKPOINT_PAGE_BYTES);
}
