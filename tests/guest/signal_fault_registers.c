/* SPDX-License-Identifier: MIT */
/* Test that each synchronous fault reports its exact PC, address, code and registers to the
 * handler. */
#include "tests/guest/guest.h"

#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>

static struct {
    int signal_number, code;
    uintptr_t address;
    greg_t registers[NGREG];
} seen;
static sigjmp_buf out;

static void on_fault(int signal_number, siginfo_t *info, void *context)
{
    seen.signal_number = signal_number;
    seen.code = info->si_code;
    seen.address = (uintptr_t)info->si_addr;
    memcpy(seen.registers, ((ucontext_t *)context)->uc_mcontext.gregs, sizeof seen.registers);
    siglongjmp(out, 1);
}

/* Each fault happens with rbx = 0x1234567890, r8..r15 = 8..15 and rdx = the argument. */
#define FAULT(name, instruction)                                                    \
    __asm__(".text\n.globl " #name "\n" #name ":\n\t"                               \
            "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n\t"  \
            "mov %rdi, %rdx\n\t"                                                    \
            "movabs $0x1234567890, %rbx\n\t"                                        \
            "mov $8, %r8d; mov $9, %r9d; mov $10, %r10d; mov $11, %r11d\n\t"        \
            "mov $12, %r12d; mov $13, %r13d; mov $14, %r14d; mov $15, %r15d\n\t"    \
            "xor %eax, %eax\n\txor %ecx, %ecx\n\tmov $0x77, %ebp\n\tcmp $1, %eax\n" \
            ".globl " #name "_at\n" #name "_at:\n\t" instruction "\n"               \
            ".globl " #name "_after\n" #name "_after:\n\tud2\n.previous");          \
    extern char name##_at[], name##_after[];                                        \
    void name(uintptr_t)

FAULT(fault_load, "mov (%rdx), %rsi");
FAULT(fault_load_flags, "mov 16(%rdx,%rax,4), %rsi; jc 1f; nop; 1:");
FAULT(fault_store, "movq $5, 8(%rdx)");
FAULT(fault_add_memory, "lock addq $5, (%rdx)");
FAULT(fault_push_memory, "pushq (%rdx)");
FAULT(fault_pop_memory, "popq (%rdx)");
FAULT(fault_call_memory, "call *(%rdx)");
FAULT(fault_jump_memory, "jmp *(%rdx)");
FAULT(fault_sse, "movups (%rdx), %xmm0");
FAULT(fault_misaligned_sse, "movaps (%rdx), %xmm0");
FAULT(fault_divide, "div %ecx");
FAULT(fault_ud2, "ud2");
FAULT(fault_ud0, ".byte 0x0f, 0x0b");
FAULT(fault_int3, "int3");
FAULT(fault_int3_long, ".byte 0xcd, 0x03");
FAULT(fault_hlt, "hlt");
FAULT(fault_cli, "cli");
FAULT(fault_in, "in $0x70, %al");
FAULT(fault_int_0x55, "int $0x55");
FAULT(fault_rdmsr, "rdmsr");
FAULT(fault_mov_cr, "mov %cr0, %rsi");

struct fault {
    const char *name;
    void (*function)(uintptr_t);
    char *pc;
    int signal_number, code; /* code 0: not checked */
    enum { NO_ADDRESS, ADDRESS_PC, ADDRESS_OPERAND } address;
    uintptr_t operand;
    intptr_t operand_offset;
};

static void run(const struct fault *fault)
{
    memset(&seen, 0, sizeof seen);
    if (!sigsetjmp(out, 1)) {
        fault->function(fault->operand);
        CHECK(!"came back");
    }
    CHECK_EQUAL(seen.signal_number, fault->signal_number);
    if (seen.registers[REG_RIP] != (greg_t)fault->pc)
        guest_fail_equal(fault->name, __LINE__, "PC", seen.registers[REG_RIP], (greg_t)fault->pc);
    if (fault->code)
        CHECK_EQUAL(seen.code, fault->code);
    if (fault->address == ADDRESS_PC)
        CHECK_EQUAL(seen.address, fault->pc);
    if (fault->address == ADDRESS_OPERAND)
        CHECK_EQUAL(seen.address, fault->operand + (uintptr_t)fault->operand_offset);
    for (int i = 0; i < 8; i++)
        CHECK_EQUAL(seen.registers[REG_R8 + i], 8 + i);
    CHECK_EQUAL(seen.registers[REG_RBX], 0x1234567890);
    CHECK_EQUAL(seen.registers[REG_RBP], 0x77);
    CHECK_EQUAL(seen.registers[REG_RDX], (greg_t)fault->operand);
    printf("%-22s signal %d code %d trap %d error 0x%x\n", fault->name, seen.signal_number,
           seen.code, (int)seen.registers[REG_TRAPNO], (unsigned)seen.registers[REG_ERR]);
}

#define ROW(name, ...)                      \
    {                                       \
#name, name, name##_at, __VA_ARGS__ \
    }
#define ROW_AFTER(name, ...)                   \
    {                                          \
#name, name, name##_after, __VA_ARGS__ \
    }

int main(void)
{
    static char odd_bytes[64] __attribute__((aligned(16)));
    char *read_only = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(read_only != MAP_FAILED);
    uintptr_t ro = (uintptr_t)read_only, hole = 0x123000, wild = 0x8000000000000000u;
    const struct fault faults[] = {
        ROW(fault_load, SIGSEGV, SEGV_MAPERR, ADDRESS_OPERAND, hole, 0),
        ROW(fault_load, SIGSEGV, SI_KERNEL, NO_ADDRESS, wild, 0),
        ROW(fault_load_flags, SIGSEGV, SEGV_MAPERR, ADDRESS_OPERAND, hole, 16),
        ROW(fault_store, SIGSEGV, SEGV_MAPERR, ADDRESS_OPERAND, hole, 8),
        ROW(fault_store, SIGSEGV, SEGV_ACCERR, ADDRESS_OPERAND, ro, 8),
        ROW(fault_add_memory, SIGSEGV, SEGV_ACCERR, ADDRESS_OPERAND, ro, 0),
        ROW(fault_push_memory, SIGSEGV, SEGV_MAPERR, ADDRESS_OPERAND, hole, 0),
        ROW(fault_pop_memory, SIGSEGV, SEGV_ACCERR, ADDRESS_OPERAND, ro, 0),
        ROW(fault_call_memory, SIGSEGV, SEGV_MAPERR, ADDRESS_OPERAND, hole, 0),
        ROW(fault_jump_memory, SIGSEGV, SEGV_MAPERR, ADDRESS_OPERAND, hole, 0),
        ROW(fault_sse, SIGSEGV, SEGV_MAPERR, ADDRESS_OPERAND, hole, 0),
        ROW(fault_misaligned_sse, SIGSEGV, SI_KERNEL, NO_ADDRESS, (uintptr_t)odd_bytes + 1, 0),
        ROW(fault_divide, SIGFPE, FPE_INTDIV, ADDRESS_PC, 1, 0),
        ROW(fault_ud2, SIGILL, ILL_ILLOPN, ADDRESS_PC, 1, 0),
        ROW(fault_ud0, SIGILL, ILL_ILLOPN, ADDRESS_PC, 1, 0),
        ROW_AFTER(fault_int3, SIGTRAP, SI_KERNEL, NO_ADDRESS, 1, 0),
        ROW_AFTER(fault_int3_long, SIGTRAP, SI_KERNEL, NO_ADDRESS, 1, 0),
        ROW(fault_hlt, SIGSEGV, SI_KERNEL, NO_ADDRESS, 1, 0),
        ROW(fault_cli, SIGSEGV, SI_KERNEL, NO_ADDRESS, 1, 0),
        ROW(fault_in, SIGSEGV, SI_KERNEL, NO_ADDRESS, 1, 0),
        ROW(fault_int_0x55, SIGSEGV, SI_KERNEL, NO_ADDRESS, 1, 0),
        ROW(fault_rdmsr, SIGSEGV, SI_KERNEL, NO_ADDRESS, 1, 0),
        ROW(fault_mov_cr, SIGSEGV, SI_KERNEL, NO_ADDRESS, 1, 0),
    };
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    const int signals[] = {SIGSEGV, SIGFPE, SIGILL, SIGBUS, SIGTRAP};
    for (unsigned i = 0; i < sizeof signals / sizeof signals[0]; i++)
        CHECK(!sigaction(signals[i], &action, NULL));
    for (int round = 0; round < 3; round++)
        for (unsigned i = 0; i < sizeof faults / sizeof faults[0]; i++)
            run(&faults[i]);
    return 0;
}
