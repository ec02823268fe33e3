/* SPDX-License-Identifier: MIT */
/*
 * Storing and deleting checkpoints. Pages travel through the queue like other chunks; what they
 * become in the page set is worked out in the committer, in order (page_set_builder.c).
 */
#include "lmdb-store/checkpoint.h"

#include "lmdb-store/checkpoint_format.h"
#include "lmdb-store/page_set_builder.h"
#include "lmdb-store/scope.h"
#include "lmdb-store/writer_state.h"

#include <string.h>

struct rrs_checkpoint_builder {
    atomic_int n_users; /* the caller, and each queued item */
    struct rrs_trace_writer *writer;
    bool finished;
    /* What is put next must not lie before this. */
    uint32_t next_space;
    uint64_t next_page;
    struct rrs_page_set_builder pages; /* the committer's */
};

static void unref(struct rrs_checkpoint_builder *builder)
{
    if (atomic_fetch_sub(&builder->n_users, 1) != 1)
        return;
    rrs_page_set_builder_deinit(&builder->pages);
    free(builder);
}

/* ---- items ---- */

struct page_item {
    struct rrs_work_item item;
    struct rrs_checkpoint_builder *builder;
    uint32_t space;
    uint64_t page_number;
    uint64_t end; /* of a range to remove */
    struct rrs_chunk_work work;
};

static struct page_item *page_of(struct rrs_work_item *item)
{
    return (struct page_item *)item; /* its first member */
}

static struct rrs_error *prepare_page(struct rrs_work_item *item, struct rrs_worker *worker)
{
    return rrs_chunk_work_prepare(&page_of(item)->work, worker);
}

static struct rrs_error *apply_page(struct rrs_work_item *item, struct rrs_committer *committer)
{
    const struct page_item *page = page_of(item);
    uint64_t chunk_id;
    RRS_TRY(rrs_chunk_work_apply(&page->work, committer, &chunk_id));
    return rrs_page_set_put(&page->builder->pages, committer, page->space, page->page_number,
                            chunk_id);
}

static struct rrs_error *apply_remove(struct rrs_work_item *item, struct rrs_committer *committer)
{
    const struct page_item *range = page_of(item);
    return rrs_page_set_remove(&range->builder->pages, committer, range->space, range->page_number,
                               range->end);
}

static void destroy_page(struct rrs_work_item *item)
{
    struct page_item *page = page_of(item);
    unref(page->builder);
    free(page->work.data);
    free(page);
}

static const struct rrs_work_operations page_operations = {
    .prepare = prepare_page, .apply = apply_page, .destroy = destroy_page};
static const struct rrs_work_operations remove_operations = {.apply = apply_remove,
                                                             .destroy = destroy_page};

/* The beginning, the end and the deletion: items whose pusher waits. */
struct checkpoint_item {
    struct rrs_work_item item;
    struct rrs_checkpoint_builder *builder; /* NULL for a deletion */
    struct rrs_checkpoint_place place;
    const void *payload; /* the pusher's: it waits */
    uint64_t payload_bytes;
};

static struct checkpoint_item *checkpoint_of(struct rrs_work_item *item)
{
    return (struct checkpoint_item *)item; /* its first member */
}

static void destroy_checkpoint(struct rrs_work_item *item)
{
    struct checkpoint_item *checkpoint = checkpoint_of(item);
    if (checkpoint->builder)
        unref(checkpoint->builder);
    free(checkpoint);
}

static struct rrs_error *apply_begin(struct rrs_work_item *item, struct rrs_committer *committer)
{
    const struct checkpoint_item *begin = checkpoint_of(item);
    struct rrs_checkpoint_record record;
    RRS_TRY(rrs_checkpoint_record_get(&committer->transaction, &begin->place, &record));
    struct rrs_error *error = rrs_page_map_read(&committer->transaction, committer->unpacker,
                                                &record, &begin->builder->pages.base);
    free(record.ids);
    return error;
}

