/* SPDX-License-Identifier: MIT */
#include "lmdb-store/frame_cache.h"

#include "lmdb-store/event_index.h"
#include "lmdb-store/reader_state.h"
#include "lmdb-store/scope.h"

#include <string.h>

enum { CACHE_FRAMES = 8 };

struct rrs_cached_frame {
    struct rrs_frame frame;
    uint64_t key; /* 0 if nothing usable is in it */
    uint64_t generation;
    uint64_t last_use;
    unsigned n_holders;
};

struct rrs_frame_cache {
    struct rrs_trace_reader *reader;
    struct rrs_frame_decoder *decoder;
    struct rrs_cached_frame **frames; /* CACHE_FRAMES, or more if more are held at a time */
    size_t n_frames;
    uint64_t use_count;
    uint64_t generation; /* of the reader, for the cursors */
    MDB_cursor *by_number, *by_tick, *by_task, *by_kind;
};

static void close_cursor(MDB_cursor **cursor)
{
    if (*cursor)
        mdb_cursor_close(*cursor);
    *cursor = NULL;
}

void rrs_frame_cache_destroy(struct rrs_frame_cache *cache)
{
    if (!cache)
        return;
    close_cursor(&cache->by_number);
    close_cursor(&cache->by_tick);
    close_cursor(&cache->by_task);
    close_cursor(&cache->by_kind);
    for (size_t i = 0; i < cache->n_frames; i++) {
        rrs_frame_deinit(&cache->frames[i]->frame);
        free(cache->frames[i]);
    }
    free(cache->frames);
    rrs_frame_decoder_destroy(cache->decoder);
    free(cache);
}

/* Opens one of the cursors, or moves it to the reader's present snapshot. */
static struct rrs_error *use_cursor(struct rrs_frame_cache *cache, enum rrs_database database,
                                    MDB_cursor **cursor)
{
    const struct rrs_transaction *transaction = &cache->reader->transaction;
    RRS_TRY(rrs_environment_check_process(transaction->environment));
    if (cache->generation != cache->reader->generation) {
        close_cursor(&cache->by_number);
        close_cursor(&cache->by_tick);
        close_cursor(&cache->by_task);
        close_cursor(&cache->by_kind);
        cache->generation = cache->reader->generation;
    }
    return *cursor ? NULL : rrs_record_cursor(transaction, database, cursor);
}

struct rrs_error *rrs_frame_cache_create(struct rrs_trace_reader *reader,
                                         struct rrs_frame_cache **cache)
{
    _cleanup_free_ struct rrs_frame_cache *made = calloc(1, sizeof *made);
    if (!made)
        return rrs_error_no_memory();
    made->reader = reader;
    made->generation = reader->generation;
    RRS_TRY(rrs_frame_decoder_create(&made->decoder));
    *cache = rrs_steal_pointer(&made);
    return NULL;
}

/* ---- keeping ---- */

const struct rrs_frame *rrs_cached_frame_decoded(const struct rrs_cached_frame *frame)
{
    return &frame->frame;
}

void rrs_frame_cache_release(struct rrs_frame_cache *cache, struct rrs_cached_frame *frame)
{
    (void)cache;
    if (frame)
        frame->n_holders--;
}

static bool is_usable(const struct rrs_frame_cache *cache, const struct rrs_cached_frame *frame)
{
    return frame->key && frame->generation == cache->reader->generation;
}

static struct rrs_cached_frame *look_up(const struct rrs_frame_cache *cache, uint64_t number)
{
    for (size_t i = 0; i < cache->n_frames; i++) {
        struct rrs_cached_frame *frame = cache->frames[i];
        if (is_usable(cache, frame) && number >= frame->key &&
            number - frame->key < frame->frame.head.n_events)
            return frame;
    }
    return NULL;
}

static struct rrs_error *add_slot(struct rrs_frame_cache *cache, struct rrs_cached_frame **slot)
{
    struct rrs_cached_frame **larger =
        reallocarray(cache->frames, cache->n_frames + 1, sizeof *larger);
    if (!larger)
        return rrs_error_no_memory();
    cache->frames = larger;
    struct rrs_cached_frame *frame = calloc(1, sizeof *frame);
    if (!frame)
        return rrs_error_no_memory();
    rrs_frame_init(&frame->frame);
    cache->frames[cache->n_frames++] = frame;
    *slot = frame;
    return NULL;
}

/* The slot to decode the next frame into. */
static struct rrs_error *find_slot(struct rrs_frame_cache *cache, struct rrs_cached_frame **slot)
{
    struct rrs_cached_frame *oldest = NULL;
    if (cache->n_frames < CACHE_FRAMES)
        return add_slot(cache, slot);
    for (size_t i = 0; i < cache->n_frames; i++) {
        struct rrs_cached_frame *frame = cache->frames[i];
        if (frame->n_holders == 0 && (!oldest || frame->last_use < oldest->last_use))
            oldest = frame;
    }
    if (!oldest)
        return add_slot(cache, slot);
    *slot = oldest;
    return NULL;
}

