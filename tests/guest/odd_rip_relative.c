/* SPDX-License-Identifier: MIT */
/* Test that RIP-relative operands of every size, with immediates of every size, reach the program's
 * own data. */
#include "tests/guest/guest.h"

#include <stdint.h>

uint64_t rip_cell[8] __attribute__((aligned(64)));
float rip_float = 1.5f;
double rip_double = 2.5;
long double rip_long_double = 3.5L;
void *rip_target;

/* clang-format off */
#define ON_CELL(instruction, ...)                                                                  \
    __asm__ volatile(instruction : : __VA_ARGS__ : "rax", "rcx", "rdx", "rbx", "xmm0", "xmm1", "cc", "memory")
/* clang-format on */

static void stores(void)
{
    memset(rip_cell, 0, sizeof rip_cell);
    ON_CELL("movb $0x11, rip_cell(%%rip)", "r"(0));
    CHECK_EQUAL(rip_cell[0], 0x11);
    ON_CELL("movw $0x2222, rip_cell(%%rip)", "r"(0));
    CHECK_EQUAL(rip_cell[0], 0x2222);
    ON_CELL("movl $0x33333333, rip_cell(%%rip)", "r"(0));
    CHECK_EQUAL(rip_cell[0], 0x33333333);
    ON_CELL("movq $-4, rip_cell(%%rip)", "r"(0));
    CHECK_EQUAL(rip_cell[0], -4);
    ON_CELL("addb $5, rip_cell(%%rip)\n\taddw $0x100, rip_cell+2(%%rip)\n\taddl $0x10000, "
            "rip_cell+4(%%rip)",
            "r"(0));
    CHECK_EQUAL(rip_cell[0], 0x0000ffff00ffff01);
    ON_CELL(
        "andq $0xff, rip_cell(%%rip)\n\torq $0x7000, rip_cell(%%rip)\n\txorl $1, rip_cell(%%rip)",
        "r"(0));
    CHECK_EQUAL(rip_cell[0], 0x7000);
    ON_CELL("shlq $4, rip_cell(%%rip)\n\tsarl $2, rip_cell(%%rip)\n\trolw $3, "
            "rip_cell(%%rip)\n\tincq rip_cell(%%rip)",
            "r"(0));
    printf("shifts %llx\n", (unsigned long long)rip_cell[0]);
    ON_CELL("mov %%sil, rip_cell(%%rip)\n\tmov %%r9, rip_cell+8(%%rip)\n\tmov %%rax, "
            "rip_cell+16(%%rip)",
            "r"(0));
    ON_CELL("movups %%xmm0, rip_cell+16(%%rip)\n\tmovd %%xmm0, rip_cell(%%rip)\n\tmovhps %%xmm0, "
            "rip_cell+32(%%rip)",
            "r"(0));
    ON_CELL("movq $9, rip_cell(%%rip)\n\tpushq rip_cell(%%rip)\n\tpopq rip_cell+8(%%rip)", "r"(0));
    CHECK_EQUAL(rip_cell[1], 9);
    ON_CELL("xor %%ecx, %%ecx\n\tcmp %%rcx, rip_cell(%%rip)\n\tsetne rip_cell+16(%%rip)", "r"(0));
    CHECK_EQUAL(rip_cell[2] & 0xff, 1);
    ON_CELL("btsq $40, rip_cell(%%rip)\n\tlock xaddq %%rcx, rip_cell(%%rip)\n\tcmpxchg8b "
            "rip_cell+24(%%rip)",
            "r"(0));
    puts("stores");
}

