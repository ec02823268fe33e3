/* SPDX-License-Identifier: MIT */
/* Test that instructions that tell about the machine (rdtsc, cpuid, rdrand, xgetbv, rdpid, sgdt,
 * xbegin ...) behave plausibly. */
#include "tests/guest/guest.h"

#include <asm/prctl.h>
#include <cpuid.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/syscall.h>

static sigjmp_buf out;
static void on_fault(int signal_number)
{
    siglongjmp(out, signal_number);
}

static void clocks(void)
{
    uint64_t last = __builtin_ia32_rdtsc();
    for (int i = 0; i < 1000; i++) {
        unsigned aux;
        uint64_t now = i % 2 ? __builtin_ia32_rdtsc() : __builtin_ia32_rdtscp(&aux);
        CHECK(now >= last && now - last < 1ul << 45);
        last = now;
    }
    uint64_t rax = -1, rdx = -1;
    __asm__ volatile("rdtsc" : "+a"(rax), "+d"(rdx));
    CHECK(rax >> 32 == 0 && rdx >> 32 == 0);
    puts("clocks");
}

static void identification(void)
{
    uint32_t first[4], again[4];
    __cpuid_count(0, 0, first[0], first[1], first[2], first[3]);
    for (int i = 0; i < 50; i++) {
        __cpuid_count(0, 0, again[0], again[1], again[2], again[3]);
        CHECK(!memcmp(first, again, sizeof first));
    }
    uint64_t rax = 0xffffffff00000001, rbx = -1, rcx = -1, rdx = -1;
    __asm__ volatile("cpuid" : "+a"(rax), "+b"(rbx), "+c"(rcx), "+d"(rdx));
    CHECK(rax >> 32 == 0 && rbx >> 32 == 0 && rcx >> 32 == 0 && rdx >> 32 == 0);
    CHECK(rdx & 1 << 26); /* SSE2: x86-64 has it */
    if (rcx & 1 << 27) {
        uint32_t low, high;
        __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
        CHECK((low & 3) == 3 && high == 0);
    }
    if (rcx & 1 << 30) {
        uint64_t value = 0, other = 0;
        unsigned char ok = 0;
        for (int i = 0; i < 100 && (!ok || value == other); i++)
            __asm__ volatile("rdrand %0\n\trdrand %2\n\tsetc %1"
                             : "=r"(value), "=q"(ok), "=r"(other)
                             :
                             : "cc");
        CHECK(ok && value != other);
        uint64_t wide = -1;
        __asm__ volatile("rdrand %w0" : "+r"(wide) : : "cc");
        CHECK_EQUAL(wide >> 16, -1ul >> 16);
    }
    __cpuid_count(7, 0, first[0], first[1], first[2], first[3]);
    if (first[2] & 1 << 22) {
        uint64_t cpu;
        __asm__ volatile("rdpid %0" : "=r"(cpu));
        CHECK((cpu & 0xfff) < 4096);
    }
    if (first[1] & 1 << 18) {
        unsigned char ok = 0;
        uint64_t value;
        for (int i = 0; i < 1000 && !ok; i++)
            __asm__ volatile("rdseed %0\n\tsetc %1" : "=r"(value), "=q"(ok) : : "cc");
    }
    if (first[1] & 1 << 11) { /* RTM: must start or abort, and end right in both cases */
        unsigned status = 0;
        __asm__ volatile("mov $-1, %%eax\n\txbegin 1f\n\txend\n1:\tmov %%eax, %0"
                         : "=r"(status)
                         :
                         : "eax", "memory");
    }
    puts("identification");
}

static int signal_of(void (*body)(void))
{
    int signal_number = sigsetjmp(out, 1);
    if (!signal_number)
        body();
    return signal_number;
}
static void rdpmc(void)
{
    __asm__ volatile("rdpmc" ::"c"(0) : "rax", "rdx");
}
static void wrmsr(void)
{
    __asm__ volatile("wrmsr" ::"c"(0), "a"(0), "d"(0));
}
static void lgdt(void)
{
    char bytes[10] = {0};
    __asm__ volatile("lgdt %0" ::"m"(bytes));
}
static void xsetbv(void)
{
    __asm__ volatile("xsetbv" ::"c"(0), "a"(0), "d"(0));
}

static void privileged(void)
{
    signal(SIGSEGV, on_fault);
    signal(SIGILL, on_fault);
    CHECK_EQUAL(signal_of(rdpmc), SIGSEGV);
    CHECK_EQUAL(signal_of(wrmsr), SIGSEGV);
    CHECK_EQUAL(signal_of(lgdt), SIGSEGV);
    CHECK_EQUAL(signal_of(xsetbv), SIGSEGV);
    signal(SIGSEGV, SIG_DFL);
    signal(SIGILL, SIG_DFL);
    puts("privileged");
}

static void segment_bases(void)
{
    static uint64_t cells[4] = {11, 22, 33, 44};
    uint64_t value;
    CHECK(!syscall(SYS_arch_prctl, ARCH_SET_GS, cells));
    CHECK(!syscall(SYS_arch_prctl, ARCH_GET_GS, &value));
    CHECK_EQUAL(value, (uintptr_t)cells);
    __asm__ volatile("mov %%gs:8, %0" : "=r"(value));
    CHECK_EQUAL(value, 22);
    __asm__ volatile("mov %%gs:(%1), %0" : "=r"(value) : "r"(16ul));
    CHECK_EQUAL(value, 33);
    __asm__ volatile(
        "lea 1f(%%rip), %%rax\n\tmov %%rax, %%gs:24\n\tjmp *%%gs:24\n\tud2\n1:\tmov $7, %0"
        : "=r"(value)
        :
        : "rax", "memory");
    CHECK_EQUAL(value, 7);
    puts("segment bases");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    clocks();
    identification();
    privileged();
    segment_bases();
    if (getauxval(AT_HWCAP2) & 2) { /* FSGSBASE */
        uint64_t base, again;
        __asm__ volatile("rdfsbase %0\n\tmov %%fs:0, %1" : "=r"(base), "=r"(again));
        CHECK_EQUAL(base, again);
        __asm__ volatile("wrgsbase %1\n\trdgsbase %0" : "=r"(again) : "r"(0x1234000ul));
        CHECK_EQUAL(again, 0x1234000);
        __asm__ volatile("wrfsbase %0" ::"r"(base));
    }
    puts("done");
    return 0;
}
