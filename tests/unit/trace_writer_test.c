/* SPDX-License-Identifier: MIT */
/* Test that a trace has one writer, that it tells how its recording ended, and what opening
 * refuses. */
#include "lmdb-store/environment.h"
#include "lmdb-store/event_log_reader.h"
#include "lmdb-store/event_log_writer.h"
#include "lmdb-store/record.h"
#include "lmdb-store/trace_dir.h"
#include "tests/unit/test.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct rrs_metadata metadata;

static void append(struct rrs_trace_writer *writer, uint64_t tick)
{
    struct rrs_event event = {.tick = tick, .size_bytes = 4, .data = "data"};
    CHECK_OK(rrs_event_log_append(writer, &event));
}

static uint64_t count_events(struct rrs_trace_reader *reader)
{
    struct rrs_event_log *log;
    struct rrs_event_log_bounds bounds;
    CHECK_OK(rrs_event_log_create(reader, &log));
    CHECK_OK(rrs_event_log_bounds(log, &bounds));
    rrs_event_log_destroy(log);
    return bounds.n_events;
}

static enum rrs_trace_end_kind end_kind_of(struct rrs_trace_reader *reader)
{
    struct rrs_trace_end end;
    CHECK_OK(rrs_trace_reader_end(reader, &end));
    return end.end_kind;
}

