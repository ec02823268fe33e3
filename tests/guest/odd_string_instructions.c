/* SPDX-License-Identifier: MIT */
/* Test that rep instructions of every kind and direction work, and stop in the middle at a fault
 * with exact registers. */
#include "tests/guest/guest.h"

#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { PAGE = 4096 };
static unsigned char *area;
static sigjmp_buf out;
static greg_t seen[NGREG];
static uintptr_t fault_address;
static int mend; /* the handler makes the page accessible and lets the instruction go on */

static void on_fault(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    memcpy(seen, ((ucontext_t *)context)->uc_mcontext.gregs, sizeof seen);
    fault_address = (uintptr_t)info->si_addr;
    if (!mend)
        siglongjmp(out, 1);
    CHECK(!mprotect(area + PAGE, PAGE, PROT_READ | PROT_WRITE));
}

static void plain(void)
{
    unsigned char from[100], to[100];
    for (int i = 0; i < 100; i++)
        from[i] = (unsigned char)(i * 3 + 1);
    void *source = from, *target = to;
    uint64_t count = 100;
    __asm__ volatile("rep movsb" : "+S"(source), "+D"(target), "+c"(count)::"memory");
    CHECK(!memcmp(from, to, 100) && count == 0 && target == to + 100);
    source = from + 99, target = to + 99, count = 100;
    memset(to, 0, 100);
    __asm__ volatile("std\n\trep movsb\n\tcld"
                     : "+S"(source), "+D"(target), "+c"(count)::"memory", "cc");
    CHECK(!memcmp(from, to, 100) && (uintptr_t)source + 1 == (uintptr_t)from);
    target = to, count = 12;
    __asm__ volatile("rep stosq" : "+D"(target), "+c"(count) : "a"(0x0102030405060708) : "memory");
    CHECK(to[0] == 8 && to[95] == 1);
    target = from, count = 100;
    __asm__ volatile("repne scasb" : "+D"(target), "+c"(count) : "a"(31) : "cc", "memory");
    CHECK_EQUAL(count, 89);
    source = from, target = to, count = 0;
    unsigned char zero;
    __asm__ volatile("cmp %%eax, %%eax\n\trepe cmpsb\n\tsetz %3"
                     : "+S"(source), "+D"(target), "+c"(count), "=q"(zero)
                     :
                     : "cc", "memory");
    CHECK(zero == 1 && source == from);
    memcpy(to, from, 100);
    to[40]++;
    source = from, target = to, count = 25;
    __asm__ volatile("repe cmpsl" : "+S"(source), "+D"(target), "+c"(count) : : "cc", "memory");
    CHECK_EQUAL(count, 14);
    uint64_t value = 0;
    source = from, count = 3;
    __asm__ volatile("rep lodsw" : "+S"(source), "+c"(count), "+a"(value) : : "memory");
    CHECK_EQUAL(value, from[4] | from[5] << 8);
    target = to;
    __asm__ volatile("stosl\n\tstosw\n\tstosb" : "+D"(target) : "a"(0x44332211) : "memory");
    CHECK(to[3] == 0x44 && to[5] == 0x22 && to[6] == 0x11);
    puts("plain");
}

extern char rep_movs_at[], rep_stos_at[], rep_cmps_at[], rep_back_at[];

__attribute__((noinline)) static uint64_t rep_movs(void *source, void *target, uint64_t count)
{
    __asm__ volatile("rep_movs_at: rep movsb" : "+S"(source), "+D"(target), "+c"(count)::"memory");
    return count;
}
__attribute__((noinline)) static uint64_t rep_stos(void *target, uint64_t count)
{
    __asm__ volatile("rep_stos_at: rep stosl"
                     : "+D"(target), "+c"(count)
                     : "a"(0x5a5a5a5a)
                     : "memory");
    return count;
}
__attribute__((noinline)) static uint64_t rep_cmps(void *source, void *target, uint64_t count)
{
    __asm__ volatile("rep_cmps_at: repe cmpsb"
                     : "+S"(source), "+D"(target), "+c"(count)::"memory", "cc");
    return count;
}
__attribute__((noinline)) static uint64_t rep_back(void *source, void *target, uint64_t count)
{
    __asm__ volatile("std\n"
                     "rep_back_at: rep movsb\n\tcld"
                     : "+S"(source), "+D"(target), "+c"(count)::"memory", "cc");
    return count;
}

#define FAULTS(call, label, left, address)              \
    do {                                                \
        CHECK(!mprotect(area + PAGE, PAGE, PROT_NONE)); \
        mend = 0;                                       \
        if (!sigsetjmp(out, 1)) {                       \
            call;                                       \
            CHECK(!"no fault");                         \
        }                                               \
        CHECK_EQUAL(seen[REG_RIP], label);              \
        CHECK_EQUAL(seen[REG_RCX], left);               \
        CHECK_EQUAL(fault_address, address);            \
        mend = 1;                                       \
        CHECK_EQUAL(call, 0);                           \
        CHECK_EQUAL(seen[REG_RIP], label);              \
    } while (0)

static void in_the_middle(void)
{
    unsigned char from[3000];
    memset(from, 7, sizeof from);
    memset(area, 0, 3 * PAGE);
    FAULTS(rep_movs(from, area + PAGE - 1000, 1500), rep_movs_at, 500, area + PAGE);
    CHECK(area[PAGE - 1000] == 7 && area[PAGE + 499] == 7 && area[PAGE + 500] == 0);
    FAULTS(rep_stos(area + PAGE - 40, 100), rep_stos_at, 90, area + PAGE);
    CHECK(area[PAGE] == 0x5a);
    memset(area + PAGE, 7, 600);
    memset(area, 7, PAGE);
    FAULTS(rep_cmps(from, area + PAGE - 300, 600), rep_cmps_at, 300, area + PAGE);
    /* Downwards, out of the low end of the accessible part. */
    FAULTS(rep_back(from + 999, area + 2 * PAGE + 99, 600), rep_back_at, 500, area + 2 * PAGE - 1);
    CHECK(area[2 * PAGE - 1] == 7);
    puts("in the middle");
}

int main(void)
{
    area = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(area != MAP_FAILED);
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    CHECK(!sigaction(SIGSEGV, &action, NULL));
    for (int i = 0; i < 20; i++)
        plain();
    for (int i = 0; i < 5; i++)
        in_the_middle();
    return 0;
}
