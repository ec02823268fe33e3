/* SPDX-License-Identifier: MIT */
/* Opening, finishing and failing of a writer; what goes through it is in other files. */
#include "lmdb-store/trace_writer.h"

#include "lmdb-store/metadata_format.h"
#include "lmdb-store/reader_state.h"
#include "lmdb-store/scope.h"
#include "lmdb-store/writer_state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* ---- failing ---- */

void rrs_trace_writer_fail(struct rrs_trace_writer *writer, struct rrs_error *error)
{
    rrs_work_queue_lock(&writer->queue);
    if (writer->failure)
        rrs_error_destroy(error);
    else
        writer->failure = error;
    rrs_work_queue_unlock(&writer->queue);
    atomic_store(&writer->has_failed, true);
}

struct rrs_error *rrs_trace_writer_failure(struct rrs_trace_writer *writer)
{
    if (!atomic_load(&writer->has_failed))
        return NULL;
    return rrs_error_copy(writer->failure); /* never changes once it is set */
}

/* ---- the cache ---- */

void rrs_trace_writer_use_cache(struct rrs_trace_writer *writer, const char *path)
{
    if (!writer->cache)
        writer->cache = rrs_packed_cache_open(path);
}

/* ---- queueing ---- */

static struct rrs_error *check_usable(struct rrs_trace_writer *writer)
{
    RRS_TRY(rrs_environment_check_process(writer->environment));
    if (writer->finished)
        return rrs_error_create(RRS_ERROR_USAGE, "the trace is finished");
    return rrs_trace_writer_failure(writer);
}

static struct rrs_error *push(struct rrs_trace_writer *writer, struct rrs_work_item *item,
                              bool behind_events, uint64_t *sequence)
{
    struct rrs_error *error = check_usable(writer);
    if (!error && behind_events)
        error = rrs_event_log_hand_over(writer);
    if (error) {
        item->operations->destroy(item);
        return error;
    }
    rrs_work_queue_lock(&writer->queue);
    *sequence = rrs_work_queue_push_locked(&writer->queue, item);
    rrs_work_queue_unlock(&writer->queue);
    return NULL;
}

struct rrs_error *rrs_trace_writer_push(struct rrs_trace_writer *writer, struct rrs_work_item *item,
                                        bool behind_events)
{
    uint64_t sequence;
    return push(writer, item, behind_events, &sequence);
}

struct rrs_error *rrs_trace_writer_push_and_wait(struct rrs_trace_writer *writer,
                                                 struct rrs_work_item *item)
{
    struct rrs_error *result = NULL;
    uint64_t sequence;
    item->result = &result;
    RRS_TRY(push(writer, item, true, &sequence));
    rrs_work_queue_wait_completed(&writer->queue, sequence);
    return result ? result : rrs_trace_writer_failure(writer);
}

/* ---- small items: extra data, the end, a flush ---- */

struct note_item {
    struct rrs_work_item item;
    struct rrs_trace_end end;
    char name[RRS_EXTRA_NAME_MAX_BYTES + 1];
    size_t size_bytes;
    uint8_t data[];
};

static void destroy_note(struct rrs_work_item *item)
{
    free(item);
}

static struct rrs_error *apply_nothing(struct rrs_work_item *item, struct rrs_committer *committer)
{
    (void)item;
    (void)committer;
    return NULL;
}

static struct rrs_error *apply_extra(struct rrs_work_item *item, struct rrs_committer *committer)
{
    const struct note_item *note = (struct note_item *)item;
    return rrs_extra_write(&committer->transaction, note->name, note->data, note->size_bytes);
}

static struct rrs_error *apply_end(struct rrs_work_item *item, struct rrs_committer *committer)
{
    return rrs_trace_end_write(&committer->transaction, &((struct note_item *)item)->end);
}

static const struct rrs_work_operations flush_operations = {.apply = apply_nothing,
                                                            .destroy = destroy_note};
static const struct rrs_work_operations extra_operations = {.apply = apply_extra,
                                                            .destroy = destroy_note};
static const struct rrs_work_operations end_operations = {.apply = apply_end,
                                                          .destroy = destroy_note};

