/* SPDX-License-Identifier: MIT */
/* Blobs: their chunks travel through the queue one by one, then the list of them follows. */
#include "lmdb-store/blob.h"

#include "lmdb-store/bytes.h"
#include "lmdb-store/reader_state.h"
#include "lmdb-store/scope.h"
#include "lmdb-store/writer_state.h"

#include <errno.h>
#include <string.h>

_Static_assert((int)RRS_BLOB_CHUNK_BYTES == (int)RRS_CHUNK_MAX_BYTES, "a blob's parts are chunks");

/* Body of a record in `blobs`: the size, then the numbers of the chunks. */
enum { OFFSET_SIZE = 0, OFFSET_CHUNKS = 8 };

/* ---- writing ---- */

struct blob_item {
    struct rrs_work_item item;
    struct rrs_hash hash;
    uint64_t size_bytes;
    size_t n_chunks, capacity;
    struct rrs_hash *chunks;
    struct rrs_packed_filling *filling; /* NULL, or the entry of the cache that is made of it */
};

static struct rrs_error *find_chunks(const struct blob_item *blob,
                                     const struct rrs_transaction *transaction, uint8_t *ids)
{
    for (size_t i = 0; i < blob->n_chunks; i++) {
        uint64_t id;
        uint32_t n_refs;
        bool found;
        RRS_TRY(rrs_chunk_find(transaction, &blob->chunks[i], &id, &found));
        if (!found)
            return rrs_record_damaged(transaction, RRS_DATABASE_CHUNK_IDS, blob->chunks[i].bytes,
                                      RRS_HASH_BYTES, "a chunk of a new blob is missing");
        RRS_TRY(rrs_chunk_ref(transaction, id, &n_refs));
        rrs_store_le64(ids + 8 * i, id);
    }
    return NULL;
}

static struct rrs_error *apply_blob(struct rrs_work_item *item, struct rrs_committer *committer)
{
    const struct blob_item *blob = (struct blob_item *)item;
    const struct rrs_transaction *transaction = &committer->transaction;
    struct rrs_bytes present;
    bool found;
    if (blob->filling)
        rrs_packed_filling_end(blob->filling);
    RRS_TRY(rrs_record_find(transaction, RRS_DATABASE_BLOBS, blob->hash.bytes, RRS_HASH_BYTES,
                            &present, &found));
    if (found)
        return NULL;
    size_t body_bytes = OFFSET_CHUNKS + 8 * blob->n_chunks;
    _cleanup_free_ uint8_t *body = malloc(body_bytes);
    if (!body)
        return rrs_error_no_memory();
    rrs_store_le64(body + OFFSET_SIZE, blob->size_bytes);
    RRS_TRY(find_chunks(blob, transaction, body + OFFSET_CHUNKS));
    return rrs_record_put(transaction, RRS_DATABASE_BLOBS, blob->hash.bytes, RRS_HASH_BYTES, body,
                          body_bytes);
}

static void destroy_blob(struct rrs_work_item *item)
{
    struct blob_item *blob = (struct blob_item *)item;
    rrs_packed_filling_destroy(blob->filling);
    free(blob->chunks);
    free(blob);
}

static const struct rrs_work_operations blob_operations = {
    .apply = apply_blob,
    .destroy = destroy_blob,
};

static struct rrs_error *begin_blob(struct blob_item **blob)
{
    struct blob_item *made = calloc(1, sizeof *made);
    if (!made)
        return rrs_error_no_memory();
    made->item.operations = &blob_operations;
    *blob = made;
    return NULL;
}

static struct rrs_error *remember_chunk(struct blob_item *blob, const struct rrs_hash *hash)
{
    if (blob->n_chunks == blob->capacity) {
        size_t capacity = blob->capacity ? 2 * blob->capacity : 1;
        struct rrs_hash *larger = reallocarray(blob->chunks, capacity, sizeof *larger);
        if (!larger)
            return rrs_error_no_memory();
        blob->chunks = larger;
        blob->capacity = capacity;
    }
    blob->chunks[blob->n_chunks++] = *hash;
    return NULL;
}

