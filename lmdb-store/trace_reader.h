/* SPDX-License-Identifier: MIT */
/*
 * An open trace, for reading: one snapshot of it, taken when it was opened or last refreshed.
 *
 * Events, blobs and checkpoints are read through it by event_log_reader.h, blob.h and
 * checkpoint.h. A trace that is being recorded can be read at the same time, by any number of
 * processes.
 *
 * An open trace belongs to one thread at a time and to the process that opened it: after fork the
 * child can only destroy it. liblmdb does not allow that a process opens one trace twice; a second
 * reader (of another thread, or beside a writer) comes from rrs_trace_reader_share() or
 * rrs_trace_writer_reader().
 */
#ifndef RRS_LMDB_STORE_TRACE_READER_H
#define RRS_LMDB_STORE_TRACE_READER_H

#include "lmdb-store/error.h"
#include "lmdb-store/metadata.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rrs_trace_reader;

/**
 * Opens the trace in directory `path`. Its data file is checked first (integrity.h). Where the
 * directory cannot be written (read-only media, another user's trace) no lock is taken.
 *
 * Errors: NOT_FOUND if there is no data.mdb; BAD_TRACE if it is empty, foreign, cut or damaged;
 * OLD_TRACE (key: the version found; the message has the one expected too) if its format version is
 * not ours, older or newer; UNSUPPORTED on a network file system, or if the trace is being written
 * and cannot be locked; OS.
 */
RRS_MUST_CHECK struct rrs_error *rrs_trace_reader_open(const char *path,
                                                       struct rrs_trace_reader **reader);

/** Makes a second, independent reader of the same open trace, e.g. for another thread. */
RRS_MUST_CHECK struct rrs_error *rrs_trace_reader_share(struct rrs_trace_reader *reader,
                                                        struct rrs_trace_reader **other);

/** Closes the reader. Logs and cursors made from it must be gone. NULL is fine. */
void rrs_trace_reader_destroy(struct rrs_trace_reader *reader);

/**
 * Moves to the newest snapshot, so that what a recorder has committed since is seen. Everything
 * borrowed from this reader ends; cursors stay where they are. Errors: BAD_TRACE, OS, USAGE (after
 * fork).
 */
RRS_MUST_CHECK struct rrs_error *rrs_trace_reader_refresh(struct rrs_trace_reader *reader);

/** The directory, as given to open. Borrowed until the reader is destroyed. */
const char *rrs_trace_reader_path(const struct rrs_trace_reader *reader);

/**
 * Reads the metadata into `metadata`, which need not be initialised; end it with
 * rrs_metadata_deinit(). Error: BAD_TRACE.
 */
RRS_MUST_CHECK struct rrs_error *rrs_trace_reader_metadata(struct rrs_trace_reader *reader,
                                                           struct rrs_metadata *metadata);

/** Says how the recording ended, or that it goes on. Error: BAD_TRACE. */
RRS_MUST_CHECK struct rrs_error *rrs_trace_reader_end(struct rrs_trace_reader *reader,
                                                      struct rrs_trace_end *end);

/**
 * Finds the bytes that the recorder put under `name`. Borrowed until the reader is refreshed or
 * destroyed. Errors: NOT_FOUND (payload: key), BAD_TRACE.
 */
RRS_MUST_CHECK struct rrs_error *rrs_trace_reader_extra(struct rrs_trace_reader *reader,
                                                        const char *name, const void **data,
                                                        size_t *size_bytes);

#endif
