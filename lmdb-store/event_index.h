/* SPDX-License-Identifier: MIT */
/* The keys of the event log's databases, and its frames as records. Internal to lmdb-store. */
#ifndef RRS_LMDB_STORE_EVENT_INDEX_H
#define RRS_LMDB_STORE_EVENT_INDEX_H

#include "lmdb-store/bytes.h"
#include "lmdb-store/error.h"
#include "lmdb-store/frame.h"
#include "lmdb-store/record.h"

#include <stddef.h>
#include <stdint.h>

enum {
    RRS_FRAME_KEY_BYTES = 8,
    RRS_TICK_KEY_BYTES = 16,
    RRS_TASK_KEY_BYTES = 12,
    RRS_KIND_KEY_BYTES = 10,
    RRS_INDEX_KEY_MAX_BYTES = 16,
};

static inline size_t rrs_tick_key(uint8_t *key, uint64_t tick, uint64_t event)
{
    rrs_store_be64(key, tick);
    rrs_store_be64(key + 8, event);
    return RRS_TICK_KEY_BYTES;
}

/* The sign bit is turned so that negative ids come first. */
static inline size_t rrs_task_key(uint8_t *key, int32_t task, uint64_t event)
{
    rrs_store_be32(key, (uint32_t)task ^ UINT32_C(0x80000000));
    rrs_store_be64(key + 4, event);
    return RRS_TASK_KEY_BYTES;
}

static inline int32_t rrs_task_of_key(const uint8_t *key)
{
    return (int32_t)(rrs_load_be32(key) ^ UINT32_C(0x80000000));
}

static inline size_t rrs_kind_key(uint8_t *key, uint16_t event_kind, uint64_t event)
{
    rrs_store_be16(key, event_kind);
    rrs_store_be64(key + 2, event);
    return RRS_KIND_KEY_BYTES;
}

/* How many events of a frame have one task, or one kind. */
struct rrs_id_count {
    int64_t id;
    uint32_t n_events;
};

/** Counts an event of `id` in a list that has room for one more. The fewer ids, the faster. */
static inline void rrs_id_count_add(struct rrs_id_count *counts, uint32_t *n_counts, int64_t id)
{
    uint32_t i = *n_counts;
    while (i > 0 && counts[i - 1].id != id)
        i--;
    if (i > 0)
        counts[i - 1].n_events++;
    else
        counts[(*n_counts)++] = (struct rrs_id_count){id, 1};
}

/** Reads the head of the frame in a record of `frames`. Error: BAD_TRACE, with the record's key. */
RRS_MUST_CHECK struct rrs_error *rrs_frame_record_head(const struct rrs_transaction *transaction,
                                                       const MDB_val *key, const MDB_val *value,
                                                       struct rrs_frame_head *head);

/** Unpacks the frame in a record of `frames`. Errors: BAD_TRACE, with the record's key; NO_MEMORY.
 */
RRS_MUST_CHECK struct rrs_error *rrs_frame_record_decode(const struct rrs_transaction *transaction,
                                                         struct rrs_frame_decoder *decoder,
                                                         const MDB_val *key, const MDB_val *value,
                                                         struct rrs_frame *frame);

#endif
