/* SPDX-License-Identifier: MIT */
/* The sets of names that arguments, fields and results of system calls are made of: names.def. */
#ifndef RRS_ENGINE_SYSCALLS_NAMES_H
#define RRS_ENGINE_SYSCALLS_NAMES_H

#include <stddef.h>
#include <stdint.h>

enum rrs_names {
#define SET(set, field, unknown) RRS_NAMES_##set,
#define NAME(value, name)
#include "engine/syscalls/names.def"
#undef SET
#undef NAME
    RRS_NAMES_COUNT
};

struct rrs_name {
    uint64_t value;
    const char *name;
};

struct rrs_name_set {
    uint32_t field;      /* bits that are one number; all of them: no flags */
    const char *unknown; /* for the comment behind a number without a name */
    const struct rrs_name *names;
    size_t count;
};

const struct rrs_name_set *rrs_name_set(enum rrs_names set);

/** The name of a value in a set; NULL if there is none. */
const char *rrs_name_of(enum rrs_names set, uint64_t value);

#endif
