/* SPDX-License-Identifier: MIT */
/* Test that code written under PROT_WRITE runs as written after mprotect to PROT_EXEC, again and
 * again, also after fork. */
#include "tests/guest/guest.h"

#include "tests/guest/jit.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>

static unsigned char *page;
static volatile int lazily_made, faults;
static sigjmp_buf out;

static void protect(int protection)
{
    CHECK(!mprotect(page, 2 * JIT_PAGE_BYTES, protection));
}

static void flip(uint32_t rounds)
{
    for (uint32_t i = 0; i < rounds; i++) {
        protect(PROT_READ | PROT_WRITE);
        jit_emit(page, i);
        jit_emit(page + 100, i * 3);
        jit_emit(page + JIT_PAGE_BYTES - 3, i * 7); /* on the page boundary */
        protect(PROT_READ | PROT_EXEC);
        CHECK_EQUAL(jit_call(page), i);
        CHECK_EQUAL(jit_call(page + 100), i * 3);
        CHECK_EQUAL(jit_call(page + JIT_PAGE_BYTES - 3), i * 7);
    }
}

/* Code that may be executed only, as some JITs leave it; what may be written only must not run. */
static void on_fault(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    faults++;
    CHECK_EQUAL(registers[REG_RIP], page);
    CHECK_EQUAL((uintptr_t)info->si_addr, page);
    CHECK_EQUAL(info->si_code, SEGV_ACCERR);
    if (!lazily_made)
        siglongjmp(out, 1);
    protect(PROT_READ | PROT_EXEC);
}

static void not_executable(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    CHECK(!sigaction(SIGSEGV, &action, NULL));
    for (int i = 0; i < 5; i++) {
        protect(i % 2 ? PROT_READ | PROT_WRITE : PROT_READ);
        if (!sigsetjmp(out, 1)) {
            jit_call(page);
            CHECK(!"ran without PROT_EXEC");
        }
    }
    protect(PROT_READ | PROT_EXEC);
    CHECK(jit_call(page) > 0);
    lazily_made = 1;
    for (uint32_t i = 0; i < 20; i++) {
        protect(PROT_READ | PROT_WRITE);
        jit_emit(page, 500 + i);
        CHECK_EQUAL(jit_call(page), 500 + i); /* the handler makes it executable */
    }
    CHECK_EQUAL(faults, 25);
    protect(PROT_EXEC);
    CHECK_EQUAL(jit_call(page), 519);
}

static void after_fork(void)
{
    protect(PROT_READ | PROT_WRITE);
    jit_emit(page, 1);
    protect(PROT_READ | PROT_EXEC);
    CHECK_EQUAL(jit_call(page), 1);
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        CHECK_EQUAL(jit_call(page), 1);
        protect(PROT_READ | PROT_WRITE);
        jit_emit(page, 2);
        protect(PROT_READ | PROT_EXEC);
        CHECK_EQUAL(jit_call(page), 2);
        flip(20);
        _exit(0);
    }
    int status;
    CHECK_EQUAL(jit_call(page), 1);
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK_EQUAL(status, 0);
    CHECK_EQUAL(jit_call(page), 1);
}

int main(void)
{
    page = mmap(NULL, 2 * JIT_PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    flip(200);
    puts("flips");
    not_executable();
    puts("not executable");
    after_fork();
    puts("after fork");
    return 0;
}