static void hold(struct rrs_frame_cache *cache, struct rrs_cached_frame *frame)
{
    frame->n_holders++;
    frame->last_use = ++cache->use_count;
}

/* Moves to the frame with key `key`, which must be there. */
static struct rrs_error *move_to(struct rrs_frame_cache *cache, uint8_t key_bytes[8], MDB_val *key,
                                 MDB_val *value)
{
    const struct rrs_transaction *transaction = &cache->reader->transaction;
    bool found;
    *key = (MDB_val){RRS_FRAME_KEY_BYTES, key_bytes};
    RRS_TRY(use_cursor(cache, RRS_DATABASE_FRAMES, &cache->by_number));
    RRS_TRY(rrs_record_move(transaction, cache->by_number, MDB_SET_KEY, key, value, &found));
    if (found)
        return NULL;
    return rrs_record_damaged(transaction, RRS_DATABASE_FRAMES, key_bytes, RRS_FRAME_KEY_BYTES,
                              "the frame is missing");
}

struct rrs_error *rrs_frame_cache_get(struct rrs_frame_cache *cache, uint64_t key,
                                      struct rrs_cached_frame **frame)
{
    struct rrs_cached_frame *slot = look_up(cache, key);
    if (!slot || slot->key != key) {
        uint8_t key_bytes[8];
        MDB_val key_value, value;
        rrs_store_be64(key_bytes, key);
        RRS_TRY(move_to(cache, key_bytes, &key_value, &value));
        RRS_TRY(find_slot(cache, &slot));
        slot->key = 0;
        RRS_TRY(rrs_frame_record_decode(&cache->reader->transaction, cache->decoder, &key_value,
                                        &value, &slot->frame));
        slot->key = key;
        slot->generation = cache->reader->generation;
    }
    hold(cache, slot);
    *frame = slot;
    return NULL;
}

/* ---- finding ---- */

static struct rrs_error *read_head(struct rrs_frame_cache *cache, uint64_t key,
                                   struct rrs_frame_head *head)
{
    uint8_t key_bytes[8];
    MDB_val key_value, value;
    rrs_store_be64(key_bytes, key);
    RRS_TRY(move_to(cache, key_bytes, &key_value, &value));
    return rrs_frame_record_head(&cache->reader->transaction, &key_value, &value, head);
}

struct rrs_error *rrs_frame_cache_find_down(struct rrs_frame_cache *cache, uint64_t number,
                                            uint64_t *key, bool *found)
{
    const struct rrs_transaction *transaction = &cache->reader->transaction;
    uint8_t key_bytes[8];
    MDB_val key_value = {sizeof key_bytes, key_bytes}, value;
    rrs_store_be64(key_bytes, number);
    RRS_TRY(use_cursor(cache, RRS_DATABASE_FRAMES, &cache->by_number));
    RRS_TRY(rrs_record_move_down(transaction, cache->by_number, false, &key_value, &value, found));
    if (*found && key_value.mv_size != RRS_FRAME_KEY_BYTES)
        return rrs_record_damaged(transaction, RRS_DATABASE_FRAMES, key_value.mv_data,
                                  key_value.mv_size, "its key has a wrong size");
    if (*found)
        *key = rrs_load_be64(key_value.mv_data);
    return NULL;
}

/* Event `number` is in no frame: so there must be no frame where `operation` leads to. */
static struct rrs_error *check_end_of_log(struct rrs_frame_cache *cache, MDB_cursor_op operation,
                                          uint64_t number)
{
    const struct rrs_transaction *transaction = &cache->reader->transaction;
    MDB_val key, value;
    bool found;
    RRS_TRY(rrs_record_move(transaction, cache->by_number, operation, &key, &value, &found));
    if (!found)
        return NULL;
    struct rrs_error *error =
        rrs_record_damaged(transaction, RRS_DATABASE_FRAMES, key.mv_data, key.mv_size,
                           "events before this frame are missing");
    error->event = error->code == RRS_ERROR_BAD_TRACE ? number : error->event;
    return error;
}

struct rrs_error *rrs_frame_cache_find_up(struct rrs_frame_cache *cache, uint64_t number,
                                          uint64_t *key, bool *found)
{
    if (number < RRS_EVENT_FIRST)
        number = RRS_EVENT_FIRST;
    const struct rrs_cached_frame *cached = look_up(cache, number);
    if (cached) {
        *key = cached->key;
        *found = true;
        return NULL;
    }
    struct rrs_frame_head head;
    uint64_t candidate = 0;
    RRS_TRY(rrs_frame_cache_find_down(cache, number, &candidate, found));
    if (!*found)
        return check_end_of_log(cache, MDB_FIRST, number);
    RRS_TRY(read_head(cache, candidate, &head));
    *found = number - candidate < head.n_events;
    if (!*found)
        return check_end_of_log(cache, MDB_NEXT, number);
    *key = candidate;
    return NULL;
}

