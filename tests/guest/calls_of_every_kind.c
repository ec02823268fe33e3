/* SPDX-License-Identifier: MIT */
/* Test that switches, tail calls, deep recursion, setjmp, variadic and callback calls compute what
 * they must. */
#include "tests/guest/guest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

static uint64_t interpret(const unsigned char *code)
{
    uint64_t a = 1, b = 0;
    for (;;) {
        switch (*code++) {
        case 0:
            a += 3;
            break;
        case 1:
            a *= 5;
            break;
        case 2:
            b ^= a;
            break;
        case 3:
            a = a << 7 | a >> 57;
            break;
        case 4:
            b += a;
            break;
        case 5:
            a -= b;
            break;
        case 6:
            a ^= 0x55;
            break;
        case 7:
            return a ^ b;
        }
    }
}

static uint64_t threaded(const unsigned char *code)
{
    static void *const labels[] = {&&add, &&multiply, &&mix,  &&rotate,
                                   &&sum, &&subtract, &&flip, &&end};
    uint64_t a = 1, b = 0;
#define NEXT goto *labels[*code++]
    NEXT;
add:
    a += 3;
    NEXT;
multiply:
    a *= 5;
    NEXT;
mix:
    b ^= a;
    NEXT;
rotate:
    a = a << 7 | a >> 57;
    NEXT;
sum:
    b += a;
    NEXT;
subtract:
    a -= b;
    NEXT;
flip:
    a ^= 0x55;
    NEXT;
end:
    return a ^ b;
}

static uint64_t even(uint64_t n, uint64_t sum);
__attribute__((noinline)) static uint64_t odd(uint64_t n, uint64_t sum)
{
    return n == 0 ? sum : even(n - 1, sum * 3 + 1);
}
__attribute__((noinline)) static uint64_t even(uint64_t n, uint64_t sum)
{
    return n == 0 ? sum + 1 : odd(n - 1, sum ^ n);
}

__attribute__((noinline)) static uint64_t deep(uint64_t n)
{
    volatile uint64_t local = n;
    return n == 0 ? 0 : deep(n - 1) + local;
}

__attribute__((noinline)) static uint64_t ackermann(uint64_t m, uint64_t n)
{
    if (!m)
        return n + 1;
    return ackermann(m - 1, n ? ackermann(m, n - 1) : 1);
}

static jmp_buf unwind_to;
__attribute__((noinline)) static void dive(int depth)
{
    volatile char frame[32];
    frame[0] = (char)depth;
    if (!depth)
        longjmp(unwind_to, 7);
    if (depth > 0)
        dive(depth - 1);
    frame[1] = frame[0];
}

static int add_all(int count, ...)
{
    va_list list;
    int sum = 0;
    double real = 0;
    va_start(list, count);
    for (int i = 0; i < count; i++)
        if (i % 2)
            real += va_arg(list, double);
        else
            sum += va_arg(list, int);
    va_end(list);
    return sum + (int)real;
}

static int compare(const void *left, const void *right)
{
    int a = *(const int *)left, b = *(const int *)right;
    return (a > b) - (a < b);
}

int main(void)
{
    unsigned char program[4001];
    uint32_t state = 1;
    for (int i = 0; i < 4000; i++) {
        state = state * 1664525 + 1013904223;
        program[i] = (unsigned char)((state >> 24) % 7);
    }
    program[4000] = 7;
    for (int i = 0; i < 20; i++)
        CHECK_EQUAL(interpret(program + i * 100), threaded(program + i * 100));
    printf("interpreted %llx\n", (unsigned long long)interpret(program));
    printf("tail calls %llx\n", (unsigned long long)even(100001, 0));
    CHECK_EQUAL(deep(60000), 60000ul * 60001 / 2);
    CHECK_EQUAL(ackermann(2, 60), 123);
    for (volatile int i = 0; i < 300; i++) {
        int result = setjmp(unwind_to);
        if (!result)
            dive(i % 30);
        CHECK_EQUAL(result, 7);
    }
    CHECK_EQUAL(add_all(8, 1, 2.0, 3, 4.0, 5, 6.0, 7, 8.0), 36);
    int numbers[500];
    for (int i = 0; i < 500; i++)
        numbers[i] = (i * 7919) % 1009;
    qsort(numbers, 500, sizeof numbers[0], compare);
    for (int i = 1; i < 500; i++)
        CHECK(numbers[i - 1] <= numbers[i]);
    puts("calls");
    return 0;
}
