/* SPDX-License-Identifier: MIT */
/* Walking the list of loaded objects; see the header. */
#include "gdbserver/link_map.h"

#include <elf.h>
#include <link.h>
#include <string.h>

enum { MAX_HEADERS = 64, MAX_DYNAMIC = 256, MAX_CHAIN = 65536 };

static bool read_exact(server *server, rrs_addr address, void *to, size_t bytes)
{
    return address && rrs_timeline_read(server->timeline, server->tid, address, to, bytes) == bytes;
}

static bool auxv_value(server *server, uint64_t wanted, uint64_t *value)
{
    uint8_t auxv[RRS_AUXV_MAX_BYTES];
    size_t bytes = 0;
    struct rrs_error *error = rrs_timeline_auxv(server->timeline, server->tid, auxv, &bytes);
    rrs_error_destroy(error);
    for (size_t at = 0; !error && at + sizeof(Elf64_auxv_t) <= bytes; at += sizeof(Elf64_auxv_t)) {
        Elf64_auxv_t entry;
        memcpy(&entry, auxv + at, sizeof entry);
        if (entry.a_type == wanted) {
            *value = entry.a_un.a_val;
            return true;
        }
    }
    return false;
}

/* The address of the program's segment of that kind. */
static bool find_segment(server *server, uint32_t segment_kind, rrs_addr *address)
{
    uint64_t headers, count, bias = 0;
    Elf64_Phdr header;
    bool found = false;
    if (!auxv_value(server, AT_PHDR, &headers) || !auxv_value(server, AT_PHNUM, &count))
        return false;
    for (uint64_t i = 0; i < count && i < MAX_HEADERS; i++) {
        if (!read_exact(server, headers + i * sizeof header, &header, sizeof header))
            return false;
        if (header.p_type == PT_PHDR)
            bias = headers - header.p_vaddr;
        if (header.p_type == segment_kind) {
            *address = header.p_vaddr;
            found = true;
        }
    }
    *address += bias;
    return found;
}

static bool read_string(server *server, rrs_addr address, char *text, size_t size)
{
    size_t bytes = rrs_timeline_read(server->timeline, server->tid, address, text, size);
    return memchr(text, '\0', bytes) != NULL;
}

bool link_map_interpreter(server *server, char path[LINK_MAP_NAME_BYTES])
{
    rrs_addr address = 0;
    return find_segment(server, PT_INTERP, &address) &&
           read_string(server, address, path, LINK_MAP_NAME_BYTES);
}

rrs_addr link_map_interpreter_base(server *server)
{
    uint64_t base;
    return auxv_value(server, AT_BASE, &base) ? base : 0;
}

static bool dynamic_value(server *server, rrs_addr dynamic, int64_t tag, uint64_t *value)
{
    Elf64_Dyn entry;
    for (int i = 0; i < MAX_DYNAMIC; i++) {
        if (!read_exact(server, dynamic + (rrs_addr)i * sizeof entry, &entry, sizeof entry) ||
            entry.d_tag == DT_NULL)
            return false;
        if (entry.d_tag == tag) {
            *value = entry.d_un.d_val;
            return true;
        }
    }
    return false;
}

static bool read_object(server *server, rrs_addr address, struct link_map_object *object)
{
    struct link_map map;
    if (!read_exact(server, address, &map, sizeof map))
        return false;
    *object = (struct link_map_object){
        .address = address,
        .bias = map.l_addr,
        .name = (rrs_addr)map.l_name,
        .dynamic = (rrs_addr)map.l_ld,
        .next = (rrs_addr)map.l_next,
    };
    return true;
}

bool link_map_first(server *server, struct link_map_object *object)
{
    rrs_addr dynamic = 0, debug;
    struct r_debug state;
    return find_segment(server, PT_DYNAMIC, &dynamic) &&
           dynamic_value(server, dynamic, DT_DEBUG, &debug) &&
           read_exact(server, debug, &state, sizeof state) &&
           read_object(server, (rrs_addr)state.r_map, object);
}

bool link_map_next(server *server, struct link_map_object *object)
{
    return read_object(server, object->next, object);
}

bool link_map_read_name(server *server, const struct link_map_object *object,
                        char name[LINK_MAP_NAME_BYTES])
{
    return read_string(server, object->name, name, LINK_MAP_NAME_BYTES);
}

static uint32_t gnu_hash(const char *name)
{
    uint32_t hash = 5381;
    for (; *name; name++)
        hash = hash * 33 + (unsigned char)*name;
    return hash;
}

struct symbol_tables {
    rrs_addr symbols, strings, hash;
};

static bool symbol_matches(server *server, const struct symbol_tables *tables, uint32_t index,
                           const char *name, Elf64_Sym *symbol)
{
    char text[64];
    size_t length = strlen(name) + 1;
    return length <= sizeof text &&
           read_exact(server, tables->symbols + (rrs_addr)index * sizeof *symbol, symbol,
                      sizeof *symbol) &&
           read_exact(server, tables->strings + symbol->st_name, text, length) &&
           memcmp(text, name, length) == 0;
}

/* The table: {buckets, first symbol, words of the filter, shift}, the filter, buckets, chains. */
static bool look_up(server *server, const struct symbol_tables *tables, const char *name,
                    Elf64_Sym *symbol)
{
    uint32_t head[4], index, chained, hash = gnu_hash(name);
    if (!read_exact(server, tables->hash, head, sizeof head) || head[0] == 0)
        return false;
    rrs_addr buckets = tables->hash + sizeof head + (rrs_addr)head[2] * 8;
    rrs_addr chains = buckets + (rrs_addr)head[0] * 4;
    if (!read_exact(server, buckets + (rrs_addr)(hash % head[0]) * 4, &index, sizeof index))
        return false;
    for (int i = 0; i < MAX_CHAIN && index >= head[1]; i++, index++) {
        if (!read_exact(server, chains + (rrs_addr)(index - head[1]) * 4, &chained, sizeof chained))
            return false;
        if ((chained | 1) == (hash | 1) && symbol_matches(server, tables, index, name, symbol))
            return true;
        if (chained & 1)
            return false;
    }
    return false;
}

bool link_map_find_symbol(server *server, const struct link_map_object *object, const char *name,
                          rrs_addr *address)
{
    struct symbol_tables tables;
    Elf64_Sym symbol;
    if (!dynamic_value(server, object->dynamic, DT_SYMTAB, &tables.symbols) ||
        !dynamic_value(server, object->dynamic, DT_STRTAB, &tables.strings) ||
        !dynamic_value(server, object->dynamic, DT_GNU_HASH, &tables.hash) ||
        !look_up(server, &tables, name, &symbol) || symbol.st_shndx == SHN_UNDEF)
        return false;
    *address = object->bias + symbol.st_value;
    return true;
}
