/* SPDX-License-Identifier: MIT */
/* Test that code may use rsp as any other register, keep data below it and switch stacks, between
 * all kinds of transfers. */
#include "tests/guest/guest.h"

#include <stdint.h>
#include <sys/mman.h>

/* Loops, indirect jumps and switch tables while rsp is garbage: nothing may be written through it.
 */
__attribute__((noinline)) static uint64_t garbage_stack(uint64_t stack)
{
    uint64_t sum;
    __asm__ volatile("mov %%rsp, %%rbx\n\t"
                     "mov %[stack], %%rsp\n\t"
                     "xor %%eax, %%eax\n\t"
                     "mov $20, %%ecx\n"
                     "1:\tadd %%rcx, %%rax\n\t"
                     "add %%rsp, %%rax\n\t"
                     "lea 2f(%%rip), %%rdx\n\t"
                     "test $1, %%cl\n\t"
                     "jz 4f\n\t"
                     "jmp *%%rdx\n\tud2\n"
                     "4:\tinc %%rsp\n\tdec %%rsp\n"
                     "2:\tloop 1b\n\t"
                     "cmp %[stack], %%rsp\n\t"
                     "mov %%rbx, %%rsp\n\t"
                     "je 3f\n\t"
                     "mov $-1, %%rax\n"
                     "3:\n\t"
                     : "=&a"(sum)
                     : [stack] "r"(stack)
                     : "rbx", "rcx", "rdx", "cc", "memory");
    return sum;
}

/* A sum in rsp itself. */
__attribute__((noinline)) static uint64_t stack_as_counter(uint64_t count)
{
    uint64_t result;
    __asm__ volatile("mov %%rsp, %%rbx\n\t"
                     "xor %%esp, %%esp\n"
                     "1:\tlea 3(%%rsp), %%rsp\n\t"
                     "dec %[count]\n\t"
                     "jnz 1b\n\t"
                     "mov %%rsp, %[result]\n\t"
                     "mov %%rbx, %%rsp\n\t"
                     : [count] "+r"(count), [result] "=&r"(result)
                     :
                     : "rbx", "cc", "memory");
    return result;
}

/* The red zone and what lies far below rsp keep their values over jumps, calls through tables and
 * loops. */
__attribute__((noinline)) static void below_stack(uint64_t seed)
{
    static uint64_t copy[512];
    uint64_t changed;
    for (int i = 0; i < 512; i++)
        copy[i] = seed + (uint64_t)i;
    __asm__ volatile(
        "mov %%rsp, %%rbx\n\t"
        "and $-4096, %%rsp\n\t"
        "lea -4096(%%rsp), %%rdi\n\t"
        "mov %[copy], %%rsi\n\tmov $512, %%ecx\n\trep movsq\n\t"
        "mov $100, %%ecx\n"
        "1:\tlea 2f(%%rip), %%rdx\n\t"
        "jmp *%%rdx\n\tud2\n"
        "2:\tcmp $50, %%ecx\n\tja 3f\n\tnop\n"
        "3:\tdec %%ecx\n\tjnz 1b\n\t"
        "mov $39, %%eax\n\tsyscall\n\t" /* getpid: nothing of the kernel's goes there either */
        "mov %[copy], %%rsi\n\tlea -4096(%%rsp), %%rdi\n\tmov $512, %%ecx\n\t"
        "repe cmpsq\n\t"
        "setne %%al\n\tmovzbl %%al, %%eax\n\t"
        "mov %%rbx, %%rsp\n\t"
        : "=&a"(changed)
        : [copy] "r"(copy)
        : "rbx", "rcx", "rdx", "rsi", "rdi", "r11", "cc", "memory");
    CHECK_EQUAL(changed, 0);
}

static volatile uint64_t calls;
__attribute__((noinline, used)) static void called_there(void)
{
    calls++;
}

/* Calls on stacks anywhere: in a low page, in a high one, at the very end of one, misaligned by
 * one. */
__attribute__((noinline)) static void call_on(uint64_t stack)
{
    __asm__ volatile("mov %%rsp, %%rbx\n\t"
                     "mov %[stack], %%rsp\n\t"
                     "call called_there\n\t"
                     "lea called_there(%%rip), %%rdx\n\t"
                     "call *%%rdx\n\t"
                     "cmp %[stack], %%rsp\n\tje 1f\n\tud2\n"
                     "1:\tmov %%rbx, %%rsp\n\t"
                     :
                     : [stack] "r"(stack)
                     : "rbx", "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
                       "cc", "memory", "xmm0", "xmm1");
}

int main(void)
{
    const uint64_t garbage[] = {
        0, 16, 0x1000, 0xffffffffffffffff, 0x8000000000000000, 0x7fffffffffff};
    for (unsigned i = 0; i < sizeof garbage / sizeof garbage[0]; i++)
        CHECK_EQUAL(garbage_stack(garbage[i]), 210 + 20 * garbage[i]);
    CHECK_EQUAL(stack_as_counter(10000), 30000);
    for (uint64_t i = 0; i < 20; i++)
        below_stack(i * 1000);
    char *low =
        mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    CHECK(low != MAP_FAILED);
    char *high = mmap((void *)0x600000000000, 8192, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(high != MAP_FAILED);
    const uint64_t stacks[] = {(uint64_t)low + 8192,      (uint64_t)high + 8192,
                               (uint64_t)low + 64,        (uint64_t)high + 4096,
                               (uint64_t)high + 4096 + 1, (uint64_t)low + 777};
    for (int round = 0; round < 10; round++)
        for (unsigned i = 0; i < sizeof stacks / sizeof stacks[0]; i++)
            call_on(stacks[i]);
    CHECK_EQUAL(calls, 120);
    puts("stack pointer free");
    return 0;
}
