/* SPDX-License-Identifier: MIT */
/*
 * Files that the program maps, as they are put into the trace: a file up to a size as a whole (a
 * debugger wants to see all of it), of a larger one what is mapped. A file that has not changed
 * since it was last mapped is not read again.
 */
#ifndef RRS_ENGINE_RECORD_FILES_H
#define RRS_ENGINE_RECORD_FILES_H

#include "engine/events/body.h"
#include "lmdb-store/trace_writer.h"

#include <sys/stat.h>

struct rrs_recorded_files;

RRS_MUST_CHECK struct rrs_error *rrs_recorded_files_create(struct rrs_recorded_files **files);
/** NULL is fine. */
void rrs_recorded_files_destroy(struct rrs_recorded_files *files);

/**
 * Puts the contents of the open file `fd` from map->file_offset on, for a mapping of map->end -
 * map->start bytes, into the trace and says in `map` (source, identity if it is shared, blob) where
 * they are. `*next_identity` numbers files that are mapped shared. What is no regular file becomes
 * anonymous. Errors: OS, what made writing fail.
 */
RRS_MUST_CHECK struct rrs_error *rrs_recorded_files_add(struct rrs_recorded_files *files,
                                                        struct rrs_trace_writer *writer, int fd,
                                                        uint64_t *next_identity,
                                                        struct rrs_map_item *map);

/**
 * Whether the file, which a task has just changed, was ever mapped. `*shrank`: it has at some time
 * been shorter than before, so that what lies behind is not what it was.
 */
bool rrs_recorded_files_mapped(struct rrs_recorded_files *files, const struct stat *st,
                               bool *shrank);

#endif
