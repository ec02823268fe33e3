/* SPDX-License-Identifier: MIT */
/*
 * What every guest shares: a check that names its place, and a bound on the guest's life.
 *
 * Guests do not know whether they run natively, counted, recorded or replayed, so they print
 * nothing that depends on time, on address layout or on process numbers. A guest that needs
 * ITIMER_REAL or SIGALRM for itself replaces the bound; the runner's own timeout then remains.
 */
#ifndef RRS_TESTS_GUEST_GUEST_H
#define RRS_TESTS_GUEST_GUEST_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GUEST_BOUND_SECONDS = 100, GUEST_SKIPPED = 77 };

__attribute__((noreturn, unused)) static void guest_fail(const char *file, int line,
                                                         const char *what)
{
    dprintf(STDERR_FILENO, "%s:%d: %s (errno %d: %s)\n", file, line, what, errno, strerror(errno));
    _exit(1);
}

__attribute__((noreturn, unused)) static void guest_fail_equal(const char *file, int line,
                                                               const char *what, long long left,
                                                               long long right)
{
    dprintf(STDERR_FILENO, "%s:%d: %s: %lld (0x%llx) and %lld (0x%llx)\n", file, line, what, left,
            left, right, right);
    _exit(1);
}

/* Ends the process with 77: the machine lacks what the guest is about. */
__attribute__((noreturn, unused)) static void guest_skip(const char *why)
{
    dprintf(STDERR_FILENO, "skipped: %s\n", why);
    _exit(GUEST_SKIPPED);
}

#define CHECK(cond)                                \
    do {                                           \
        if (!(cond))                               \
            guest_fail(__FILE__, __LINE__, #cond); \
    } while (0)

#define CHECK_EQUAL(left, right)                                                                  \
    do {                                                                                          \
        long long left_value_ = (long long)(left), right_value_ = (long long)(right);             \
        if (left_value_ != right_value_)                                                          \
            guest_fail_equal(__FILE__, __LINE__, #left " == " #right, left_value_, right_value_); \
    } while (0)

__attribute__((constructor, unused)) static void guest_bound(void)
{
    alarm(GUEST_BOUND_SECONDS);
}

#endif
