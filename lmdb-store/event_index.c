/* SPDX-License-Identifier: MIT */
#include "lmdb-store/event_index.h"

/* Adds to an error of the frame decoder which frame of which file it is about. */
static struct rrs_error *locate(const struct rrs_transaction *transaction, const MDB_val *key,
                                struct rrs_error *error)
{
    if (!error || error->code != RRS_ERROR_BAD_TRACE)
        return error;
    struct rrs_error *located = rrs_record_damaged(transaction, RRS_DATABASE_FRAMES, key->mv_data,
                                                   key->mv_size, error->message);
    rrs_error_destroy(error);
    return located;
}

static struct rrs_error *check_key(const struct rrs_transaction *transaction, const MDB_val *key,
                                   const struct rrs_frame_head *head)
{
    if (key->mv_size == RRS_FRAME_KEY_BYTES && rrs_load_be64(key->mv_data) == head->first_event)
        return NULL;
    return rrs_record_damaged(transaction, RRS_DATABASE_FRAMES, key->mv_data, key->mv_size,
                              "the frame under this key begins with another event");
}

struct rrs_error *rrs_frame_record_head(const struct rrs_transaction *transaction,
                                        const MDB_val *key, const MDB_val *value,
                                        struct rrs_frame_head *head)
{
    struct rrs_frame_head read;
    RRS_TRY(locate(transaction, key, rrs_frame_decode_head(value->mv_data, value->mv_size, &read)));
    RRS_TRY(check_key(transaction, key, &read));
    *head = read;
    return NULL;
}

struct rrs_error *rrs_frame_record_decode(const struct rrs_transaction *transaction,
                                          struct rrs_frame_decoder *decoder, const MDB_val *key,
                                          const MDB_val *value, struct rrs_frame *frame)
{
    RRS_TRY(
        locate(transaction, key, rrs_frame_decode(decoder, value->mv_data, value->mv_size, frame)));
    return check_key(transaction, key, &frame->head);
}