static struct rrs_error *check_new(const struct rrs_transaction *transaction,
                                   const struct rrs_checkpoint_place *place)
{
    struct rrs_checkpoint_record record;
    struct rrs_error *error = rrs_checkpoint_record_get(transaction, place, &record);
    if (error && error->code == RRS_ERROR_NOT_FOUND) {
        rrs_error_destroy(error);
        return NULL;
    }
    RRS_TRY(error);
    free(record.ids);
    return rrs_error_path(RRS_ERROR_EXISTS, rrs_environment_path(transaction->environment),
                          "there is a checkpoint at event %llu, tick %llu already",
                          (unsigned long long)place->event, (unsigned long long)place->tick);
}

/* Refers to the block of an entry; and to its pages, if nothing referred to that block yet. */
static struct rrs_error *ref_entry(struct rrs_committer *committer,
                                   const struct rrs_page_map_entry *entry)
{
    struct rrs_page_block block;
    uint32_t n_refs;
    RRS_TRY(rrs_chunk_ref(&committer->transaction, entry->block, &n_refs));
    if (n_refs > 1)
        return NULL;
    RRS_TRY(rrs_page_block_read(&committer->transaction, committer->unpacker, entry, &block));
    for (int i = 0; i < RRS_BLOCK_PAGES; i++)
        if (block.pages[i] != RRS_CHUNK_NONE)
            RRS_TRY(rrs_chunk_ref(&committer->transaction, block.pages[i], &n_refs));
    return NULL;
}

static struct rrs_error *unref_entry(struct rrs_committer *committer,
                                     const struct rrs_page_map_entry *entry)
{
    struct rrs_page_block block;
    uint32_t n_refs;
    RRS_TRY(rrs_page_block_read(&committer->transaction, committer->unpacker, entry, &block));
    RRS_TRY(rrs_chunk_unref(&committer->transaction, entry->block, &n_refs));
    for (int i = 0; n_refs == 0 && i < RRS_BLOCK_PAGES; i++) {
        uint32_t n_page_refs;
        if (block.pages[i] != RRS_CHUNK_NONE)
            RRS_TRY(rrs_chunk_unref(&committer->transaction, block.pages[i], &n_page_refs));
    }
    return NULL;
}

/* Stores map and payload, and the record that lists their chunks. */
static struct rrs_error *store_record(struct rrs_committer *committer,
                                      const struct checkpoint_item *finish, const uint8_t *map,
                                      uint64_t map_bytes)
{
    struct rrs_page_set_builder *pages = &finish->builder->pages;
    struct rrs_checkpoint_record record = {
        .info.place = finish->place,
        .info.payload_bytes = finish->payload_bytes,
        .map_bytes = map_bytes,
        .n_map_ids = rrs_chunk_count(map_bytes),
        .n_payload_ids = rrs_chunk_count(finish->payload_bytes),
    };
    for (size_t i = 0; i < pages->made.n_entries; i++)
        record.info.n_pages += pages->made.entries[i].n_pages;
    _cleanup_free_ uint64_t *ids = calloc(record.n_map_ids + record.n_payload_ids + 1, sizeof *ids);
    if (!ids)
        return rrs_error_no_memory();
    record.ids = ids;
    RRS_TRY(rrs_chunk_store_list(committer, pages->hasher, map, map_bytes, ids));
    RRS_TRY(rrs_chunk_store_list(committer, pages->hasher, finish->payload, finish->payload_bytes,
                                 ids + record.n_map_ids));
    return rrs_checkpoint_record_put(&committer->transaction, &record);
}

static struct rrs_error *apply_finish(struct rrs_work_item *item, struct rrs_committer *committer)
{
    const struct checkpoint_item *finish = checkpoint_of(item);
    struct rrs_page_set_builder *pages = &finish->builder->pages;
    _cleanup_free_ uint8_t *map = NULL;
    uint64_t map_bytes;
    RRS_TRY(check_new(&committer->transaction, &finish->place));
    RRS_TRY(rrs_page_set_complete(pages, committer));
    for (size_t i = 0; i < pages->made.n_entries; i++)
        RRS_TRY(ref_entry(committer, &pages->made.entries[i]));
    RRS_TRY(rrs_page_map_serialize(&pages->made, &map, &map_bytes));
    return store_record(committer, finish, map, map_bytes);
}

