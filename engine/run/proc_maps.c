/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID/maps and smaps as they would be natively: without the runtime and the code caches, with
 * the permissions that the program set, and with the mappings in one piece that only the engine's
 * protections cut into several.
 */
#include "engine/run/proc_view.h"

#include "engine/tracee/maps.h"
#include "lmdb-store/scope.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* --- what the program would see of a mapping --- */

struct eye {
    const struct rrs_address_space *space;
    struct stat pool;
};

static bool is_ours(const struct eye *eye, const struct rrs_mapping *mapping)
{
    rrs_addr classes = eye->space->runtime + RRS_RUNTIME_CLASSES;
    if (mapping->inode == eye->pool.st_ino && mapping->device == eye->pool.st_dev)
        return true;
    /* Anonymous once all calls are traced. */
    return mapping->start >= classes && mapping->start < classes + 65536 && !mapping->inode;
}

static rrs_addr next_region_start(const struct rrs_address_space *space, rrs_addr from,
                                  rrs_addr end)
{
    for (uint32_t i = 0; i < space->region_count; i++)
        if (space->regions[i].start > from && space->regions[i].start < end)
            return space->regions[i].start;
    return end;
}

/* Changes `mapping` to its first part that has one protection, the program's. */
static void show_first_part(const struct eye *eye, struct rrs_mapping *mapping)
{
    const struct rrs_region *region = rrs_space_region_at(eye->space, mapping->start);
    if (!strcmp(mapping->path, "[vdso]"))
        mapping->prot |= PROT_EXEC;
    if (!region) {
        mapping->end = next_region_start(eye->space, mapping->start, mapping->end);
        return;
    }
    mapping->prot =
        PROT_EXEC | (region->unreadable ? 0 : PROT_READ) | (region->writable ? PROT_WRITE : 0);
    if (region->end < mapping->end)
        mapping->end = region->end;
}

/* --- maps --- */

struct maps_writer {
    struct eye eye;
    FILE *out;
    struct rrs_mapping last; /* not written yet; start == end: none */
    int last_real_prot;
};

static void write_head(FILE *out, const struct rrs_mapping *m)
{
    enum { NAME_COLUMN = 73 }; /* Linux v6.1 fs/proc/task_mmu.c show_vma_header_prefix() */
    int width = fprintf(out, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", m->start, m->end,
                        m->prot & PROT_READ ? 'r' : '-', m->prot & PROT_WRITE ? 'w' : '-',
                        m->prot & PROT_EXEC ? 'x' : '-', m->shared ? 's' : 'p', m->file_offset,
                        major(m->device), minor(m->device), m->inode);
    if (m->path[0])
        fprintf(out, "%*s%s", width < NAME_COLUMN ? NAME_COLUMN - width : 0, "", m->path);
    fputc('\n', out);
}

static void flush_last(struct maps_writer *writer)
{
    if (writer->last.start != writer->last.end)
        write_head(writer->out, &writer->last);
    writer->last.start = writer->last.end = 0;
}

static bool continues(const struct rrs_mapping *a, const struct rrs_mapping *b)
{
    return a->end == b->start && a->prot == b->prot && a->shared == b->shared &&
           a->device == b->device && a->inode == b->inode && !strcmp(a->path, b->path) &&
           (!a->inode || a->file_offset + (a->end - a->start) == b->file_offset);
}

static bool add_mapping(void *context, const struct rrs_mapping *mapping)
{
    struct maps_writer *writer = context;
    struct rrs_mapping rest = *mapping;
    if (is_ours(&writer->eye, mapping))
        return true;
    while (rest.start < mapping->end) {
        struct rrs_mapping part = rest;
        show_first_part(&writer->eye, &part);
        /* The kernel had its reasons where it keeps two of one protection apart. */
        bool cut_by_us = rest.start != mapping->start || writer->last_real_prot != mapping->prot;
        if (cut_by_us && continues(&writer->last, &part)) {
            writer->last.end = part.end;
        } else {
            flush_last(writer);
            writer->last = part;
        }
        rest.file_offset += mapping->inode ? part.end - rest.start : 0;
        rest.start = part.end;
        writer->last_real_prot = mapping->prot;
    }
    return true;
}

