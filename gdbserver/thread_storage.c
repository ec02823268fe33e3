/* SPDX-License-Identifier: MIT */
/*
 * qGetTLSAddr: where a thread-local variable of a module is, in a task. What libthread_db would do,
 * without it: from glibc's dynamic thread vector, whose layout is ABI, and two fields of the link
 * map, whose places glibc tells in symbols made for libthread_db (glibc 2.34 and later: in
 * libc.so.6).
 */
#include "gdbserver/handlers.h"
#include "gdbserver/link_map.h"

#include <inttypes.h>

enum {
    DTV_OFFSET = 8, /* in the thread control block */
    DTV_ENTRY_BYTES = 16,
    MODID_OFFSET = 1152, /* of glibc 2.36, where the symbols are missing */
    TLS_OFFSET_OFFSET = 1144,
};

static bool read_word(server *server, rrs_addr address, uint64_t *value)
{
    return rrs_timeline_read(server->timeline, server->tid, address, value, sizeof *value) ==
           sizeof *value;
}

/* The symbols are of three words: bits, elements, offset. */
static uint32_t field_offset(server *server, const char *symbol, uint32_t otherwise)
{
    struct link_map_object object;
    bool more = link_map_first(server, &object);
    for (int i = 0; more && i < LINK_MAP_MAX_OBJECTS; i++) {
        rrs_addr address;
        uint32_t field[3];
        if (link_map_find_symbol(server, &object, symbol, &address) &&
            rrs_timeline_read(server->timeline, server->tid, address, field, sizeof field) ==
                sizeof field)
            return field[2];
        more = link_map_next(server, &object);
    }
    return otherwise;
}

static bool find_block(server *server, uint64_t fs_base, rrs_addr link_map, rrs_addr *block)
{
    enum { FORCED_DYNAMIC = -1, NOT_ALLOCATED = -1 };
    uint64_t vector, module = 1; /* of a static program, which has no link map */
    if (link_map &&
        !read_word(server,
                   link_map + field_offset(server, "_thread_db_link_map_l_tls_modid", MODID_OFFSET),
                   &module))
        return false;
    if (module == 0 || !read_word(server, fs_base + DTV_OFFSET, &vector) ||
        !read_word(server, vector + module * DTV_ENTRY_BYTES, block))
        return false;
    if (*block != (rrs_addr)NOT_ALLOCATED)
        return true;
    uint64_t offset;
    rrs_addr field =
        link_map + field_offset(server, "_thread_db_link_map_l_tls_offset", TLS_OFFSET_OFFSET);
    if (!link_map || !read_word(server, field, &offset) || offset == 0 ||
        (int64_t)offset == FORCED_DYNAMIC)
        return false; /* this thread has not touched the variable yet */
    *block = fs_base - offset;
    return true;
}

struct rrs_error *handle_thread_storage(server *server, const struct arguments *arguments)
{
    const struct argument *at = arguments->at;
    struct user_regs_struct regs;
    rrs_addr block;
    pid_t tid = at[0].thread.tid > 0 ? (pid_t)at[0].thread.tid : server->tid;
    RRS_TRY(rrs_timeline_get_regs(server->timeline, tid, &regs));
    if (find_block(server, regs.fs_base, at[2].number, &block))
        buffer_printf(&server->reply, "%" PRIx64, block + at[1].number);
    else
        reply_refuse(server);
    return NULL;
}
