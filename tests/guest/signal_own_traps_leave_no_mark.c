/* SPDX-License-Identifier: MIT */
/* Test that trap number, error code and fault address in frames are those of the program's own last
 * fault. */
#include "tests/guest/guest.h"

#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>

static greg_t trap, error, address;

static void on_signal(int signal_number, siginfo_t *info, void *context)
{
    (void)info;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    trap = registers[REG_TRAPNO];
    error = registers[REG_ERR];
    address = registers[REG_CR2];
    if (signal_number == SIGSEGV)
        registers[REG_RIP] += 2; /* the two bytes of mov %al,(%rdi) */
    if (signal_number == SIGILL)
        registers[REG_RIP] += 2;
}

__attribute__((noinline)) static void store(void *place)
{
    __asm__ volatile("movb %%al, (%0)" ::"D"(place) : "memory");
}

/* Runs code never seen before, twice, and writes over it: under a translator a lookup miss and a
 * guard fault each. */
static void new_code(unsigned char *area)
{
    static const unsigned char function[] = {0xb8, 1, 0, 0, 0, 0xc3};
    for (int i = 0; i < 20; i++) {
        memcpy(area + i * 16, function, sizeof function);
        area[i * 16 + 1] = (unsigned char)i;
        CHECK_EQUAL(((int (*)(void))(area + i * 16))(), i);
    }
}

static void show(const char *title)
{
    printf("%-24s trap %lld error %lld address %llx\n", title, trap, error, address);
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    CHECK(!sigaction(SIGUSR1, &action, NULL) && !sigaction(SIGSEGV, &action, NULL));
    CHECK(!sigaction(SIGILL, &action, NULL));
    unsigned char *area =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(area != MAP_FAILED);
    new_code(area);
    raise(SIGUSR1);
    show("before any fault");
    store((void *)0x5000);
    show("after a store to 0x5000");
    new_code(area);
    raise(SIGUSR1);
    show("raised after new code");
    __asm__ volatile("ud2");
    show("ud2");
    new_code(area);
    raise(SIGUSR1);
    show("raised after new code");
    return 0;
}
