/* SPDX-License-Identifier: MIT */
/*
 * The dynamic linker's list of loaded objects, read out of the program's memory (elf(5), and
 * glibc's <link.h>). Everything read is the program's and may be anything; all walks are bounded.
 */
#ifndef RRS_GDBSERVER_LINK_MAP_H
#define RRS_GDBSERVER_LINK_MAP_H

#include "gdbserver/server.h"

enum { LINK_MAP_MAX_OBJECTS = 4096, LINK_MAP_NAME_BYTES = 1024 };

struct link_map_object {
    rrs_addr address; /* of its struct link_map */
    rrs_addr bias, name, dynamic, next;
};

/** Reads the first object. False if there is none (yet), as in a static program. */
bool link_map_first(server *server, struct link_map_object *object);

/** Reads the one behind. False at the end. */
bool link_map_next(server *server, struct link_map_object *object);

bool link_map_read_name(server *server, const struct link_map_object *object,
                        char name[LINK_MAP_NAME_BYTES]);

/** Writes the path of the program's interpreter, as the program names it. False if it has none. */
bool link_map_interpreter(server *server, char path[LINK_MAP_NAME_BYTES]);

/** Gives the address at which the kernel loaded the interpreter, 0 if there is none. */
rrs_addr link_map_interpreter_base(server *server);

/** Finds the address of a symbol that the object exports, by its hash table. */
bool link_map_find_symbol(server *server, const struct link_map_object *object, const char *name,
                          rrs_addr *address);

#endif
