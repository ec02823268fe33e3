/* SPDX-License-Identifier: MIT */
/* A bug as they are: a loop that goes one too far spoils a pointer, and the program dies much later. */
#include <stdio.h>
#include <stdlib.h>

struct account {
    long history[4];
    const char *name;
};

__attribute__((noinline)) static void deposit(struct account *account, int when, long amount)
{
    account->history[when] = amount; /* mark: guilty */
}

__attribute__((noinline)) static int busy(int rounds)
{
    volatile int sum = 0;
    for (int i = 0; i < rounds; i++)
        sum += i % 7;
    return sum;
}

__attribute__((noinline)) static void report(const struct account *account)
{
    printf("%c\n", account->name[0]); /* mark: crash */
}

int main(void)
{
    struct account *account = calloc(1, sizeof *account);
    account->name = "somebody"; /* mark: named */
    for (int month = 0; month <= 4; month++) {
        busy(1000);
        deposit(account, month, 100 * month + 1);
    }
    busy(50000);
    report(account);
    return 0;
}
