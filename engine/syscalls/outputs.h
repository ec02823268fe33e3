/* SPDX-License-Identifier: MIT */
/*
 * What memory a system call writes: for the recorder, which has to save all of it, and for those
 * who compare or print calls. It goes by the table (table.h); kinds of data that name other memory
 * (message headers, vectors) are followed in outputs_*.c.
 *
 * Memory that the kernel writes at another time (exit, robust futexes, io_uring) or in another
 * process (process_vm_writev, the child's memory after clone) is not here.
 */
#ifndef RRS_ENGINE_SYSCALLS_OUTPUTS_H
#define RRS_ENGINE_SYSCALLS_OUTPUTS_H

#include "engine/tracee/ptrace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * How a task's memory is read: `read` returns how many bytes it could, from the start on. `used`
 * (NULL: nobody asks) is told what of that the result depends on.
 */
struct rrs_memory_reader {
    size_t (*read)(void *context, rrs_addr addr, void *buffer, size_t bytes);
    void *context;
    void (*used)(void *context, rrs_addr addr, const void *content, size_t bytes);
};

/** One system call, with the arguments that it had at its entry. */
struct rrs_syscall {
    int number;
    uint64_t args[6];
    int64_t result; /* the kernel's: -4095 to -1 are errors */
    /*
     * Lengths that the kernel replaces, as they were at entry (rrs_syscall_note_entry): of an
     * address or option, of a message's name. Used only if `noted`.
     */
    bool noted;
    uint32_t noted_bytes;
};

enum rrs_range_certainty {
    RRS_RANGE_KNOWN,   /* the kernel writes nothing else */
    RRS_RANGE_GUESSED, /* by an ioctl's number, or memory that may name more; that is not covered */
    RRS_RANGE_UNKNOWN, /* up to `bytes`, how many is not known: compare before and after */
};

struct rrs_memory_range {
    rrs_addr addr;
    size_t bytes; /* never 0 */
    enum rrs_range_certainty certainty;
};

/** An error ends the visit and is returned from it. */
typedef struct rrs_error *rrs_range_visitor(void *context, const struct rrs_memory_range *range);

/**
 * Calls `visit` for each range that the kernel may have written in this call, which has ended.
 * Ranges may overlap, and may hold bytes that were not written, but lie in memory that the program
 * handed over; parts that cannot be read cannot have been written. After EFAULT, where a part may
 * have been written, they are as large as at entry. Without notes, a length that the kernel made
 * longer than the program's buffer (a name that was cut short) is taken as it is.
 *
 * `memory` is read after the call. Errors: the visitor's.
 */
RRS_MUST_CHECK struct rrs_error *rrs_syscall_outputs(const struct rrs_syscall *call,
                                                     const struct rrs_memory_reader *memory,
                                                     rrs_range_visitor *visit, void *context);

/**
 * The same before the call is made: the most that it may write, however it ends. `call->result` is
 * not looked at. For redirecting outputs, and for copies of RRS_RANGE_UNKNOWN.
 */
RRS_MUST_CHECK struct rrs_error *rrs_syscall_outputs_at_entry(
    const struct rrs_syscall *call, const struct rrs_memory_reader *memory,
    rrs_range_visitor *visit, void *context);

/** Notes at entry what rrs_syscall_outputs() cannot find in memory any more. */
void rrs_syscall_note_entry(struct rrs_syscall *call, const struct rrs_memory_reader *memory);

/** Whether calls of this number have something to note. */
bool rrs_syscall_needs_note(int number);

#endif
