/* SPDX-License-Identifier: MIT */
/* The .def files as C tables, and looking things up in them. */
#include "engine/syscalls/table.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* --- the language of the .def files --- */

#define VALUE_OF(kind_name) {.kind = RRS_KIND_##kind_name}
#define INT                 VALUE_OF(int)
#define UINT                VALUE_OF(uint)
#define LONG                VALUE_OF(long)
#define ULONG               VALUE_OF(ulong)
#define HEX                 VALUE_OF(hex)
#define FD                  VALUE_OF(fd)
#define DIRFD               VALUE_OF(dirfd)
#define PID                 VALUE_OF(pid)
#define UID                 VALUE_OF(uid)
#define GID                 VALUE_OF(gid)
#define SIGNAL              VALUE_OF(signal)
#define SIZE                VALUE_OF(size)
#define OFFSET              VALUE_OF(offset)
#define MODE                VALUE_OF(mode)
#define ADDRESS             VALUE_OF(address)
#define DEV                 VALUE_OF(dev)
#define KEY                 VALUE_OF(key)
#define COMMAND             VALUE_OF(command)
#define UNUSED              VALUE_OF(unused)
#define FLAGS(set)          {.kind = RRS_KIND_flags, .names = RRS_NAMES_##set}
#define ENUM(set)           {.kind = RRS_KIND_enum, .names = RRS_NAMES_##set}

#define MEMORY(way, time, kind_name, ...)                                                   \
    {                                                                                       \
        .kind = RRS_KIND_##kind_name, .direction = RRS_DIRECTION_##way,                     \
        .when = RRS_WHEN_##time, __VA_ARGS__                                                \
    }
#define IN(kind_name, ...)           MEMORY(IN, SUCCESS, kind_name, __VA_ARGS__)
#define OUT(kind_name, ...)          MEMORY(OUT, SUCCESS, kind_name, __VA_ARGS__)
#define INOUT(kind_name, ...)        MEMORY(INOUT, SUCCESS, kind_name, __VA_ARGS__)
#define OUT_ALWAYS(kind_name, ...)   MEMORY(OUT, ALWAYS, kind_name, __VA_ARGS__)
#define INOUT_ALWAYS(kind_name, ...) MEMORY(INOUT, ALWAYS, kind_name, __VA_ARGS__)
#define OUT_FAILED(kind_name, ...)   MEMORY(OUT, FAILED, kind_name, __VA_ARGS__)
#define INOUT_E2BIG(kind_name, ...)  MEMORY(INOUT, E2BIG, kind_name, __VA_ARGS__)
#define PATH                         IN(path, NUL)
#define STRING                       IN(string, NUL)

#define FROM(source, index, number) \
    .count_from = RRS_COUNT_##source, .count_argument = index, .count = number
#define ONE                       FROM(FIXED, 0, 1)
#define N(constant)               FROM(FIXED, 0, constant)
#define ARG(index)                FROM(ARG, index, 0)
#define RESULT(index)             FROM(RESULT, index, 0)
#define RESULT_ONLY               FROM(RESULT_ONLY, 0, 0)
#define POINTED(index)            FROM(POINTED, index, 0)
#define SIZED(offset)             FROM(SIZED, 0, offset)
#define SIZED_UPTO(offset, index) FROM(SIZED_UPTO, index, offset)
#define BITS(index)               FROM(BITS, index, 0)
#define NODES(index)              FROM(NODES, index, 0)
#define PAGES(index)              FROM(PAGES, index, 0)
#define IF(index, mask)           FROM(IF, index, mask)
#define IF_ALL(index, mask)       FROM(IF_ALL, index, mask)
#define IF_EQUAL(index, value)    FROM(IF_EQUAL, index, value)
#define UPTO(most)                FROM(UPTO, 0, most)
#define NUL                       FROM(NUL, 0, 0)

#define RRS_REPLAY_REFUSE(error) RRS_REPLAY_REFUSE, .refuse_errno = error
#define RRS_RESULT_FLAGS(set)    RRS_RESULT_NAMED, .result_names = RRS_NAMES_##set
#define RRS_RESULT_ENUM(set)     RRS_RESULT_NAMED, .result_names = RRS_NAMES_##set

/* Results and classes are pasted here, so that INT above does not replace them first. */
#define SHAPE(text, class_name, result_name, ...)                                           \
    .name = text, .replay = class_name, .result = result_name, .arguments = {__VA_ARGS__},  \
    .argument_count =                                                                       \
        sizeof((struct rrs_argument[]){__VA_ARGS__}) / sizeof(struct rrs_argument)

/* --- calls --- */

