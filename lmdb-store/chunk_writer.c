/* SPDX-License-Identifier: MIT */
/* Chunks on their way through the writer's threads: see the last part of writer_state.h. */
#include "lmdb-store/scope.h"
#include "lmdb-store/writer_state.h"

#include <string.h>

/* Looks for the chunk in what is committed. That it is not there is no promise: the committer looks
 * again. But to find it saves packing it. */
static struct rrs_error *look_up(struct rrs_worker *worker, const struct rrs_chunk_work *work,
                                 bool *exists)
{
    struct rrs_transaction *transaction = &worker->transaction;
    if (!transaction->txn) {
        RRS_TRY(rrs_environment_begin_read(transaction->environment, &transaction->txn));
    } else {
        int code = mdb_txn_renew(transaction->txn);
        if (code)
            return rrs_lmdb_error(code, rrs_environment_data_path(transaction->environment),
                                  "cannot read the trace");
    }
    uint64_t id;
    struct rrs_error *error = rrs_chunk_find(transaction, &work->head.hash, &id, exists);
    mdb_txn_reset(transaction->txn);
    return error;
}

static struct rrs_error *replace_data(struct rrs_chunk_work *work, const struct rrs_bytes *packed)
{
    uint8_t *copy = malloc(packed->size_bytes);
    if (!copy)
        return rrs_error_no_memory();
    memcpy(copy, packed->data, packed->size_bytes);
    free(work->data);
    work->data = copy;
    work->data_bytes = packed->size_bytes;
    work->is_packed = true;
    return NULL;
}

struct rrs_error *rrs_chunk_work_prepare(struct rrs_chunk_work *work, struct rrs_worker *worker)
{
    struct rrs_bytes packed;
    bool exists = false;
    if (work->is_packed)
        return NULL;
    RRS_TRY(look_up(worker, work, &exists));
    if (exists && !work->filling)
        return NULL;
    RRS_TRY(rrs_packer_pack(worker->packer, work->data, work->data_bytes, &packed));
    if (work->filling)
        rrs_packed_filling_add(work->filling, work->index, &work->head, &packed);
    return replace_data(work, &packed);
}

struct rrs_error *rrs_chunk_work_apply(const struct rrs_chunk_work *work,
                                       struct rrs_committer *committer, uint64_t *id)
{
    const struct rrs_transaction *transaction = &committer->transaction;
    struct rrs_bytes packed = {work->data, work->data_bytes};
    bool found;
    RRS_TRY(rrs_chunk_find(transaction, &work->head.hash, id, &found));
    if (found)
        return NULL;
    if (!work->is_packed) /* a worker found it, but it went with a checkpoint since */
        RRS_TRY(rrs_packer_pack(committer->packer, work->data, work->data_bytes, &packed));
    RRS_TRY(rrs_chunk_insert(transaction, committer->next_chunk_id, &work->head, &packed));
    *id = committer->next_chunk_id++;
    return NULL;
}

struct chunk_item {
    struct rrs_work_item item;
    struct rrs_chunk_work work;
};

static struct rrs_error *prepare_chunk(struct rrs_work_item *item, struct rrs_worker *worker)
{
    return rrs_chunk_work_prepare(&((struct chunk_item *)item)->work, worker);
}

static struct rrs_error *apply_chunk(struct rrs_work_item *item, struct rrs_committer *committer)
{
    uint64_t id;
    return rrs_chunk_work_apply(&((struct chunk_item *)item)->work, committer, &id);
}

static void destroy_chunk(struct rrs_work_item *item)
{
    struct chunk_item *chunk = (struct chunk_item *)item;
    rrs_packed_filling_destroy(chunk->work.filling);
    free(chunk->work.data);
    free(chunk);
}

static const struct rrs_work_operations chunk_operations = {
    .prepare = prepare_chunk,
    .apply = apply_chunk,
    .destroy = destroy_chunk,
};

struct rrs_error *rrs_chunk_push(struct rrs_trace_writer *writer, const struct rrs_chunk_work *work)
{
    struct chunk_item *chunk = calloc(1, sizeof *chunk);
    if (!chunk) {
        free(work->data);
        return rrs_error_no_memory();
    }
    chunk->item.operations = &chunk_operations;
    chunk->item.cost_bytes = sizeof *chunk + work->data_bytes;
    chunk->work = *work;
    rrs_packed_filling_share(work->filling);
    return rrs_trace_writer_push(writer, &chunk->item, false);
}

struct rrs_error *rrs_chunk_store_list(struct rrs_committer *committer, struct rrs_hasher *hasher,
                                       const void *data, uint64_t size_bytes, uint64_t *ids)
{
    const uint8_t *from = data;
    uint32_t n_refs;
    for (; size_bytes > 0; ids++) {
        size_t part = size_bytes < RRS_CHUNK_MAX_BYTES ? size_bytes : RRS_CHUNK_MAX_BYTES;
        struct rrs_chunk_work work = {
            .head.size_bytes = (uint32_t)part,
            .data = (uint8_t *)from,
            .data_bytes = part,
        };
        rrs_hasher_digest(hasher, from, part, &work.head.hash);
        RRS_TRY(rrs_chunk_work_apply(&work, committer, ids));
        RRS_TRY(rrs_chunk_ref(&committer->transaction, *ids, &n_refs));
        from += part;
        size_bytes -= part;
    }
    return NULL;
}
