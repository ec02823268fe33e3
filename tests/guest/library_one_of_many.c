/* SPDX-License-Identifier: MIT */
/* A shared object built several times with another IDENTITY: same symbols at the same offsets,
 * other results. */
#include <stdlib.h>

static int state = IDENTITY;
int library_calls;

__attribute__((constructor)) static void begin(void)
{
    state += 1000;
}

__attribute__((noinline)) int library_leaf(int x)
{
    library_calls++;
    return x * IDENTITY + state;
}

int library_identity(void)
{
    return IDENTITY;
}

int library_compute(int x)
{
    int sum = 0;
    for (int i = 0; i < x; i++)
        sum += library_leaf(i) ^ IDENTITY;
    return sum;
}

static int compare(const void *left, const void *right)
{
    int a = *(const int *)left * IDENTITY % 17, b = *(const int *)right * IDENTITY % 17;
    return (a > b) - (a < b);
}

/* Called back from libc's text. */
int library_sort(int *numbers, int count)
{
    qsort(numbers, (size_t)count, sizeof *numbers, compare);
    return numbers[0];
}