/* Runs `child` in a process of its own, which must end well. */
static void run_child(void (*child)(const char *path, void *context), const char *path,
                      void *context)
{
    int status;
    fflush(stdout);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        child(path, context);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void check_refused(const char *path, void *context)
{
    (void)context;
    struct rrs_trace_writer *second;
    CHECK(rrs_trace_dir_has_writer(path));
    CHECK_FAILS(rrs_trace_writer_open(path, &second), USAGE);
    CHECK_FAILS(rrs_trace_writer_create(path, &metadata, &second), EXISTS);
    CHECK_FAILS(rrs_trace_dir_remove(path), USAGE);
    CHECK_FAILS(rrs_trace_dir_rename(path, "other", NULL), USAGE);
}

static void check_one_writer(const char *path)
{
    struct rrs_trace_writer *writer, *next;
    struct rrs_trace_reader *reader;
    CHECK_OK(rrs_trace_dir_create_at(path));
    CHECK_OK(rrs_trace_writer_create(path, &metadata, &writer));
    check_refused(path, NULL);
    run_child(check_refused, path, NULL);
    CHECK_OK(rrs_trace_writer_reader(writer, &reader));
    CHECK_EQUAL(end_kind_of(reader), RRS_TRACE_END_RECORDING);
    append(writer, 1);
    CHECK_OK(rrs_trace_writer_finish(writer, NULL));
    CHECK(!rrs_trace_dir_has_writer(path));
    struct rrs_event event = {.tick = 9};
    CHECK_FAILS(rrs_event_log_append(writer, &event), USAGE);
    CHECK_FAILS(rrs_trace_writer_flush(writer), USAGE);
    rrs_trace_writer_destroy(writer);
    /* The reader outlives the writer. */
    CHECK_OK(rrs_trace_reader_refresh(reader));
    CHECK_EQUAL(count_events(reader), 1);
    CHECK_EQUAL(end_kind_of(reader), RRS_TRACE_END_UNFINISHED);
    rrs_trace_reader_destroy(reader);
    CHECK_OK(rrs_trace_writer_open(path, &next));
    CHECK_EQUAL(rrs_event_log_next_number(next), 2);
    append(next, 1);
    rrs_trace_writer_destroy(next);
    test_remove_tree(path);
}

static void record_and_die(const char *path, void *context)
{
    (void)context;
    struct rrs_trace_writer *writer;
    CHECK_OK(rrs_trace_writer_create(path, &metadata, &writer));
    for (uint64_t i = 0; i < 1000; i++)
        append(writer, i);
    CHECK_OK(rrs_trace_writer_flush(writer));
}

static void check_unfinished(const char *path)
{
    struct rrs_trace_reader *reader;
    CHECK_OK(rrs_trace_dir_create_at(path));
    run_child(record_and_die, path, NULL);
    CHECK_OK(rrs_trace_reader_open(path, &reader));
    CHECK_EQUAL(end_kind_of(reader), RRS_TRACE_END_UNFINISHED);
    CHECK_EQUAL(count_events(reader), 1000);
    rrs_trace_reader_destroy(reader);
    test_remove_tree(path);
}

/* What the appender has put into a frame it has not filled is committed without a push. */
static void check_idle_appender(const char *path)
{
    struct rrs_trace_writer *writer;
    struct rrs_trace_reader *reader;
    CHECK_OK(rrs_trace_dir_create_at(path));
    CHECK_OK(rrs_trace_writer_create(path, &metadata, &writer));
    CHECK_OK(rrs_trace_writer_reader(writer, &reader));
    for (uint64_t n = 1; n <= 3; n++) {
        append(writer, n);
        for (int i = 0; i < 3000 && count_events(reader) < n; i++) {
            usleep(10000);
            CHECK_OK(rrs_trace_reader_refresh(reader));
        }
        CHECK_EQUAL(count_events(reader), n);
    }
    append(writer, 9);
    CHECK_OK(rrs_trace_writer_flush(writer));
    CHECK_OK(rrs_trace_reader_refresh(reader));
    CHECK_EQUAL(count_events(reader), 4);
    rrs_trace_reader_destroy(reader);
    rrs_trace_writer_destroy(writer);
    test_remove_tree(path);
}

struct both {
    struct rrs_trace_writer *writer;
    struct rrs_trace_reader *reader;
};

static void use_in_child(const char *path, void *context)
{
    (void)path;
    struct both *both = context;
    struct rrs_event_log *log;
    struct rrs_event_log_bounds bounds;
    struct rrs_error *error = NULL;
    CHECK_FAILS(rrs_trace_writer_flush(both->writer), USAGE);
    CHECK_FAILS(rrs_trace_writer_finish(both->writer, NULL), USAGE);
    CHECK_FAILS(rrs_trace_reader_refresh(both->reader), USAGE);
    CHECK_OK(rrs_event_log_create(both->reader, &log));
    CHECK_FAILS(rrs_event_log_bounds(log, &bounds), USAGE);
    rrs_event_log_destroy(log);
    for (uint64_t i = 0; i < 100000 && !error; i++) {
        struct rrs_event event = {.tick = 5};
        error = rrs_event_log_append(both->writer, &event);
    }
    CHECK_FAILS(error, USAGE);
    rrs_trace_reader_destroy(both->reader);
    rrs_trace_writer_destroy(both->writer);
}

static void check_fork(const char *path)
{
    struct both both;
    CHECK_OK(rrs_trace_dir_create_at(path));
    CHECK_OK(rrs_trace_writer_create(path, &metadata, &both.writer));
    CHECK_OK(rrs_trace_writer_reader(both.writer, &both.reader));
    append(both.writer, 1);
    run_child(use_in_child, path, &both);
    append(both.writer, 2);
    CHECK_OK(rrs_trace_writer_flush(both.writer));
    CHECK(rrs_trace_dir_has_writer(path));
    CHECK_OK(rrs_trace_reader_refresh(both.reader));
    CHECK_EQUAL(count_events(both.reader), 2);
    CHECK_OK(rrs_trace_writer_finish(both.writer, NULL));
    rrs_trace_reader_destroy(both.reader);
    rrs_trace_writer_destroy(both.writer);
    test_remove_tree(path);
}

static void set_version(const char *path, uint32_t version)
{
    struct rrs_environment *environment;
    struct rrs_transaction transaction;
    uint8_t body[4] = {(uint8_t)version, 0, 0, 0};
    CHECK_OK(rrs_environment_open(path, true, &environment));
    transaction.environment = environment;
    CHECK(mdb_txn_begin(rrs_environment_lmdb(environment), NULL, 0, &transaction.txn) == 0);
    CHECK_OK(rrs_record_put(&transaction, RRS_DATABASE_META, "format", 6, body, sizeof body));
    CHECK(mdb_txn_commit(transaction.txn) == 0);
    rrs_environment_unref(environment);
}

static void check_other_version(const char *path, uint32_t version, const char *expected_key)
{
    struct rrs_trace_writer *writer;
    struct rrs_trace_reader *reader;
    CHECK_OK(rrs_trace_dir_create_at(path));
    CHECK_OK(rrs_trace_writer_create(path, &metadata, &writer));
    rrs_trace_writer_destroy(writer);
    set_version(path, version);
    struct rrs_error *error = rrs_trace_reader_open(path, &reader);
    CHECK(error && error->code == RRS_ERROR_OLD_TRACE);
    CHECK_STRING(error->key, expected_key);
    CHECK(strstr(error->message, expected_key) && strstr(error->message, "expected 1"));
    rrs_error_destroy(error);
    CHECK_FAILS(rrs_trace_writer_open(path, &writer), OLD_TRACE);
    test_remove_tree(path);
}

static void make_foreign(const char *path)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_val key = {3, "key"}, value = {5, "value"};
    CHECK(mdb_env_create(&env) == 0 && mdb_env_open(env, path, 0, 0600) == 0);
    CHECK(mdb_txn_begin(env, NULL, 0, &txn) == 0 && mdb_dbi_open(txn, NULL, 0, &dbi) == 0);
    CHECK(mdb_put(txn, dbi, &key, &value, 0) == 0 && mdb_txn_commit(txn) == 0);
    mdb_env_close(env);
}

