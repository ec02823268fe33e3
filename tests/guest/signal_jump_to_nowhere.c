/* SPDX-License-Identifier: MIT */
/* Test that a transfer to a place without code faults there, with the stack as the transfer left
 * it. */
#include "tests/guest/guest.h"

#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>

static sigjmp_buf out;
static siginfo_t fault;
static greg_t at_fault[NGREG];
static uintptr_t return_address;

static void on_fault(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    fault = *info;
    memcpy(at_fault, ((ucontext_t *)context)->uc_mcontext.gregs, sizeof at_fault);
    return_address = *(uintptr_t *)at_fault[REG_RSP];
    siglongjmp(out, 1);
}

__asm__(".text\n"
        "call_there: mov %rsp, %rbx; call *%rdi\ncall_there_after: ud2\n"
        "jump_there: mov %rsp, %rbx; jmp *%rdi\n"
        "return_there: mov %rsp, %rbx; push %rdi; ret\n"
        "call_memory: mov %rsp, %rbx; push %rdi; call *(%rsp)\ncall_memory_after: ud2\n"
        "call_direct: mov %rsp, %rbx; call nowhere - 0x10000000\ncall_direct_after: ud2\n"
        ".set nowhere, call_there\n");
extern char call_there[], call_there_after[], jump_there[], return_there[], call_memory[],
    call_memory_after[], call_direct[], call_direct_after[];

enum { STACK_SAME = 0, STACK_PUSHED = -8, STACK_PUSHED_TWICE = -16 };

static void check(char *code, uintptr_t target, int stack, char *pushed, int signal_code)
{
    if (!sigsetjmp(out, 1)) {
        ((void (*)(uintptr_t))(uintptr_t)code)(target);
        CHECK(!"came back");
    }
    CHECK_EQUAL(fault.si_code, signal_code);
    CHECK_EQUAL(at_fault[REG_RIP], target);
    if (signal_code != SI_KERNEL)
        CHECK_EQUAL((uintptr_t)fault.si_addr, target);
    CHECK_EQUAL(at_fault[REG_RSP] - at_fault[REG_RBX], stack);
    if (pushed)
        CHECK_EQUAL(return_address, (uintptr_t)pushed);
}

/* A jump to a non-canonical address faults in the transfer itself: the PC is the transfer's on some
 * CPUs and the target's on others, so only the signal counts there. */
static void check_non_canonical(char *code)
{
    if (!sigsetjmp(out, 1)) {
        ((void (*)(uintptr_t))(uintptr_t)code)(0x8000000000000000u);
        CHECK(!"came back");
    }
    CHECK_EQUAL(fault.si_signo, SIGSEGV);
}

int main(void)
{
    static char handler_stack[65536];
    stack_t alternate = {.ss_sp = handler_stack, .ss_size = sizeof handler_stack};
    CHECK(!sigaltstack(&alternate, NULL));
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    CHECK(!sigaction(SIGSEGV, &action, NULL));
    char *data = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(data != MAP_FAILED);
    data[5] = (char)0xc3;
    const uintptr_t holes[] = {0, 0x1000, 0x7fff, (uintptr_t)data + 5};
    for (unsigned i = 0; i < 4; i++) {
        int code = i == 3 ? SEGV_ACCERR : SEGV_MAPERR;
        check(call_there, holes[i], STACK_PUSHED, call_there_after, code);
        check(jump_there, holes[i], STACK_SAME, NULL, code);
        check(return_there, holes[i], STACK_SAME, NULL, code);
        check(call_memory, holes[i], STACK_PUSHED_TWICE, call_memory_after, code);
    }
    uintptr_t below = (uintptr_t)call_there - 0x10000000;
    CHECK(!munmap((void *)(below & ~4095ul), 8192));
    check(call_direct, below, STACK_PUSHED, call_direct_after, SEGV_MAPERR);
    check_non_canonical(call_there);
    check_non_canonical(jump_there);
    check_non_canonical(return_there);
    puts("faults at the targets");
    return 0;
}
