/* SPDX-License-Identifier: MIT */
/* Test that rare integer instructions (xlat, enter, lahf, pushf, bt on memory, cmpxchg16b, CET
 * no-ops ...) work. */
#include "tests/guest/guest.h"

#include <stdint.h>

static uint64_t cells[8] __attribute__((aligned(64)));
typedef unsigned __int128 __attribute__((may_alias)) pair;

static void tables_and_frames(void)
{
    static const unsigned char table[256] = {[7] = 99, [255] = 44};
    uint64_t rax = 7;
    __asm__ volatile("xlatb" : "+a"(rax) : "b"(table));
    CHECK_EQUAL(rax, 99);
    rax = 0xffffffffffffffff;
    __asm__ volatile("rex64 xlatb" : "+a"(rax) : "b"(table));
    CHECK_EQUAL(rax, 0xffffffffffffff2c);

    uint64_t below, saved, restored;
    __asm__ volatile(
        "mov %%rbp, %%rcx\n\tmov %%rsp, %%rdx\n\t"
        "lea -128(%%rsp), %%rsp\n\tmov %%rsp, %%rdi\n\t"
        "enter $48, $0\n\t"
        "mov %%rdi, %%r8\n\tsub %%rsp, %%r8\n\t"
        "mov (%%rbp), %%r9\n\tsub %%rcx, %%r9\n\t"
        "leave\n\t"
        "mov %%rdi, %%r10\n\tsub %%rsp, %%r10\n\t"
        "mov %%rsp, %%rbp\n\tenter $16, $3\n\tleave\n\t" /* reads the frames behind rbp */
        "mov %%rcx, %%rbp\n\tmov %%rdx, %%rsp\n\t"
        "mov %%r8, %%rsi\n\tmov %%r9, %%rax\n\tmov %%r10, %%rdi\n\t"
        : "=S"(below), "=a"(saved), "=D"(restored)
        :
        : "rcx", "rdx", "r8", "r9", "r10", "memory", "cc");
    CHECK_EQUAL(below, 56);
    CHECK_EQUAL(saved, 0);
    CHECK_EQUAL(restored, 0);
    puts("xlat, enter, leave");
}

static void flags(void)
{
    for (uint64_t i = 0; i < 256; i++) {
        uint64_t rax = i << 8, back;
        __asm__ volatile("sahf\n\tlahf\n\tmovzbl %%ah, %%eax" : "+a"(rax) : : "cc");
        back = rax;
        CHECK_EQUAL(back, (i & 0xd5) | 2);
        uint64_t pushed;
        __asm__ volatile("mov %b1, %%ah\n\tsahf\n\tpushfq\n\tpop %0"
                         : "=r"(pushed)
                         : "c"(i)
                         : "rax", "cc", "memory");
        CHECK_EQUAL(pushed & 0xd5, i & 0xd5);
    }
    uint64_t flags_out;
    __asm__ volatile("pushq $0xed7\n\tpopfq\n\tpushfq\n\tpop %0\n\tcld"
                     : "=r"(flags_out)
                     :
                     : "cc", "memory");
    CHECK_EQUAL(flags_out & 0xcd5, 0xcd5);
    __asm__ volatile("pushw $0x0003\n\tpopfw\n\tpushfw\n\tmovzwl (%%rsp), %%eax\n\tadd $2, "
                     "%%rsp\n\tmov %%rax, %0"
                     : "=r"(flags_out)
                     :
                     : "rax", "cc", "memory");
    CHECK_EQUAL(flags_out & 0xcd5, 1);
    /* What must not change from user mode: IF and IOPL. */
    __asm__ volatile("pushq $0x3000\n\tpopfq\n\tpushfq\n\tpop %0"
                     : "=r"(flags_out)
                     :
                     : "cc", "memory");
    CHECK_EQUAL(flags_out & 0x3200, 0x200);
    uint64_t carry;
    __asm__ volatile(
        "clc\n\tcmc\n\tmov $0, %%eax\n\tadc $0, %%eax\n\tcmc\n\tsbb $0, %%eax\n\tmov %%rax, %0"
        : "=r"(carry)
        :
        : "rax", "cc");
    CHECK_EQUAL(carry, 0);
    puts("flags");
}

static void conditional_moves(void)
{
    for (uint64_t i = 0; i < 4; i++) {
        uint64_t result = 100, set;
        __asm__ volatile(
            "cmp $2, %[i]\n\tcmovb %[a], %[result]\n\tcmove %[b], %[result]\n\tsetae %b[set]\n\t"
            "movzbl %b[set], %k[set]"
            : [result] "+r"(result), [set] "=&q"(set)
            : [i] "r"(i), [a] "r"(1ul), [b] "r"(2ul)
            : "cc");
        CHECK_EQUAL(result, i < 2 ? 1 : i == 2 ? 2 : 100);
        CHECK_EQUAL(set, i >= 2);
    }
    puts("cmov, setcc");
}

static void bits_in_memory(void)
{
    memset(cells, 0, sizeof cells);
    int64_t far_bit = 5 * 64 + 17;
    unsigned char carry;
    __asm__ volatile("bts %2, %1\n\tsetc %0" : "=q"(carry), "+m"(cells) : "r"(far_bit) : "cc");
    CHECK_EQUAL(carry, 0);
    CHECK_EQUAL(cells[5], 1 << 17);
    int64_t negative = -64 * 3 + 2; /* from cells[4], so cells[1] */
    __asm__ volatile("lock btcq %2, %1\n\tsetc %0"
                     : "=q"(carry), "+m"(cells[4])
                     : "r"(negative)
                     : "cc", "memory");
    CHECK_EQUAL(carry, 0);
    CHECK_EQUAL(cells[1], 4);
    __asm__ volatile("btrl $17, %1\n\tsetc %0" : "=q"(carry), "+m"(cells[5]) : : "cc");
    CHECK_EQUAL(carry, 1);
    CHECK_EQUAL(cells[5], 0);
    puts("bits in memory");
}

