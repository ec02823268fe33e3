/* SPDX-License-Identifier: MIT */
/* Test that a file's code runs at a second place although what the program maps later, and has
 * mapped before, lies about both as it happens: a replay knows all of it from the start, and has
 * to keep away from both. Argument: a library of library_one_of_many.c with IDENTITY 5. */
#include "tests/guest/guest.h"
#include "tests/guest/jit.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define MEBIBYTE (1ul << 20)

static const uintptr_t first_place = 64ul << 30;

/* Where the library has `mov $5, %eax; ret`. */
static off_t function_offset(int file)
{
    unsigned char bytes[1 << 16], function[JIT_FUNCTION_BYTES];
    ssize_t size = pread(file, bytes, sizeof bytes, 0);
    jit_emit(function, 5);
    CHECK(size > 0);
    unsigned char *found = memmem(bytes, (size_t)size, function, sizeof function);
    CHECK(found);
    return found - bytes;
}

static void *map_code(int file, uintptr_t at, off_t offset)
{
    void *code = mmap((void *)at, 4 * JIT_PAGE_BYTES, PROT_READ | PROT_EXEC,
                      MAP_PRIVATE | (at ? MAP_FIXED_NOREPLACE : 0), file, offset & -JIT_PAGE_BYTES);
    CHECK(code != MAP_FAILED);
    return (char *)code + offset % JIT_PAGE_BYTES;
}

static void *map_data(uintptr_t at, size_t bytes)
{
    void *data =
        mmap((void *)at, bytes, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at ? MAP_FIXED_NOREPLACE : 0), -1, 0);
    CHECK(data != MAP_FAILED);
    return data;
}

/* A child uses memory below the first place, which is free again when the parent has code there. */
static void use_in_child(void)
{
    int status;
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        *(char *)map_data(first_place - 300 * MEBIBYTE, 100 * MEBIBYTE) = 1;
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    int file = open(argv[1], O_RDONLY);
    CHECK(file >= 0);
    off_t offset = function_offset(file);
    use_in_child();
    CHECK_EQUAL(jit_call(map_code(file, first_place, offset)), 5);
    void *again = map_code(file, 0, offset);
    CHECK_EQUAL(jit_call(again), 5);
    char *data = map_data(0, 300 * MEBIBYTE);
    for (size_t at = 0; at < 300 * MEBIBYTE; at += MEBIBYTE)
        data[at] = 1;
    CHECK_EQUAL(jit_call(again), 5);
    puts("code ran at both places");
    return 0;
}
