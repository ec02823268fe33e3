/* SPDX-License-Identifier: MIT */
/*
 * What unit tests need: checks that name the place and stop, a directory that goes away, random
 * numbers from a printed seed. A test is a main() that returns 0, or test_skip().
 */
#ifndef RRS_TESTS_UNIT_TEST_H
#define RRS_TESTS_UNIT_TEST_H

#include "lmdb-store/error.h"

#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Whether a sanitizer is compiled in, which needs terabytes of address space. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TEST_HAS_SANITIZER 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TEST_HAS_SANITIZER 1
#endif
#ifndef TEST_HAS_SANITIZER
#define TEST_HAS_SANITIZER 0
#endif

#define CHECK(condition)                                                              \
    do {                                                                              \
        if (!(condition)) {                                                           \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                                  \
        }                                                                             \
    } while (0)

#define CHECK_EQUAL(actual, expected) \
    test_check_equal((uint64_t)(actual), (uint64_t)(expected), #actual, __FILE__, __LINE__)
#define CHECK_STRING(actual, expected) \
    test_check_string(actual, expected, #actual, __FILE__, __LINE__)
#define CHECK_OK(expression) test_check_ok(expression, #expression, __FILE__, __LINE__)
/* The expression must give an error with this code (RRS_ERROR_ is put in front). */
#define CHECK_FAILS(expression, code_name) \
    test_check_fails(expression, RRS_ERROR_##code_name, #expression, __FILE__, __LINE__)

static inline void test_check_equal(uint64_t actual, uint64_t expected, const char *text,
                                    const char *file, int line)
{
    if (actual == expected)
        return;
    fprintf(stderr, "%s:%d: %s is %" PRIu64 ", expected %" PRIu64 "\n", file, line, text, actual,
            expected);
    exit(1);
}

static inline void test_check_string(const char *actual, const char *expected, const char *text,
                                     const char *file, int line)
{
    if (strcmp(actual, expected) == 0)
        return;
    fprintf(stderr, "%s:%d: %s is '%s', expected '%s'\n", file, line, text, actual, expected);
    exit(1);
}

static inline void test_check_ok(struct rrs_error *error, const char *text, const char *file,
                                 int line)
{
    char message[1024];
    if (!error)
        return;
    fprintf(stderr, "%s:%d: %s failed: %s: %s\n", file, line, text,
            rrs_error_code_name(error->code), rrs_error_format(error, message, sizeof message));
    exit(1);
}

static inline void test_check_fails(struct rrs_error *error, enum rrs_error_code code,
                                    const char *text, const char *file, int line)
{
    char message[1024];
    if (!error) {
        fprintf(stderr, "%s:%d: %s succeeded, expected: %s\n", file, line, text,
                rrs_error_code_name(code));
        exit(1);
    }
    if (error->code != code || !error->message || !error->message[0]) {
        fprintf(stderr, "%s:%d: %s failed with '%s: %s', expected: %s\n", file, line, text,
                rrs_error_code_name(error->code), rrs_error_format(error, message, sizeof message),
                rrs_error_code_name(code));
        exit(1);
    }
    rrs_error_destroy(error);
}

static inline int test_skip(const char *why)
{
    printf("skipped: %s\n", why);
    return 77;
}

/* ---- a directory of the test's own ---- */

static inline int test_remove_entry(const char *path, const struct stat *status, int kind,
                                    struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

static inline void test_remove_tree(const char *path)
{
    nftw(path, test_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Makes a directory below $TMPDIR. Remove it with test_remove_tree(). */
static inline char *test_make_directory(char path[PATH_MAX])
{
    const char *base = getenv("TMPDIR");
    snprintf(path, PATH_MAX, "%s/rrsoft-test-XXXXXX", base && base[0] ? base : "/tmp");
    CHECK(mkdtemp(path));
    return path;
}

/* DIRECTORY/NAME in a buffer of the caller. */
static inline char *test_path(char path[PATH_MAX], const char *directory, const char *name)
{
    CHECK(snprintf(path, PATH_MAX, "%s/%s", directory, name) < PATH_MAX);
    return path;
}

/* ---- random numbers: splitmix64 ---- */

static inline uint64_t test_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline uint64_t test_random_below(uint64_t *state, uint64_t limit)
{
    return test_random(state) % limit;
}

/* Fills with bytes that compress: few values, in runs. */
static inline void test_fill(uint64_t *state, void *buffer, size_t size_bytes)
{
    uint8_t *to = buffer;
    while (size_bytes > 0) {
        size_t run = 1 + test_random_below(state, 24);
        if (run > size_bytes)
            run = size_bytes;
        memset(to, (int)test_random_below(state, 64), run);
        to += run;
        size_bytes -= run;
    }
}

/* The seed: the argument of the test, else the time. Printed, so that a failure can be repeated. */
static inline uint64_t test_seed(int argc, char **argv)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0)
                             : (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    printf("seed %" PRIu64 "\n", seed);
    fflush(stdout);
    return seed;
}

#endif