/* The event number in the last 8 bytes of an index key. */
static struct rrs_error *parse_index_key(struct rrs_frame_cache *cache, enum rrs_database database,
                                         size_t key_bytes, const MDB_val *key, const MDB_val *value,
                                         uint64_t *event)
{
    const struct rrs_transaction *transaction = &cache->reader->transaction;
    struct rrs_bytes body;
    if (key->mv_size != key_bytes)
        return rrs_record_damaged(transaction, database, key->mv_data, key->mv_size,
                                  "its key has a wrong size");
    RRS_TRY(rrs_record_unseal(transaction, database, key, value, &body));
    *event = rrs_load_be64((const uint8_t *)key->mv_data + key_bytes - 8);
    return NULL;
}

/* Finds the nearest record, up or down from `wanted`, that shares all but the last 8 bytes with it.
 */
static struct rrs_error *find_index(struct rrs_frame_cache *cache, enum rrs_database database,
                                    MDB_cursor **cursor, const uint8_t *wanted, size_t key_bytes,
                                    bool up, uint64_t *event, bool *found)
{
    const struct rrs_transaction *transaction = &cache->reader->transaction;
    MDB_val key = {key_bytes, (void *)wanted}, value;
    RRS_TRY(use_cursor(cache, database, cursor));
    if (up)
        RRS_TRY(rrs_record_move(transaction, *cursor, MDB_SET_RANGE, &key, &value, found));
    else
        RRS_TRY(rrs_record_move_down(transaction, *cursor, false, &key, &value, found));
    if (!*found)
        return NULL;
    uint64_t read;
    RRS_TRY(parse_index_key(cache, database, key_bytes, &key, &value, &read));
    *found = memcmp(key.mv_data, wanted, key_bytes - 8) == 0;
    if (*found)
        *event = read;
    return NULL;
}

struct rrs_error *rrs_frame_cache_find_task(struct rrs_frame_cache *cache, int32_t task, bool up,
                                            uint64_t *key, bool *found)
{
    uint8_t wanted[RRS_INDEX_KEY_MAX_BYTES];
    size_t key_bytes = rrs_task_key(wanted, task, *key);
    return find_index(cache, RRS_DATABASE_BY_TASK, &cache->by_task, wanted, key_bytes, up, key,
                      found);
}

struct rrs_error *rrs_frame_cache_find_kind(struct rrs_frame_cache *cache, uint16_t event_kind,
                                            bool up, uint64_t *key, bool *found)
{
    uint8_t wanted[RRS_INDEX_KEY_MAX_BYTES];
    size_t key_bytes = rrs_kind_key(wanted, event_kind, *key);
    return find_index(cache, RRS_DATABASE_BY_KIND, &cache->by_kind, wanted, key_bytes, up, key,
                      found);
}

/* The first event of a frame with a tick >= `tick`, which the frame has. */
static struct rrs_error *search_ticks(struct rrs_frame_cache *cache, uint64_t key, uint64_t tick,
                                      uint64_t *number)
{
    struct rrs_cached_frame *frame;
    RRS_TRY(rrs_frame_cache_get(cache, key, &frame));
    const struct rrs_event *events = frame->frame.events;
    uint32_t low = 0, high = frame->frame.head.n_events - 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (events[middle].tick < tick)
            low = middle + 1;
        else
            high = middle;
    }
    *number = events[low].number;
    rrs_frame_cache_release(cache, frame);
    return NULL;
}

/*
 * Events of one tick may fill several frames, and the first of them may stand in a frame that
 * begins with a lower tick: so the search begins at the last frame that does.
 */
struct rrs_error *rrs_frame_cache_find_tick(struct rrs_frame_cache *cache, uint64_t tick,
                                            uint64_t *number, bool *found)
{
    const struct rrs_transaction *transaction = &cache->reader->transaction;
    uint8_t wanted[RRS_INDEX_KEY_MAX_BYTES];
    MDB_val key = {rrs_tick_key(wanted, tick, 0), wanted}, value;
    uint64_t frame_key, next_key;
    struct rrs_frame_head head;
    RRS_TRY(use_cursor(cache, RRS_DATABASE_BY_TICK, &cache->by_tick));
    RRS_TRY(rrs_record_move_down(transaction, cache->by_tick, true, &key, &value, found));
    if (!*found) {
        *number = RRS_EVENT_FIRST;
        return rrs_frame_cache_find_up(cache, RRS_EVENT_FIRST, &next_key, found);
    }
    RRS_TRY(
        parse_index_key(cache, RRS_DATABASE_BY_TICK, RRS_TICK_KEY_BYTES, &key, &value, &frame_key));
    RRS_TRY(read_head(cache, frame_key, &head));
    if (head.last_tick >= tick)
        return search_ticks(cache, frame_key, tick, number);
    *number = head.first_event + head.n_events;
    return rrs_frame_cache_find_up(cache, *number, &next_key, found);
}
