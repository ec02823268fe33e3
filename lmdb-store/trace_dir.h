/* SPDX-License-Identifier: MIT */
/*
 * Trace directories: where traces live, what they are called, and what is done to one as a whole.
 *
 * A *home* is a directory of traces; a trace is a directory PROG-N in it (or anywhere, if the user
 * said where) that holds `data.mdb` and LMDB's `lock.mdb`. `latest` in a home is a symbolic link to
 * the trace created last. This file opens no trace: nothing here reads what is in `data.mdb`.
 */
#ifndef RRS_LMDB_STORE_TRACE_DIR_H
#define RRS_LMDB_STORE_TRACE_DIR_H

#include "lmdb-store/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * Gives the path of the user's home of traces: $RRSOFT_TRACE_DIR, else $XDG_DATA_HOME/rrsoft, else
 * ~/.local/share/rrsoft (an empty variable counts as unset, and so does a relative XDG_DATA_HOME).
 * Nothing is created. The caller frees `*home`. Error: USAGE if there is no home directory either.
 */
RRS_MUST_CHECK struct rrs_error *rrs_trace_home(char **home);

/**
 * Where what files hold is kept from one recording to the next: $RRSOFT_CACHE_DIR, else
 * $XDG_CACHE_HOME/rrsoft, else ~/.cache/rrsoft; the caller frees `*home`. NULL if there is no home
 * directory, or RRSOFT_CACHE_DIR is empty: then nothing is to be kept.
 */
RRS_MUST_CHECK struct rrs_error *rrs_cache_home(char **home);

/**
 * Creates the directory of a new trace of `program`, named BASENAME-N where N is one above the
 * highest in use, and points `latest` to it. `home` NULL means rrs_trace_home(); missing parts of
 * it are created. All that is created has mode 0700. Characters of the program's name that are
 * awkward in a file name become '_'. The caller frees `*path`.
 *
 * Errors: OS, DISK_FULL.
 */
RRS_MUST_CHECK struct rrs_error *rrs_trace_dir_create(const char *home, const char *program,
                                                      char **path);

/**
 * Creates the trace directory `path` (mode 0700), which the user has named. Its parent must exist;
 * `latest` stays as it is. Errors: EXISTS if there is anything at `path`, even an empty directory;
 * OS; DISK_FULL.
 */
RRS_MUST_CHECK struct rrs_error *rrs_trace_dir_create_at(const char *path);

/**
 * Finds the trace that a user means by `argument`: a path (if it has a '/', or is "." or ".."),
 * else a name in `home`, else a directory of that name in the working directory; NULL or "" means
 * `latest`. Symbolic links are followed to the directory itself. `home` NULL means
 * rrs_trace_home(). The caller frees `*path`, which is absolute.
 *
 * Errors: NOT_FOUND (payload: path) if there is no such directory or no trace at all yet;
 * BAD_TRACE if the directory has no data.mdb; OS.
 */
RRS_MUST_CHECK struct rrs_error *rrs_trace_dir_resolve(const char *home, const char *argument,
                                                       char **path);

struct rrs_trace_dir_usage {
    uint64_t file_bytes; /* sum of the files' lengths */
    uint64_t disk_bytes; /* sum of the blocks they occupy */
};

struct rrs_trace_dir_entry {
    char *name; /* PROG-N */
    char *path;
    struct rrs_trace_dir_usage usage;
    uint64_t modified_wall_ns; /* last change of data.mdb, since the epoch */
    bool is_latest;
};

struct rrs_trace_dir_list {
    struct rrs_trace_dir_entry *entries; /* oldest change first */
    size_t n_entries;
};

/**
 * Lists the traces in `home` (NULL means rrs_trace_home()): each directory that has a data.mdb. A
 * home that does not exist is an empty list. End it with rrs_trace_dir_list_deinit(). Error: OS.
 */
RRS_MUST_CHECK struct rrs_error *rrs_trace_dir_list(const char *home,
                                                    struct rrs_trace_dir_list *list);
void rrs_trace_dir_list_deinit(struct rrs_trace_dir_list *list);

/** Measures the files of the trace at `path`. Error: OS. */
RRS_MUST_CHECK struct rrs_error *rrs_trace_dir_measure(const char *path,
                                                       struct rrs_trace_dir_usage *usage);

/**
 * Says whether a living process has the trace at `path` open for writing. False too if data.mdb
 * cannot be opened or the file system knows no locks.
 */
bool rrs_trace_dir_has_writer(const char *path);

/**
 * Removes the trace at `path` (as rrs_trace_dir_resolve() gave it): data.mdb, lock.mdb and the
 * directory. If `latest` beside it pointed to it, it points to the newest trace that is left, or is
 * removed.
 *
 * Errors: USAGE if the trace is being written, or if the directory holds files that are not a
 * trace's (nothing is removed then); NOT_FOUND; OS.
 */
RRS_MUST_CHECK struct rrs_error *rrs_trace_dir_remove(const char *path);

/**
 * Renames the trace at `path`. `new_name` without a '/' is a name in the same directory; with one
 * it is a path on the same file system; if it ends in '/' or is a directory that is not a trace,
 * the trace moves into it. `latest` follows a trace that stays in its home. The caller frees
 * `*new_path`, which may be NULL if not wanted.
 *
 * Errors: EXISTS if there is a trace or a file at the new place; USAGE if the trace is being
 * written or the name is `latest`; NOT_FOUND; OS (EXDEV: another file system).
 */
RRS_MUST_CHECK struct rrs_error *rrs_trace_dir_rename(const char *path, const char *new_name,
                                                      char **new_path);

#endif
