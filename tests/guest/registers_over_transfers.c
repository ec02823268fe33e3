/* SPDX-License-Identifier: MIT */
/* Test that every kind of transfer, to code never seen before and seen often, keeps all registers,
 * and flags where read. */
#include "tests/guest/guest.h"

#include <stdint.h>
#include <sys/mman.h>

/* What the landing pads store: rax, rcx, rdx, rbx, rbp, rsi, rdi, r8-r15, flags, xmm0 and xmm15's
 * low halves. */
struct state {
    uint64_t registers[15], flags, xmm[2];
};
struct state wanted, landed;
uint64_t saved_stack;
uintptr_t transfer_target;

enum { AREA_BYTES = 1 << 20, PAD_BYTES = 192 };
static unsigned char *area, *next_pad;

/* clang-format off */
#define LOAD_ALL                                                                                   \
    "mov %rsp, saved_stack(%rip)\n\t"                                                              \
    "movq wanted+128(%rip), %xmm0; movq wanted+136(%rip), %xmm15\n\t"                              \
    "pushq wanted+120(%rip); popfq\n\t"                                                            \
    "mov wanted+0(%rip), %rax; mov wanted+8(%rip), %rcx; mov wanted+16(%rip), %rdx\n\t"            \
    "mov wanted+24(%rip), %rbx; mov wanted+32(%rip), %rbp; mov wanted+40(%rip), %rsi\n\t"          \
    "mov wanted+48(%rip), %rdi; mov wanted+56(%rip), %r8; mov wanted+64(%rip), %r9\n\t"            \
    "mov wanted+72(%rip), %r10; mov wanted+80(%rip), %r11; mov wanted+88(%rip), %r12\n\t"          \
    "mov wanted+96(%rip), %r13; mov wanted+104(%rip), %r14; mov wanted+112(%rip), %r15\n\t"
#define TRANSFER(name, ...)                                                                        \
    __asm__(".text\n" #name ":\n\tpush %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n\t" \
            LOAD_ALL __VA_ARGS__ "\n\tud2\n.previous");                                            \
    void name(void)
TRANSFER(by_return, "pushq transfer_target(%rip); ret");
TRANSFER(by_return_popping, "sub $24, %rsp; pushq transfer_target(%rip); ret $24");
TRANSFER(by_jump_memory, "jmp *transfer_target(%rip)");
TRANSFER(by_call_memory, "call *transfer_target(%rip)");
TRANSFER(by_jump_register, "mov transfer_target(%rip), %r11; jmp *%r11");
TRANSFER(by_call_register, "mov transfer_target(%rip), %rax; call *%rax");
TRANSFER(by_jump_stack, "pushq transfer_target(%rip); jmp *(%rsp)");
TRANSFER(by_popf_return, "pushq transfer_target(%rip); pushq wanted+120(%rip); popfq; ret");

/* All pads are copies of this one: it stores what arrives and goes back to run(). */
__asm__(".text\n.globl pad_begin\npad_begin:\n\t"
        "push %rax; movabs $landed, %rax\n\t"
        "mov %rcx, 8(%rax); mov %rdx, 16(%rax); mov %rbx, 24(%rax); mov %rbp, 32(%rax)\n\t"
        "mov %rsi, 40(%rax); mov %rdi, 48(%rax); mov %r8, 56(%rax); mov %r9, 64(%rax)\n\t"
        "mov %r10, 72(%rax); mov %r11, 80(%rax); mov %r12, 88(%rax); mov %r13, 96(%rax)\n\t"
        "mov %r14, 104(%rax); mov %r15, 112(%rax); movq %xmm0, 128(%rax); movq %xmm15, 136(%rax)\n\t"
        "pop %rcx; mov %rcx, (%rax); pushfq; popq 120(%rax)\n\t"
        "movabs $pad_back, %rcx; jmp *%rcx\n.globl pad_end\npad_end:\n"
        ".globl pad_back\npad_back:\n\tmov saved_stack(%rip), %rsp\n\t"
        "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n");
/* clang-format on */
extern unsigned char pad_begin[], pad_end[];

static const struct {
    const char *name;
    void (*go)(void);
    int changed; /* the register the transfer itself uses, or -1 */
    int flags_kept;
} rows[] = {
    {"ret", by_return, -1, 0},
    {"ret imm16", by_return_popping, -1, 0},
    /* glibc's makecontext compares before the jump of a switch and branches behind it. */
    {"jmp memory", by_jump_memory, -1, 1},
    {"call memory", by_call_memory, -1, 0},
    {"jmp register", by_jump_register, 10, 1},
    {"call register", by_call_register, 0, 0},
    {"jmp stack", by_jump_stack, -1, 1},
    {"popf; ret", by_popf_return, -1,
     1}, /* how Go resumes what it preempted: in the middle of anything */
};

static void fresh_pad(void)
{
    next_pad += PAD_BYTES;
    CHECK(next_pad + PAD_BYTES < area + AREA_BYTES);
    memcpy(next_pad, pad_begin, (size_t)(pad_end - pad_begin));
    transfer_target = (uintptr_t)next_pad;
}

static void run(unsigned row, unsigned seed)
{
    for (int i = 0; i < 15; i++)
        wanted.registers[i] = 0x0101010101010101 * (unsigned)(i + 1) + seed;
    wanted.xmm[0] = seed * 77;
    wanted.xmm[1] = ~0ul - seed;
    wanted.flags = 0x202 | (seed % 2 ? 0x8d5 : 0) | (seed % 3 ? 0x41 : 0);
    memset(&landed, 0, sizeof landed);
    rows[row].go();
    for (int i = 0; i < 15; i++)
        if (i != rows[row].changed && landed.registers[i] != wanted.registers[i])
            guest_fail_equal(rows[row].name, i, "register", (long long)landed.registers[i],
                             (long long)wanted.registers[i]);
    CHECK_EQUAL(landed.xmm[0], wanted.xmm[0]);
    CHECK_EQUAL(landed.xmm[1], wanted.xmm[1]);
    if (rows[row].flags_kept)
        CHECK_EQUAL(landed.flags & 0x8d5, wanted.flags & 0x8d5);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    area = mmap(NULL, AREA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(area != MAP_FAILED);
    next_pad = area;
    for (unsigned row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        for (unsigned i = 0; i < 20; i++) {
            CHECK(!mprotect(area, AREA_BYTES, PROT_READ | PROT_WRITE));
            fresh_pad();
            CHECK(!mprotect(area, AREA_BYTES, PROT_READ | PROT_EXEC));
            for (unsigned again = 0; again < 5; again++)
                run(row, i * 5 + again);
        }
        puts(rows[row].name);
    }
    return 0;
}
