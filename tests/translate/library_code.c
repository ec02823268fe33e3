/* SPDX-License-Identifier: MIT */
#include "tests/translate/library_code.h"

#include "lmdb-store/scope.h"

#include <Zydis/Zydis.h>
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the file --- */

static const Elf64_Shdr *find_section(const struct library *l, const char *name)
{
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)l->bytes;
    if (l->size < sizeof *header || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
        header->e_machine != EM_X86_64 ||
        header->e_shoff + (uint64_t)header->e_shnum * sizeof(Elf64_Shdr) > l->size)
        return NULL;
    const Elf64_Shdr *sections = (const Elf64_Shdr *)(l->bytes + header->e_shoff);
    const char *names = (const char *)l->bytes + sections[header->e_shstrndx].sh_offset;
    for (int i = 0; i < header->e_shnum; i++)
        if (strcmp(names + sections[i].sh_name, name) == 0 &&
            sections[i].sh_offset + sections[i].sh_size <= l->size)
            return &sections[i];
    return NULL;
}

/*
 * The length in a frame description entry (LSB 5.0 core, 10.6.1.2), whose start must be relative to
 * its place, in 32 bits, as in all x86-64 code. .eh_frame lies as far from .eh_frame_hdr in the
 * file as in memory.
 */
static uint64_t function_bytes(const struct library *l, const Elf64_Shdr *index, uint64_t fde,
                               uint64_t address)
{
    enum { START = 8, LENGTH = 12, END = 16 };
    uint64_t place = index->sh_offset + (fde - index->sh_addr);
    int32_t start;
    uint32_t bytes;
    if (place + END > l->size)
        return 0;
    memcpy(&start, l->bytes + place + START, sizeof start);
    memcpy(&bytes, l->bytes + place + LENGTH, sizeof bytes);
    return fde + START + (uint64_t)(int64_t)start == address ? bytes : 0;
}

/* The sorted table of .eh_frame_hdr (LSB 5.0 core, 10.6.2): as ld and lld write it, pairs of 32-bit
 * offsets from the section's start. */
static void find_functions(struct library *l)
{
    const Elf64_Shdr *index = find_section(l, ".eh_frame_hdr");
    enum { VERSION_1 = 1, UDATA4 = 0x03, SDATA4_DATAREL = 0x3b };
    if (!index || index->sh_size < 12)
        return;
    const uint8_t *at = l->bytes + index->sh_offset;
    if (at[0] != VERSION_1 || at[2] != UDATA4 || at[3] != SDATA4_DATAREL)
        return;
    uint32_t count;
    memcpy(&count, at + 8, sizeof count);
    if (12 + (uint64_t)count * 8 > index->sh_size)
        return;
    l->functions = calloc(count + 1, sizeof l->functions[0]);
    for (uint32_t i = 0; l->functions && i < count; i++) {
        int32_t start, fde;
        memcpy(&start, at + 12 + i * 8, sizeof start);
        memcpy(&fde, at + 16 + i * 8, sizeof fde);
        uint64_t address = index->sh_addr + (uint64_t)(int64_t)start;
        uint64_t bytes = function_bytes(l, index, index->sh_addr + (uint64_t)(int64_t)fde, address);
        if (address >= l->text && address + bytes <= l->text + l->text_bytes)
            l->functions[l->function_count++] = (struct library_function){address, bytes};
    }
}

bool library_open(struct library *l, const char *path)
{
    struct stat status;
    *l = (struct library){.path = path};
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0)
        return false;
    void *mapped = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapped == MAP_FAILED)
        return false;
    l->bytes = mapped;
    l->size = (size_t)status.st_size;
    const Elf64_Shdr *text = find_section(l, ".text");
    if (!text) {
        library_close(l);
        return false;
    }
    l->text = text->sh_addr;
    l->text_bytes = text->sh_size;
    l->text_offset = text->sh_offset;
    find_functions(l);
    return true;
}

void library_close(struct library *l)
{
    free(l->functions);
    munmap((void *)(uintptr_t)l->bytes, l->size);
    *l = (struct library){0};
}

