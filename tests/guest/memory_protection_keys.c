/* SPDX-License-Identifier: MIT */
/* Test that protection keys guard memory, and that the rights in PKRU are the program's: those that
 * pkey_alloc() sets, that the program sets, and that signal handlers begin with. */
#include "tests/guest/guest.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

enum { PAGE = 4096, PKEY_FAULT = 4 /* SEGV_PKUERR */ };

static sigjmp_buf out;
static volatile int fault_code, rights_in_handler;
static int key;

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    fault_code = info->si_code;
    rights_in_handler = pkey_get(key);
    siglongjmp(out, 1);
}

static int store_faults(volatile char *memory, int rights)
{
    fault_code = 0;
    CHECK(!pkey_set(key, (unsigned)rights));
    if (!sigsetjmp(out, 1))
        memory[0]++;
    CHECK(!pkey_set(key, 0));
    return fault_code;
}

int main(void)
{
    key = pkey_alloc(0, 0);
    if (key < 0)
        guest_skip("no protection keys");
    CHECK_EQUAL(pkey_get(key), 0);
    CHECK(!pkey_free(key));
    key = pkey_alloc(0, PKEY_DISABLE_WRITE);
    CHECK_EQUAL(pkey_get(key), PKEY_DISABLE_WRITE);
    char *memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    CHECK(!pkey_mprotect(memory, PAGE, PROT_READ | PROT_WRITE, key));
    CHECK_EQUAL(memory[0], 0);
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    CHECK(!sigaction(SIGSEGV, &action, NULL));
    CHECK_EQUAL(store_faults(memory, PKEY_DISABLE_WRITE), PKEY_FAULT);
    printf("rights in handler %d\n", rights_in_handler);
    CHECK_EQUAL(store_faults(memory, PKEY_DISABLE_ACCESS), PKEY_FAULT);
    CHECK_EQUAL(store_faults(memory, 0), 0);
    CHECK_EQUAL(memory[0], 1);
    CHECK(!pkey_mprotect(memory, PAGE, PROT_READ | PROT_WRITE, 0));
    CHECK(!pkey_free(key));
    puts("keys");
    return 0;
}
