/* SPDX-License-Identifier: MIT */
/* Test that code changed through a second mapping, /proc/self/mem, its file or another process runs
 * as changed. */
#include "tests/guest/guest.h"

#include "tests/guest/jit.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>

static void *map(int protection, int flags, int file)
{
    void *place = mmap(NULL, JIT_PAGE_BYTES, protection, flags, file, 0);
    CHECK(place != MAP_FAILED);
    return place;
}

static int memory_file(void)
{
    int file = memfd_create("code", 0);
    CHECK(file >= 0 && !ftruncate(file, JIT_PAGE_BYTES));
    return file;
}

static void dual_mapping(void)
{
    int file = memory_file();
    unsigned char *writable = map(PROT_READ | PROT_WRITE, MAP_SHARED, file);
    unsigned char *executable = map(PROT_READ | PROT_EXEC, MAP_SHARED, file);
    for (uint32_t i = 0; i < 500; i++) {
        jit_emit(writable + 64 * (i % 3), i);
        CHECK_EQUAL(jit_call(executable + 64 * (i % 3)), i);
    }
    /* The alias made after the code ran, and in a child. */
    unsigned char *late = map(PROT_READ | PROT_WRITE, MAP_SHARED, file);
    CHECK(!munmap(writable, JIT_PAGE_BYTES));
    jit_emit(late, 4242);
    CHECK_EQUAL(jit_call(executable), 4242);
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        jit_emit(late, 4343);
        _exit(jit_call(executable) != 4343);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && !status);
    CHECK_EQUAL(jit_call(executable), 4343);
    puts("dual mapping");
}

static void by_file(void)
{
    int file = memory_file();
    unsigned char code[JIT_FUNCTION_BYTES];
    jit_emit(code, 1);
    CHECK(pwrite(file, code, sizeof code, 0) == sizeof code);
    unsigned char *shared = map(PROT_READ | PROT_EXEC, MAP_SHARED, file);
    unsigned char *private = map(PROT_READ | PROT_EXEC, MAP_PRIVATE, file);
    CHECK_EQUAL(jit_call(shared) + jit_call(private), 2);
    jit_emit(code, 2);
    CHECK(pwrite(file, code, sizeof code, 0) == sizeof code);
    CHECK_EQUAL(jit_call(shared), 2);
    CHECK_EQUAL(jit_call(private), 2); /* a private page never written follows its file */
    puts("by the file");
}

static void by_proc_self_mem(void)
{
    unsigned char *page = map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    jit_emit(page, 7);
    CHECK(!mprotect(page, JIT_PAGE_BYTES, PROT_READ | PROT_EXEC));
    CHECK_EQUAL(jit_call(page), 7);
    int memory = open("/proc/self/mem", O_RDWR);
    CHECK(memory >= 0);
    for (uint32_t i = 0; i < 20; i++) {
        unsigned char code[JIT_FUNCTION_BYTES];
        jit_emit(code, 700 + i);
        CHECK(pwrite(memory, code, sizeof code, (off_t)(uintptr_t)page) == sizeof code);
        CHECK_EQUAL(jit_call(page), 700 + i);
        CHECK(pread(memory, code, sizeof code, (off_t)(uintptr_t)page) == sizeof code);
        CHECK_EQUAL(code[1], (700 + i) & 0xff);
    }
    close(memory);
    puts("by /proc/self/mem");
}

static void by_another_process(void)
{
    unsigned char *page = map(PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    jit_emit(page, 20);
    CHECK_EQUAL(jit_call(page), 20);
    pid_t parent = getpid(), child = fork();
    CHECK(child >= 0);
    if (!child) {
        unsigned char code[JIT_FUNCTION_BYTES];
        jit_emit(code, 21);
        struct iovec local = {code, sizeof code}, remote = {page, sizeof code};
        ssize_t written = process_vm_writev(parent, &local, 1, &remote, 1, 0);
        _exit(written == sizeof code ? 0 : 77);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    if (status == 0)
        CHECK_EQUAL(jit_call(page), 21);
    CHECK(status == 0 || status == 77 << 8);
    struct iovec local, remote = {page, JIT_FUNCTION_BYTES};
    unsigned char code[JIT_FUNCTION_BYTES];
    jit_emit(code, 22);
    local = (struct iovec){code, sizeof code};
    CHECK_EQUAL(process_vm_writev(parent, &local, 1, &remote, 1, 0), JIT_FUNCTION_BYTES);
    CHECK_EQUAL(jit_call(page), 22);
    puts("by process_vm_writev");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    dual_mapping();
    by_file();
    by_proc_self_mem();
    by_another_process();
    return 0;
}
