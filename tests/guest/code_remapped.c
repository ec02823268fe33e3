/* SPDX-License-Identifier: MIT */
/* Test that code runs as mapped after munmap, mmap over it, mremap, madvise, brk and moves between
 * addresses. */
#include "tests/guest/guest.h"

#include "tests/guest/jit.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

static sigjmp_buf out;
static void on_fault(int signal_number)
{
    siglongjmp(out, signal_number);
}

static int code_file(uint32_t value)
{
    unsigned char code[JIT_PAGE_BYTES] = {0};
    for (int i = 0; i < 64; i++)
        jit_emit(code + i * 64, value + (uint32_t)i);
    int file = memfd_create("code", 0);
    CHECK(file >= 0 && write(file, code, sizeof code) == sizeof code);
    return file;
}

static void *map_at(void *place, int file)
{
    void *result = mmap(place, JIT_PAGE_BYTES, PROT_READ | PROT_EXEC,
                        MAP_PRIVATE | (place ? MAP_FIXED : 0), file, 0);
    CHECK(result != MAP_FAILED);
    return result;
}

static void expect_fault(const unsigned char *place)
{
    int signal_number = sigsetjmp(out, 1);
    if (!signal_number) {
        jit_call(place);
        CHECK(!"ran code that is gone");
    }
    CHECK_EQUAL(signal_number, SIGSEGV);
}

static void over_each_other(void)
{
    int files[3] = {code_file(100), code_file(200), code_file(300)};
    unsigned char *place = map_at(NULL, files[0]);
    for (uint32_t i = 0; i < 60; i++) {
        map_at(place, files[i % 3]);
        CHECK_EQUAL(jit_call(place + 64 * (i % 5)), 100 * (i % 3 + 1) + i % 5);
    }
    for (uint32_t i = 0; i < 20; i++) {
        CHECK(!munmap(place, JIT_PAGE_BYTES));
        expect_fault(place);
        map_at(place, files[i % 3]);
        CHECK_EQUAL(jit_call(place), 100 * (i % 3 + 1));
    }
    for (int i = 0; i < 3; i++)
        close(files[i]);
    puts("mapped over");
}

static void moved(void)
{
    unsigned char *from = mmap(NULL, JIT_PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char *to =
        mmap(NULL, 3 * JIT_PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    jit_emit(from, 31);
    CHECK_EQUAL(jit_call(from), 31);
    for (int i = 0; i < 10; i++) {
        unsigned char *target = to + (i % 3) * JIT_PAGE_BYTES;
        CHECK(mremap(from, JIT_PAGE_BYTES, JIT_PAGE_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, target) ==
              target);
        CHECK_EQUAL(jit_call(target), 31 + i);
        expect_fault(from);
        jit_emit(target, 32 + (uint32_t)i);
        CHECK_EQUAL(jit_call(target), 32 + i);
        from = target;
    }
    puts("moved");
}

static void dropped(void)
{
    int file = code_file(900);
    unsigned char *place =
        mmap(NULL, JIT_PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE, file, 0);
    CHECK(place != MAP_FAILED);
    CHECK_EQUAL(jit_call(place), 900);
    jit_emit(place, 901);
    CHECK_EQUAL(jit_call(place), 901);
    CHECK(!madvise(place, JIT_PAGE_BYTES, MADV_DONTNEED));
    CHECK_EQUAL(jit_call(place), 900);
    puts("dropped by madvise");
}

static void in_heap(void)
{
    unsigned char *heap = sbrk(0);
    unsigned char *place =
        (unsigned char *)(((uintptr_t)heap + JIT_PAGE_BYTES - 1) & ~(JIT_PAGE_BYTES - 1ul));
    for (uint32_t i = 0; i < 10; i++) {
        CHECK(!brk(place + 2 * JIT_PAGE_BYTES));
        CHECK_EQUAL(place[0], 0);
        jit_emit(place, i);
        CHECK(!mprotect(place, JIT_PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC));
        CHECK_EQUAL(jit_call(place), i);
        jit_emit(place, i + 50);
        CHECK_EQUAL(jit_call(place), i + 50);
        CHECK(!brk(place));
        expect_fault(place);
    }
    puts("in the heap");
}

/* A block over two pages whose second page is replaced; the first is untouched. */
static void second_page(void)
{
    unsigned char *place = mmap(NULL, 2 * JIT_PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char *start = place + JIT_PAGE_BYTES - 16;
    memset(start, 0x90, 16);
    for (uint32_t i = 0; i < 30; i++) {
        if (i % 3 == 0) {
            CHECK(mmap(place + JIT_PAGE_BYTES, JIT_PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED);
        }
        jit_emit(place + JIT_PAGE_BYTES, i);
        CHECK_EQUAL(jit_call(start), i);
    }
    puts("second page");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct sigaction action = {.sa_handler = on_fault};
    CHECK(!sigaction(SIGSEGV, &action, NULL));
    over_each_other();
    moved();
    dropped();
    in_heap();
    second_page();
    return 0;
}