static void locked(void)
{
    cells[0] = 5;
    uint64_t value = 10, old = 5;
    __asm__ volatile("lock xaddq %0, %1" : "+r"(value), "+m"(cells[0]) : : "cc");
    CHECK_EQUAL(value, 5);
    CHECK_EQUAL(cells[0], 15);
    unsigned char equal;
    __asm__ volatile("lock cmpxchgq %3, %2\n\tsete %1"
                     : "+a"(old), "=q"(equal), "+m"(cells[0])
                     : "r"(1ul)
                     : "cc");
    CHECK(!equal && old == 15);
    cells[2] = 1, cells[3] = 2;
    uint64_t low = 1, high = 2;
    __asm__ volatile("lock cmpxchg16b %3\n\tsete %2"
                     : "+a"(low), "+d"(high), "=q"(equal), "+m"(*(pair *)&cells[2])
                     : "b"(30ul), "c"(40ul)
                     : "cc");
    CHECK(equal && cells[2] == 30 && cells[3] == 40);
    __asm__ volatile("cmpxchg16b %3\n\tsete %2"
                     : "+a"(low), "+d"(high), "=q"(equal), "+m"(*(pair *)&cells[2])
                     : "b"(50ul), "c"(60ul)
                     : "cc");
    CHECK(!equal && low == 30 && high == 40);
    __asm__ volatile("lock notq %0\n\tlock negq %0\n\tlock decq %0" : "+m"(cells[0]) : : "cc");
    CHECK_EQUAL(cells[0], 15);
    __asm__ volatile("lock sbbl $0, %0\n\tlock orb $0x80, %0" : "+m"(cells[0]) : : "cc");
    puts("locked");
}

static void no_operations(void)
{
    uint64_t ssp = 0x1234, eax = 5;
    __asm__ volatile("endbr64\n\t"
                     "rdsspq %0\n\t"
                     "rdsspd %k0\n\t"
                     ".byte 0xf3, 0x0f, 0x1e, 0xfb\n\t" /* endbr32 */
                     "nopw 0x10(%%rax,%%rax,1)\n\tnopl (%%rax)\n\txchg %%ax, %%ax\n\t"
                     ".byte 0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0\n\t"
                     ".byte 0x0f, 0x0d, 0x08\n\t" /* prefetchw */
                     ".byte 0x0f, 0x18, 0x00\n\t" /* prefetchnta */
                     "pause\n\tlfence\n\tmfence\n\tsfence\n\t"
                     : "+r"(ssp)
                     : "a"(cells)
                     : "memory");
    CHECK_EQUAL(ssp, 0x1234); /* no shadow stack: a no-op */
    __asm__ volatile("xchg %%eax, %%eax\n\t.byte 0x90\n\t.byte 0x48, 0x90\n\tmov %%rax, %0"
                     : "+a"(eax));
    CHECK_EQUAL(eax, 5);
    puts("no-ops");
}

/* Which segment, which width, which half: what copying byte by byte must keep. */
static void odd_operands(void)
{
    uint64_t value = 0x1122334455667788, result;
    __asm__ volatile("mov %1, %%rax\n\tmov %%ah, %%al\n\tbswap %%rax\n\tmov %%rax, %0"
                     : "=r"(result)
                     : "r"(value)
                     : "rax");
    CHECK_EQUAL(result, 0x7777665544332211);
    cells[0] = value;
    __asm__ volatile("mov %1, %%rax\n\tmovbe (%%rax), %%rcx\n\tmov %%rcx, %0"
                     : "=r"(result)
                     : "r"(cells)
                     : "rax", "rcx", "memory");
    CHECK_EQUAL(result, 0x8877665544332211);
    uintptr_t low = (uintptr_t)cells;
    if (low >> 32 == 0) {
        __asm__ volatile("mov (%%ecx), %0" : "=r"(result) : "c"(low) : "memory");
        CHECK_EQUAL(result, value);
    }
    __asm__ volatile("movabs %1, %%rax\n\tmov %%rax, %0"
                     : "=r"(result)
                     : "i"(0x123456789abcdef0)
                     : "rax");
    CHECK_EQUAL(result, 0x123456789abcdef0);
    __asm__ volatile("lea 5(%%rax,%%rax,8), %0" : "=r"(result) : "a"(7ul));
    CHECK_EQUAL(result, 68);
    __asm__ volatile("push $-5\n\tpop %0" : "=r"(result) : : "memory");
    CHECK_EQUAL(result, -5);
    __asm__ volatile("mov %%fs:0, %0" : "=r"(result));
    CHECK_EQUAL(result, *(uint64_t *)result); /* the thread pointer points to itself */
    uint16_t cs, ss;
    __asm__ volatile("mov %%cs, %0\n\tmov %%ss, %1" : "=r"(cs), "=r"(ss));
    CHECK(cs == 0x33 && ss == 0x2b);
    puts("operands");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 0; i < 3; i++) {
        tables_and_frames();
        flags();
        conditional_moves();
        bits_in_memory();
        locked();
        no_operations();
        odd_operands();
    }
    return 0;
}
