/* SPDX-License-Identifier: MIT */
/* Test that code at the ends of mappings, far from everything, in low and in high memory runs, and
 * faults where it ends. */
#include "tests/guest/guest.h"

#include "tests/guest/jit.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

static sigjmp_buf out;
static uintptr_t fault_address, fault_pc;

static void on_fault(int signal_number, siginfo_t *info, void *context)
{
    fault_address = (uintptr_t)info->si_addr;
    fault_pc = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    siglongjmp(out, signal_number);
}

static unsigned char *pages(void *where, size_t count, int flags)
{
    void *place = mmap(where, count * JIT_PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                       MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    CHECK(place != MAP_FAILED);
    return place;
}

/* An unmapped page, one with code, an unmapped page. */
static unsigned char *lonely_page(void)
{
    unsigned char *place = pages(NULL, 3, 0);
    CHECK(!munmap(place, JIT_PAGE_BYTES) && !munmap(place + 2 * JIT_PAGE_BYTES, JIT_PAGE_BYTES));
    return place + JIT_PAGE_BYTES;
}

static void expect_fault(const unsigned char *start, const unsigned char *pc,
                         const unsigned char *address)
{
    int signal_number = sigsetjmp(out, 1);
    if (!signal_number) {
        jit_call(start);
        CHECK(!"ran over the end");
    }
    CHECK_EQUAL(signal_number, SIGSEGV);
    CHECK_EQUAL(fault_pc, pc);
    CHECK_EQUAL(fault_address, address);
}

static void ends(void)
{
    unsigned char *page = lonely_page(), *end = page + JIT_PAGE_BYTES;
    jit_emit(page, 1);
    jit_emit(end - JIT_FUNCTION_BYTES, 2);
    CHECK_EQUAL(jit_call(page), 1);
    CHECK_EQUAL(jit_call(end - JIT_FUNCTION_BYTES), 2);
    end[-1] = 0xc3;
    jit_call(end - 1);
    end[-1] = 0x90; /* falls off the end */
    expect_fault(end - 1, end, end);
    memcpy(end - 3, "\xb8\x01\x02", 3); /* an instruction cut by the end */
    expect_fault(end - 3, end - 3, end);
    memcpy(end - 5, "\xff\xc0\x90\x66\x2e", 5); /* inc, nop, two prefixes and nothing */
    expect_fault(end - 5, end - 2, end);
    memcpy(page + 100, "\xeb\x98", 2); /* jmp to page - 2 */
    page[101] = (unsigned char)(-100 - 2 - 2);
    expect_fault(page + 100, page - 2, page - 2);
    memcpy(end - 2, "\xeb\xfc", 2); /* jmp back to end - 4, which holds a ret */
    end[-4] = 0xc3;
    jit_call(end - 2);
    /* A conditional branch as the last instruction, not taken: the fault comes after it. */
    memcpy(end - 4, "\x39\xc0\x75\x00", 4);
    expect_fault(end - 4, end, end);
    puts("ends");
}

/* A loop with RIP-relative data and a call between two pages that the same distance separates. */
static const unsigned char far_code[] = {
    0x31, 0xc0,                /* xor %eax, %eax */
    0xb9, 10,   0,    0, 0,    /* mov $10, %ecx */
    0x03, 0x05, 0x20, 0, 0, 0, /* add 0x20(%rip), %eax -> offset 45 */
    0xff, 0x05, 0x1a, 0, 0, 0, /* incl 0x1a(%rip)      -> offset 45 */
    0xff, 0xc9,                /* dec %ecx */
    0x75, 0xf0,                /* jnz to the add */
    0xc3,
};

static void run_far(unsigned char *page)
{
    memcpy(page, far_code, sizeof far_code);
    uint32_t first = 5;
    memcpy(page + 45, &first, 4);
    CHECK_EQUAL(jit_call(page), 95);
    memcpy(&first, page + 45, 4);
    CHECK_EQUAL(first, 15);
}

static void everywhere(void)
{
    static const uintptr_t hints[] = {
        0x20000,     0x3ff000,       0x10000000,     0x7ffff000,     0x80000000,     0xfffff000,
        0x100000000, 0x123456789000, 0x400000000000, 0x555000000000, 0x7f0000000000,
    };
    for (unsigned i = 0; i < sizeof hints / sizeof hints[0]; i++) {
        void *place = mmap((void *)hints[i], JIT_PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        if (place == MAP_FAILED) {
            CHECK(errno == EEXIST || errno == EPERM || errno == ENOMEM);
            continue;
        }
        CHECK_EQUAL((uintptr_t)place, hints[i]);
        run_far(place);
        CHECK(!munmap(place, JIT_PAGE_BYTES));
    }
    puts("everywhere");
}

/* All of 3 GiB on both sides of the code reserved by the program: no room near it for anyone else.
 */
static void crowded(void)
{
    enum { GIB = 1 << 30 };
    unsigned char *base = mmap((void *)0x300000000000, 7ul * GIB, PROT_NONE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(base != MAP_FAILED);
    unsigned char *middle = base + 3ul * GIB + GIB / 2;
    CHECK(!mprotect(middle, JIT_PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC));
    run_far(middle);
    for (int i = 0; i < 3; i++) {
        jit_emit(middle + 100, (uint32_t)i);
        CHECK_EQUAL(jit_call(middle + 100), i);
    }
    CHECK(!munmap(base, 7ul * GIB));
    puts("crowded");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    CHECK(!sigaction(SIGSEGV, &action, NULL));
    for (int i = 0; i < 3; i++)
        ends();
    everywhere();
    crowded();
    return 0;
}
