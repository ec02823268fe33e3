/* SPDX-License-Identifier: MIT */
/*
 * A trace's LMDB environment: opening it, its databases, and the one place where LMDB's error codes
 * become errors. Internal to lmdb-store; nothing above it sees an MDB type.
 *
 * An environment is shared by the readers and the writer that one process has on one trace, because
 * liblmdb must not open a file twice in a process (lmdb.h, "Caveats"). It counts its users.
 */
#ifndef RRS_LMDB_STORE_ENVIRONMENT_H
#define RRS_LMDB_STORE_ENVIRONMENT_H

#include "lmdb-store/error.h"

#include <lmdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The version of the trace format: docs/TRACE-FORMAT.md has its history. */
enum { RRS_TRACE_FORMAT_VERSION = 1 };

/* X(NAME, "name in the file"): the databases of a trace. */
#define RRS_DATABASES(X)        \
    X(META, "meta")             \
    X(FRAMES, "frames")         \
    X(BY_TICK, "by-tick")       \
    X(BY_TASK, "by-task")       \
    X(BY_KIND, "by-kind")       \
    X(BLOBS, "blobs")           \
    X(CHUNK_IDS, "chunk-ids")   \
    X(CHUNKS, "chunks")         \
    X(CHUNK_REFS, "chunk-refs") \
    X(CHECKPOINTS, "checkpoints")

enum rrs_database {
#define X(name, text) RRS_DATABASE_##name,
    RRS_DATABASES(X)
#undef X
        RRS_DATABASE_COUNT
};

struct rrs_environment;
struct rrs_record_survey;

/**
 * Creates data.mdb in directory `path` and opens it for writing: no database yet. Errors: EXISTS,
 * UNSUPPORTED (network file system, no file locks), DISK_FULL, OS.
 */
RRS_MUST_CHECK struct rrs_error *rrs_environment_create(const char *path,
                                                        struct rrs_environment **environment);

/**
 * Opens the existing data.mdb in directory `path` after checking it, and its databases. Errors: see
 * rrs_trace_reader_open() and rrs_trace_writer_open().
 */
RRS_MUST_CHECK struct rrs_error *rrs_environment_open(const char *path, bool writable,
                                                      struct rrs_environment **environment);

/** Adds a user. Returns `environment`. Any thread. */
struct rrs_environment *rrs_environment_ref(struct rrs_environment *environment);

/**
 * Takes a user away; closes it with the last one, unless this is another process than the one that
 * opened it: then only memory is freed, as LMDB's state belongs to the parent. Any thread.
 */
void rrs_environment_unref(struct rrs_environment *environment);

/** Creates all databases in `txn`, of an environment just created. */
RRS_MUST_CHECK struct rrs_error *rrs_environment_create_databases(
    struct rrs_environment *environment, MDB_txn *txn);

/** The trace's directory, and its data file. Borrowed as long as the environment is used. */
const char *rrs_environment_path(const struct rrs_environment *environment);
const char *rrs_environment_data_path(const struct rrs_environment *environment);

MDB_env *rrs_environment_lmdb(const struct rrs_environment *environment);
MDB_dbi rrs_environment_dbi(const struct rrs_environment *environment, enum rrs_database database);

/** What was found damaged when it was opened. */
const struct rrs_record_survey *rrs_environment_survey(const struct rrs_environment *environment);

/** Says whether a living process (this one too) has the trace open for writing. */
bool rrs_environment_has_writer(const struct rrs_environment *environment);

/** Gives up being the writer, so that another may come, while readers share the environment. */
void rrs_environment_release_writer(struct rrs_environment *environment);

/** Error: USAGE if this process is not the one that opened the environment (it forked). */
RRS_MUST_CHECK struct rrs_error *rrs_environment_check_process(
    const struct rrs_environment *environment);

/** Begins a read transaction. It may be used by any one thread at a time. Errors: OS, USAGE. */
RRS_MUST_CHECK struct rrs_error *rrs_environment_begin_read(struct rrs_environment *environment,
                                                            MDB_txn **txn);

/** Makes what has been committed safe against a power loss. Any thread. Errors: DISK_FULL, OS. */
RRS_MUST_CHECK struct rrs_error *rrs_environment_sync(struct rrs_environment *environment);

/**
 * Gives back what piles up while writing. Pages of the map leave this process' memory (not the page
 * cache): a writer touches tree pages all over a growing file, and the kernel maps 16 for each one
 * touched; readers in this process just fault theirs in again. Readers that were killed no longer
 * keep pages of the file from being used again. Any thread.
 */
void rrs_environment_tidy(struct rrs_environment *environment);

/**
 * Converts a code of liblmdb (not 0) that came up while doing `what`: a full disk, quota or map
 * becomes DISK_FULL, a damaged file BAD_TRACE, an errno OS. `data_path` is the file concerned.
 */
RRS_MUST_CHECK RRS_NEVER_NULL struct rrs_error *rrs_lmdb_error(int code, const char *data_path,
                                                               const char *what);

/** Converts an errno of the file system: DISK_FULL for a full disk or quota, else OS. */
RRS_MUST_CHECK RRS_NEVER_NULL struct rrs_error *rrs_file_error(int os_errno, const char *path,
                                                               const char *what);

#endif
