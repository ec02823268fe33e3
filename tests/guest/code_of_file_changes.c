/* SPDX-License-Identifier: MIT */
/* Test that code of a mapped file runs as the file is now: after writes by this process and by
 * another, through descriptors opened before and after; and that a part of a file's code can be
 * changed in memory alone. */
#include "tests/guest/guest.h"

#include "tests/guest/jit.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { PAGES = 3 };
static char path[] = "/tmp/code-XXXXXX";

/* On each page: mov $value + page, %eax; ret. On the last also: call the first; ret. */
static void write_code(int file, uint32_t value)
{
    unsigned char code[PAGES * JIT_PAGE_BYTES] = {0};
    for (uint32_t i = 0; i < PAGES; i++)
        jit_emit(code + i * JIT_PAGE_BYTES, value + i);
    const uint32_t at = 2 * JIT_PAGE_BYTES + 64;
    int32_t distance = -(int32_t)(at + 5);
    code[at] = 0xe8;
    memcpy(code + at + 1, &distance, 4);
    code[at + 5] = 0xc3;
    CHECK(pwrite(file, code, sizeof code, 0) == sizeof code);
}

static unsigned char *map(int flags, int file)
{
    void *place = mmap(NULL, PAGES * JIT_PAGE_BYTES, PROT_READ | PROT_EXEC, flags, file, 0);
    CHECK(place != MAP_FAILED);
    return place;
}

static void expect(const unsigned char *code, uint32_t value)
{
    for (uint32_t i = 0; i < PAGES; i++)
        CHECK_EQUAL(jit_call(code + i * JIT_PAGE_BYTES), value + i);
    CHECK_EQUAL(jit_call(code + 2 * JIT_PAGE_BYTES + 64), value);
}

static int fresh_file(void)
{
    strcpy(path, "/tmp/code-XXXXXX");
    int file = mkstemp(path);
    CHECK(file >= 0 && !fchmod(file, 0700));
    write_code(file, 100);
    return file;
}

static void opened_before(void)
{
    int writable = fresh_file(), file = open(path, O_RDONLY);
    unsigned char *private = map(MAP_PRIVATE, file), *shared = map(MAP_SHARED, file);
    expect(private, 100);
    expect(shared, 100);
    for (uint32_t i = 0; i < 5; i++) {
        write_code(writable, 200 + 10 * i);
        expect(private, 200 + 10 * i);
        expect(shared, 200 + 10 * i);
    }
    close(writable);
    close(file);
    CHECK(!unlink(path));
    puts("opened before");
}

static void opened_after(void)
{
    close(fresh_file());
    int file = open(path, O_RDONLY);
    unsigned char *private = map(MAP_PRIVATE, file);
    for (uint32_t i = 0; i < 5; i++) {
        int writable = open(path, i % 2 ? O_RDWR : O_WRONLY);
        expect(private, i ? 290 + 10 * i : 100);
        write_code(writable, 300 + 10 * i);
        expect(private, 300 + 10 * i);
        close(writable);
    }
    close(file);
    CHECK(!unlink(path));
    puts("opened after");
}

static void written_by_child(void)
{
    int status;
    close(fresh_file());
    int file = open(path, O_RDONLY);
    unsigned char *private = map(MAP_PRIVATE, file);
    expect(private, 100);
    pid_t child = fork();
    if (!child) {
        expect(private, 100);
        write_code(open(path, O_WRONLY), 400);
        expect(private, 400);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && !status);
    expect(private, 400);
    close(file);
    CHECK(!unlink(path));
    puts("written by a child");
}

