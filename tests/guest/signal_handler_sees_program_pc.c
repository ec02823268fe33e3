/* SPDX-License-Identifier: MIT */
/* Test that an asynchronous handler's context holds a PC inside the program's own text and the
 * program's own stack. */
#include "tests/guest/guest.h"

#include <link.h>
#include <signal.h>
#include <stdint.h>
#include <time.h>
#include <ucontext.h>

enum { SIGNALS_WANTED = 100 };

static timer_t storm_timer;
static volatile sig_atomic_t signals_seen;
static volatile sig_atomic_t pc_in_loop;
static volatile uintptr_t bad_pc, bad_sp;
static uintptr_t stack_top;
extern char loop_begin[], loop_end[];

struct search {
    uintptr_t pc;
    int found;
};

static int covers(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    struct search *search = data;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_LOAD && header->p_flags & PF_X &&
            search->pc - (info->dlpi_addr + header->p_vaddr) < header->p_memsz)
            search->found = 1;
    }
    return search->found;
}

static void on_signal(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    (void)info;
    const greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    struct search search = {.pc = (uintptr_t)registers[REG_RIP]};
    uintptr_t sp = (uintptr_t)registers[REG_RSP];
    if (!dl_iterate_phdr(covers, &search))
        bad_pc = search.pc;
    if (sp > stack_top || stack_top - sp > 1 << 20)
        bad_sp = sp;
    if (search.pc >= (uintptr_t)loop_begin && search.pc < (uintptr_t)loop_end) {
        pc_in_loop++;
        /* The loop keeps rbx = 2 * rax + rcx at every instruction boundary but two; see there. */
        uintptr_t difference = (uintptr_t)registers[REG_RBX] - 2 * (uintptr_t)registers[REG_RAX];
        if (difference > 2)
            bad_pc = 1;
    }
    if (++signals_seen >= SIGNALS_WANTED) {
        struct itimerspec off = {0};
        timer_settime(storm_timer, 0, &off, NULL);
    }
}

/* rax counts up by one, rbx by two: rbx - 2*rax is 0 between iterations and 2 between the two
 * additions. */
__attribute__((noinline)) static void spin(void)
{
    uintptr_t a = 0, b = 0, count = 20000;
    __asm__ volatile("loop_begin:\n\t"
                     "add $2, %%rbx\n\t"
                     "inc %%rax\n\t"
                     "dec %%rcx\n\t"
                     "jnz loop_begin\n\t"
                     "loop_end:\n\t"
                     : "+a"(a), "+b"(b), "+c"(count)::"cc");
    CHECK_EQUAL(b, 2 * a);
}

int main(void)
{
    stack_top = (uintptr_t)__builtin_frame_address(0) + 4096;
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    CHECK(!sigaction(SIGUSR1, &action, NULL));
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    CHECK(!timer_create(CLOCK_MONOTONIC, &event, &storm_timer));
    struct itimerspec every = {{0, 1000000}, {0, 1000000}};
    CHECK(!timer_settime(storm_timer, 0, &every, NULL));
    while (signals_seen < SIGNALS_WANTED)
        spin();
    CHECK_EQUAL(bad_pc, 0);
    CHECK_EQUAL(bad_sp, 0);
    CHECK(pc_in_loop > 0);
    puts("every PC inside the program");
    return 0;
}
