/* SPDX-License-Identifier: MIT */
/* The thorough check: see trace_check.h. */
#include "lmdb-store/trace_check.h"

#include "lmdb-store/blob.h"
#include "lmdb-store/checkpoint.h"
#include "lmdb-store/checkpoint_format.h"
#include "lmdb-store/event_index.h"
#include "lmdb-store/reader_state.h"
#include "lmdb-store/scope.h"

#include <string.h>

struct check {
    struct rrs_trace_reader *reader;
    const struct rrs_transaction *transaction;
    struct rrs_frame_decoder *decoder;
    struct rrs_hasher *hasher;
    struct rrs_frame frame;
    uint8_t *chunk; /* RRS_CHUNK_MAX_BYTES */
    void (*damage)(void *context, const struct rrs_error *error);
    void *context;
    struct rrs_trace_check_report *report;
    uint64_t next_event, last_tick;
    struct rrs_id_count tasks[RRS_FRAME_MAX_EVENTS], kinds[RRS_FRAME_MAX_EVENTS];
};

/* Takes note of a damage and ends `error`; what is no damage is passed on. */
static struct rrs_error *note(struct check *check, struct rrs_error *error)
{
    if (!error || error->code == RRS_ERROR_NO_MEMORY || error->code == RRS_ERROR_OS)
        return error;
    check->report->n_damages++;
    if (check->damage)
        check->damage(check->context, error);
    rrs_error_destroy(error);
    return NULL;
}

/* Calls `visit` for each record of a database; what it returns is noted. */
static struct rrs_error *walk(struct check *check, enum rrs_database database,
                              struct rrs_error *(*visit)(struct check *check,
                                                         enum rrs_database database,
                                                         const MDB_val *key, const MDB_val *value))
{
    _cleanup_cursor_ MDB_cursor *cursor = NULL;
    RRS_TRY(rrs_record_cursor_for_all(check->transaction, database, &cursor));
    for (MDB_cursor_op operation = MDB_FIRST;; operation = MDB_NEXT) {
        MDB_val key, value;
        bool found;
        RRS_TRY(rrs_record_move(check->transaction, cursor, operation, &key, &value, &found));
        if (!found)
            return NULL;
        RRS_TRY(note(check, visit(check, database, &key, &value)));
    }
}

static struct rrs_error *damaged(struct check *check, enum rrs_database database,
                                 const MDB_val *key, const char *what)
{
    return rrs_record_damaged(check->transaction, database, key->mv_data, key->mv_size, what);
}

/* ---- events ---- */

/* The indexes have to name exactly the frames that have a task or kind, with the right counts. */
static struct rrs_error *check_index(struct check *check, enum rrs_database database,
                                     const uint8_t *key, size_t key_bytes, uint32_t n_events)
{
    struct rrs_bytes body;
    RRS_TRY(rrs_record_get(check->transaction, database, key, key_bytes, &body));
    if (body.size_bytes != 4 || rrs_load_le32(body.data) != n_events)
        return rrs_record_damaged(check->transaction, database, key, key_bytes,
                                  "its count of events is wrong");
    return NULL;
}

static struct rrs_error *check_indexes(struct check *check)
{
    const struct rrs_frame *frame = &check->frame;
    uint8_t key[RRS_INDEX_KEY_MAX_BYTES];
    uint32_t n_tasks = 0, n_kinds = 0;
    for (uint32_t i = 0; i < frame->head.n_events; i++) {
        rrs_id_count_add(check->tasks, &n_tasks, frame->events[i].task);
        rrs_id_count_add(check->kinds, &n_kinds, frame->events[i].event_kind);
    }
    for (uint32_t i = 0; i < n_tasks; i++) {
        size_t key_bytes = rrs_task_key(key, (int32_t)check->tasks[i].id, frame->head.first_event);
        RRS_TRY(check_index(check, RRS_DATABASE_BY_TASK, key, key_bytes, check->tasks[i].n_events));
    }
    for (uint32_t i = 0; i < n_kinds; i++) {
        size_t key_bytes = rrs_kind_key(key, (uint16_t)check->kinds[i].id, frame->head.first_event);
        RRS_TRY(check_index(check, RRS_DATABASE_BY_KIND, key, key_bytes, check->kinds[i].n_events));
    }
    return NULL;
}

