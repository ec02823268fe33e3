/* SPDX-License-Identifier: MIT */
/*
 * The arguments of a packet, taken apart by the schema of its row in the dispatch table. A schema
 * is read from left to right; each letter takes one argument, everything else has to stand there:
 *
 *   x  a number in hex                       w  bytes up to the schema's next character, or the end
 *   t  a thread: p1.2, p1.-1, 2, 0, -1       h  as w, and hex: decoded
 *   b  the rest, as it is                    ?  what follows may be missing
 */
#ifndef RRS_GDBSERVER_ARGUMENTS_H
#define RRS_GDBSERVER_ARGUMENTS_H

#include "gdbserver/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ARGUMENTS_MAX = 6, THREAD_ANY = 0, THREAD_ALL = -1 };

struct thread_id {
    bool has_pid;
    int64_t pid, tid; /* THREAD_ANY, THREAD_ALL, or an id */
};

struct argument {
    uint64_t number;
    struct thread_id thread;
    const uint8_t *data; /* borrowed from the packet, or from `decoded` */
    size_t size;
};

struct arguments {
    struct argument at[ARGUMENTS_MAX];
    int count; /* how many are there; with '?' it can be less than the schema has */
    struct buffer decoded;
};

/** Returns false if the text does not fit the schema. */
bool arguments_parse(const char *schema, const uint8_t *text, size_t size,
                     struct arguments *arguments);
void arguments_deinit(struct arguments *arguments);

/** Takes a hex number off the front of [*text, end); false if there is none or it is too large. */
bool take_hex(const uint8_t **text, const uint8_t *end, uint64_t *number);

/** Takes a thread id off the front. */
bool take_thread(const uint8_t **text, const uint8_t *end, struct thread_id *thread);

#define _cleanup_arguments_ __attribute__((cleanup(arguments_deinit)))

#endif