static struct rrs_error *make_note(const struct rrs_work_operations *operations, size_t size_bytes,
                                   struct note_item **note)
{
    struct note_item *made = calloc(1, sizeof *made + size_bytes);
    if (!made)
        return rrs_error_no_memory();
    made->item.operations = operations;
    made->item.cost_bytes = sizeof *made + size_bytes;
    made->size_bytes = size_bytes;
    *note = made;
    return NULL;
}

struct rrs_error *rrs_trace_writer_put_extra(struct rrs_trace_writer *writer, const char *name,
                                             const void *data, size_t size_bytes)
{
    struct note_item *note;
    size_t name_bytes = strlen(name);
    if (name_bytes < 1 || name_bytes > RRS_EXTRA_NAME_MAX_BYTES)
        return rrs_error_create(RRS_ERROR_USAGE, "a name has 1 to %d bytes",
                                RRS_EXTRA_NAME_MAX_BYTES);
    if (size_bytes > RRS_EXTRA_MAX_BYTES)
        return rrs_error_create(RRS_ERROR_USAGE, "'%s' is larger than %d bytes", name,
                                RRS_EXTRA_MAX_BYTES);
    RRS_TRY(make_note(&extra_operations, size_bytes, &note));
    memcpy(note->name, name, name_bytes + 1);
    if (size_bytes)
        memcpy(note->data, data, size_bytes);
    return rrs_trace_writer_push(writer, &note->item, false);
}

struct rrs_error *rrs_trace_writer_flush(struct rrs_trace_writer *writer)
{
    struct note_item *note;
    RRS_TRY(make_note(&flush_operations, 0, &note));
    return rrs_trace_writer_push_and_wait(writer, &note->item);
}

/* ---- opening ---- */

static void free_memory(struct rrs_trace_writer *writer)
{
    for (int i = 0; i < RRS_MAX_WORKERS; i++) {
        rrs_frame_encoder_destroy(writer->workers[i].encoder);
        rrs_packer_destroy(writer->workers[i].packer);
    }
    rrs_frame_encoder_destroy(writer->committer.encoder);
    rrs_packer_destroy(writer->committer.packer);
    rrs_unpacker_destroy(writer->committer.unpacker);
    rrs_packed_frame_destroy(writer->committer.snapshot.frame);
    rrs_hasher_destroy(writer->hasher);
    rrs_packed_cache_close(writer->cache);
    rrs_staged_frame_destroy(writer->staged);
    rrs_error_destroy(writer->failure);
    free(writer);
}

/* Takes the environment over, on failure too. */
static struct rrs_error *make_writer(struct rrs_environment *environment,
                                     struct rrs_trace_writer **writer)
{
    struct rrs_trace_writer *made = calloc(1, sizeof *made);
    if (!made) {
        rrs_environment_unref(environment);
        return rrs_error_no_memory();
    }
    rrs_work_queue_init(&made->queue, RRS_QUEUE_LIMIT_BYTES);
    made->environment = environment;
    made->committer.writer = made;
    made->committer.transaction.environment = environment;
    made->committer.next_chunk_id = RRS_CHUNK_NONE + 1;
    made->next_event = RRS_EVENT_FIRST;
    struct rrs_error *error = rrs_hasher_create(&made->hasher);
    if (!error)
        error = rrs_staged_frame_create(&made->staged);
    if (error)
        rrs_trace_writer_destroy(made);
    else
        *writer = made;
    return error;
}

/* Runs `work` in a write transaction, before there are threads. */
static struct rrs_error *run_in_transaction(
    struct rrs_environment *environment,
    struct rrs_error *(*work)(const struct rrs_transaction *, const void *), const void *argument)
{
    struct rrs_transaction transaction = {.environment = environment};
    const char *path = rrs_environment_data_path(environment);
    int code = mdb_txn_begin(rrs_environment_lmdb(environment), NULL, 0, &transaction.txn);
    if (code)
        return rrs_lmdb_error(code, path, "cannot write to the trace");
    struct rrs_error *error = work(&transaction, argument);
    if (error) {
        mdb_txn_abort(transaction.txn);
        return error;
    }
    code = mdb_txn_commit(transaction.txn);
    return code ? rrs_lmdb_error(code, path, "cannot write to the trace") : NULL;
}

