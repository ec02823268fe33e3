/* SPDX-License-Identifier: MIT */
/* Test that blobs of all sizes come back, in part and whole, and that equal ones are stored once.
 */
#include "lmdb-store/blob.h"

#include "lmdb-store/trace_dir.h"
#include "tests/unit/test.h"

static const uint64_t sizes[] = {
    0,
    1,
    4096,
    RRS_BLOB_CHUNK_BYTES - 1,
    RRS_BLOB_CHUNK_BYTES,
    RRS_BLOB_CHUNK_BYTES + 1,
    5 * RRS_BLOB_CHUNK_BYTES,
    5 * RRS_BLOB_CHUNK_BYTES + 12345,
};

enum { N_SIZES = sizeof sizes / sizeof sizes[0] };

static void check_ranges(uint64_t *state, struct rrs_trace_reader *reader,
                         const struct rrs_hash *hash, const uint8_t *data, uint64_t size_bytes)
{
    uint8_t *buffer = malloc(size_bytes + 1);
    CHECK_OK(rrs_blob_read(reader, hash, 0, buffer, size_bytes));
    CHECK(memcmp(buffer, data, size_bytes) == 0);
    for (int i = 0; i < 20; i++) {
        uint64_t from = test_random_below(state, size_bytes + 1);
        uint64_t part = test_random_below(state, size_bytes - from + 1);
        CHECK_OK(rrs_blob_read(reader, hash, from, buffer, part));
        CHECK(memcmp(buffer, data + from, part) == 0);
    }
    CHECK_FAILS(rrs_blob_read(reader, hash, size_bytes, buffer, 1), USAGE);
    CHECK_FAILS(rrs_blob_read(reader, hash, size_bytes + 1, buffer, 0), USAGE);
    CHECK_FAILS(rrs_blob_read(reader, hash, 1, buffer, UINT64_MAX), USAGE);
    free(buffer);
}

/* The same bytes from a file have the same name. */
static void check_file(struct rrs_trace_writer *writer, const char *directory, const uint8_t *data,
                       const struct rrs_hash *expected, uint64_t size_bytes)
{
    char path[PATH_MAX];
    struct rrs_hash hash;
    uint64_t stored_bytes;
    FILE *file = fopen(test_path(path, directory, "content"), "w+");
    CHECK(file);
    CHECK_EQUAL(fwrite("before", 1, 6, file), 6);
    CHECK_EQUAL(fwrite(data, 1, size_bytes, file), size_bytes);
    CHECK(fflush(file) == 0);
    CHECK_OK(rrs_blob_put_file(writer, fileno(file), 6, UINT64_MAX / 2, &hash, &stored_bytes));
    CHECK_EQUAL(stored_bytes, size_bytes);
    CHECK(memcmp(&hash, expected, sizeof hash) == 0);
    CHECK_OK(rrs_blob_put_file(writer, fileno(file), 6, size_bytes, &hash, NULL));
    CHECK(memcmp(&hash, expected, sizeof hash) == 0);
    fclose(file);
    CHECK_FAILS(rrs_blob_put_file(writer, -1, 0, 1, &hash, NULL), OS);
}

static void check_stored_once(struct rrs_trace_writer *writer, const char *trace,
                              const uint8_t *data, uint64_t size_bytes)
{
    struct rrs_trace_dir_usage before, after;
    struct rrs_hash hash;
    CHECK_OK(rrs_trace_writer_flush(writer));
    CHECK_OK(rrs_trace_dir_measure(trace, &before));
    for (int i = 0; i < 10; i++)
        CHECK_OK(rrs_blob_put(writer, data, size_bytes, &hash));
    CHECK_OK(rrs_trace_writer_flush(writer));
    CHECK_OK(rrs_trace_dir_measure(trace, &after));
    CHECK(after.file_bytes - before.file_bytes < size_bytes / 2);
}

static struct rrs_error *count_blob(void *context, const struct rrs_hash *hash, uint64_t size_bytes)
{
    (void)hash;
    *(uint64_t *)context += 1 + size_bytes;
    return NULL;
}

int main(int argc, char **argv)
{
    uint64_t state = test_seed(argc, argv), sum = 0, expected_sum = 0;
    char path[PATH_MAX], trace[PATH_MAX];
    struct rrs_metadata metadata;
    struct rrs_trace_writer *writer;
    struct rrs_trace_reader *reader;
    struct rrs_hash hashes[N_SIZES], unknown = {{1}};
    uint8_t *data = malloc(sizes[N_SIZES - 1]);
    uint64_t size_bytes;
    test_fill(&state, data, sizes[N_SIZES - 1]);
    CHECK_OK(rrs_trace_dir_create_at(test_path(trace, test_make_directory(path), "t")));
    rrs_metadata_init(&metadata);
    CHECK_OK(rrs_trace_writer_create(trace, &metadata, &writer));
    for (int i = 0; i < N_SIZES; i++) {
        CHECK_OK(rrs_blob_put(writer, data, sizes[i], &hashes[i]));
        check_file(writer, path, data, &hashes[i], sizes[i]);
        expected_sum += 1 + sizes[i];
    }
    check_stored_once(writer, trace, data, sizes[N_SIZES - 1]);
    CHECK_OK(rrs_trace_writer_reader(writer, &reader));
    for (int i = 0; i < N_SIZES; i++) {
        CHECK_OK(rrs_blob_size(reader, &hashes[i], &size_bytes));
        CHECK_EQUAL(size_bytes, sizes[i]);
        check_ranges(&state, reader, &hashes[i], data, sizes[i]);
    }
    CHECK_FAILS(rrs_blob_size(reader, &unknown, &size_bytes), NOT_FOUND);
    CHECK_OK(rrs_blob_for_each(reader, count_blob, &sum));
    CHECK_EQUAL(sum, expected_sum);
    rrs_trace_reader_destroy(reader);
    CHECK_OK(rrs_trace_writer_finish(writer, NULL));
    rrs_trace_writer_destroy(writer);
    rrs_metadata_deinit(&metadata);
    free(data);
    test_remove_tree(path);
    return 0;
}
