/* SPDX-License-Identifier: MIT */
/* Test that instructions whose RIP-relative data lies almost 2 GiB away do what they do with data
 * near by, and fault with the right registers. */
#include "tests/guest/guest.h"

#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { AREA_BYTES = 8192, NEAR = 0x4000, MARKER = 0x11223344 };
static const int64_t distances[] = {0x7fff0000, -0x7fff0000, 0x70000000, -0x60000000};

struct state {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, r8, flags, low, high;
};

/* clang-format off */
#define FAR "0x11223344(%rip)"
__asm__(".text\n.globl far_begin, far_end, far_wide_begin, far_wide_end\n"
        "far_begin:\n\t"
        "push %rbx; push %rdi\n\t"
        "mov $3, %esi; mov $5, %edi; mov $7, %ebx; mov $11, %ecx; mov $13, %edx; mov $17, %eax\n\t"
        "mov $19, %r8d\n\t"
        "add " FAR ", %rsi; add " FAR ", %edi; xor " FAR ", %bx; sub " FAR ", %cl\n\t"
        "add %rsi, " FAR "; adc %dil, " FAR "; movl $0x12345678, " FAR "; movb $9, " FAR "\n\t"
        "movw $0x4321, " FAR "; movq $-5, " FAR "; addl $0x1000000, " FAR "; cmpb $3, " FAR "\n\t"
        "imul $1000001, " FAR ", %rsi; imul " FAR ", %r8\n\t"
        "push " FAR "; pop " FAR "; push " FAR "; pop %rsi\n\t"
        "xchg %rdi, " FAR "; xadd %rsi, " FAR "; cmpxchg %rdi, " FAR "; cmpxchg8b " FAR "\n\t"
        "setc " FAR "; btsl $3, " FAR "; shll $5, " FAR "; rolb %cl, " FAR "; negq " FAR "\n\t"
        "incb " FAR "; lock incl " FAR "; mulq " FAR "; movzwl " FAR ", %edi; movsbq " FAR ", %r8\n\t"
        "shld $3, %rsi, " FAR "; bsf " FAR ", %rdi; cmovnc " FAR ", %rbx\n\t"
        "movups " FAR ", %xmm6; movq %xmm6, " FAR "; paddq %xmm6, %xmm6; pinsrw $2, " FAR ", %xmm6\n\t"
        "cvtsi2sdq " FAR ", %xmm7; movsd %xmm7, " FAR "; fildl " FAR "; fistpl " FAR "\n\t"
        "mov %rax, 0(%r10)\n\t"
        "mov %rbx, 8(%r10); mov %rcx, 16(%r10); mov %rdx, 24(%r10); mov %rsi, 32(%r10)\n\t"
        "mov %rdi, 40(%r10); mov %r8, 48(%r10); movups %xmm6, 64(%r10)\n\t"
        "pop %rdi; pop %rbx; ret\n"
        "far_end:\n"
        "far_wide_begin:\n\t"
        "push %rbx; mov $0xf0f0f0f0f0f, %rsi; mov $3, %edi; mov $6, %ebx; mov $0x55555, %edx\n\t"
        "vmovups " FAR ", %ymm6; vpaddq " FAR ", %ymm6, %ymm7; vpxor " FAR ", %ymm14, %ymm15\n\t"
        "andn " FAR ", %rsi, %r8; andn " FAR ", %r14, %rdi; bextr %rbx, " FAR ", %rcx\n\t"
        "mulx " FAR ", %rsi, %rdi; pdep " FAR ", %rsi, %rbx; rorx $7, " FAR ", %rsi\n\t"
        "shlx %rdi, " FAR ", %rax; vblendvps %ymm3, " FAR ", %ymm6, %ymm7; blsr " FAR ", %rbx\n\t"
        "vextracti128 $1, %ymm7, " FAR "; vpermq $27, " FAR ", %ymm6\n\t"
        "mov %rax, 0(%r10); mov %rbx, 8(%r10); mov %rcx, 16(%r10); mov %rdx, 24(%r10)\n\t"
        "mov %rsi, 32(%r10); mov %rdi, 40(%r10); mov %r8, 48(%r10); vmovups %xmm6, 64(%r10)\n\t"
        "vzeroupper; pop %rbx; ret\n"
        "far_wide_end:\n");
/* clang-format on */
extern unsigned char far_begin[], far_end[], far_wide_begin[], far_wide_end[];