static struct rrs_error *open_eye(const struct rrs_proc_request *request, struct eye *eye)
{
    eye->space = request->subject->space;
    if (fstat(request->session->pool.fd, &eye->pool) < 0)
        return rrs_error_os(errno, NULL, "looking at the shared memory");
    return NULL;
}

struct rrs_error *rrs_proc_write_maps(const struct rrs_proc_request *request, FILE *out)
{
    struct maps_writer writer = {.out = out};
    RRS_TRY(open_eye(request, &writer.eye));
    RRS_TRY(rrs_maps_visit_file(request->source, add_mapping, &writer));
    flush_last(&writer);
    return NULL;
}

/* --- smaps --- */

/* A mapping of the kernel's with the lines below its head. */
struct smaps_block {
    struct rrs_mapping mapping;
    char text[4096];
    size_t size;
};

/* "VmFlags: rd wr ex sh …": the first three are the protection. */
static void write_flags(FILE *out, const char *line, int prot)
{
    static const char *const own[] = {" rd", " wr", " ex"};
    line += strlen("VmFlags:");
    for (size_t i = 0; i < 3; i++)
        if (!strncmp(line, own[i], 3))
            line += 3;
    fprintf(out, "VmFlags:%s%s%s%.*s", prot & PROT_READ ? own[0] : "",
            prot & PROT_WRITE ? own[1] : "", prot & PROT_EXEC ? own[2] : "",
            (int)strcspn(line, "\n") + 1, line);
}

/* What a mapping has, its parts have in proportion: which of them has what is not to be known. */
static void write_figure(FILE *out, const char *line, const struct rrs_mapping *whole,
                         const struct rrs_mapping *part)
{
    char key[64];
    uint64_t value, bytes = whole->end - whole->start;
    int key_bytes = 0, number_end = 0;
    bool is_size = sscanf(line, "%63[^:]:%n%lu%n kB", key, &key_bytes, &value, &number_end) == 2 &&
                   !strncmp(line + number_end, " kB", 3) && !strstr(key, "PageSize");
    if (is_size) {
        uint64_t before = value * ((part->start - whole->start) / 1024) / (bytes / 1024);
        uint64_t with = value * ((part->end - whole->start) / 1024) / (bytes / 1024);
        fprintf(out, "%s:%*lu kB\n", key, number_end - key_bytes, with - before);
    } else {
        fprintf(out, "%.*s", (int)strcspn(line, "\n") + 1, line);
    }
}

static void write_part(FILE *out, const struct smaps_block *block, const struct rrs_mapping *part)
{
    write_head(out, part);
    for (const char *line = block->text; *line; line += strcspn(line, "\n") + 1)
        if (!strncmp(line, "VmFlags:", 8))
            write_flags(out, line, part->prot);
        else
            write_figure(out, line, &block->mapping, part);
}

/* Pieces of one mapping that our protections made are not joined: each has figures of its own. */
static void flush_block(struct smaps_block *block, const struct eye *eye, FILE *out)
{
    struct rrs_mapping rest = block->mapping;
    if (!block->size || is_ours(eye, &rest))
        rest.start = rest.end;
    while (rest.start < rest.end) {
        struct rrs_mapping part = rest;
        show_first_part(eye, &part);
        write_part(out, block, &part);
        rest.file_offset += rest.inode ? part.end - part.start : 0;
        rest.start = part.end;
    }
    block->size = 0;
}

struct rrs_error *rrs_proc_write_smaps(const struct rrs_proc_request *request, FILE *out)
{
    struct smaps_block block = {.size = 0};
    struct eye eye;
    char line[PATH_MAX + 128];
    struct rrs_mapping mapping;
    RRS_TRY(open_eye(request, &eye));
    _cleanup_fclose_ FILE *file = fopen(request->source, "re");
    if (!file)
        return rrs_error_os(errno, request->source, "cannot open");
    while (fgets(line, sizeof line, file)) {
        size_t length = strlen(line);
        if (rrs_maps_parse(line, &mapping)) {
            flush_block(&block, &eye, out);
            block.mapping = mapping;
        } else if (block.size + length < sizeof block.text) {
            memcpy(block.text + block.size, line, length + 1);
            block.size += length;
        }
    }
    flush_block(&block, &eye, out);
    return NULL;
}
