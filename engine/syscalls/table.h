/* SPDX-License-Identifier: MIT */
/*
 * The one description of system calls (syscalls.def, variants*.def, kinds.def), for the recorder,
 * the replayer, the printer and messages. Facts only: what is done about a call is not here.
 */
#ifndef RRS_ENGINE_SYSCALLS_TABLE_H
#define RRS_ENGINE_SYSCALLS_TABLE_H

#include "engine/syscalls/names.h"

#include <stdbool.h>
#include <stdint.h>

/** RRS_SYS_read and so on, also where the C library's headers are too old for them. */
enum rrs_syscall_number {
#define CALL(number, name, ...) RRS_SYS_##name = number,
#include "engine/syscalls/syscalls.def"
#undef CALL
    RRS_SYSCALLS_END = 463 /* numbers from here on are ENOSYS */
};

enum rrs_syscall_blocks { RRS_BLOCKS_NEVER, RRS_BLOCKS_MAY };

enum rrs_syscall_replay {
    RRS_REPLAY_EMULATE,   /* result and outputs from the trace */
    RRS_REPLAY_REEXECUTE, /* made again in replay */
    RRS_REPLAY_CUSTOM,    /* code of its own */
    RRS_REPLAY_REFUSE,    /* fails with refuse_errno */
};

enum rrs_syscall_result {
    RRS_RESULT_NONE, /* 0 */
    RRS_RESULT_INT,
    RRS_RESULT_UINT,
    RRS_RESULT_FD,
    RRS_RESULT_PID,
    RRS_RESULT_ADDRESS,
    RRS_RESULT_BYTES,
    RRS_RESULT_COUNT,
    RRS_RESULT_HEX,
    RRS_RESULT_MODE,
    RRS_RESULT_TIME,
    RRS_RESULT_NEVER, /* does not return */
    RRS_RESULT_NAMED, /* one of, or flags of, result_names */
};

enum rrs_argument_kind {
#define VALUE(name)       RRS_KIND_##name,
#define DATA(name, bytes) RRS_KIND_##name,
#include "engine/syscalls/kinds.def"
#undef VALUE
#undef DATA
    RRS_KIND_COUNT
};

/* Bits; 0 is an argument that is a value. */
enum rrs_argument_direction {
    RRS_DIRECTION_IN = 1,
    RRS_DIRECTION_OUT = 2,
    RRS_DIRECTION_INOUT = 3
};

enum rrs_argument_when { RRS_WHEN_SUCCESS, RRS_WHEN_ALWAYS, RRS_WHEN_FAILED, RRS_WHEN_E2BIG };

/* How many elements: see the head of syscalls.def. */
enum rrs_argument_count {
    RRS_COUNT_FIXED, /* count */
    RRS_COUNT_ARG,
    RRS_COUNT_RESULT,
    RRS_COUNT_RESULT_ONLY,
    RRS_COUNT_POINTED,
    RRS_COUNT_SIZED,
    RRS_COUNT_SIZED_UPTO,
    RRS_COUNT_BITS,
    RRS_COUNT_NODES,
    RRS_COUNT_PAGES,
    RRS_COUNT_IF,
    RRS_COUNT_IF_ALL,
    RRS_COUNT_IF_EQUAL,
    RRS_COUNT_UPTO,
    RRS_COUNT_NUL,
};

struct rrs_argument {
    uint8_t kind;
    uint8_t direction;
    uint8_t when;
    uint8_t names; /* of flags and enum */
    uint8_t count_from;
    uint8_t count_argument;
    uint32_t count;
};

struct rrs_syscall_shape {
    const char *name; /* of the call, or of the variant's command */
    uint8_t replay;
    uint8_t result;
    uint8_t result_names;
    uint8_t argument_count;
    uint16_t refuse_errno;
    struct rrs_argument arguments[6];
};

struct rrs_syscall_row {
    int number;
    uint8_t blocks;
    struct rrs_syscall_shape shape;
};

/** The row of a number; NULL: the kernel does not have it (ENOSYS). */
const struct rrs_syscall_row *rrs_syscall_row(int number);

/** The row of a call by name; NULL if there is none. */
const struct rrs_syscall_row *rrs_syscall_row_named(const char *name);

/**
 * The shape of a call with these arguments: that of its command where the call has variants and
 * this one is known, else that of its row. NULL for a number without a row.
 */
const struct rrs_syscall_shape *rrs_syscall_shape(int number, const uint64_t args[6]);

/** The shape of this call's variant alone; NULL if it has none, or none for its command. */
const struct rrs_syscall_shape *rrs_syscall_variant(int number, const uint64_t args[6]);

/** The bytes of one element of a kind; 0 for a kind that is a value, or that code measures. */
uint32_t rrs_kind_bytes(enum rrs_argument_kind kind);

/** The argument as the kernel sees it: cut to 32 bits, with or without sign, where its kind is. */
uint64_t rrs_argument_value(const struct rrs_syscall_shape *shape, const uint64_t args[6],
                            unsigned index);

#endif
