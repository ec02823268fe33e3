/* SPDX-License-Identifier: MIT */
/* Test that a program whose static data reaches almost 2 GiB beyond its code finds all of it. */
#include "tests/guest/guest.h"

#include <stdint.h>

/* Never touched but for a few pages. */
enum { SPAN = 2000 << 20, STEP = 250 << 20 };
static unsigned char far_data[SPAN];
static uint64_t last[4];
static uint64_t (*far_function)(uint64_t);

__attribute__((noinline)) static uint64_t twice(uint64_t value)
{
    return value * 2 + last[3];
}

__attribute__((noinline)) static void store(uint64_t value)
{
    far_data[SPAN - 1] = (unsigned char)value;
    far_data[SPAN / 2] ^= (unsigned char)value;
    last[0] += value;
    last[1] = last[0] ^ far_data[SPAN - 1];
    last[2] = far_function(last[1]);
}

int main(void)
{
    far_function = twice;
    for (uint64_t i = 1; i <= 1000; i++)
        store(i);
    for (int64_t at = 0; at < SPAN; at += STEP)
        far_data[at] = (unsigned char)(at / STEP + far_data[at]);
    printf("%d %d", far_data[SPAN - 1], far_data[SPAN / 2]);
    for (int i = 0; i < 4; i++)
        printf(" %llu", (unsigned long long)last[i]);
    puts("");
    return 0;
}