/* One page of the file's code is patched in memory; other mappings and the file stay. */
static void patched(void)
{
    close(fresh_file());
    int file = open(path, O_RDONLY);
    unsigned char *code = map(MAP_PRIVATE, file), *other = map(MAP_PRIVATE, file);
    expect(code, 100);
    expect(other, 100);
    for (uint32_t i = 0; i < 4; i++) {
        CHECK(!mprotect(code, JIT_PAGE_BYTES, PROT_READ | PROT_WRITE));
        jit_emit(code, 500 + i);
        CHECK(!mprotect(code, JIT_PAGE_BYTES, PROT_READ | PROT_EXEC));
        CHECK_EQUAL(jit_call(code), 500 + i);
        CHECK_EQUAL(jit_call(code + JIT_PAGE_BYTES), 101);
        CHECK_EQUAL(jit_call(code + 2 * JIT_PAGE_BYTES + 64), 500 + i);
        expect(other, 100);
    }
    close(file);
    CHECK(!unlink(path));
    puts("patched");
}

/* The file's code is moved, and moved back, with mremap. */
static void moved(void)
{
    close(fresh_file());
    int file = open(path, O_RDONLY);
    unsigned char *code = map(MAP_PRIVATE, file);
    for (int i = 0; i < 4; i++) {
        unsigned char *target = map(MAP_PRIVATE, file);
        expect(code, 100);
        CHECK(mremap(code, PAGES * JIT_PAGE_BYTES, PAGES * JIT_PAGE_BYTES,
                     MREMAP_MAYMOVE | MREMAP_FIXED, target) == target);
        expect(target, 100);
        code = target;
    }
    close(file);
    CHECK(!unlink(path));
    puts("moved");
}

/* A child's memory is written through its /proc/PID/mem while it waits. */
static void child_patched(void)
{
    int go[2], done[2], status;
    char byte = 0, name[64];
    close(fresh_file());
    int file = open(path, O_RDONLY);
    unsigned char *code = map(MAP_PRIVATE, file), patch[JIT_FUNCTION_BYTES];
    CHECK(!pipe(go) && !pipe(done));
    pid_t child = fork();
    if (!child) {
        expect(code, 100);
        CHECK(write(done[1], &byte, 1) == 1 && read(go[0], &byte, 1) == 1);
        CHECK_EQUAL(jit_call(code + 2 * JIT_PAGE_BYTES + 64), 600);
        _exit((int)jit_call(code + JIT_PAGE_BYTES) - 100);
    }
    CHECK(read(done[0], &byte, 1) == 1);
    snprintf(name, sizeof name, "/proc/%d/mem", child);
    int memory = open(name, O_RDWR);
    CHECK(memory >= 0);
    jit_emit(patch, 600);
    CHECK_EQUAL(pwrite(memory, patch, sizeof patch, (off_t)(uintptr_t)code), sizeof patch);
    close(memory);
    CHECK(write(go[1], &byte, 1) == 1);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK_EQUAL(status, 1 << 8);
    expect(code, 100);
    CHECK(!unlink(path));
    puts("child patched");
}

static sigjmp_buf out;
static void on_bus_error(int signal_number, siginfo_t *info, void *context)
{
    (void)context;
    siglongjmp(out, signal_number == SIGBUS && info->si_code == BUS_ADRERR ? 1 : 2);
}

/* The file is cut short: its code is gone, though it stays mapped. */
static void cut_short(void)
{
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
    CHECK(!sigaction(SIGBUS, &action, NULL) && !sigaction(SIGSEGV, &action, NULL));
    int file = fresh_file();
    unsigned char *code = map(MAP_PRIVATE, file);
    expect(code, 100);
    CHECK(!ftruncate(file, JIT_PAGE_BYTES));
    int reached = sigsetjmp(out, 1);
    if (!reached)
        jit_call(code + JIT_PAGE_BYTES);
    CHECK_EQUAL(reached, 1);
    CHECK_EQUAL(jit_call(code), 100);
    write_code(file, 700);
    expect(code, 700);
    close(file);
    CHECK(!unlink(path));
    puts("cut short");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    cut_short();
    opened_before();
    opened_after();
    written_by_child();
    patched();
    moved();
    child_patched();
    return 0;
}
