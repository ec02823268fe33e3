/* SPDX-License-Identifier: MIT */
/* The list of shared libraries, as gdb would gather it itself with many more packets. */
#include "gdbserver/mapped_files.h"
#include "gdbserver/transfer.h"

#include <inttypes.h>

/* The first object is the program itself. */
static void add_library(server *server, const struct link_map_object *object, struct buffer *xml)
{
    char name[LINK_MAP_NAME_BYTES];
    if (!mapped_file_at(server, object->dynamic, name) &&
        (!link_map_read_name(server, object, name) || !*name))
        return;
    buffer_add_text(xml, "<library name=\"");
    buffer_add_xml(xml, name);
    buffer_printf(xml,
                  "\" lm=\"0x%" PRIx64 "\" l_addr=\"0x%" PRIx64 "\" l_ld=\"0x%" PRIx64
                  "\" lmid=\"0x0\"/>",
                  object->address, object->bias, object->dynamic);
}

struct rrs_error *write_libraries(server *server, const char *annex, struct buffer *xml)
{
    struct link_map_object object;
    (void)annex;
    buffer_add_text(xml, "<library-list-svr4 version=\"1.0\"");
    bool more = link_map_first(server, &object);
    if (more)
        buffer_printf(xml, " main-lm=\"0x%" PRIx64 "\"", object.address);
    buffer_add_byte(xml, '>');
    for (int i = 0; more && i < LINK_MAP_MAX_OBJECTS; i++) {
        more = link_map_next(server, &object);
        if (more)
            add_library(server, &object, xml);
    }
    buffer_add_text(xml, "</library-list-svr4>");
    return NULL;
}