static struct rrs_error *write_beginning(const struct rrs_transaction *transaction,
                                         const void *metadata)
{
    RRS_TRY(rrs_environment_create_databases(transaction->environment, transaction->txn));
    return rrs_metadata_write(transaction, metadata);
}

/* Makes the new file's name safe against a power loss, and what is in it. */
static struct rrs_error *sync_new_file(struct rrs_environment *environment)
{
    const char *path = rrs_environment_path(environment);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return rrs_file_error(errno, path, "cannot sync the trace's directory");
    return rrs_environment_sync(environment);
}

static struct rrs_error *start(struct rrs_trace_writer *made, struct rrs_trace_writer **writer)
{
    struct rrs_error *error = rrs_writer_threads_start(made);
    if (error)
        rrs_trace_writer_destroy(made);
    else
        *writer = made;
    return error;
}

struct rrs_error *rrs_trace_writer_create(const char *path, const struct rrs_metadata *metadata,
                                          struct rrs_trace_writer **writer)
{
    struct rrs_environment *environment;
    struct rrs_trace_writer *made;
    RRS_TRY(rrs_environment_create(path, &environment));
    struct rrs_error *error = run_in_transaction(environment, write_beginning, metadata);
    if (!error)
        error = sync_new_file(environment);
    if (error) {
        rrs_environment_unref(environment);
        return error;
    }
    RRS_TRY(make_writer(environment, &made));
    return start(made, writer);
}

static struct rrs_error *sweep(const struct rrs_transaction *transaction, const void *argument)
{
    (void)argument;
    return rrs_chunk_sweep(transaction);
}

static struct rrs_error *find_ends(struct rrs_trace_writer *writer)
{
    struct rrs_transaction transaction = {.environment = writer->environment};
    RRS_TRY(rrs_environment_begin_read(writer->environment, &transaction.txn));
    struct rrs_error *error =
        rrs_event_log_find_end(&transaction, &writer->next_event, &writer->last_tick);
    if (!error)
        error = rrs_chunk_next_id(&transaction, &writer->committer.next_chunk_id);
    mdb_txn_abort(transaction.txn);
    return error;
}

struct rrs_error *rrs_trace_writer_open(const char *path, struct rrs_trace_writer **writer)
{
    struct rrs_environment *environment;
    struct rrs_trace_writer *made;
    RRS_TRY(rrs_environment_open(path, true, &environment));
    struct rrs_error *error = run_in_transaction(environment, sweep, NULL);
    if (error) {
        rrs_environment_unref(environment);
        return error;
    }
    RRS_TRY(make_writer(environment, &made));
    error = find_ends(made);
    if (error) {
        rrs_trace_writer_destroy(made);
        return error;
    }
    return start(made, writer);
}

struct rrs_error *rrs_trace_writer_reader(struct rrs_trace_writer *writer,
                                          struct rrs_trace_reader **reader)
{
    return rrs_trace_reader_create(writer->environment, reader);
}

/* ---- closing ---- */

static struct rrs_error *write_end(struct rrs_trace_writer *writer, const struct rrs_trace_end *end)
{
    struct note_item *note;
    RRS_TRY(make_note(end ? &end_operations : &flush_operations, 0, &note));
    if (end)
        note->end = *end;
    return rrs_trace_writer_push_and_wait(writer, &note->item);
}

struct rrs_error *rrs_trace_writer_finish(struct rrs_trace_writer *writer,
                                          const struct rrs_trace_end *end)
{
    RRS_TRY(rrs_environment_check_process(writer->environment));
    struct rrs_error *error = write_end(writer, end);
    rrs_writer_threads_stop(writer);
    writer->finished = true;
    if (!error)
        error = rrs_environment_sync(writer->environment);
    rrs_environment_release_writer(writer->environment);
    return error;
}

void rrs_trace_writer_destroy(struct rrs_trace_writer *writer)
{
    if (!writer)
        return;
    struct rrs_environment *environment = writer->environment;
    struct rrs_error *stranger = rrs_environment_check_process(environment);
    if (!stranger) {
        rrs_writer_threads_stop(writer);
        rrs_work_queue_deinit(&writer->queue);
        rrs_environment_release_writer(environment);
    }
    /* In a forked child there are no threads to stop, and their locks may be held for ever. */
    rrs_error_destroy(stranger);
    free_memory(writer);
    rrs_environment_unref(environment);
}