static struct rrs_error *unref_all(struct rrs_committer *committer,
                                   const struct rrs_checkpoint_record *record,
                                   const struct rrs_page_map *map)
{
    uint32_t n_refs;
    for (size_t i = 0; i < map->n_entries; i++)
        RRS_TRY(unref_entry(committer, &map->entries[i]));
    for (uint64_t i = 0; i < record->n_map_ids + record->n_payload_ids; i++)
        RRS_TRY(rrs_chunk_unref(&committer->transaction, record->ids[i], &n_refs));
    return NULL;
}

static struct rrs_error *apply_delete(struct rrs_work_item *item, struct rrs_committer *committer)
{
    const struct rrs_transaction *transaction = &committer->transaction;
    const struct rrs_checkpoint_place *place = &checkpoint_of(item)->place;
    struct rrs_checkpoint_record record;
    struct rrs_page_map map = {0};
    uint8_t key[RRS_CHECKPOINT_KEY_BYTES];
    RRS_TRY(rrs_checkpoint_record_get(transaction, place, &record));
    struct rrs_error *error = rrs_page_map_read(transaction, committer->unpacker, &record, &map);
    if (!error)
        error = unref_all(committer, &record, &map);
    rrs_page_map_deinit(&map);
    free(record.ids);
    RRS_TRY(error);
    rrs_checkpoint_key(key, place);
    return rrs_record_remove(transaction, RRS_DATABASE_CHECKPOINTS, key, sizeof key);
}

static const struct rrs_work_operations begin_operations = {.apply = apply_begin,
                                                            .destroy = destroy_checkpoint};
static const struct rrs_work_operations finish_operations = {.apply = apply_finish,
                                                             .destroy = destroy_checkpoint};
static const struct rrs_work_operations delete_operations = {.apply = apply_delete,
                                                             .destroy = destroy_checkpoint};

/* ---- the appender's side ---- */

static struct rrs_error *run(struct rrs_trace_writer *writer,
                             const struct rrs_work_operations *operations,
                             struct rrs_checkpoint_builder *builder,
                             const struct rrs_checkpoint_place *place, const void *payload,
                             uint64_t payload_bytes)
{
    struct checkpoint_item *item = calloc(1, sizeof *item);
    if (!item)
        return rrs_error_no_memory();
    item->item.operations = operations;
    item->item.cost_bytes = sizeof *item;
    item->builder = builder;
    item->place = *place;
    item->payload = payload;
    item->payload_bytes = payload_bytes;
    if (builder)
        atomic_fetch_add(&builder->n_users, 1);
    return rrs_trace_writer_push_and_wait(writer, &item->item);
}

struct rrs_error *rrs_checkpoint_builder_create(struct rrs_trace_writer *writer,
                                                const struct rrs_checkpoint_place *base,
                                                struct rrs_checkpoint_builder **builder)
{
    if (writer->builder)
        return rrs_error_create(RRS_ERROR_USAGE, "another checkpoint is being stored");
    struct rrs_checkpoint_builder *made = calloc(1, sizeof *made);
    if (!made)
        return rrs_error_no_memory();
    atomic_init(&made->n_users, 1);
    made->writer = writer;
    struct rrs_error *error = rrs_page_set_builder_init(&made->pages);
    if (!error && base)
        error = run(writer, &begin_operations, made, base, NULL, 0);
    if (error) {
        unref(made);
        return error;
    }
    writer->builder = made;
    *builder = made;
    return NULL;
}

void rrs_checkpoint_builder_destroy(struct rrs_checkpoint_builder *builder)
{
    if (!builder)
        return;
    builder->writer->builder = NULL;
    unref(builder);
}

