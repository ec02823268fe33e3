/* SPDX-License-Identifier: MIT */
/*
 * What the store's damage tests share: scratch directories, files taken apart, random numbers with
 * a printed seed, and children that may crash or hang without taking the test along.
 */
#ifndef RRS_TESTS_STORE_SUPPORT_H
#define RRS_TESTS_STORE_SUPPORT_H

#include "lmdb-store/error.h"

#include <stdbool.h>
#include <stdint.h>

enum { TEST_PASSED = 0, TEST_FAILED = 1, TEST_SKIPPED = 77 };

/* What became of a child. Kept apart from 1, which the sanitizers exit with. */
enum outcome { OUTCOME_RIGHT = 40, OUTCOME_REFUSED = 41, OUTCOME_WRONG = 42, OUTCOME_DIED = 43 };

/** Ends the test with "FILE:LINE: CONDITION" unless `condition` holds. */
#define require(condition)                                                     \
    do {                                                                       \
        if (!(condition))                                                      \
            support_fail("%s:%d: not so: %s", __FILE__, __LINE__, #condition); \
    } while (0)

/** Prints a message to standard error and exits with TEST_FAILED. */
_Noreturn void support_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Fails the test with the text of `error` unless it is NULL. */
void support_must(struct rrs_error *error);

/** xorshift64*. `state` must not be 0. */
uint64_t support_random(uint64_t *state);

/** Takes the seed from the environment variable SEED, else from the clock; prints and returns it.
 */
uint64_t support_seed(void);

/** Makes a scratch directory under $TMPDIR or /tmp, removed when the calling process exits
 * normally. The caller frees the path. */
char *support_scratch(void);

/** Removes `path` and everything below it. Missing is fine. */
void support_remove(const char *path);

/** Joins two path parts; the caller frees. */
char *support_join(const char *directory, const char *name);

/** Reads a whole file; the caller frees. */
uint8_t *support_slurp(const char *path, uint64_t *size_bytes);

/** Writes (creates, cuts to size) a whole file. */
void support_spill(const char *path, const void *bytes, uint64_t size_bytes);

/** Runs `body(context)` in a child and returns what it returned, or OUTCOME_DIED with the cause in
 * `cause` (of 64 bytes) if it was killed, exited otherwise or took longer than `seconds`. */
enum outcome support_child(enum outcome (*body)(void *context), void *context, unsigned seconds,
                           char *cause);

/** Moves this process (and its later children) to mounts of its own, as root or in a user
 * namespace. Where neither is allowed, says so and exits with TEST_SKIPPED. */
void support_private_mounts(void);

/** Mounts a tmpfs of `size_bytes` at `directory`, which exists. */
void support_mount_tmpfs(const char *directory, uint64_t size_bytes);

/** Whether the message of `error` names `path` and says something besides; destroys `error`. */
bool support_is_clear(struct rrs_error *error, const char *path);

#endif
