/* SPDX-License-Identifier: MIT */
/* The error object. Making one must work when memory is out: then a static object stands in. */
#include "lmdb-store/error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct rrs_error no_memory_error = {
    .code = RRS_ERROR_NO_MEMORY,
    .message = (char *)"out of memory",
};

struct rrs_error *rrs_error_no_memory(void)
{
    return &no_memory_error;
}

void rrs_error_destroy(struct rrs_error *error)
{
    if (!error || error == &no_memory_error)
        return;
    free(error->path);
    free(error->key);
    free(error->message);
    free(error);
}

static struct rrs_error *make(enum rrs_error_code code, int os_errno, const char *path,
                              const char *format, va_list arguments)
{
    struct rrs_error *error = calloc(1, sizeof *error);
    if (!error)
        return &no_memory_error;
    error->code = code;
    error->os_errno = os_errno;
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        goto fail;
    error->message = text;
    if (os_errno) {
        if (asprintf(&error->message, "%s: %s", text, strerror(os_errno)) < 0)
            error->message = text;
        else
            free(text);
    }
    if (path && !(error->path = strdup(path)))
        goto fail;
    return error;
fail:
    rrs_error_destroy(error);
    return &no_memory_error;
}

struct rrs_error *rrs_error_create(enum rrs_error_code code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct rrs_error *error = make(code, 0, NULL, format, arguments);
    va_end(arguments);
    return error;
}

struct rrs_error *rrs_error_os(int os_errno, const char *path, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct rrs_error *error = make(RRS_ERROR_OS, os_errno, path, format, arguments);
    va_end(arguments);
    return error;
}

struct rrs_error *rrs_error_path(enum rrs_error_code code, const char *path, const char *format,
                                 ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct rrs_error *error = make(code, 0, path, format, arguments);
    va_end(arguments);
    return error;
}

static bool copy_string(char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return !from || *to;
}

struct rrs_error *rrs_error_copy(const struct rrs_error *error)
{
    struct rrs_error *copy = calloc(1, sizeof *copy);
    if (!copy)
        return &no_memory_error;
    *copy = *error;
    bool complete = copy_string(&copy->path, error->path);
    complete &= copy_string(&copy->key, error->key);
    complete &= copy_string(&copy->message, error->message);
    if (complete)
        return copy;
    rrs_error_destroy(copy);
    return &no_memory_error;
}

/* Out of memory, the error is better kept without the string than replaced. */
static struct rrs_error *set_string(struct rrs_error *error, char **field, const char *value)
{
    if (error == &no_memory_error)
        return error;
    free(*field);
    *field = value ? strdup(value) : NULL;
    return error;
}

struct rrs_error *rrs_error_with_key(struct rrs_error *error, const char *key)
{
    return set_string(error, &error->key, key);
}

struct rrs_error *rrs_error_with_path(struct rrs_error *error, const char *path)
{
    return set_string(error, &error->path, path);
}

const char *rrs_error_code_name(enum rrs_error_code code)
{
    static const char *const names[] = {
#define X(name, text) text,
        RRS_ERROR_CODES(X)
#undef X
    };
    return (unsigned)code < sizeof names / sizeof names[0] ? names[code] : "unknown error";
}

char *rrs_error_format(const struct rrs_error *error, char *buffer, uint64_t size_bytes)
{
    if (error->path)
        snprintf(buffer, size_bytes, "%s: %s", error->path, error->message);
    else
        snprintf(buffer, size_bytes, "%s", error->message);
    return buffer;
}
