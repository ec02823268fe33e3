/* SPDX-License-Identifier: MIT */
/*
 * A system call as text, in the form of strace(1): read(3, "\177ELF"..., 832) = 832.
 *
 * Memory is read once, after the call: what the kernel both reads and writes is shown as it is
 * then.
 */
#ifndef RRS_ENGINE_SYSCALLS_PRINT_H
#define RRS_ENGINE_SYSCALLS_PRINT_H

#include "engine/syscalls/outputs.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeros, and NULL for all of it, are the defaults. */
struct rrs_print_options {
    uint32_t max_string;   /* bytes shown of a string; 0: 32; 4096 at most */
    uint32_t max_elements; /* shown of an array; 0: 32 */
    bool at_entry;         /* the call has not ended: no result, outputs as addresses */
    bool reads_only;       /* nothing is written: for a reader that wants to know what is used */
    bool in_part;          /* of a buffer that cannot be read as a whole, what can be is shown */
};

/**
 * Writes one line, without a newline, to `buffer`; always terminated (if `bytes` is not 0). Returns
 * its whole length, which may be more than there was room for. Everything outside printable ASCII
 * is escaped. Memory that cannot be read is shown as an address.
 */
size_t rrs_syscall_print(const struct rrs_syscall *call, const struct rrs_memory_reader *memory,
                         const struct rrs_print_options *options, char *buffer, size_t bytes);

/** The same for a signal's information: {si_signo=SIGCHLD, si_code=CLD_EXITED, ...}. */
size_t rrs_siginfo_print(const siginfo_t *info, char *buffer, size_t bytes);

/** "ENOENT", or NULL for an unknown number. */
const char *rrs_errno_name(int error);

/** "SIGTERM", "SIGRT_2", or NULL for an unknown number. Static storage. */
const char *rrs_signal_name(int signal);

#endif