static struct rrs_error *check_order(struct check *check, const MDB_val *key)
{
    const struct rrs_frame_head *head = &check->frame.head;
    bool is_next = head->first_event == check->next_event;
    bool ticks_rise = head->first_tick >= check->last_tick;
    check->next_event = head->first_event + head->n_events;
    check->last_tick = head->last_tick;
    if (!is_next)
        return damaged(check, RRS_DATABASE_FRAMES, key, "events before this frame are missing");
    if (!ticks_rise)
        return damaged(check, RRS_DATABASE_FRAMES, key, "ticks go back");
    return NULL;
}

static struct rrs_error *check_frame(struct check *check, enum rrs_database database,
                                     const MDB_val *key, const MDB_val *value)
{
    (void)database;
    struct rrs_bytes body;
    uint8_t tick_key[RRS_INDEX_KEY_MAX_BYTES];
    check->report->n_frames++;
    RRS_TRY(rrs_frame_record_decode(check->transaction, check->decoder, key, value, &check->frame));
    check->report->n_events += check->frame.head.n_events;
    RRS_TRY(note(check, check_order(check, key)));
    size_t key_bytes =
        rrs_tick_key(tick_key, check->frame.head.first_tick, check->frame.head.first_event);
    RRS_TRY(note(check, rrs_record_get(check->transaction, RRS_DATABASE_BY_TICK, tick_key,
                                       key_bytes, &body)));
    return check_indexes(check);
}

/* ---- chunks, blobs, checkpoints ---- */

/* A chunk's content must have the hash it is found by: plain, or as a block of pages. */
static struct rrs_error *check_chunk(struct check *check, enum rrs_database database,
                                     const MDB_val *key, const MDB_val *value)
{
    struct rrs_chunk_head head;
    struct rrs_hash hash, block_hash;
    uint64_t found_id;
    bool found;
    (void)value;
    check->report->n_chunks++;
    if (key->mv_size != 8)
        return damaged(check, database, key, "its key has a wrong size");
    uint64_t id = rrs_load_be64(key->mv_data);
    RRS_TRY(rrs_chunk_read_head(check->transaction, id, &head));
    RRS_TRY(rrs_chunk_read(check->transaction, check->reader->unpacker, id, check->chunk,
                           head.size_bytes));
    rrs_hasher_digest(check->hasher, check->chunk, head.size_bytes, &hash);
    if (memcmp(&hash, &head.hash, sizeof hash) != 0) {
        if (head.size_bytes == RRS_BLOCK_BYTES)
            rrs_page_block_hash(check->hasher, check->chunk, &block_hash);
        if (head.size_bytes != RRS_BLOCK_BYTES || memcmp(&block_hash, &head.hash, sizeof hash) != 0)
            return damaged(check, database, key, "its content has not the hash it should have");
    }
    RRS_TRY(rrs_chunk_find(check->transaction, &head.hash, &found_id, &found));
    if (!found || found_id != id)
        return damaged(check, database, key, "its hash does not lead to it");
    return NULL;
}

static struct rrs_error *check_sealed(struct check *check, enum rrs_database database,
                                      const MDB_val *key, const MDB_val *value)
{
    struct rrs_bytes body;
    return rrs_record_unseal(check->transaction, database, key, value, &body);
}

static struct rrs_error *check_blob(struct check *check, enum rrs_database database,
                                    const MDB_val *key, const MDB_val *value)
{
    struct rrs_bytes body;
    struct rrs_hash hash;
    uint64_t size_bytes;
    check->report->n_blobs++;
    RRS_TRY(rrs_record_unseal(check->transaction, database, key, value, &body));
    if (key->mv_size != RRS_HASH_BYTES)
        return damaged(check, database, key, "its key is no hash");
    memcpy(hash.bytes, key->mv_data, RRS_HASH_BYTES);
    RRS_TRY(rrs_blob_size(check->reader, &hash, &size_bytes));
    check->report->blob_bytes += size_bytes;
    for (uint64_t at = 0; at < size_bytes; at += RRS_CHUNK_MAX_BYTES) {
        uint64_t rest = size_bytes - at;
        RRS_TRY(rrs_blob_read(check->reader, &hash, at, check->chunk,
                              rest < RRS_CHUNK_MAX_BYTES ? rest : RRS_CHUNK_MAX_BYTES));
    }
    return NULL;
}

