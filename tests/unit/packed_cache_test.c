/* SPDX-License-Identifier: MIT */
/* Test that a file that was stored before is taken from the cache, and that a cache which does not
 * have it, is damaged or cannot be used costs nothing but time. */
#include "lmdb-store/blob.h"
#include "lmdb-store/trace_dir.h"
#include "tests/unit/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { SIZE = 3 * RRS_BLOB_CHUNK_BYTES + 12345 };

struct setting {
    char top[PATH_MAX], cache[PATH_MAX], file[PATH_MAX];
    uint8_t *data;
    struct rrs_hash hash; /* of `data` */
    int traces;
};

static void write_file(const char *path, const void *data, size_t size_bytes)
{
    FILE *file = fopen(path, "w");
    CHECK(file && fwrite(data, 1, size_bytes, file) == size_bytes && fclose(file) == 0);
}

/* How many entries the cache has; `name` is that of one of them. */
static int count_entries(const struct setting *s, char name[256])
{
    int count = 0;
    DIR *directory = opendir(s->cache);
    CHECK(directory);
    for (struct dirent *entry; (entry = readdir(directory));)
        if (entry->d_name[0] != '.') {
            count++;
            snprintf(name, 256, "%s", entry->d_name);
        }
    closedir(directory);
    return count;
}

static void check_content(struct rrs_trace_writer *writer, const struct setting *s)
{
    struct rrs_trace_reader *reader;
    uint8_t *buffer = malloc(SIZE);
    CHECK_OK(rrs_trace_writer_flush(writer));
    CHECK_OK(rrs_trace_writer_reader(writer, &reader));
    CHECK_OK(rrs_blob_read(reader, &s->hash, 0, buffer, SIZE));
    CHECK(memcmp(buffer, s->data, SIZE) == 0);
    rrs_trace_reader_destroy(reader);
    free(buffer);
}

static struct rrs_trace_writer *create_trace(struct setting *s)
{
    char name[32], trace[PATH_MAX];
    struct rrs_metadata metadata;
    struct rrs_trace_writer *writer;
    snprintf(name, sizeof name, "trace%d", s->traces++);
    CHECK_OK(rrs_trace_dir_create_at(test_path(trace, s->top, name)));
    rrs_metadata_init(&metadata);
    CHECK_OK(rrs_trace_writer_create(trace, &metadata, &writer));
    rrs_metadata_deinit(&metadata);
    return writer;
}

/* The name of a blob of several chunks is known from storing it. */
static void find_hash(struct setting *s)
{
    struct rrs_trace_writer *writer = create_trace(s);
    CHECK_OK(rrs_blob_put(writer, s->data, SIZE, &s->hash));
    CHECK_OK(rrs_trace_writer_finish(writer, NULL));
    rrs_trace_writer_destroy(writer);
}

/*
 * Stores the file in a new trace with the cache at `cache`. `readable` false: by a descriptor that
 * cannot be read from, so that it can only come from the cache. False if that failed.
 */
static bool store(struct setting *s, const char *cache, bool readable)
{
    struct rrs_trace_writer *writer = create_trace(s);
    struct rrs_hash hash;
    uint64_t stored_bytes;
    rrs_trace_writer_use_cache(writer, cache);
    int fd = open(s->file, readable ? O_RDONLY : O_WRONLY);
    struct rrs_error *error = rrs_blob_put_file(writer, fd, 0, UINT64_MAX, &hash, &stored_bytes);
    bool done = !error;
    rrs_error_destroy(error);
    close(fd);
    if (done) {
        CHECK_EQUAL(stored_bytes, SIZE);
        CHECK(memcmp(&hash, &s->hash, sizeof hash) == 0);
        check_content(writer, s);
    }
    CHECK_OK(rrs_trace_writer_finish(writer, NULL));
    rrs_trace_writer_destroy(writer);
    return done;
}

static void flip_byte(const struct setting *s, const char *name, off_t place)
{
    char path[PATH_MAX];
    uint8_t byte;
    int fd = open(test_path(path, s->cache, name), O_RDWR);
    CHECK(fd >= 0);
    off_t at = lseek(fd, place, place < 0 ? SEEK_END : SEEK_SET);
    CHECK(pread(fd, &byte, 1, at) == 1);
    byte ^= 1;
    CHECK(pwrite(fd, &byte, 1, at) == 1);
    close(fd);
}

/* Times of files are what the cache goes by, and young files are not kept. */
static void grow_old(void)
{
    usleep(2300000);
}

int main(int argc, char **argv)
{
    struct setting s = {.data = malloc(SIZE)};
    uint64_t state = test_seed(argc, argv);
    char name[256], path[PATH_MAX];
    test_fill(&state, s.data, SIZE);
    test_path(s.file, test_make_directory(s.top), "file");
    test_path(s.cache, s.top, "deep/down/cache");
    write_file(s.file, s.data, SIZE);
    find_hash(&s);
    CHECK(store(&s, s.cache, true)); /* a young file */
    CHECK_EQUAL(count_entries(&s, name), 0);
    grow_old();
    CHECK(!store(&s, s.cache, false)); /* nothing there yet */
    CHECK(store(&s, s.cache, true));
    CHECK_EQUAL(count_entries(&s, name), 1);
    CHECK(store(&s, s.cache, false));

    static const off_t places[] = {-1, 100}; /* in the content, in the index */
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        flip_byte(&s, name, places[i]);
        CHECK(!store(&s, s.cache, false));
        CHECK(store(&s, s.cache, true)); /* and it is made anew */
        CHECK(store(&s, s.cache, false));
    }
    CHECK(truncate(test_path(path, s.cache, name), 100) == 0);
    CHECK(store(&s, s.cache, true));
    CHECK(store(&s, s.cache, false));

    s.data[SIZE / 2] ^= 1; /* the file becomes another */
    int fd = open(s.file, O_WRONLY);
    CHECK(pwrite(fd, s.data + SIZE / 2, 1, SIZE / 2) == 1);
    close(fd);
    CHECK(!store(&s, s.cache, false));

    s.data[SIZE / 2] ^= 1;
    write_file(s.file, s.data, SIZE);
    grow_old();
    CHECK(chmod(s.cache, 0777) == 0); /* others could have written to it */
    CHECK(store(&s, s.cache, true));
    CHECK(!store(&s, s.cache, false));
    CHECK(store(&s, s.file, true)); /* no directory */

    free(s.data);
    test_remove_tree(s.top);
    return 0;
}