/* Checks that pages from `address` on may come now, and moves on behind them. */
static struct rrs_error *advance(struct rrs_checkpoint_builder *builder, uint32_t space,
                                 uint64_t address, uint64_t n_pages)
{
    uint64_t page_number = address / RRS_CHECKPOINT_PAGE_BYTES;
    uint64_t page_limit = UINT64_MAX / RRS_CHECKPOINT_PAGE_BYTES + 1;
    if (builder->finished)
        return rrs_error_create(RRS_ERROR_USAGE, "the checkpoint is finished");
    if (address % RRS_CHECKPOINT_PAGE_BYTES)
        return rrs_error_create(RRS_ERROR_USAGE, "address %#llx is not that of a page",
                                (unsigned long long)address);
    if (space < builder->next_space ||
        (space == builder->next_space && page_number < builder->next_page))
        return rrs_error_create(RRS_ERROR_USAGE, "page %#llx of space %u comes out of order",
                                (unsigned long long)address, space);
    if (n_pages > page_limit - page_number)
        return rrs_error_create(RRS_ERROR_USAGE, "the pages reach beyond the address space");
    builder->next_space = space;
    builder->next_page = page_number + n_pages;
    return NULL;
}

static struct rrs_error *make_page_item(struct rrs_checkpoint_builder *builder,
                                        const struct rrs_work_operations *operations,
                                        uint32_t space, uint64_t address, struct page_item **page)
{
    struct page_item *made = calloc(1, sizeof *made);
    if (!made)
        return rrs_error_no_memory();
    made->item.operations = operations;
    made->item.cost_bytes = sizeof *made;
    made->space = space;
    made->page_number = address / RRS_CHECKPOINT_PAGE_BYTES;
    made->builder = builder;
    atomic_fetch_add(&builder->n_users, 1);
    *page = made;
    return NULL;
}

struct rrs_error *rrs_checkpoint_builder_put_page(struct rrs_checkpoint_builder *builder,
                                                  uint32_t space, uint64_t address,
                                                  const void *content)
{
    struct page_item *page;
    RRS_TRY(advance(builder, space, address, 1));
    uint8_t *copy = malloc(RRS_CHECKPOINT_PAGE_BYTES);
    struct rrs_error *error = copy
                                  ? make_page_item(builder, &page_operations, space, address, &page)
                                  : rrs_error_no_memory();
    if (error) {
        free(copy);
        return error;
    }
    memcpy(copy, content, RRS_CHECKPOINT_PAGE_BYTES);
    page->item.cost_bytes += RRS_CHECKPOINT_PAGE_BYTES;
    page->work.data = copy;
    page->work.data_bytes = page->work.head.size_bytes = RRS_CHECKPOINT_PAGE_BYTES;
    rrs_hasher_digest(builder->writer->hasher, copy, RRS_CHECKPOINT_PAGE_BYTES,
                      &page->work.head.hash);
    return rrs_trace_writer_push(builder->writer, &page->item, false);
}

struct rrs_error *rrs_checkpoint_builder_remove_pages(struct rrs_checkpoint_builder *builder,
                                                      uint32_t space, uint64_t address,
                                                      uint64_t n_pages)
{
    struct page_item *range;
    RRS_TRY(advance(builder, space, address, n_pages));
    RRS_TRY(make_page_item(builder, &remove_operations, space, address, &range));
    range->end = range->page_number + n_pages;
    return rrs_trace_writer_push(builder->writer, &range->item, false);
}

struct rrs_error *rrs_checkpoint_builder_finish(struct rrs_checkpoint_builder *builder,
                                                const struct rrs_checkpoint_place *place,
                                                const void *payload, uint64_t payload_bytes)
{
    if (builder->finished)
        return rrs_error_create(RRS_ERROR_USAGE, "the checkpoint is finished");
    builder->finished = true;
    return run(builder->writer, &finish_operations, builder, place, payload, payload_bytes);
}

struct rrs_error *rrs_checkpoint_delete(struct rrs_trace_writer *writer,
                                        const struct rrs_checkpoint_place *place)
{
    /* Pages that the builder has met by their hash are not referred to before it finishes. */
    if (writer->builder)
        return rrs_error_create(RRS_ERROR_USAGE, "a checkpoint is being stored");
    return run(writer, &delete_operations, NULL, place, NULL, 0);
}
