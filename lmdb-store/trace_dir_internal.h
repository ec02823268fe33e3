/* SPDX-License-Identifier: MIT */
/* What trace_home.c and trace_dir.c share. Internal to lmdb-store. */
#ifndef RRS_LMDB_STORE_TRACE_DIR_INTERNAL_H
#define RRS_LMDB_STORE_TRACE_DIR_INTERNAL_H

#include "lmdb-store/error.h"

#include <stdbool.h>
#include <stdint.h>

#define RRS_DATA_FILE "data.mdb"
#define RRS_LATEST    "latest"

/** Gives DIRECTORY/NAME; the caller frees it. Error: NO_MEMORY. */
RRS_MUST_CHECK struct rrs_error *rrs_path_join(const char *directory, const char *name,
                                               char **path);

/** Says whether `path` is a directory (no link to one) with a data file. `*modified_ns` may be
 * NULL. */
bool rrs_is_trace(const char *path, uint64_t *modified_ns);

/** Points `latest` in `home` to `name`, in one step. Errors: OS, DISK_FULL. */
RRS_MUST_CHECK struct rrs_error *rrs_latest_set(const char *home, const char *name);

/** Says whether `latest` in `home` points to `name`. */
bool rrs_latest_is(const char *home, const char *name);

/** Points `latest` in `home` to the trace changed last, or removes it if there is none. */
RRS_MUST_CHECK struct rrs_error *rrs_latest_reset(const char *home);

#endif
