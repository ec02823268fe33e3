/* SPDX-License-Identifier: MIT */
/* True paths of files; see the header. */
#include "gdbserver/mapped_files.h"

#include <stdio.h>
#include <string.h>

bool mapped_file_at(server *server, rrs_addr address, char path[LINK_MAP_NAME_BYTES])
{
    struct rrs_timeline_mapping *mappings;
    size_t n_mappings;
    bool found = false;
    struct rrs_error *error =
        rrs_timeline_mappings(server->timeline, server->tid, &mappings, &n_mappings);
    rrs_error_destroy(error);
    if (error)
        return false;
    for (size_t i = 0; i < n_mappings && !found; i++) {
        found = address >= mappings[i].start && address < mappings[i].end &&
                mappings[i].path[0] == '/' && strlen(mappings[i].path) < LINK_MAP_NAME_BYTES;
        if (found)
            strcpy(path, mappings[i].path);
    }
    rrs_timeline_free_mappings(mappings, n_mappings);
    return found;
}

/* The true path of a library that the program names so. */
static bool library_path(server *server, const char *name, char path[LINK_MAP_NAME_BYTES])
{
    struct link_map_object object;
    char own[LINK_MAP_NAME_BYTES];
    bool more = link_map_first(server, &object);
    for (int i = 0; more && i < LINK_MAP_MAX_OBJECTS; i++) {
        if (link_map_read_name(server, &object, own) && strcmp(own, name) == 0)
            return mapped_file_at(server, object.dynamic, path);
        more = link_map_next(server, &object);
    }
    return false;
}

static bool interpreter_path(server *server, const char *name, char path[LINK_MAP_NAME_BYTES])
{
    char own[LINK_MAP_NAME_BYTES];
    return link_map_interpreter(server, own) && strcmp(own, name) == 0 &&
           mapped_file_at(server, link_map_interpreter_base(server), path);
}

struct rrs_error *mapped_file_open(server *server, const char *path, int *fd)
{
    char true_path[LINK_MAP_NAME_BYTES];
    struct rrs_error *error = rrs_timeline_open_file(server->timeline, path, fd);
    if (!error || error->code != RRS_ERROR_NOT_FOUND)
        return error;
    if (!interpreter_path(server, path, true_path) && !library_path(server, path, true_path))
        return error;
    rrs_error_destroy(error);
    return rrs_timeline_open_file(server->timeline, true_path, fd);
}
