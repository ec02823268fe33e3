/* SPDX-License-Identifier: MIT */
/* What the files of the printer share. */
#ifndef RRS_ENGINE_SYSCALLS_PRINT_INTERNAL_H
#define RRS_ENGINE_SYSCALLS_PRINT_INTERNAL_H

#include "engine/syscalls/outputs_internal.h"
#include "engine/syscalls/print.h"

struct rrs_printer {
    struct rrs_outputs outputs; /* reads, and counts elements */
    uint32_t max_string, max_elements;
    bool in_part, reads_only;
    char *buffer;
    size_t size, length; /* room, and what the whole text has so far */
};

/* Loops over what the program says end here: it, and a trace, may say anything. */
enum { RRS_PRINT_LOOPS_MAX = 1 << 16 };

/* --- text --- */

void rrs_print_text(struct rrs_printer *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void rrs_print_address(struct rrs_printer *p, uint64_t value);
void rrs_print_names(struct rrs_printer *p, enum rrs_names set, uint64_t value);
void rrs_print_signal(struct rrs_printer *p, uint32_t signal);
void rrs_print_id(struct rrs_printer *p, uint32_t id);
void rrs_print_mode(struct rrs_printer *p, uint32_t mode, bool with_kind);
void rrs_print_limit(struct rrs_printer *p, uint64_t limit);

/** Bytes as a C string in quotes, cut at max_string. */
void rrs_print_bytes(struct rrs_printer *p, const void *bytes, size_t count);

/** The same of the program's memory; its address if it cannot be read. */
void rrs_print_memory_bytes(struct rrs_printer *p, rrs_addr addr, uint64_t count);

/** A string up to its NUL, at most `most` bytes of it. */
void rrs_print_string(struct rrs_printer *p, rrs_addr addr, uint64_t most);

/* --- data --- */

/** One element; false, with nothing written, if its memory cannot be read. */
typedef bool rrs_data_printer(struct rrs_printer *p, rrs_addr addr);

/** An element of this kind by structs.def or by code; false also for kinds that have neither. */
bool rrs_print_element(struct rrs_printer *p, enum rrs_argument_kind kind, rrs_addr addr);

/** An element by structs.def; false if it is not there. */
bool rrs_print_struct(struct rrs_printer *p, enum rrs_argument_kind kind, rrs_addr addr);

/** What an argument points to, all elements of it. */
void rrs_print_data(struct rrs_printer *p, const struct rrs_argument *argument, rrs_addr addr);

/** The vector's ranges, with `bytes` of data in them; as addresses if `bytes` is UINT64_MAX. */
void rrs_print_vector(struct rrs_printer *p, rrs_addr vector, uint64_t count, uint64_t bytes);

void rrs_print_sigset(struct rrs_printer *p, uint64_t set);
void rrs_print_sockaddr(struct rrs_printer *p, rrs_addr addr, uint64_t bytes);
void rrs_print_message(struct rrs_printer *p, rrs_addr addr, uint64_t data_bytes);

/** What stands behind the result, e.g. poll's descriptors. */
void rrs_print_result_details(struct rrs_printer *p);

#endif
