/* SPDX-License-Identifier: MIT */
/* Symbols; see the header. They are read anew when the task's mappings of files have changed. */
#include "cli/console/symbols.h"

#include "cli/text.h"
#include "lmdb-store/scope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct symbols {
    Dwfl *dwfl;
    struct rrs_timeline_mapping *mappings; /* for which they were read */
    size_t n_mappings;
};

void symbols_destroy(struct symbols *symbols)
{
    if (!symbols)
        return;
    dwfl_end(symbols->dwfl);
    rrs_timeline_free_mappings(symbols->mappings, symbols->n_mappings);
    free(symbols);
}

/* --- keeping up with the mappings --- */

static bool is_code(const struct rrs_timeline_mapping *mapping)
{
    return mapping->path[0] == '/' && mapping->prot & 4;
}

static const struct rrs_timeline_mapping *next_code(const struct rrs_timeline_mapping *mappings,
                                                    size_t n_mappings, size_t *i)
{
    while (*i < n_mappings && !is_code(&mappings[*i]))
        ++*i;
    return *i < n_mappings ? &mappings[(*i)++] : NULL;
}

/* Whether the code of files stands where it stood. */
static bool same_code(const struct symbols *symbols, const struct rrs_timeline_mapping *mappings,
                      size_t n_mappings)
{
    size_t i = 0, j = 0;
    for (;;) {
        const struct rrs_timeline_mapping *a =
            next_code(symbols->mappings, symbols->n_mappings, &i);
        const struct rrs_timeline_mapping *b = next_code(mappings, n_mappings, &j);
        if (!a || !b)
            return a == b;
        if (a->start != b->start || a->file_offset != b->file_offset ||
            strcmp(a->path, b->path) != 0)
            return false;
    }
}

/* The files are handed over by descriptor, and separate debug information is none of the trace's.
 */
static int find_no_debuginfo(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
                             const char *file, const char *link, GElf_Word crc, char **result)
{
    (void)module, (void)data, (void)name, (void)base, (void)file, (void)link, (void)crc;
    (void)result;
    return -1;
}

static const Dwfl_Callbacks callbacks = {
    .find_elf = dwfl_build_id_find_elf,
    .find_debuginfo = find_no_debuginfo,
    .section_address = dwfl_offline_section_address,
};

/* Where a file begins in memory is where its first mapping is. */
static void report_file(struct console *console, Dwfl *dwfl,
                        const struct rrs_timeline_mapping *first)
{
    int fd;
    struct rrs_error *error = rrs_timeline_open_file(console->timeline, first->path, &fd);
    if (error) {
        rrs_error_destroy(error);
        return;
    }
    if (!dwfl_report_elf(dwfl, first->path, first->path, fd, first->start - first->file_offset,
                         false))
        close(fd);
}

static Dwfl *read_files(struct console *console, const struct rrs_timeline_mapping *mappings,
                        size_t n_mappings)
{
    Dwfl *dwfl = dwfl_begin(&callbacks);
    if (!dwfl)
        return NULL;
    dwfl_report_begin(dwfl);
    for (size_t i = 0; i < n_mappings; i++) {
        if (!is_code(&mappings[i]))
            continue;
        size_t first = 0;
        while (strcmp(mappings[first].path, mappings[i].path) != 0)
            first++;
        bool is_known = false;
        for (size_t j = first; j < i; j++)
            is_known |= is_code(&mappings[j]) && strcmp(mappings[j].path, mappings[i].path) == 0;
        if (!is_known)
            report_file(console, dwfl, &mappings[first]);
    }
    dwfl_report_end(dwfl, NULL, NULL);
    return dwfl;
}

Dwfl *symbols_dwfl(struct console *console)
{
    struct rrs_timeline_mapping *mappings;
    size_t n_mappings;
    struct symbols *symbols = console->symbols;
    struct rrs_error *error = console->tid ? rrs_timeline_mappings(console->timeline, console->tid,
                                                                   &mappings, &n_mappings)
                                           : rrs_error_create(RRS_ERROR_NOT_FOUND, "no task");
    if (error) {
        rrs_error_destroy(error);
        return NULL;
    }
    if (symbols && same_code(symbols, mappings, n_mappings)) {
        rrs_timeline_free_mappings(mappings, n_mappings);
        return symbols->dwfl;
    }
    symbols_destroy(symbols);
    console->symbols = symbols = calloc(1, sizeof *symbols);
    if (!symbols) {
        rrs_timeline_free_mappings(mappings, n_mappings);
        return NULL;
    }
    symbols->mappings = mappings;
    symbols->n_mappings = n_mappings;
    symbols->dwfl = read_files(console, mappings, n_mappings);
    return symbols->dwfl;
}

/* --- from an address --- */

bool symbols_describe(struct console *console, rrs_addr address, char text[SYMBOL_TEXT_BYTES])
{
    Dwfl *dwfl = symbols_dwfl(console);
    Dwfl_Module *module = dwfl ? dwfl_addrmodule(dwfl, address) : NULL;
    GElf_Off offset;
    GElf_Sym symbol;
    const char *name =
        module ? dwfl_module_addrinfo(module, address, &offset, &symbol, NULL, NULL, NULL) : NULL;
    _cleanup_free_ char *harmless = name ? text_escape(name, strlen(name)) : NULL;
    if (!harmless)
        return false;
    if (offset)
        snprintf(text, SYMBOL_TEXT_BYTES, "<%.200s+%llu>", harmless, (unsigned long long)offset);
    else
        snprintf(text, SYMBOL_TEXT_BYTES, "<%.200s>", harmless);
    return true;
}

