/* SPDX-License-Identifier: MIT */
/* Test that code on writable pages runs as last written: from outside, by itself, by the very
 * instruction before. */
#include "tests/guest/guest.h"

#include "tests/guest/jit.h"
#include <sys/mman.h>

static unsigned char *page;

static void from_outside(void)
{
    for (uint32_t i = 0; i < 400; i++) {
        jit_emit(page, i);
        CHECK_EQUAL(jit_call(page), i);
        page[1] = (unsigned char)(i + 1); /* one byte of the immediate */
        CHECK_EQUAL(jit_call(page), (i & ~0xffu) | ((i + 1) & 0xff));
    }
}

/* movb $value, next(%rip): the immediate of the mov that follows at once. */
static void next_instruction(void)
{
    static const unsigned char code[] = {
        0x40, 0x88, 0x3d, 0x01, 0, 0, 0, /* mov %dil, 1(%rip): byte 1 of the next instruction */
        0xb8, 0x11, 0,    0,    0,       /* mov $0x11, %eax */
        0xc3,
    };
    unsigned char *place = page + 256;
    memcpy(place, code, sizeof code);
    for (int i = 0; i < 100; i++) {
        int (*function)(int);
        memcpy(&function, &place, sizeof function);
        CHECK_EQUAL(function(i), i);
    }
}

/* A loop that counts in its own immediate: add $1, imm(%rip) in front of mov $imm, %eax. */
static void counts_in_itself(void)
{
    static const unsigned char code[] = {
        0x83, 0x05, 0x01, 0, 0, 0, 3, /* addl $3, 1(%rip) */
        0xb8, 0,    0,    0, 0,       /* mov $0, %eax */
        0xff, 0xcf,                   /* dec %edi */
        0x75, 0xf0,                   /* jnz to the start */
        0xc3,
    };
    unsigned char *place = page + 512;
    memcpy(place, code, sizeof code);
    int (*function)(int);
    memcpy(&function, &place, sizeof function);
    CHECK_EQUAL(function(1), 3);
    CHECK_EQUAL(function(50), 153);
}

/* rep movsb over the function that is to run next, and over the code of the copier's own page. */
static void by_string_instruction(void)
{
    for (uint32_t i = 0; i < 50; i++) {
        unsigned char fresh[JIT_FUNCTION_BYTES];
        jit_emit(fresh, i * 11);
        void *from = fresh, *to = page + 1024;
        size_t count = sizeof fresh;
        __asm__ volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count)::"memory");
        CHECK_EQUAL(jit_call(page + 1024), i * 11);
    }
}

/* Data next to code on one page: written thousands of times while the code runs. */
static void data_beside_code(void)
{
    volatile uint64_t *counter = (volatile uint64_t *)(page + 3000);
    jit_emit(page + 2048, 5);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < 3000; i++) {
        *counter += jit_call(page + 2048);
        sum += 5;
    }
    CHECK_EQUAL(*counter, sum);
}

/* The stores that change code: every width, lock-prefixed, SSE, push, call, xchg, cmpxchg. */
static void by_every_store(void)
{
    unsigned char *place = page + 1536;
    jit_emit(place, 0);
    uint32_t *immediate = (uint32_t *)(place + 1);
    CHECK_EQUAL(jit_call(place), 0);
    __asm__ volatile("movw $0x1234, (%0)" ::"r"(immediate) : "memory");
    CHECK_EQUAL(jit_call(place), 0x1234);
    __asm__ volatile("movl $0x12345, (%0)" ::"r"(immediate) : "memory");
    CHECK_EQUAL(jit_call(place), 0x12345);
    __asm__ volatile("lock incl (%0)" ::"r"(immediate) : "memory", "cc");
    CHECK_EQUAL(jit_call(place), 0x12346);
    uint32_t value = 99;
    __asm__ volatile("xchg %0, (%1)" : "+r"(value) : "r"(immediate) : "memory");
    CHECK_EQUAL(jit_call(place), 99);
    uint32_t old = 99;
    __asm__ volatile("lock cmpxchgl %2, (%1)"
                     : "+a"(old)
                     : "r"(immediate), "r"(100)
                     : "memory", "cc");
    CHECK_EQUAL(jit_call(place), 100);
    uint32_t expected = 101;
    __asm__ volatile("movd %1, %%xmm0; movd %%xmm0, (%0)" ::"r"(immediate), "r"(expected)
                     : "memory", "xmm0");
    CHECK_EQUAL(jit_call(place), 101);
    __asm__ volatile(
        "mov %%rsp, %%rdx; lea 8(%0), %%rsp; push %1; mov %%rdx, %%rsp" ::"r"(immediate),
        "r"(0x9090c300000066ul)
        : "memory", "rdx");
    CHECK_EQUAL(jit_call(place), 0x66);
    __asm__ volatile("movnti %1, (%0); sfence" ::"r"(immediate), "r"(103) : "memory");
    CHECK_EQUAL(jit_call(place), 103);
    memset(immediate, 0, 4);
    CHECK_EQUAL(jit_call(place), 0);
}

int main(void)
{
    page = mmap(NULL, JIT_PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    from_outside();
    next_instruction();
    counts_in_itself();
    by_string_instruction();
    data_beside_code();
    by_every_store();
    puts("runs as written");
    return 0;
}
