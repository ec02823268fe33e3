/* SPDX-License-Identifier: MIT */
/* Test that a jump to an address where the program has nothing mapped faults, whatever a debugger
 * may have put there. */
#include "tests/guest/guest.h"

#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <ucontext.h>

static sigjmp_buf out;
static uintptr_t fault_address, fault_pc;

static void on_fault(int signal_number, siginfo_t *info, void *context)
{
    fault_address = (uintptr_t)info->si_addr;
    fault_pc = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    siglongjmp(out, info->si_code == SEGV_MAPERR ? signal_number : -1);
}

static void jump_to(uintptr_t address)
{
    void (*function)(void);
    memcpy(&function, &address, sizeof function);
    function();
}

int main(void)
{
    /* Where rrsoft may have its runtime, and places around. */
    static const uintptr_t places[] = {0x7e000000, 0x7e002000, 0x7e002010, 0x7e100000, 0x7fff0000,
                                       0x70002000, 0x60002000, 0x20002010, 0x123456789};
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    CHECK(!sigaction(SIGSEGV, &action, NULL));
    for (unsigned i = 0; i < sizeof places / sizeof places[0]; i++) {
        int signal_number = sigsetjmp(out, 1);
        if (!signal_number)
            jump_to(places[i]);
        CHECK_EQUAL(signal_number, SIGSEGV);
        CHECK_EQUAL(fault_address, places[i]);
        CHECK_EQUAL(fault_pc, places[i]);
    }
    puts("nothing there");
    return 0;
}
