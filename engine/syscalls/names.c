/* SPDX-License-Identifier: MIT */
/* names.def as C tables. */
#include "engine/syscalls/names.h"

/* Each SET line ends the array in front of it and begins its own. */
#define SET(set, field, unknown) \
    }                            \
    ;                            \
    static const struct rrs_name set##_names[] = {
#define NAME(number, text) {number, #text},
static const struct rrs_name no_names[] __attribute__((unused)) = {
#include "engine/syscalls/names.def"
};
#undef SET
#undef NAME

static const struct rrs_name_set sets[RRS_NAMES_COUNT] = {
#define SET(set, bits, text) \
    [RRS_NAMES_##set] = {bits, text, set##_names, sizeof set##_names / sizeof *set##_names},
#define NAME(number, text)
#include "engine/syscalls/names.def"
};

const struct rrs_name_set *rrs_name_set(enum rrs_names set)
{
    return &sets[set];
}

const char *rrs_name_of(enum rrs_names set, uint64_t value)
{
    for (size_t i = 0; i < sets[set].count; i++)
        if (sets[set].names[i].value == value)
            return sets[set].names[i].name;
    return NULL;
}
