/* SPDX-License-Identifier: MIT */
/*
 * The error object that every fallible function of the project returns.
 *
 * A function that a person, a trace or a packet can make fail returns `struct rrs_error *`: NULL is
 * success, anything else belongs to the caller, who passes it on or ends it with
 * rrs_error_destroy(). It stands in the lowest layer so that all layers share it; the payload
 * fields are plain numbers and strings, so this header knows no type of the layers above.
 */
#ifndef RRS_LMDB_STORE_ERROR_H
#define RRS_LMDB_STORE_ERROR_H

#include <stdint.h>

/* X(NAME, "what a person calls it"): one row per code. */
#define RRS_ERROR_CODES(X)                                                                       \
    X(NO_MEMORY, "out of memory")                                                                \
    X(OS, "system error")               /* payload: os_errno, path (may be NULL) */              \
    X(USAGE, "wrong usage")             /* the caller's or the user's request makes no sense */  \
    X(UNSUPPORTED, "not supported")     /* the kernel, the machine or the file cannot do this */ \
    X(EXISTS, "exists already")         /* payload: path */                                      \
    X(NOT_FOUND, "not found")           /* payload: path or key */                               \
    X(DISK_FULL, "disk full")           /* payload: path */                                      \
    X(BAD_TRACE, "damaged trace")       /* payload: path, key */                                 \
    X(OLD_TRACE, "other trace version") /* payload: path, key (the version found) */             \
    X(FAULT, "tracee memory fault")     /* payload: address */                                   \
    X(TRACEE_GONE, "tracee is gone")    /* payload: task */                                      \
    X(DIVERGED, "replay diverged")      /* payload: event, tick, task; message has both sides */

enum rrs_error_code {
#define X(name, text) RRS_ERROR_##name,
    RRS_ERROR_CODES(X)
#undef X
};

struct rrs_error {
    enum rrs_error_code code;
    int os_errno;     /* 0 unless the kernel gave one */
    int32_t task;     /* thread id, 0 if no task is concerned */
    uint64_t event;   /* event number, 0 if none */
    uint64_t tick;    /* 0 if none */
    uint64_t address; /* tracee address of a FAULT */
    char *path;       /* file concerned, or NULL */
    char *key;        /* record or setting concerned, or NULL */
    char *message;    /* one line for a person, without the path and without a newline */
};

#define RRS_MUST_CHECK __attribute__((warn_unused_result))
/* Tells the compiler that RRS_TRY always returns behind these. */
#define RRS_NEVER_NULL __attribute__((returns_nonnull))

/** Makes an error with a printf-style message. Never returns NULL (a static object if memory is
 * out). */
RRS_MUST_CHECK RRS_NEVER_NULL struct rrs_error *rrs_error_create(enum rrs_error_code code,
                                                                 const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Makes an OS error: the message becomes "TEXT: strerror(os_errno)". `path` may be NULL; it is
 * copied. */
RRS_MUST_CHECK RRS_NEVER_NULL struct rrs_error *rrs_error_os(int os_errno, const char *path,
                                                             const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Makes an error about a file. `path` is copied. */
RRS_MUST_CHECK RRS_NEVER_NULL struct rrs_error *rrs_error_path(enum rrs_error_code code,
                                                               const char *path, const char *format,
                                                               ...)
    __attribute__((format(printf, 3, 4)));

/** The shared out-of-memory object. */
RRS_MUST_CHECK RRS_NEVER_NULL struct rrs_error *rrs_error_no_memory(void);

/** Makes an equal error of its own. `error` is not NULL. */
RRS_MUST_CHECK RRS_NEVER_NULL struct rrs_error *rrs_error_copy(const struct rrs_error *error);

/** Sets the key of `error` to a copy of `key`, which may be NULL, and returns `error`. */
RRS_MUST_CHECK RRS_NEVER_NULL struct rrs_error *rrs_error_with_key(struct rrs_error *error,
                                                                   const char *key);

/** Sets the path of `error` to a copy of `path`, which may be NULL, and returns `error`. */
RRS_MUST_CHECK RRS_NEVER_NULL struct rrs_error *rrs_error_with_path(struct rrs_error *error,
                                                                    const char *path);

/** Frees `error`. NULL and the out-of-memory object are fine. */
void rrs_error_destroy(struct rrs_error *error);

/** The name of `code` for a person, e.g. "disk full". Static storage. */
const char *rrs_error_code_name(enum rrs_error_code code);

/**
 * Writes "PATH: MESSAGE" (or the message alone) to `buffer`, cut to `size_bytes`, always
 * terminated. Returns `buffer`.
 */
char *rrs_error_format(const struct rrs_error *error, char *buffer, uint64_t size_bytes);

/** Returns from the calling function with the error that EXPRESSION gives, if it gives one. */
#define RRS_TRY(expression)                              \
    do {                                                 \
        struct rrs_error *rrs_try_error_ = (expression); \
        if (rrs_try_error_)                              \
            return rrs_try_error_;                       \
    } while (0)

#endif
