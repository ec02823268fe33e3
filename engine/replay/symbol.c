/* SPDX-License-Identifier: MIT */
#include "engine/replay/symbol.h"

#include "engine/replay/trace_file.h"
#include "lmdb-store/scope.h"

#include <gelf.h>
#include <stdio.h>
#include <string.h>

struct symbol {
    char name[128];
    uint64_t offset; /* of the address from where the symbol begins */
};

/* Where a byte of the file is linked to be; false if no segment holds it. */
static bool find_linked_address(Elf *elf, uint64_t file_offset, uint64_t *address)
{
    size_t count = 0;
    GElf_Phdr segment;
    if (elf_getphdrnum(elf, &count) < 0)
        return false;
    for (int i = 0; i < (int)count; i++) {
        if (!gelf_getphdr(elf, i, &segment) || segment.p_type != PT_LOAD)
            continue;
        *address = file_offset - segment.p_offset + segment.p_vaddr;
        if (file_offset - segment.p_offset < segment.p_filesz)
            return true;
    }
    return false;
}

/* The nearest function at or below `address`, if no better one is in `best` yet. */
static void search_table(Elf *elf, Elf_Scn *section, const GElf_Shdr *header, uint64_t address,
                         struct symbol *best)
{
    Elf_Data *data = elf_getdata(section, NULL);
    size_t count = data && header->sh_entsize ? header->sh_size / header->sh_entsize : 0;
    GElf_Sym symbol;
    for (int i = 0; i < (int)count && gelf_getsym(data, i, &symbol); i++) {
        uint64_t offset = address - symbol.st_value;
        const char *name = elf_strptr(elf, header->sh_link, symbol.st_name);
        bool covers = offset < (symbol.st_size ? symbol.st_size : 4096);
        if (GELF_ST_TYPE(symbol.st_info) != STT_FUNC || !symbol.st_value || !covers || !name ||
            (best->name[0] && offset >= best->offset))
            continue;
        snprintf(best->name, sizeof best->name, "%s", name);
        best->offset = offset;
    }
}

static void search_file(int fd, uint64_t file_offset, struct symbol *found)
{
    elf_version(EV_CURRENT);
    Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    Elf_Scn *section = NULL;
    GElf_Shdr header;
    uint64_t address;
    if (elf && elf_kind(elf) == ELF_K_ELF && find_linked_address(elf, file_offset, &address))
        while ((section = elf_nextscn(elf, section)))
            if (gelf_getshdr(section, &header) &&
                (header.sh_type == SHT_SYMTAB || header.sh_type == SHT_DYNSYM))
                search_table(elf, section, &header, address, found);
    elf_end(elf);
}

static void make_harmless(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
}

void rrs_replay_describe_pc(const struct rrs_replayer *replayer, const struct rrs_replay_task *task,
                            rrs_addr pc, char *buffer, size_t bytes)
{
    struct symbol found = {0};
    struct rrs_trace_files *files = NULL;
    uint64_t at = replayer->next ? replayer->next->number : UINT64_MAX;
    _cleanup_close_ int fd = -1;
    const struct rrs_map_entry *entry = rrs_map_list_at(&task->space->maps, pc);
    bool in_file = entry && entry->path && entry->path[0] == '/';
    if (in_file)
        rrs_error_destroy(
            rrs_trace_open_file(replayer->reader, replayer->log, &files, entry->path, at, &fd));
    rrs_trace_files_destroy(files);
    if (fd >= 0)
        search_file(fd, entry->file_offset + (pc - entry->start), &found);
    if (found.name[0])
        snprintf(buffer, bytes, "%#lx (%s+%#lx in %s)", (unsigned long)pc, found.name,
                 (unsigned long)found.offset, entry->path);
    else if (in_file)
        snprintf(buffer, bytes, "%#lx (in %s)", (unsigned long)pc, entry->path);
    else
        snprintf(buffer, bytes, "%#lx", (unsigned long)pc);
    make_harmless(buffer);
}