static void check_strange_files(const char *path)
{
    char data[PATH_MAX];
    struct rrs_trace_reader *reader;
    test_path(data, path, "data.mdb");
    CHECK_OK(rrs_trace_dir_create_at(path));
    CHECK_FAILS(rrs_trace_reader_open(path, &reader), NOT_FOUND);
    CHECK(mkfifo(data, 0600) == 0);
    CHECK_FAILS(rrs_trace_reader_open(path, &reader), BAD_TRACE);
    CHECK(unlink(data) == 0);
    CHECK(close(open(data, O_CREAT | O_WRONLY, 0600)) == 0);
    CHECK_FAILS(rrs_trace_reader_open(path, &reader), BAD_TRACE);
    CHECK(unlink(data) == 0);
    make_foreign(path);
    CHECK_FAILS(rrs_trace_reader_open(path, &reader), BAD_TRACE);
    test_remove_tree(path);
}

/* Makes `path` read-only for this process and its children, if the kernel lets us. */
static bool mount_read_only(const char *path)
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount(path, path, NULL, MS_BIND, NULL) == 0 &&
           mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) == 0;
}

static void read_from_read_only(const char *path, void *context)
{
    (void)context;
    struct rrs_trace_reader *reader;
    struct rrs_trace_writer *writer;
    if (!mount_read_only(path)) {
        printf("no right to mount: reading from read-only media is not tested\n");
        fflush(stdout);
        return;
    }
    CHECK_OK(rrs_trace_reader_open(path, &reader));
    CHECK_EQUAL(count_events(reader), 1000);
    rrs_trace_reader_destroy(reader);
    CHECK_FAILS(rrs_trace_writer_open(path, &writer), OS);
}

static void check_read_only(const char *path)
{
    char lock[PATH_MAX];
    CHECK_OK(rrs_trace_dir_create_at(path));
    run_child(record_and_die, path, NULL);
    run_child(read_from_read_only, path, NULL);
    CHECK(unlink(test_path(lock, path, "lock.mdb")) == 0);
    run_child(read_from_read_only, path, NULL);
    test_remove_tree(path);
}

static void record_with_little_space(const char *path, void *context)
{
    (void)context;
    const struct rlimit limit = {UINT64_C(3) << 30, UINT64_C(3) << 30};
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    record_and_die(path, NULL);
}

static void check_little_address_space(const char *path)
{
    struct rrs_trace_reader *reader;
    if (TEST_HAS_SANITIZER)
        return;
    CHECK_OK(rrs_trace_dir_create_at(path));
    run_child(record_with_little_space, path, NULL);
    CHECK_OK(rrs_trace_reader_open(path, &reader));
    CHECK_EQUAL(count_events(reader), 1000);
    rrs_trace_reader_destroy(reader);
    test_remove_tree(path);
}

int main(void)
{
    char directory[PATH_MAX], path[PATH_MAX];
    test_path(path, test_make_directory(directory), "trace");
    rrs_metadata_init(&metadata);
    check_one_writer(path);
    check_unfinished(path);
    check_idle_appender(path);
    check_fork(path);
    check_other_version(path, 0, "0");
    check_other_version(path, 2, "2");
    check_strange_files(path);
    check_read_only(path);
    check_little_address_space(path);
    rrs_metadata_deinit(&metadata);
    test_remove_tree(directory);
    return 0;
}
