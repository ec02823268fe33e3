/* SPDX-License-Identifier: MIT */
/* Test that two processes read all that is committed, and nothing else, while a third one records.
 */
#include "lmdb-store/blob.h"
#include "lmdb-store/event_log_reader.h"
#include "lmdb-store/event_log_writer.h"
#include "lmdb-store/trace_dir.h"
#include "tests/unit/test.h"

#include <sys/wait.h>

enum { N_EVENTS = 200000, N_READERS = 2, BLOB_EVERY = 100, BLOB_BYTES = 3000 };

/* Event i has its number as data; each 100th has the hash of a blob that was put before it. */
static void make_blob(uint64_t number, uint8_t blob[BLOB_BYTES])
{
    uint64_t state = number;
    test_fill(&state, blob, BLOB_BYTES);
}

static void append(struct rrs_trace_writer *writer, uint64_t number)
{
    struct rrs_event event = {.tick = number / 3, .task = 7, .event_kind = 1};
    struct rrs_hash hash;
    uint8_t blob[BLOB_BYTES];
    event.data = &number;
    event.size_bytes = sizeof number;
    if (number % BLOB_EVERY == 0) {
        make_blob(number, blob);
        CHECK_OK(rrs_blob_put(writer, blob, sizeof blob, &hash));
        event.data = &hash;
        event.size_bytes = sizeof hash;
        event.event_kind = 2;
    }
    CHECK_OK(rrs_event_log_append(writer, &event));
}

static void check_event(struct rrs_trace_reader *reader, const struct rrs_event *event,
                        uint64_t number)
{
    CHECK_EQUAL(event->number, number);
    CHECK_EQUAL(event->tick, number / 3);
    if (number % BLOB_EVERY != 0) {
        CHECK_EQUAL(event->size_bytes, sizeof number);
        CHECK(memcmp(event->data, &number, sizeof number) == 0);
        return;
    }
    struct rrs_hash hash;
    uint8_t blob[BLOB_BYTES], expected[BLOB_BYTES];
    CHECK_EQUAL(event->size_bytes, sizeof hash);
    memcpy(&hash, event->data, sizeof hash);
    CHECK_OK(rrs_blob_read(reader, &hash, 0, blob, sizeof blob));
    make_blob(number, expected);
    CHECK(memcmp(blob, expected, sizeof blob) == 0);
}

/* Follows the recording with one cursor until its end is there. */
static void follow(const char *path)
{
    struct rrs_trace_reader *reader;
    struct rrs_event_log *log;
    struct rrs_event_cursor *cursor;
    const struct rrs_event *event;
    struct rrs_trace_end end;
    uint64_t number = 0;
    CHECK_OK(rrs_trace_reader_open(path, &reader));
    CHECK_OK(rrs_event_log_create(reader, &log));
    CHECK_OK(rrs_event_cursor_create(log, NULL, &cursor));
    do {
        CHECK_OK(rrs_trace_reader_refresh(reader));
        CHECK_OK(rrs_trace_reader_end(reader, &end));
        for (CHECK_OK(rrs_event_cursor_seek_number(cursor, number + 1, &event)); event;
             CHECK_OK(rrs_event_cursor_next(cursor, &event)))
            check_event(reader, event, ++number);
        usleep(1000);
    } while (end.end_kind == RRS_TRACE_END_RECORDING);
    CHECK_EQUAL(end.end_kind, RRS_TRACE_END_EXITED);
    CHECK_EQUAL(number, N_EVENTS);
    rrs_event_cursor_destroy(cursor);
    rrs_event_log_destroy(log);
    rrs_trace_reader_destroy(reader);
}

static pid_t start_reader(const char *path, const int start[2])
{
    char byte;
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid > 0)
        return pid;
    close(start[1]);
    CHECK(read(start[0], &byte, 1) == 1); /* the trace is there */
    follow(path);
    _exit(0);
}

int main(void)
{
    char directory[PATH_MAX], path[PATH_MAX];
    struct rrs_metadata metadata;
    struct rrs_trace_writer *writer;
    const struct rrs_trace_end end = {.end_kind = RRS_TRACE_END_EXITED};
    pid_t readers[N_READERS];
    int start[2];
    CHECK_OK(rrs_trace_dir_create_at(test_path(path, test_make_directory(directory), "trace")));
    CHECK(pipe(start) == 0);
    for (int i = 0; i < N_READERS; i++)
        readers[i] = start_reader(path, start);
    rrs_metadata_init(&metadata);
    CHECK_OK(rrs_trace_writer_create(path, &metadata, &writer));
    CHECK(write(start[1], "go", N_READERS) == N_READERS);
    for (uint64_t number = 1; number <= N_EVENTS; number++) {
        append(writer, number);
        if (number % 400 == 0) /* leaves the readers time, and makes commits of all sizes */
            CHECK_OK(rrs_trace_writer_flush(writer));
    }
    CHECK_OK(rrs_trace_writer_finish(writer, &end));
    rrs_trace_writer_destroy(writer);
    for (int i = 0; i < N_READERS; i++) {
        int status;
        CHECK(waitpid(readers[i], &status, 0) == readers[i]);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    rrs_metadata_deinit(&metadata);
    test_remove_tree(directory);
    return 0;
}
