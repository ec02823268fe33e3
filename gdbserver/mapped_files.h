/* SPDX-License-Identifier: MIT */
/*
 * Files by the paths that the recording has them under. A program names a library by a path that
 * may lead over symbolic links, which the recording does not have; its mappings have the true
 * paths.
 */
#ifndef RRS_GDBSERVER_MAPPED_FILES_H
#define RRS_GDBSERVER_MAPPED_FILES_H

#include "gdbserver/link_map.h"

/** Writes the path of the file that is mapped at the address. False if none is. */
bool mapped_file_at(server *server, rrs_addr address, char path[LINK_MAP_NAME_BYTES]);

/** Opens a file of the recording, the interpreter also by the name that the program has for it.
 * Errors: NOT_FOUND and others. */
RRS_MUST_CHECK struct rrs_error *mapped_file_open(server *server, const char *path, int *fd);

#endif