bool symbols_line(struct console *console, rrs_addr address, char text[SYMBOL_TEXT_BYTES])
{
    Dwfl *dwfl = symbols_dwfl(console);
    Dwfl_Line *line = dwfl ? dwfl_getsrc(dwfl, address) : NULL;
    int number = 0;
    const char *path = line ? dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL) : NULL;
    const char *slash = path ? strrchr(path, '/') : NULL;
    const char *file = slash ? slash + 1 : path;
    _cleanup_free_ char *harmless = file ? text_escape(file, strlen(file)) : NULL;
    if (!harmless || number <= 0)
        return false;
    snprintf(text, SYMBOL_TEXT_BYTES, "%.200s:%d", harmless, number);
    return true;
}

/* --- from a name --- */

struct lookup {
    const char *name;
    uint64_t address, bytes;
    int rank; /* 0: nothing found */
    bool is_program;
};

/* A definition that others see counts more than a static one, and the first file's most. */
static int rank_of(const GElf_Sym *symbol, GElf_Addr value)
{
    int kind = GELF_ST_TYPE(symbol->st_info);
    if (symbol->st_shndx == SHN_UNDEF || value == 0 || kind == STT_FILE || kind == STT_SECTION ||
        kind == STT_TLS)
        return 0;
    return GELF_ST_BIND(symbol->st_info) == STB_LOCAL ? 1 : 2;
}

static int look_in_module(Dwfl_Module *module, void **data, const char *path, Dwarf_Addr start,
                          void *context)
{
    struct lookup *lookup = context;
    (void)data, (void)path, (void)start;
    int count = dwfl_module_getsymtab(module);
    for (int i = 1; i < count; i++) {
        GElf_Sym symbol;
        GElf_Addr value;
        const char *name = dwfl_module_getsym_info(module, i, &symbol, &value, NULL, NULL, NULL);
        if (!name || strcmp(name, lookup->name) != 0)
            continue;
        int rank =
            rank_of(&symbol, value) + (rank_of(&symbol, value) && lookup->is_program ? 2 : 0);
        if (rank <= lookup->rank)
            continue;
        lookup->rank = rank;
        lookup->address = value;
        lookup->bytes = symbol.st_size;
    }
    return DWARF_CB_OK;
}

static int look_everywhere(Dwfl_Module *module, void **data, const char *path, Dwarf_Addr start,
                           void *context)
{
    struct {
        struct lookup lookup;
        const char *program;
    } *all = context;
    all->lookup.is_program = all->program && strcmp(path, all->program) == 0;
    return look_in_module(module, data, path, start, &all->lookup);
}

/* "FILE:LINE": the lowest address that a line table gives for it. */
static bool find_line(Dwfl *dwfl, const char *text, uint64_t *address)
{
    const char *colon = strrchr(text, ':');
    char *end, file[SYMBOL_TEXT_BYTES];
    long line = colon ? strtol(colon + 1, &end, 10) : 0;
    if (line <= 0 || line > 1 << 30 || *end ||
        (size_t)snprintf(file, sizeof file, "%.*s", (int)(colon - text), text) >= sizeof file)
        return false;
    bool found = false;
    Dwarf_Addr bias;
    for (Dwarf_Die *unit = NULL; (unit = dwfl_nextcu(dwfl, unit, &bias));) {
        Dwfl_Line **lines = NULL;
        size_t n_lines = 0;
        Dwfl_Module *module = dwfl_cumodule(unit);
        if (dwfl_module_getsrc_file(module, file, (int)line, 0, &lines, &n_lines) != 0)
            continue;
        for (size_t i = 0; i < n_lines; i++) {
            Dwarf_Addr at;
            int number = 0;
            dwfl_lineinfo(lines[i], &at, &number, NULL, NULL, NULL);
            if (number != line || (found && at >= *address))
                continue;
            *address = at;
            found = true;
        }
        free(lines);
        if (found)
            break;
    }
    return found;
}

struct rrs_error *symbols_find(struct console *console, const char *name, uint64_t *address,
                               uint64_t *bytes)
{
    Dwfl *dwfl = symbols_dwfl(console);
    struct {
        struct lookup lookup;
        const char *program;
    } all = {.lookup = {.name = name}};
    if (!dwfl)
        return rrs_error_create(RRS_ERROR_NOT_FOUND, "no symbols: no task is alive here");
    RRS_TRY(rrs_timeline_program(console->timeline, console->tid, &all.program));
    dwfl_getmodules(dwfl, look_everywhere, &all, 0);
    *address = all.lookup.address;
    *bytes = all.lookup.bytes;
    if (all.lookup.rank || find_line(dwfl, name, address))
        return NULL;
    return rrs_error_create(RRS_ERROR_NOT_FOUND, "no symbol '%s' in the files that are mapped here",
                            name);
}

struct completing {
    const char *beginning;
    void (*found)(void *context, const char *name);
    void *context;
};

static int complete_in_module(Dwfl_Module *module, void **data, const char *path, Dwarf_Addr start,
                              void *context)
{
    const struct completing *completing = context;
    (void)data, (void)path, (void)start;
    int count = dwfl_module_getsymtab(module);
    size_t length = strlen(completing->beginning);
    for (int i = 1; i < count; i++) {
        GElf_Sym symbol;
        GElf_Addr value;
        const char *name = dwfl_module_getsym_info(module, i, &symbol, &value, NULL, NULL, NULL);
        if (name && strncmp(name, completing->beginning, length) == 0 && rank_of(&symbol, value))
            completing->found(completing->context, name);
    }
    return DWARF_CB_OK;
}

void symbols_complete(struct console *console, const char *beginning,
                      void (*found)(void *context, const char *name), void *context)
{
    struct completing completing = {beginning, found, context};
    Dwfl *dwfl = symbols_dwfl(console);
    if (dwfl)
        dwfl_getmodules(dwfl, complete_in_module, &completing, 0);
}
