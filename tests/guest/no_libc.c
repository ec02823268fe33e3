/* SPDX-License-Identifier: MIT */
/* Test that a static program without libc, entered at _start with the kernel's stack, finds
 * arguments and auxiliary vector. */
#include <stddef.h>

static long call(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return result;
}

static void say(const char *text)
{
    size_t length = 0;
    while (text[length])
        length++;
    call(1, 1, (long)text, (long)length);
}

/* argc, argv.., NULL, environment.., NULL, auxiliary vector. */
__attribute__((used, noreturn)) static void begin(const long *stack)
{
    long argc = stack[0];
    const char *const *argv = (const char *const *)(stack + 1);
    const long *word = stack + 1 + argc + 1;
    while (*word)
        word++;
    long entry = 0, page = 0, random = 0;
    for (word++; word[0]; word += 2) {
        entry = word[0] == 9 ? word[1] : entry;
        page = word[0] == 6 ? word[1] : page;
        random = word[0] == 25 ? word[1] : random;
    }
    for (long i = 1; i < argc; i++) {
        say(argv[i]);
        say("\n");
    }
    extern char _start[];
    int right = entry == (long)_start && page == 4096 && random && ((long)stack & 15) == 0;
    say(right ? "right\n" : "wrong\n");
    call(231, right ? 23 : 1, 0, 0);
    for (;;)
        ;
}

__asm__(".text\n.globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tcall begin\n\tud2\n");
