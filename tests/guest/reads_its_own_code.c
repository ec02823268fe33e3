/* SPDX-License-Identifier: MIT */
/* Test that a program that reads its own text finds the bytes of its file, before and after running
 * them. */
#include "tests/guest/guest.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/uio.h>

static uint64_t checksum(const unsigned char *bytes, size_t count)
{
    uint64_t hash = 1469598103934665603u;
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    return hash;
}

struct text {
    const unsigned char *memory;
    size_t size, offset;
};

/* The first object is the program itself. */
static int own_text(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    struct text *text = data;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type != PT_LOAD || !(header->p_flags & PF_X))
            continue;
        text->memory = (const unsigned char *)(info->dlpi_addr + header->p_vaddr);
        text->size = header->p_filesz;
        text->offset = header->p_offset;
    }
    return 1;
}

int main(void)
{
    struct text text = {0};
    dl_iterate_phdr(own_text, &text);
    CHECK(text.size > 100);
    int file = open("/proc/self/exe", O_RDONLY), memory = open("/proc/self/mem", O_RDONLY);
    CHECK(file >= 0 && memory >= 0);
    unsigned char *copy = malloc(text.size);
    CHECK(pread(file, copy, text.size, (off_t)text.offset) == (ssize_t)text.size);
    uint64_t expected = checksum(copy, text.size);
    for (int i = 0; i < 5; i++)
        CHECK_EQUAL(checksum(text.memory, text.size), expected);
    memset(copy, 0, text.size);
    CHECK(pread(memory, copy, text.size, (off_t)(uintptr_t)text.memory) == (ssize_t)text.size);
    CHECK_EQUAL(checksum(copy, text.size), expected);
    memset(copy, 0, text.size);
    struct iovec local = {copy, text.size}, remote = {(void *)(uintptr_t)text.memory, text.size};
    CHECK_EQUAL(process_vm_readv(getpid(), &local, 1, &remote, 1, 0), text.size);
    CHECK_EQUAL(checksum(copy, text.size), expected);
    int fds[2];
    CHECK(!pipe(fds) && write(fds[1], text.memory, 64) == 64 && read(fds[0], copy, 64) == 64);
    CHECK(!memcmp(copy, text.memory, 64));
    /* Made writable, the page is the program's own copy, and still runs. */
    uintptr_t page = (uintptr_t)main & ~4095ul;
    CHECK(!mprotect((void *)page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC));
    CHECK_EQUAL(checksum(text.memory, text.size), expected);
    CHECK(!mprotect((void *)page, 4096, PROT_READ | PROT_EXEC));
    puts("own text intact");
    return 0;
}
