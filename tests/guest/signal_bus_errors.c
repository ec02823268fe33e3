/* SPDX-License-Identifier: MIT */
/* Test that SIGBUS names its address: beyond the end of a mapped file, and code executed there. */
#include "tests/guest/guest.h"

#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>

static sigjmp_buf out;
static volatile uintptr_t fault_address, fault_pc;
static volatile int fault_signal, fault_code;

static void on_fault(int signal_number, siginfo_t *info, void *context)
{
    fault_signal = signal_number;
    fault_code = info->si_code;
    fault_address = (uintptr_t)info->si_addr;
    fault_pc = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    siglongjmp(out, 1);
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    CHECK(!sigaction(SIGBUS, &action, NULL) && !sigaction(SIGSEGV, &action, NULL));
    int file = memfd_create("short", 0);
    CHECK(file >= 0 && !ftruncate(file, 4096));
    char *map = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, file, 0);
    CHECK(map != MAP_FAILED);
    map[4095] = (char)0x90;
    map[0] = (char)0xc3;

    if (!sigsetjmp(out, 1)) {
        ((volatile char *)map)[4096 + 17] = 1;
        CHECK(!"stored beyond the file");
    }
    CHECK_EQUAL(fault_signal, SIGBUS);
    CHECK_EQUAL(fault_code, BUS_ADRERR);
    CHECK_EQUAL(fault_address, map + 4096 + 17);

    ((void (*)(void))map)();
    if (!sigsetjmp(out, 1)) {
        ((void (*)(void))(map + 4095))();
        CHECK(!"ran beyond the file");
    }
    CHECK_EQUAL(fault_signal, SIGBUS);
    CHECK_EQUAL(fault_pc, map + 4096);
    CHECK_EQUAL(fault_address, map + 4096);

    CHECK(!ftruncate(file, 0));
    if (!sigsetjmp(out, 1)) {
        ((void (*)(void))map)();
        CHECK(!"ran code that was cut off");
    }
    CHECK_EQUAL(fault_signal, SIGBUS);
    CHECK_EQUAL(fault_pc, map);
    puts("bus errors exact");
    return 0;
}