static unsigned char *map(uintptr_t at, int protection)
{
    void *place = mmap((void *)at, AREA_BYTES, protection,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    CHECK(place == (void *)at);
    return place;
}

static void copy_code(unsigned char *to, const unsigned char *from, size_t size, int64_t distance)
{
    int32_t marker = MARKER, displacement = (int32_t)distance;
    memcpy(to, from, size);
    for (size_t i = 0; i + 4 <= size; i++)
        if (!memcmp(to + i, &marker, 4))
            memcpy(to + i, &displacement, 4);
}

static void run(const unsigned char *code, struct state *state)
{
    register struct state *result __asm__("r10") = state;
    uint64_t zero = 0;
    __asm__ volatile("sub $128, %%rsp; mov %2, %%r14; call *%1; add $128, %%rsp"
                     : "+r"(result)
                     : "r"(code), "r"(zero)
                     : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r11", "r14", "memory", "cc",
                       "xmm6", "xmm7", "xmm15");
}

/* Runs the code with its data `distance` away; `data` takes what that became. */
static void run_at(const unsigned char *from, size_t size, int64_t distance, struct state *state,
                   unsigned char data[AREA_BYTES])
{
    uintptr_t at = 0x200000000000;
    unsigned char *code = map(at, PROT_READ | PROT_WRITE | PROT_EXEC);
    unsigned char *area = map(at + (uintptr_t)distance, PROT_READ | PROT_WRITE);
    for (size_t i = 0; i < AREA_BYTES; i++)
        area[i] = (unsigned char)(i * 37 + 11);
    copy_code(code, from, size, distance);
    memset(state, 0, sizeof *state);
    for (int i = 0; i < 3; i++)
        run(code, state);
    memcpy(data, area, AREA_BYTES);
    CHECK(!munmap(code, AREA_BYTES) && !munmap(area, AREA_BYTES));
}

static void same_as_near(const char *name, const unsigned char *from, size_t size)
{
    static unsigned char near_data[AREA_BYTES], far_data[AREA_BYTES];
    struct state near_state, far_state;
    run_at(from, size, NEAR, &near_state, near_data);
    for (size_t i = 0; i < sizeof distances / sizeof distances[0]; i++) {
        run_at(from, size, distances[i], &far_state, far_data);
        CHECK(!memcmp(&near_state, &far_state, sizeof near_state));
        CHECK(!memcmp(near_data, far_data, sizeof near_data));
    }
    puts(name);
}

static sigjmp_buf out;
static greg_t found[NGREG];
static uintptr_t fault_address;

static void on_fault(int signal_number, siginfo_t *info, void *context)
{
    memcpy(found, ((ucontext_t *)context)->uc_mcontext.gregs, sizeof found);
    fault_address = (uintptr_t)info->si_addr;
    siglongjmp(out, signal_number);
}

/* mov $1, %esi; mov $2, %edi; mov $3, %ebx; then a far access. */
static void expect_fault(const unsigned char *access, size_t size)
{
    static const unsigned char load[] = {0xbe, 1, 0, 0, 0, 0xbf, 2, 0, 0, 0, 0xbb, 3, 0, 0, 0};
    uintptr_t at = 0x200000000000;
    unsigned char *code = map(at, PROT_READ | PROT_WRITE | PROT_EXEC);
    memcpy(code, load, sizeof load);
    copy_code(code + sizeof load, access, size, distances[0]);
    code[sizeof load + size] = 0xc3;
    struct state state;
    if (!sigsetjmp(out, 1)) {
        run(code, &state);
        CHECK(!"read what is not there");
    }
    CHECK_EQUAL(found[REG_RIP], at + sizeof load);
    CHECK_EQUAL(fault_address, at + sizeof load + size + (uintptr_t)distances[0]);
    CHECK(found[REG_RSI] == 1 && found[REG_RDI] == 2 && found[REG_RBX] == 3);
    CHECK(!munmap(code, AREA_BYTES));
}

static void faults(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    CHECK(!sigaction(SIGSEGV, &action, NULL));
    expect_fault((const unsigned char *)"\x8b\x05\x44\x33\x22\x11", 6);     /* mov, eax */
    expect_fault((const unsigned char *)"\x48\x8b\x35\x44\x33\x22\x11", 7); /* mov, rsi */
    expect_fault((const unsigned char *)"\x4c\x89\x3d\x44\x33\x22\x11", 7); /* mov r15 */
    expect_fault((const unsigned char *)"\x0f\x10\x1d\x44\x33\x22\x11", 7); /* movups, xmm3 */
    expect_fault((const unsigned char *)"\xff\x25\x44\x33\x22\x11", 6);     /* jmp */
    expect_fault((const unsigned char *)"\xff\x35\x44\x33\x22\x11", 6);     /* push */
    puts("faults");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    same_as_near("general", far_begin, (size_t)(far_end - far_begin));
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
        same_as_near("wide", far_wide_begin, (size_t)(far_wide_end - far_wide_begin));
    else
        puts("wide");
    faults();
    return 0;
}
