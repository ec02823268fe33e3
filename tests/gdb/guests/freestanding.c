/* SPDX-License-Identifier: MIT */
/*
 * What the tests over the fake timeline debug: no C library, so that few instructions run. The
 * tests name lines by their marks and know all values.
 */
static long total;
static int values[8];
static struct {
    int count;
    char name[12];
} state = {0, "start"};

static long write_text(const char *text, unsigned long length)
{
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(1L), "D"(1L), "S"(text), "d"(length)
                     : "rcx", "r11", "memory");
    return result;
}

__attribute__((noinline)) static int triple(int number)
{
    int result = number * 3; /* mark: triple */
    return result;
}

__attribute__((noinline)) static long factorial(long number)
{
    if (number < 2)
        return 1; /* mark: bottom */
    return number * factorial(number - 1);
}

__attribute__((noinline)) static void fill(void)
{
    for (int i = 0; i < 8; i++) {
        int value = triple(i);
        values[i] = value;
        total += value; /* mark: add */
    }
}

__attribute__((noinline)) static void corrupt(void)
{
    state.name[0] = 'X'; /* mark: corrupt */
}

int run(void);

int run(void)
{
    state.count = 1; /* mark: begin */
    write_text("one\n", 4);
    fill();
    corrupt();
    total += factorial(6); /* mark: factorial */
    write_text("two\n", 4);
    return (int)total; /* mark: end */
}

__asm__(".globl _start\n"
        "_start:\n"
        "    xor %ebp, %ebp\n"
        "    and $-16, %rsp\n"
        "    call run\n"
        "    mov %eax, %edi\n"
        "    mov $231, %eax\n"
        "    syscall\n");
