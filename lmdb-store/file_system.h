/* SPDX-License-Identifier: MIT */
/* What the file system under a trace can do, and who holds its writer's lock. */
#ifndef RRS_LMDB_STORE_FILE_SYSTEM_H
#define RRS_LMDB_STORE_FILE_SYSTEM_H

#include "lmdb-store/error.h"

#include <stdbool.h>

/**
 * Error: UNSUPPORTED if `path` lies on a network file system, where neither LMDB's locks nor its
 * maps are coherent among machines; OS if it cannot be examined.
 */
RRS_MUST_CHECK struct rrs_error *rrs_file_system_check(const char *path);

/** Says whether another open file has the lock of a trace's writer on `data_fd`'s file. */
bool rrs_file_has_writer(int data_fd);

#endif
