/* SPDX-License-Identifier: MIT */
/* Test that transfers with prefixes, in rare encodings and of rare kinds go where the CPU sends
 * them. */
#include "tests/guest/guest.h"

#include <stdint.h>

/* Each snippet leaves its answer in eax; ecx, edx, rsi, rdi and flags are free to it. rdi = the
 * argument. */
#define SNIPPET(name, ...)                                      \
    __asm__(".text\n" #name ":\n\t" __VA_ARGS__ "\n.previous"); \
    extern uint64_t name(uint64_t)

/* clang-format off */
/* Loop to 10 by a backward jcc behind each prefix that has no effect on it. */
#define LOOP_WITH(name, bytes)                                                                     \
    SNIPPET(name, "xor %eax, %eax\n1: add $1, %eax; cmp $10, %eax\n\t.byte " bytes                 \
                  "\n\t.byte 0x0f, 0x85\n\t.long 1b - . - 4\n\tret")
LOOP_WITH(loop_2e, "0x2e");
LOOP_WITH(loop_3e, "0x3e");
LOOP_WITH(loop_64, "0x64");
LOOP_WITH(loop_65, "0x65");
LOOP_WITH(loop_f2, "0xf2");
LOOP_WITH(loop_f3, "0xf3");
LOOP_WITH(loop_67, "0x67");
LOOP_WITH(loop_26, "0x26");
LOOP_WITH(loop_48, "0x48");
LOOP_WITH(loop_many, "0x2e, 0x2e, 0x3e, 0x64, 0xf2, 0x47");

SNIPPET(short_prefixed, "xor %eax, %eax\n1: inc %eax; cmp $10, %eax\n\t.byte 0x3e, 0x75\n\t.byte 1b - . - 1\n\tret");
SNIPPET(bnd_calls, "mov $5, %eax\n\t.byte 0xf2\n\tcall 1f\n\tinc %eax\n\t.byte 0xf2\n\tret\n1:\tadd $10, %eax\n\t.byte 0xf2\n\tret");
SNIPPET(bnd_jump, "mov $5, %eax\n\t.byte 0xf2\n\tjmp 1f\n\tud2\n1: lea 2f(%rip), %rdx\n\t.byte 0xf2\n\tjmp *%rdx\n\tud2\n2: ret");
SNIPPET(notrack_jump, "mov $6, %eax\n\tlea 1f(%rip), %rdx\n\tnotrack jmp *%rdx\n\tud2\n1:\n\tret");
SNIPPET(notrack_call, "mov $6, %eax\n\tlea 1f(%rip), %rdx\n\tnotrack call *%rdx\n\tinc %eax\n\tret\n1:\tadd %eax, %eax\n\tret");
SNIPPET(rep_ret, "mov $7, %eax\n\trep ret");
SNIPPET(data16_ret_f2, "mov $8, %eax\n\t.byte 0xf2, 0xc3");
SNIPPET(rex_ret, "mov $9, %eax\n\t.byte 0x48, 0xc3");
SNIPPET(cs_jump, "mov $10, %eax\n\tlea 1f(%rip), %rdx\n\t.byte 0x2e, 0xff, 0xe2\n\tud2\n1:\tret");
SNIPPET(rex_call, "xor %eax, %eax\n\t.byte 0x48, 0xe8\n\t.long 1f - . - 4\n\tinc %eax\n\tret\n1:\tadd $20, %eax\n\tret");
SNIPPET(rexw_jump, "mov $11, %eax\n\tlea 1f(%rip), %rdx\n\t.byte 0x48, 0xff, 0xe2\n\tud2\n1:\tret");
SNIPPET(long_jump_short, "mov $12, %eax\n\t.byte 0xe9\n\t.long 0\n\tret");
SNIPPET(jump_to_next, "mov $13, %eax\n\tjmp 1f\n1:\tjz 2f\n2:\tjnz 3f\n3:\tret");

SNIPPET(loop_counts, "xor %eax, %eax\n\tmov $10, %ecx\n1:\tadd %ecx, %eax\n\tloop 1b\n\tret");
SNIPPET(loop_ecx, "xor %eax, %eax\n\tmovabs $0x500000003, %rcx\n1:\tinc %eax\n\taddr32 loop 1b\n\tadd %ecx, %eax\n\tret");
SNIPPET(loope_stops, "xor %eax, %eax\n\tmov $10, %ecx\n1:\tinc %eax\n\tcmp $4, %eax\n\tloopne 1b\n\tshl $8, %eax\n\tor %ecx, %eax\n\tret");
SNIPPET(loope_runs, "xor %eax, %eax\n\tmov $5, %ecx\n1:\tadd $2, %eax\n\tcmp %eax, %eax\n\tloope 1b\n\tret");
SNIPPET(loop_keeps_flags, "mov $3, %ecx\n\tstc\n1:\tloop 1b\n\tsetc %al\n\tmovzx %al, %eax\n\tret");
SNIPPET(jrcxz_taken, "xor %ecx, %ecx\n\tmov $1, %eax\n\tjrcxz 1f\n\tmov $2, %eax\n1:\tret");
SNIPPET(jrcxz_upper, "movabs $0x100000000, %rcx\n\tmov $1, %eax\n\tjrcxz 1f\n\tmov $2, %eax\n1:\tret");
SNIPPET(jecxz_upper, "movabs $0x100000000, %rcx\n\tmov $1, %eax\n\tjecxz 1f\n\tmov $2, %eax\n1:\tret");
SNIPPET(jrcxz_backward, "xor %eax, %eax\n\tjmp 2f\n1:\tmov $55, %eax\n\tret\n2:\txor %ecx, %ecx\n\tjrcxz 1b\n\tud2");
SNIPPET(loop_zero_wraps, "mov $2, %ecx\n\txor %eax, %eax\n1:\tinc %eax\n\tloop 1b\n\tadd %ecx, %eax\n\tret");

SNIPPET(ret_immediate, "push %rdi\n\tpush %rdi\n\tmov %rsp, %rdx\n\tpush %rdi\n\tpush %rdi\n\tpush %rdi\n\tcall 1f\n\tmov %rsp, %rax\n\tsub %rdx, %rax\n\tpop %rdx\n\tpop %rdx\n\tret\n1:\tret $24");
SNIPPET(ret_immediate_odd, "mov %rsp, %rdx\n\tsub $7, %rsp\n\tcall 1f\n\tmov %rsp, %rax\n\tmov %rdx, %rsp\n\tsub %rdx, %rax\n\tret\n1:\tret $7");
SNIPPET(push_ret, "lea 1f(%rip), %rdx\n\tpush %rdx\n\tret\n\tud2\n1:\tmov $31, %eax\n\tret");
SNIPPET(push_ret_backward, "xor %eax, %eax\n\tlea 1f(%rip), %rdx\n1:\tinc %eax\n\tcmp $50, %eax\n\tje 2f\n\tpush %rdx\n\tret\n2:\tret");
SNIPPET(call_next_pop, "call 1f\n1:\tpop %rax\n\tlea 1b(%rip), %rdx\n\tsub %rdx, %rax\n\tret");
SNIPPET(returned_elsewhere, "call 1f\n\tud2\n\tmov $77, %eax\n\tret\n1:\taddq $2, (%rsp)\n\tret");
SNIPPET(return_twice, "xor %eax, %eax\n\tlea 1f(%rip), %rdx\n\tpush %rdx\n\tpush %rdx\n\tpush %rdx\n\tret\n1:\tinc %eax\n\tcmp $3, %eax\n\tje 2f\n\tret\n2:\tret");
SNIPPET(call_skips_data, "call 1f\n\t.ascii \"data\"\n1:\tpop %rdx\n\tmov (%rdx), %eax\n\tret");
SNIPPET(middle_of_instruction, "xor %eax, %eax\n\txor %edx, %edx\n1:\t.byte 0xb9, 0x83, 0xc0, 0x05, 0x90\n\tadd $100, %eax\n\ttest %edx, %edx\n\tjnz 2f\n\tinc %edx\n\tjmp 1b + 1\n2:\tret");
SNIPPET(jump_over_prefix, "xor %eax, %eax\n\tmov $1, %ecx\n\tmov %rcx, %rdx\n\tjmp 1f + 1\n1:\tlock incl (%rdi)\n\tmov (%rdi), %eax\n\tret");
SNIPPET(call_memory_rsp, "lea 1f(%rip), %rdx\n\tpush %rdx\n\tcall *(%rsp)\n\tpop %rdx\n\tinc %eax\n\tret\n1:\tmov $40, %eax\n\tret");
SNIPPET(call_memory_rsp_8, "lea 1f(%rip), %rdx\n\tpush %rdx\n\tpush $0\n\tcall *8(%rsp)\n\tadd $16, %rsp\n\tinc %eax\n\tret\n1:\tmov $41, %eax\n\tret");
SNIPPET(jump_memory_rsp, "lea 1f(%rip), %rdx\n\tpush %rdx\n\tjmp *(%rsp)\n\tud2\n1:\tpop %rdx\n\tmov $43, %eax\n\tret");
SNIPPET(jump_pop_memory, "lea 1f(%rip), %rdx\n\tmov %rdx, -64(%rsp)\n\tjmp *-64(%rsp)\n\tud2\n1:\tmov $44, %eax\n\tret");
SNIPPET(push_rsp_pop, "push %rdi\n\tpush %rsp\n\tpopq (%rsp)\n\tpop %rax\n\tsub %rsp, %rax\n\tret");
SNIPPET(table_jump, "and $3, %edi\n\tlea 9f(%rip), %rdx\n\tmovslq (%rdx,%rdi,4), %rcx\n\tadd %rcx, %rdx\n\tjmp *%rdx\n"
        "1:\tmov $100, %eax\n\tret\n2:\tmov $101, %eax\n\tret\n3:\tmov $102, %eax\n\tret\n4:\tmov $103, %eax\n\tret\n"
        "9:\t.long 1b - 9b, 2b - 9b, 3b - 9b, 4b - 9b");
SNIPPET(every_condition,
        "xor %eax, %eax\n\tmov %edi, %edx\n\tcmp $5, %edx\n\tjo 1f\n\tor $1, %eax\n1:\tcmp $5, %edx\n\tjno 1f\n\tor $2, %eax\n1:"
        "\tcmp $5, %edx\n\tjb 1f\n\tor $4, %eax\n1:\tcmp $5, %edx\n\tjae 1f\n\tor $8, %eax\n1:\tcmp $5, %edx\n\tje 1f\n\tor $16, %eax\n1:"
        "\tcmp $5, %edx\n\tjne 1f\n\tor $32, %eax\n1:\tcmp $5, %edx\n\tjbe 1f\n\tor $64, %eax\n1:\tcmp $5, %edx\n\tja 1f\n\tor $128, %eax\n1:"
        "\tcmp $5, %edx\n\tjs 1f\n\tor $256, %eax\n1:\tcmp $5, %edx\n\tjns 1f\n\tor $512, %eax\n1:\tcmp $5, %edx\n\tjp 1f\n\tor $1024, %eax\n1:"
        "\tcmp $5, %edx\n\tjnp 1f\n\tor $2048, %eax\n1:\tcmp $5, %edx\n\tjl 1f\n\tor $4096, %eax\n1:\tcmp $5, %edx\n\tjge 1f\n\tor $8192, %eax\n1:"
        "\tcmp $5, %edx\n\tjle 1f\n\tor $16384, %eax\n1:\tcmp $5, %edx\n\tjg 1f\n\tor $32768, %eax\n1:\tret");
/* clang-format on */

static uint64_t cell[2];

static uint64_t checked(uint64_t (*snippet)(uint64_t), uint64_t argument)
{
    return snippet(argument) & 0xffffffff;
}

#define EXPECT(snippet, argument, value)    \
    for (int again = 0; again < 4; again++) \
    CHECK_EQUAL(checked(snippet, argument), (uint32_t)(value))

static void prefixes(void)
{
    EXPECT(loop_2e, 0, 10);
    EXPECT(loop_3e, 0, 10);
    EXPECT(loop_64, 0, 10);
    EXPECT(loop_65, 0, 10);
    EXPECT(loop_f2, 0, 10);
    EXPECT(loop_f3, 0, 10);
    EXPECT(loop_67, 0, 10);
    EXPECT(loop_26, 0, 10);
    EXPECT(loop_48, 0, 10);
    EXPECT(loop_many, 0, 10);
    EXPECT(short_prefixed, 0, 10);
    EXPECT(bnd_calls, 0, 16);
    EXPECT(bnd_jump, 0, 5);
    EXPECT(notrack_jump, 0, 6);
    EXPECT(notrack_call, 0, 13);
    EXPECT(rep_ret, 0, 7);
    EXPECT(data16_ret_f2, 0, 8);
    EXPECT(rex_ret, 0, 9);
    EXPECT(cs_jump, 0, 10);
    EXPECT(rex_call, 0, 21);
    EXPECT(rexw_jump, 0, 11);
    EXPECT(long_jump_short, 0, 12);
    EXPECT(jump_to_next, 0, 13);
    puts("prefixes");
}

static void loops(void)
{
    EXPECT(loop_counts, 0, 55);
    EXPECT(loop_ecx, 0, 3);
    EXPECT(loope_stops, 0, 4 << 8 | 6);
    EXPECT(loope_runs, 0, 10);
    EXPECT(loop_keeps_flags, 0, 1);
    EXPECT(jrcxz_taken, 0, 1);
    EXPECT(jrcxz_upper, 0, 2);
    EXPECT(jecxz_upper, 0, 1);
    EXPECT(jrcxz_backward, 0, 55);
    EXPECT(loop_zero_wraps, 0, 2);
    puts("loops");
}

static void stack_transfers(void)
{
    EXPECT(ret_immediate, 0, 0);
    EXPECT(ret_immediate_odd, 0, 0);
    EXPECT(push_ret, 0, 31);
    EXPECT(push_ret_backward, 0, 50);
    EXPECT(call_next_pop, 0, 0);
    EXPECT(returned_elsewhere, 0, 77);
    EXPECT(return_twice, 0, 3);
    EXPECT(call_skips_data, 0, 0x61746164);
    EXPECT(call_memory_rsp, 0, 41);
    EXPECT(call_memory_rsp_8, 0, 42);
    EXPECT(jump_memory_rsp, 0, 43);
    EXPECT(jump_pop_memory, 0, 44);
    EXPECT(push_rsp_pop, 0, -8);
    puts("through the stack");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    prefixes();
    loops();
    stack_transfers();
    EXPECT(middle_of_instruction, 0, 205);
    cell[0] = 0;
    for (int i = 1; i < 5; i++)
        CHECK_EQUAL(checked(jump_over_prefix, (uintptr_t)cell), i);
    for (uint64_t i = 0; i < 8; i++)
        EXPECT(table_jump, i, 100 + i % 4);
    for (uint64_t i = 0; i < 8; i++)
        printf("conditions %llu: %llx\n", (unsigned long long)i,
               (unsigned long long)checked(every_condition, i));
    return 0;
}