static const struct rrs_syscall_row rows[RRS_SYSCALLS_END] = {
#define CALL(nr, call_name, sleeps, class_name, result_name, ...)                           \
    [nr] = {.number = nr,                                                                   \
            .blocks = RRS_BLOCKS_##sleeps,                                                  \
            .shape = {SHAPE(#call_name, RRS_REPLAY_##class_name, RRS_RESULT_##result_name,  \
                            __VA_ARGS__)}},
#include "engine/syscalls/syscalls.def"
#undef CALL
};

const struct rrs_syscall_row *rrs_syscall_row(int number)
{
    bool known = number >= 0 && number < RRS_SYSCALLS_END && rows[number].shape.name;
    return known ? &rows[number] : NULL;
}

const struct rrs_syscall_row *rrs_syscall_row_named(const char *name)
{
    for (int i = 0; i < RRS_SYSCALLS_END; i++)
        if (rows[i].shape.name && strcmp(rows[i].shape.name, name) == 0)
            return &rows[i];
    return NULL;
}

/* --- variants --- */

struct variant {
    uint32_t value;
    struct rrs_syscall_shape shape;
};

/* Each VARIANTS line ends the array in front of it and begins its own. */
#define VARIANTS(call_name, argument, shift, mask) \
    }                                              \
    ;                                              \
    static const struct variant call_name##_variants[] = {
#define VARIANT(number, command, class_name, result_name, ...)                              \
    {.value = number,                                                                       \
     .shape = {SHAPE(#command, RRS_REPLAY_##class_name, RRS_RESULT_##result_name, __VA_ARGS__)}},
#define IOCTL(number, command, result_name, ...)                                            \
    {.value = number,                                                                       \
     .shape = {SHAPE(#command, RRS_REPLAY_EMULATE, RRS_RESULT_##result_name, FD, COMMAND,   \
                     __VA_ARGS__)}},
static const struct variant no_variants[] __attribute__((unused)) = {
#include "engine/syscalls/variants.def"
#include "engine/syscalls/variants_ioctl.def"
#include "engine/syscalls/variants_process.def"
};
#undef VARIANTS
#undef VARIANT
#undef IOCTL

static const struct variant_table {
    int number;
    uint8_t argument, shift;
    uint32_t mask;
    const struct variant *variants;
    size_t count;
} variant_tables[] = {
#define VARIANTS(call_name, argument, shift, mask)                                          \
    {RRS_SYS_##call_name,   argument,                                                       \
     shift,                 mask,                                                           \
     call_name##_variants,  sizeof call_name##_variants / sizeof *call_name##_variants},
#define VARIANT(...)
#define IOCTL(...)
#include "engine/syscalls/variants.def"
#include "engine/syscalls/variants_ioctl.def"
#include "engine/syscalls/variants_process.def"
};

static const struct variant_table *variants_of(int number)
{
    for (size_t i = 0; i < sizeof variant_tables / sizeof *variant_tables; i++)
        if (variant_tables[i].number == number)
            return &variant_tables[i];
    return NULL;
}

const struct rrs_syscall_shape *rrs_syscall_variant(int number, const uint64_t args[6])
{
    const struct variant_table *table = variants_of(number);
    if (!table)
        return NULL;
    uint32_t command = (uint32_t)(args[table->argument] >> table->shift) & table->mask;
    for (size_t i = 0; i < table->count; i++)
        if (table->variants[i].value == command)
            return &table->variants[i].shape;
    return NULL;
}

const struct rrs_syscall_shape *rrs_syscall_shape(int number, const uint64_t args[6])
{
    const struct rrs_syscall_row *row = rrs_syscall_row(number);
    const struct rrs_syscall_shape *variant = row ? rrs_syscall_variant(number, args) : NULL;
    if (variant)
        return variant;
    return row ? &row->shape : NULL;
}

/* --- kinds --- */

uint32_t rrs_kind_bytes(enum rrs_argument_kind kind)
{
    static const uint16_t bytes_of[RRS_KIND_COUNT] = {
#define VALUE(name)
#define DATA(name, bytes) [RRS_KIND_##name] = bytes,
#include "engine/syscalls/kinds.def"
    };
    return bytes_of[kind];
}

uint64_t rrs_argument_value(const struct rrs_syscall_shape *shape, const uint64_t args[6],
                            unsigned index)
{
    uint64_t value = args[index];
    if (index >= shape->argument_count)
        return value;
    switch ((enum rrs_argument_kind)shape->arguments[index].kind) {
    case RRS_KIND_int:
    case RRS_KIND_fd:
    case RRS_KIND_dirfd:
    case RRS_KIND_pid:
    case RRS_KIND_signal:
        return (uint64_t)(int32_t)value;
    case RRS_KIND_uint:
    case RRS_KIND_uid:
    case RRS_KIND_gid:
    case RRS_KIND_command:
    case RRS_KIND_key:
        return (uint32_t)value;
    default:
        return value;
    }
}