static struct rrs_error *check_pages(struct check *check, struct rrs_checkpoint *checkpoint)
{
    struct rrs_checkpoint_page page = {0};
    uint64_t n_pages = 0;
    for (uint64_t address = 0;; address = page.address + 1) {
        struct rrs_chunk_head head;
        bool found;
        RRS_TRY(rrs_checkpoint_find_page(checkpoint, page.space, address, &page, &found));
        if (!found)
            break;
        n_pages++;
        /* The content itself is checked with all chunks. */
        RRS_TRY(rrs_chunk_read_head(check->transaction, page.content, &head));
    }
    check->report->n_pages += n_pages;
    return NULL;
}

static struct rrs_error *check_checkpoint(struct check *check, enum rrs_database database,
                                          const MDB_val *key, const MDB_val *value)
{
    struct rrs_checkpoint *checkpoint;
    struct rrs_checkpoint_place place;
    (void)value;
    check->report->n_checkpoints++;
    if (key->mv_size != RRS_CHECKPOINT_KEY_BYTES)
        return damaged(check, database, key, "its key has a wrong size");
    place.tick = rrs_load_be64(key->mv_data);
    place.event = rrs_load_be64((const uint8_t *)key->mv_data + 8);
    RRS_TRY(rrs_checkpoint_open(check->reader, &place, &checkpoint));
    struct rrs_error *error = check_pages(check, checkpoint);
    rrs_checkpoint_destroy(checkpoint);
    return error;
}

/* ---- all of it ---- */

static struct rrs_error *check_statements(struct check *check)
{
    struct rrs_metadata metadata;
    struct rrs_trace_end end;
    struct rrs_error *error = rrs_trace_reader_metadata(check->reader, &metadata);
    if (!error)
        rrs_metadata_deinit(&metadata);
    RRS_TRY(note(check, error));
    return note(check, rrs_trace_reader_end(check->reader, &end));
}

static struct rrs_error *check_all(struct check *check)
{
    static const struct {
        enum rrs_database database;
        struct rrs_error *(*visit)(struct check *check, enum rrs_database database,
                                   const MDB_val *key, const MDB_val *value);
    } parts[] = {
        {RRS_DATABASE_META, check_sealed},      {RRS_DATABASE_FRAMES, check_frame},
        {RRS_DATABASE_BY_TICK, check_sealed},   {RRS_DATABASE_BY_TASK, check_sealed},
        {RRS_DATABASE_BY_KIND, check_sealed},   {RRS_DATABASE_CHUNKS, check_chunk},
        {RRS_DATABASE_CHUNK_IDS, check_sealed}, {RRS_DATABASE_CHUNK_REFS, check_sealed},
        {RRS_DATABASE_BLOBS, check_blob},       {RRS_DATABASE_CHECKPOINTS, check_checkpoint},
    };
    RRS_TRY(check_statements(check));
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        RRS_TRY(note(check, walk(check, parts[i].database, parts[i].visit)));
    return NULL;
}

static struct rrs_error *prepare(struct check *check)
{
    RRS_TRY(rrs_environment_check_process(check->transaction->environment));
    RRS_TRY(rrs_frame_decoder_create(&check->decoder));
    RRS_TRY(rrs_hasher_create(&check->hasher));
    check->chunk = malloc(RRS_CHUNK_MAX_BYTES);
    return check->chunk ? NULL : rrs_error_no_memory();
}

struct rrs_error *rrs_trace_check(struct rrs_trace_reader *reader,
                                  void (*damage)(void *context, const struct rrs_error *error),
                                  void *context, struct rrs_trace_check_report *report)
{
    struct check *check = calloc(1, sizeof *check); /* large for a stack */
    if (!check)
        return rrs_error_no_memory();
    memset(report, 0, sizeof *report);
    check->reader = reader;
    check->transaction = &reader->transaction;
    check->damage = damage;
    check->context = context;
    check->report = report;
    check->next_event = RRS_EVENT_FIRST;
    struct rrs_error *error = prepare(check);
    if (!error)
        error = check_all(check);
    free(check->chunk);
    rrs_frame_deinit(&check->frame);
    rrs_hasher_destroy(check->hasher);
    rrs_frame_decoder_destroy(check->decoder);
    free(check);
    return error;
}