static uint64_t load_all(void)
{
    uint64_t sum = 0, part;
    rip_cell[0] = 0x8899aabbccddeeff;
#define LOAD(instruction)                                            \
    __asm__ volatile(instruction "\n\tmov %%rax, %0"                 \
                     : "=r"(part)                                    \
                     :                                               \
                     : "rax", "rcx", "rdx", "xmm0", "cc", "memory"); \
    sum = sum * 31 + part
    LOAD("movzbl rip_cell(%%rip), %%eax");
    LOAD("movsbq rip_cell(%%rip), %%rax");
    LOAD("movzwl rip_cell+1(%%rip), %%eax");
    LOAD("movslq rip_cell+4(%%rip), %%rax");
    LOAD("mov rip_cell(%%rip), %%rax");
    LOAD("imul $77, rip_cell(%%rip), %%rax");
    LOAD("imul $77777777, rip_cell(%%rip), %%rax");
    LOAD("xor %%eax, %%eax\n\timul $7777, rip_cell(%%rip), %%ax");
    LOAD("lea rip_cell(%%rip), %%rax\n\tmov (%%rax), %%rax");
    LOAD("mov $3, %%eax\n\tmulq rip_cell(%%rip)");
    LOAD("mov $99, %%eax\n\txor %%edx, %%edx\n\tdivl rip_cell(%%rip)");
    LOAD("xor %%eax, %%eax\n\ttestb $0x80, rip_cell(%%rip)\n\tsetnz %%al");
    LOAD("xor %%eax, %%eax\n\tcmpw $0x1234, rip_cell(%%rip)\n\tseta %%al");
    LOAD("xor %%eax, %%eax\n\tcmpl $0x12345678, rip_cell(%%rip)\n\tseta %%al");
    LOAD(
        "movq rip_cell(%%rip), %%xmm0\n\tpshufd $0x1b, %%xmm0, %%xmm0\n\tpextrq $1, %%xmm0, %%rax");
    LOAD("pshufd $0x4e, rip_cell(%%rip), %%xmm0\n\tpextrq $1, %%xmm0, %%rax");
    LOAD("pinsrw $3, rip_cell(%%rip), %%xmm0\n\tpextrw $3, %%xmm0, %%eax");
    LOAD("cvtss2sd rip_float(%%rip), %%xmm0\n\taddsd rip_double(%%rip), %%xmm0\n\tcvtsd2si %%xmm0, "
         "%%rax");
    LOAD("fldt rip_long_double(%%rip)\n\tfmull rip_double(%%rip)\n\tfistpll -16(%%rsp)\n\tmov "
         "-16(%%rsp), %%rax");
    LOAD("mov $5, %%ecx\n\txor %%eax, %%eax\n\tcmp $1, %%ecx\n\tcmovaq rip_cell(%%rip), %%rax");
    LOAD("shldq $12, %%rax, rip_cell+8(%%rip)\n\tmov rip_cell(%%rip), %%rax");
    LOAD("popcntq rip_cell(%%rip), %%rax");
    LOAD("xor %%eax, %%eax\n\tcrc32q rip_cell(%%rip), %%rax");
    LOAD("mov rip_cell(%%rip), %%r15d\n\tmov %%r15, %%rax");
    return sum;
}

static void transfers(void)
{
    uint64_t result;
    rip_target = NULL;
    __asm__ volatile("lea 1f(%%rip), %%rax\n\tmov %%rax, rip_target(%%rip)\n\t"
                     "xor %%ecx, %%ecx\n\t"
                     "lea -256(%%rsp), %%rsp\n\t"
                     "call *rip_target(%%rip)\n\t"
                     "add $100, %%ecx\n\t"
                     "lea 2f(%%rip), %%rax\n\tmov %%rax, rip_target(%%rip)\n\t"
                     "jmp *rip_target(%%rip)\n\tud2\n"
                     "1:\tinc %%ecx\n\tret\n"
                     "2:\tlea 256(%%rsp), %%rsp\n\tmov %%rcx, %0"
                     : "=r"(result)
                     :
                     : "rax", "rcx", "cc", "memory");
    CHECK_EQUAL(result, 101);
    puts("transfers");
}

/* The address of every operand must be the app's: lea and call show it. */
static void addresses(void)
{
    uint64_t here, next;
    __asm__ volatile("lea 0(%%rip), %0\n1:\tlea 1b(%%rip), %1" : "=r"(here), "=r"(next));
    CHECK_EQUAL(here, next);
    __asm__ volatile("call 1f\n1:\tpop %0\n\tlea 1b(%%rip), %1"
                     : "=&r"(here), "=&r"(next)
                     :
                     : "memory");
    CHECK_EQUAL(here, next);
    uint32_t half;
    __asm__ volatile("lea 1f(%%rip), %k0\n1:\n\tlea 1b(%%rip), %1" : "=&r"(half), "=&r"(next));
    CHECK_EQUAL(half, (uint32_t)next);
    puts("addresses");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 0; i < 3; i++) {
        stores();
        transfers();
        addresses();
    }
    uint64_t first = load_all();
    rip_cell[1] = 0;
    CHECK_EQUAL(load_all(), first);
    printf("loads %llx\n", (unsigned long long)first);
    return 0;
}
