/* SPDX-License-Identifier: MIT */
/* Small LMDB files of several shapes, made by liblmdb itself, to check and to damage. */
#ifndef RRS_TESTS_STORE_LMDB_SHAPES_H
#define RRS_TESTS_STORE_LMDB_SHAPES_H

#include <stdint.h>

/* X(name, what is in it): one row per shape. */
#define LMDB_SHAPES(X)                                                         \
    X(fresh, "two meta pages, never committed to")                             \
    X(one_commit, "a single record")                                           \
    X(deep, "one database with branch pages, keys of many lengths")            \
    X(big_values, "values in overflow runs, replaced by smaller ones")         \
    X(many_databases, "300 named databases, a record in each")                 \
    X(integer_keys, "8-byte and 4-byte integer keys in many commits")          \
    X(reverse_keys, "a database ordered from the last byte")                   \
    X(freed, "many commits of deletes: a free list, in a run of its own too")  \
    X(small_tree, "a branch page, an overflow run, a free list, in few pages") \
    X(emptied, "a database whose records are all gone")

enum lmdb_shape {
#define X(name, text) LMDB_SHAPE_##name,
    LMDB_SHAPES(X)
#undef X
        LMDB_SHAPE_COUNT
};

/** What the shape's databases hold, as liblmdb counts it (free list left out). */
struct lmdb_shape_counts {
    uint64_t databases;
    uint64_t entries;
    uint64_t branch_pages;
    uint64_t leaf_pages;
    uint64_t overflow_pages;
};

const char *lmdb_shape_name(enum lmdb_shape shape);

/** Makes the shape as DIRECTORY/data.mdb; `directory` exists. */
void lmdb_shape_make(enum lmdb_shape shape, const char *directory);

/** Opens DIRECTORY with liblmdb, reads every byte of every record of every database forwards and
 * each key again by lookup. Returns an LMDB code. */
int lmdb_shape_read(const char *directory, struct lmdb_shape_counts *counts);

/** Opens DIRECTORY for writing, adds, replaces and deletes records in every database, commits
 * several times. Returns an LMDB code. */
int lmdb_shape_continue(const char *directory);

#endif
