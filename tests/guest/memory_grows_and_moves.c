/* SPDX-License-Identifier: MIT */
/* Test that brk, mmap of all sizes and places, guard pages, stack growth, alloca and limits work as
 * documented. */
#include "tests/guest/guest.h"

#include <alloca.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { PAGE = 4096 };

static sigjmp_buf out;
static void *fault_address;
static void on_fault(int signal_number, siginfo_t *info, void *context)
{
    (void)context;
    fault_address = info->si_addr;
    siglongjmp(out, signal_number);
}

static void heap(void)
{
    char *start = sbrk(0);
    for (int i = 0; i < 100; i++) {
        char *old = sbrk(10000);
        CHECK(old == start + i * 10000);
        for (int j = 0; j < 10000; j += 1000)
            CHECK_EQUAL(old[j], 0);
        old[9999] = 1;
    }
    CHECK(!brk(start));
    CHECK(sbrk(64 << 20) == start);
    start[50 << 20] = 5;
    CHECK(!brk(start));
    CHECK(sbrk(0) == start);
    puts("heap");
}

static void places(void)
{
    size_t huge = 1ul << 40;
    char *big = mmap(NULL, huge, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(big != MAP_FAILED);
    big[0] = 1;
    big[huge / 2] = 2;
    big[huge - 1] = 3;
    CHECK(!munmap(big + PAGE, huge - 2 * PAGE));
    CHECK(big[0] == 1 && big[huge - 1] == 3);
    /* Every page of a range mapped, unmapped and protected one by one. */
    char *range = mmap(NULL, 64 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 64; i++) {
        char *page = mmap(range + i * PAGE, PAGE, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        CHECK(page == range + i * PAGE);
        *page = (char)i;
        if (i % 3 == 0)
            CHECK(!munmap(page, PAGE));
    }
    for (int i = 0; i < 64; i++) {
        if (!sigsetjmp(out, 1)) {
            CHECK_EQUAL(((volatile char *)range)[i * PAGE], i);
            CHECK(i % 3);
        } else {
            CHECK(i % 3 == 0 && fault_address == range + i * PAGE);
        }
    }
    CHECK(mmap((void *)PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
               0) == MAP_FAILED ||
          !munmap((void *)PAGE, PAGE));
    CHECK(mmap((void *)0x123, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
          MAP_FAILED);
    CHECK_EQUAL(errno, EINVAL);
    CHECK(mmap((void *)(1ul << 47), PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
               0) == MAP_FAILED);
    CHECK_EQUAL(errno, ENOMEM);
    char *low =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    CHECK(low != MAP_FAILED && (uintptr_t)low >> 32 == 0);
    char *grown = mremap(low, PAGE, 8 * PAGE, MREMAP_MAYMOVE);
    CHECK(grown != MAP_FAILED && grown[7 * PAGE] == 0);
    puts("places");
}

/* The low addresses that a program may use: what looks free is free, and holds zeroes. */
static void low_addresses(void)
{
    enum { STEP = 0x11000 };
    for (uintptr_t place = 0x10000; place < 0x400000; place += STEP) {
        char *page = mmap((void *)place, PAGE, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        if (page == MAP_FAILED) {
            CHECK(errno == EPERM || errno == EEXIST);
            continue;
        }
        CHECK_EQUAL((uintptr_t)page, place);
        for (int i = 0; i < PAGE; i += 64)
            CHECK_EQUAL(page[i], 0);
        memset(page, 0x5a, PAGE);
        CHECK(!munmap(page, PAGE));
    }
    puts("low addresses");
}

__attribute__((noinline)) static int with_alloca(size_t bytes)
{
    volatile char *block = alloca(bytes);
    for (size_t i = 0; i < bytes; i += PAGE)
        block[i] = 1;
    block[bytes - 1] = 2;
    return block[bytes - 1];
}

static void stack(void)
{
    for (size_t bytes = 100; bytes < 3000000; bytes *= 3)
        CHECK_EQUAL(with_alloca(bytes), 2);
    volatile uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    volatile char *far =
        (char *)(here - 2000000); /* far below the stack pointer, within the limit: grows */
    *far = 1;
    CHECK_EQUAL(*far, 1);
    static char handler_stack[65536];
    stack_t alternate = {.ss_sp = handler_stack, .ss_size = sizeof handler_stack};
    CHECK(!sigaltstack(&alternate, NULL));
    if (!sigsetjmp(out, 1)) {
        volatile char *beyond = (char *)(here - (9ul << 20));
        *beyond = 1;
        CHECK(!"stack without limit");
    }
    puts("stack");
}

static void limits(void)
{
    struct rlimit old, small = {64 << 20, RLIM_INFINITY};
    CHECK(!getrlimit(RLIMIT_DATA, &old));
    small.rlim_max = old.rlim_max;
    CHECK(!setrlimit(RLIMIT_DATA, &small));
    CHECK(mmap(NULL, 256 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
          MAP_FAILED);
    CHECK_EQUAL(errno, ENOMEM);
    CHECK(!setrlimit(RLIMIT_DATA, &old));
    CHECK(!getrlimit(RLIMIT_AS, &old));
    small.rlim_max = old.rlim_max;
    CHECK(!setrlimit(RLIMIT_AS, &small));
    CHECK(mmap(NULL, 256 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
    struct rlimit now;
    CHECK(!getrlimit(RLIMIT_AS, &now) && now.rlim_cur == small.rlim_cur);
    CHECK(!setrlimit(RLIMIT_AS, &old));
    puts("limits");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    CHECK(!sigaction(SIGSEGV, &action, NULL));
    struct rlimit limit;
    CHECK(!getrlimit(RLIMIT_STACK, &limit));
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > 8 << 20) {
        limit.rlim_cur = 8 << 20;
        CHECK(!setrlimit(RLIMIT_STACK, &limit));
    }
    heap();
    places();
    low_addresses();
    stack();
    limits();
    return 0;
}