const struct library_function *library_function_of(const struct library *l, uint64_t address)
{
    uint32_t low = 0, high = l->function_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (l->functions[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    const struct library_function *f = &l->functions[low - 1];
    return low && address < f->start + f->bytes ? f : NULL;
}

const char *library_path(const char *name)
{
    static const char *const folders[] = {"/usr/lib/x86_64-linux-gnu",
                                          "/lib/x86_64-linux-gnu",
                                          "/usr/lib64",
                                          "/lib64",
                                          "/usr/lib",
                                          "/usr/bin",
                                          "/usr/local/bin",
                                          "/usr/lib/gcc/x86_64-linux-gnu/12",
                                          "/usr/lib/gcc/x86_64-linux-gnu/13",
                                          "/usr/lib/gcc/x86_64-linux-gnu/14"};
    static char path[512];
    struct stat status;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folders[i], name);
        if (stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, R_OK) == 0)
            return path;
    }
    return NULL;
}

/* --- plain instructions --- */

static bool keeps_register(ZydisRegister named)
{
    switch (ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, named)) {
    case ZYDIS_REGISTER_RSP:
    case ZYDIS_REGISTER_RBP:
    case ZYDIS_REGISTER_R12:
    case ZYDIS_REGISTER_R13:
    case ZYDIS_REGISTER_R14:
    case ZYDIS_REGISTER_R15:
        return false;
    default:
        return true;
    }
}

/* A far displacement could reach memory that is not the sandbox's. */
enum { DISP_MAX = 0x8000 };

static bool is_harmless(const ZydisDecoder *zydis, const uint8_t *bytes, size_t size)
{
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(zydis, bytes, size, &insn, operands)))
        return false;
    if (insn.meta.category == ZYDIS_CATEGORY_SYSTEM ||
        insn.meta.category == ZYDIS_CATEGORY_INTERRUPT ||
        insn.meta.category == ZYDIS_CATEGORY_RDWRFSGS || insn.mnemonic == ZYDIS_MNEMONIC_UD2 ||
        insn.mnemonic == ZYDIS_MNEMONIC_PUSHFQ || insn.mnemonic == ZYDIS_MNEMONIC_POPFQ)
        return false;
    for (int i = 0; i < insn.operand_count; i++) {
        const ZydisDecodedOperand *o = &operands[i];
        if (o->type == ZYDIS_OPERAND_TYPE_REGISTER && !keeps_register(o->reg.value))
            return false;
        if (o->type == ZYDIS_OPERAND_TYPE_MEMORY && o->mem.base != ZYDIS_REGISTER_RIP &&
            (o->mem.disp.value > DISP_MAX || o->mem.disp.value < -DISP_MAX))
            return false;
        if (o->type == ZYDIS_OPERAND_TYPE_MEMORY &&
            (!keeps_register(o->mem.base) || !keeps_register(o->mem.index) ||
             o->mem.segment == ZYDIS_REGISTER_FS))
            return false;
    }
    return true;
}

static void take_plain(const struct rrs_decoder *decoder, const ZydisDecoder *zydis,
                       const uint8_t *bytes, size_t size, struct plain_insn *insns, uint32_t *count)
{
    struct rrs_insn insn;
    for (size_t at = 0; at < size && rrs_decode(decoder, bytes + at, size - at, &insn);
         at += insn.length) {
        if (insn.kind == RRS_INSN_UNKNOWN)
            return;
        if (insn.kind != RRS_INSN_PLAIN || !is_harmless(zydis, bytes + at, size - at))
            continue;
        struct plain_insn *taken = &insns[(*count)++];
        *taken = (struct plain_insn){.length = insn.length, .disp_offset = insn.disp_offset};
        memcpy(taken->bytes, insn.bytes, insn.length);
        return;
    }
}

uint32_t library_plain_insns(const struct rrs_decoder *decoder, struct plain_insn *insns,
                             uint32_t room, struct random *r)
{
    static const char *const names[] = {"libc.so.6", "libcrypto.so.3", "libstdc++.so.6",
                                        "libm.so.6"};
    ZydisDecoder zydis;
    uint32_t count = 0;
    ZydisDecoderInit(&zydis, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    for (uint32_t n = 0; n < 4; n++) {
        struct library l;
        const char *path = library_path(names[n]);
        if (!path || !library_open(&l, path))
            continue;
        for (uint32_t i = 0; i < room / 2 && count < room * (n + 1) / 4 && l.text_bytes > 64; i++) {
            uint64_t at = random_below(r, (uint32_t)l.text_bytes - 64);
            take_plain(decoder, &zydis, l.bytes + l.text_offset + at, 64, insns, &count);
        }
        library_close(&l);
    }
    return count;
}