/* Adds a chunk, whose data, a heap block, is taken over. */
static struct rrs_error *add_work(struct rrs_trace_writer *writer, struct blob_item *blob,
                                  const struct rrs_chunk_work *work)
{
    struct rrs_error *error = remember_chunk(blob, &work->head.hash);
    if (error) {
        free(work->data);
        return error;
    }
    blob->size_bytes += work->head.size_bytes;
    return rrs_chunk_push(writer, work);
}

static struct rrs_error *add_chunk(struct rrs_trace_writer *writer, struct blob_item *blob,
                                   uint8_t *data, size_t size_bytes)
{
    struct rrs_chunk_work work = {
        .head.size_bytes = (uint32_t)size_bytes,
        .data = data,
        .data_bytes = size_bytes,
        .filling = blob->filling,
        .index = (uint32_t)blob->n_chunks,
    };
    rrs_hasher_digest(writer->hasher, data, size_bytes, &work.head.hash);
    return add_work(writer, blob, &work);
}

/* The name: of one chunk or none, the hash of the content; of more, that of their hashes, behind
 * words that keep it apart from a small blob with these bytes as its content. */
static void name_blob(struct rrs_hasher *hasher, struct blob_item *blob)
{
    uint8_t size[8];
    if (blob->n_chunks == 1) {
        blob->hash = blob->chunks[0];
        return;
    }
    rrs_store_le64(size, blob->size_bytes);
    rrs_hasher_begin(hasher);
    if (blob->n_chunks > 0) {
        static const char domain[] = "rrsoft blob of chunks";
        rrs_hasher_add(hasher, domain, sizeof domain);
        rrs_hasher_add(hasher, size, sizeof size);
        rrs_hasher_add(hasher, blob->chunks, blob->n_chunks * sizeof blob->chunks[0]);
    }
    rrs_hasher_end(hasher, &blob->hash);
}

static struct rrs_error *end_blob(struct rrs_trace_writer *writer, struct blob_item *blob,
                                  struct rrs_hash *hash)
{
    name_blob(writer->hasher, blob);
    struct rrs_hash name = blob->hash;
    blob->item.cost_bytes = sizeof *blob + blob->capacity * sizeof blob->chunks[0];
    RRS_TRY(rrs_trace_writer_push(writer, &blob->item, false));
    *hash = name;
    return NULL;
}

static struct rrs_error *add_memory(struct rrs_trace_writer *writer, struct blob_item *blob,
                                    const uint8_t *data, uint64_t size_bytes)
{
    while (size_bytes > 0) {
        size_t part = size_bytes < RRS_CHUNK_MAX_BYTES ? size_bytes : RRS_CHUNK_MAX_BYTES;
        uint8_t *copy = malloc(part);
        if (!copy)
            return rrs_error_no_memory();
        memcpy(copy, data, part);
        RRS_TRY(add_chunk(writer, blob, copy, part));
        data += part;
        size_bytes -= part;
    }
    return NULL;
}

struct rrs_error *rrs_blob_put(struct rrs_trace_writer *writer, const void *data,
                               uint64_t size_bytes, struct rrs_hash *hash)
{
    struct blob_item *blob;
    RRS_TRY(begin_blob(&blob));
    struct rrs_error *error = add_memory(writer, blob, data, size_bytes);
    if (!error)
        return end_blob(writer, blob, hash);
    destroy_blob(&blob->item);
    return error;
}

