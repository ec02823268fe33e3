/* SPDX-License-Identifier: MIT */
/*
 * An open trace, for writing: the queue and the threads through which everything is written.
 *
 * Events, blobs and checkpoints are appended through it by event_log_writer.h, blob.h and
 * checkpoint.h, all of them from one thread at a time (the appender). What is appended is handed
 * over in order to threads of the writer that compress and write it, so the appender waits for the
 * disk only when the queue (8 MiB) is full. What was appended first never gets lost while something
 * appended later is kept; so an event that names a blob is never found without it.
 *
 * Killed at any instant, the trace holds all but the last second and the last 16 MiB at most.
 * After a power loss it holds what was there one second before that.
 *
 * Once writing has failed (disk full), nothing more is written: each later call returns the same
 * error. What was committed stays readable.
 *
 * The threads block all signals; they inherit the CPU affinity of the thread that creates the
 * writer, so create it before pinning.
 */
#ifndef RRS_LMDB_STORE_TRACE_WRITER_H
#define RRS_LMDB_STORE_TRACE_WRITER_H

#include "lmdb-store/error.h"
#include "lmdb-store/metadata.h"
#include "lmdb-store/trace_reader.h"

#include <stddef.h>
#include <stdint.h>

struct rrs_trace_writer;

/**
 * Makes a new trace in `path`, a directory made by rrs_trace_dir_create() or _create_at(), and
 * starts the writer. `metadata` is copied to the trace and committed before this returns.
 *
 * Errors: EXISTS if the directory holds a data.mdb; UNSUPPORTED on a network file system;
 * DISK_FULL; OS. On failure an empty data file may stay behind.
 */
RRS_MUST_CHECK struct rrs_error *rrs_trace_writer_create(const char *path,
                                                         const struct rrs_metadata *metadata,
                                                         struct rrs_trace_writer **writer);

/**
 * Opens an existing trace to add to it (checkpoints, say). Errors: those of
 * rrs_trace_reader_open(); USAGE if another writer has it open.
 */
RRS_MUST_CHECK struct rrs_error *rrs_trace_writer_open(const char *path,
                                                       struct rrs_trace_writer **writer);

/**
 * Makes a reader of the trace that this writer has open (see trace_reader.h on why). It sees what
 * is committed; it may outlive the writer.
 */
RRS_MUST_CHECK struct rrs_error *rrs_trace_writer_reader(struct rrs_trace_writer *writer,
                                                         struct rrs_trace_reader **reader);

/**
 * Keeps what files hold, hashed and packed, in the directory `path` (see rrs_cache_home()), and
 * takes it from there when an unchanged file is stored again, by any writer. Without effect if that
 * directory cannot be used.
 */
void rrs_trace_writer_use_cache(struct rrs_trace_writer *writer, const char *path);

/**
 * Keeps `size_bytes` bytes (at most 16 MiB) under `name` (1 to 200 bytes), in place of what was
 * there. Errors: USAGE, or what made writing fail.
 */
RRS_MUST_CHECK struct rrs_error *rrs_trace_writer_put_extra(struct rrs_trace_writer *writer,
                                                            const char *name, const void *data,
                                                            size_t size_bytes);

/**
 * Waits until everything appended so far is committed (safe against a kill, not yet against a power
 * loss). Error: what made writing fail.
 */
RRS_MUST_CHECK struct rrs_error *rrs_trace_writer_flush(struct rrs_trace_writer *writer);

/**
 * Writes what is left and how the recording ended (NULL: leaves that as it is, for a trace that was
 * opened to add to it), syncs the file to the disk and stops the threads. The writer can only be
 * destroyed then. Error: what made writing fail; then the trace says that the disk was full, if
 * that much could still be written.
 */
RRS_MUST_CHECK struct rrs_error *rrs_trace_writer_finish(struct rrs_trace_writer *writer,
                                                         const struct rrs_trace_end *end);

/**
 * Frees the writer. If it was not finished, what is in the queue is lost and the trace counts as
 * unfinished. In a child made by fork only memory is freed. NULL is fine.
 */
void rrs_trace_writer_destroy(struct rrs_trace_writer *writer);

#endif