/* Reads until `size_bytes` are there or the file ends; pread may give less for no reason. */
static struct rrs_error *read_fully(int fd, uint8_t *buffer, size_t size_bytes,
                                    uint64_t offset_bytes, size_t *got_bytes)
{
    size_t got = 0;
    while (got < size_bytes) {
        ssize_t n = pread(fd, buffer + got, size_bytes - got, (off_t)(offset_bytes + got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return rrs_error_os(errno, NULL, "cannot read a file to store");
        if (n == 0)
            break;
        got += (size_t)n;
    }
    *got_bytes = got;
    return NULL;
}

/* Adds the next part of a file; `*got_bytes` is 0 at its end. */
static struct rrs_error *add_file_part(struct rrs_trace_writer *writer, struct blob_item *blob,
                                       int fd, uint64_t offset_bytes, size_t part,
                                       size_t *got_bytes)
{
    _cleanup_free_ uint8_t *buffer = malloc(part);
    if (!buffer)
        return rrs_error_no_memory();
    RRS_TRY(read_fully(fd, buffer, part, offset_bytes, got_bytes));
    if (*got_bytes == 0)
        return NULL;
    return add_chunk(writer, blob, rrs_steal_pointer(&buffer), *got_bytes);
}

static struct rrs_error *add_file(struct rrs_trace_writer *writer, struct blob_item *blob, int fd,
                                  uint64_t offset_bytes, uint64_t size_bytes)
{
    size_t got_bytes = RRS_CHUNK_MAX_BYTES;
    while (size_bytes > 0 && got_bytes == RRS_CHUNK_MAX_BYTES) {
        size_t part = size_bytes < RRS_CHUNK_MAX_BYTES ? size_bytes : RRS_CHUNK_MAX_BYTES;
        RRS_TRY(add_file_part(writer, blob, fd, offset_bytes, part, &got_bytes));
        offset_bytes += got_bytes;
        size_bytes -= got_bytes;
    }
    return NULL;
}

/* Adds what an earlier recording packed. `*found` is false if that does not reach to the end. */
static struct rrs_error *add_packed(struct rrs_trace_writer *writer, struct blob_item *blob,
                                    const struct rrs_packed_key *key, bool *found)
{
    struct rrs_packed_entry *entry = rrs_packed_entry_open(writer->cache, key);
    struct rrs_chunk_work work = {.is_packed = true};
    struct rrs_error *error = NULL;
    *found = false;
    if (!entry)
        return NULL;
    while (!error && rrs_packed_entry_next(entry, &work.head, &work.data, &work.data_bytes))
        error = add_work(writer, blob, &work);
    *found = !error && rrs_packed_entry_ends_well(entry);
    rrs_packed_entry_close(entry);
    if (!*found)
        blob->size_bytes = blob->n_chunks = 0;
    return error;
}

static struct rrs_error *add_file_and_keep(struct rrs_trace_writer *writer, struct blob_item *blob,
                                           int fd, const struct rrs_packed_key *key)
{
    struct rrs_packed_key then;
    bool found;
    RRS_TRY(add_packed(writer, blob, key, &found));
    if (found)
        return NULL;
    blob->filling = rrs_packed_filling_begin(writer->cache, key);
    RRS_TRY(add_file(writer, blob, fd, key->offset_bytes, key->part_bytes));
    if (blob->filling && (!rrs_packed_key_of(fd, key->offset_bytes, key->part_bytes, &then) ||
                          memcmp(key, &then, sizeof then)))
        rrs_packed_filling_give_up(blob->filling);
    return NULL;
}

struct rrs_error *rrs_blob_put_file(struct rrs_trace_writer *writer, int fd, uint64_t offset_bytes,
                                    uint64_t size_bytes, struct rrs_hash *hash,
                                    uint64_t *stored_bytes)
{
    struct blob_item *blob;
    struct rrs_packed_key key;
    RRS_TRY(begin_blob(&blob));
    bool kept = writer->cache && rrs_packed_key_of(fd, offset_bytes, size_bytes, &key);
    struct rrs_error *error = kept ? add_file_and_keep(writer, blob, fd, &key)
                                   : add_file(writer, blob, fd, offset_bytes, size_bytes);
    if (error) {
        destroy_blob(&blob->item);
        return error;
    }
    uint64_t blob_bytes = blob->size_bytes;
    RRS_TRY(end_blob(writer, blob, hash));
    if (stored_bytes)
        *stored_bytes = blob_bytes;
    return NULL;
}

/* ---- reading ---- */

struct blob_record {
    uint64_t size_bytes;
    const uint8_t *ids; /* little-endian, not aligned */
};

static struct rrs_error *parse(const struct rrs_transaction *transaction, const uint8_t *key,
                               const struct rrs_bytes *body, struct blob_record *record)
{
    if (body->size_bytes < OFFSET_CHUNKS)
        return rrs_record_damaged(transaction, RRS_DATABASE_BLOBS, key, RRS_HASH_BYTES,
                                  "it is shorter than its head");
    record->size_bytes = rrs_load_le64(body->data + OFFSET_SIZE);
    record->ids = body->data + OFFSET_CHUNKS;
    uint64_t n_chunks = (body->size_bytes - OFFSET_CHUNKS) / 8;
    if ((body->size_bytes - OFFSET_CHUNKS) % 8 || rrs_chunk_count(record->size_bytes) != n_chunks)
        return rrs_record_damaged(transaction, RRS_DATABASE_BLOBS, key, RRS_HASH_BYTES,
                                  "its list of chunks does not fit its size");
    return NULL;
}

static struct rrs_error *find(struct rrs_trace_reader *reader, const struct rrs_hash *hash,
                              struct blob_record *record)
{
    const struct rrs_transaction *transaction = &reader->transaction;
    struct rrs_bytes body;
    bool found;
    RRS_TRY(rrs_environment_check_process(transaction->environment));
    RRS_TRY(rrs_record_find(transaction, RRS_DATABASE_BLOBS, hash->bytes, RRS_HASH_BYTES, &body,
                            &found));
    if (found)
        return parse(transaction, hash->bytes, &body, record);
    char text[RRS_HASH_TEXT_BYTES];
    return rrs_error_with_key(
        rrs_error_path(RRS_ERROR_NOT_FOUND, rrs_environment_data_path(transaction->environment),
                       "the trace has no blob %s", rrs_hash_format(hash, text)),
        text);
}

struct rrs_error *rrs_blob_size(struct rrs_trace_reader *reader, const struct rrs_hash *hash,
                                uint64_t *size_bytes)
{
    struct blob_record record;
    RRS_TRY(find(reader, hash, &record));
    *size_bytes = record.size_bytes;
    return NULL;
}

static size_t size_of_chunk(const struct blob_record *record, uint64_t index)
{
    uint64_t rest = record->size_bytes - index * RRS_CHUNK_MAX_BYTES;
    return rest < RRS_CHUNK_MAX_BYTES ? rest : RRS_CHUNK_MAX_BYTES;
}

/* Copies a part of one chunk, by way of `scratch` unless the part is the whole. */
static struct rrs_error *read_part(struct rrs_trace_reader *reader,
                                   const struct blob_record *record, uint64_t index, size_t offset,
                                   uint8_t *to, size_t part, uint8_t *scratch)
{
    size_t chunk_bytes = size_of_chunk(record, index);
    bool is_whole = part == chunk_bytes;
    RRS_TRY(rrs_chunk_read(&reader->transaction, reader->unpacker,
                           rrs_load_le64(record->ids + 8 * index), is_whole ? to : scratch,
                           chunk_bytes));
    if (!is_whole)
        memcpy(to, scratch + offset, part);
    return NULL;
}

struct rrs_error *rrs_blob_read(struct rrs_trace_reader *reader, const struct rrs_hash *hash,
                                uint64_t offset_bytes, void *buffer, uint64_t size_bytes)
{
    struct blob_record record;
    RRS_TRY(find(reader, hash, &record));
    if (offset_bytes > record.size_bytes || size_bytes > record.size_bytes - offset_bytes)
        return rrs_error_create(RRS_ERROR_USAGE, "the range reaches beyond the blob's %llu bytes",
                                (unsigned long long)record.size_bytes);
    _cleanup_free_ uint8_t *scratch = malloc(RRS_CHUNK_MAX_BYTES);
    if (!scratch)
        return rrs_error_no_memory();
    uint8_t *to = buffer;
    while (size_bytes > 0) {
        uint64_t index = offset_bytes / RRS_CHUNK_MAX_BYTES;
        size_t offset = offset_bytes % RRS_CHUNK_MAX_BYTES;
        size_t part = size_of_chunk(&record, index) - offset;
        if (part > size_bytes)
            part = size_bytes;
        RRS_TRY(read_part(reader, &record, index, offset, to, part, scratch));
        to += part;
        offset_bytes += part;
        size_bytes -= part;
    }
    return NULL;
}

struct rrs_error *rrs_blob_for_each_piece(
    struct rrs_trace_reader *reader, const struct rrs_hash *hash, uint64_t size_bytes,
    struct rrs_error *(*visit)(void *context, uint64_t offset_bytes, const uint8_t *piece,
                               size_t piece_bytes),
    void *context)
{
    enum { PIECE = 1 << 20 };
    _cleanup_free_ uint8_t *bytes = malloc(PIECE);
    if (!bytes)
        return rrs_error_no_memory();
    if (size_bytes == UINT64_MAX)
        RRS_TRY(rrs_blob_size(reader, hash, &size_bytes));
    for (uint64_t done = 0, piece; done < size_bytes; done += piece) {
        piece = size_bytes - done < PIECE ? size_bytes - done : PIECE;
        RRS_TRY(rrs_blob_read(reader, hash, done, bytes, piece));
        RRS_TRY(visit(context, done, bytes, piece));
    }
    return NULL;
}

struct destination {
    int fd;
    uint64_t offset_bytes;
};

static struct rrs_error *write_piece(void *context, uint64_t offset_bytes, const uint8_t *piece,
                                     size_t piece_bytes)
{
    const struct destination *to = context;
    ssize_t written = pwrite(to->fd, piece, piece_bytes, (off_t)(to->offset_bytes + offset_bytes));
    return written == (ssize_t)piece_bytes
               ? NULL
               : rrs_error_os(written < 0 ? errno : ENOSPC, NULL, "writing a blob to a file");
}

struct rrs_error *rrs_blob_copy_to_file(struct rrs_trace_reader *reader,
                                        const struct rrs_hash *hash, uint64_t size_bytes, int fd,
                                        uint64_t offset_bytes)
{
    struct destination to = {fd, offset_bytes};
    return rrs_blob_for_each_piece(reader, hash, size_bytes, write_piece, &to);
}

struct rrs_error *rrs_blob_for_each(struct rrs_trace_reader *reader,
                                    struct rrs_error *(*visit)(void *context,
                                                               const struct rrs_hash *hash,
                                                               uint64_t size_bytes),
                                    void *context)
{
    const struct rrs_transaction *transaction = &reader->transaction;
    _cleanup_cursor_ MDB_cursor *cursor = NULL;
    RRS_TRY(rrs_environment_check_process(transaction->environment));
    RRS_TRY(rrs_record_cursor(transaction, RRS_DATABASE_BLOBS, &cursor));
    for (MDB_cursor_op operation = MDB_FIRST;; operation = MDB_NEXT) {
        MDB_val key, value;
        struct rrs_bytes body;
        struct blob_record record;
        struct rrs_hash hash;
        bool found;
        RRS_TRY(rrs_record_move(transaction, cursor, operation, &key, &value, &found));
        if (!found)
            return NULL;
        RRS_TRY(rrs_record_unseal(transaction, RRS_DATABASE_BLOBS, &key, &value, &body));
        if (key.mv_size != RRS_HASH_BYTES)
            return rrs_record_damaged(transaction, RRS_DATABASE_BLOBS, key.mv_data, key.mv_size,
                                      "its key is no hash");
        RRS_TRY(parse(transaction, key.mv_data, &body, &record));
        memcpy(hash.bytes, key.mv_data, RRS_HASH_BYTES);
        RRS_TRY(visit(context, &hash, record.size_bytes));
    }
}
