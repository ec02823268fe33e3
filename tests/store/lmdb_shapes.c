/* SPDX-License-Identifier: MIT */
#include "tests/store/lmdb_shapes.h"

#include "tests/store/support.h"

#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAP_BYTES = 64 << 20, DATABASES_MAX = 400, BIG_BYTES = 30000 };

const char *lmdb_shape_name(enum lmdb_shape shape)
{
    static const char *const names[] = {
#define X(name, text) #name,
        LMDB_SHAPES(X)
#undef X
    };
    return names[shape];
}

static int open_env(const char *directory, unsigned flags, MDB_env **env)
{
    int code = mdb_env_create(env);
    if (code)
        return code;
    mdb_env_set_mapsize(*env, MAP_BYTES);
    mdb_env_set_maxdbs(*env, DATABASES_MAX);
    code = mdb_env_open(*env, directory, flags, 0600);
    if (code)
        mdb_env_close(*env);
    return code;
}

static MDB_txn *begin(MDB_env *env)
{
    MDB_txn *txn;
    require(mdb_txn_begin(env, NULL, 0, &txn) == 0);
    return txn;
}

static MDB_dbi open_db(MDB_txn *txn, const char *name, unsigned flags)
{
    MDB_dbi dbi;
    require(mdb_dbi_open(txn, name, flags | MDB_CREATE, &dbi) == 0);
    return dbi;
}

static void put(MDB_txn *txn, MDB_dbi dbi, const void *key, size_t key_bytes, const void *value,
                size_t value_bytes)
{
    MDB_val k = {key_bytes, (void *)key};
    MDB_val v = {value_bytes, (void *)value};
    require(mdb_put(txn, dbi, &k, &v, 0) == 0);
}

static void make_fresh(MDB_env *env)
{
    (void)env;
}

static void make_one_commit(MDB_env *env)
{
    MDB_txn *txn = begin(env);
    put(txn, open_db(txn, "only", 0), "key", 3, "value", 5);
    require(mdb_txn_commit(txn) == 0);
}

/* Keys of 1 to 500 bytes: branch pages hold few, so the tree gets deep with little data. */
static void make_deep(MDB_env *env)
{
    uint64_t state = 7;
    char key[512];
    memset(key, 'k', sizeof key);
    for (unsigned commit = 0; commit < 8; commit++) {
        MDB_txn *txn = begin(env);
        MDB_dbi dbi = open_db(txn, "deep", 0);
        for (unsigned i = 0; i < 60; i++) {
            uint64_t random = support_random(&state);
            memcpy(key, &random, sizeof random);
            put(txn, dbi, key, 8 + random % 492, &random, sizeof random);
        }
        require(mdb_txn_commit(txn) == 0);
    }
}

static void make_big_values(MDB_env *env)
{
    static char big[BIG_BYTES];
    memset(big, 'b', sizeof big);
    for (unsigned commit = 0; commit < 4; commit++) {
        MDB_txn *txn = begin(env);
        MDB_dbi dbi = open_db(txn, "big", 0);
        for (uint32_t i = 0; i < 12; i++)
            put(txn, dbi, &i, sizeof i, big, sizeof big / (1 + (i + commit) % 5));
        require(mdb_txn_commit(txn) == 0);
    }
}

static void make_many_databases(MDB_env *env)
{
    for (unsigned commit = 0; commit < 3; commit++) {
        MDB_txn *txn = begin(env);
        for (unsigned i = 0; i < 100; i++) {
            char name[32];
            snprintf(name, sizeof name, "database-%u-%u", commit, i);
            put(txn, open_db(txn, name, 0), name, strlen(name), "x", 1);
        }
        require(mdb_txn_commit(txn) == 0);
    }
}

static void make_integer_keys(MDB_env *env)
{
    for (uint64_t commit = 0; commit < 20; commit++) {
        MDB_txn *txn = begin(env);
        MDB_dbi wide = open_db(txn, "wide", MDB_INTEGERKEY);
        MDB_dbi narrow = open_db(txn, "narrow", MDB_INTEGERKEY);
        for (uint64_t i = 0; i < 60; i++) {
            uint64_t key = commit * 1000 + i;
            uint32_t key32 = (uint32_t)(key * 7);
            put(txn, wide, &key, sizeof key, &key, sizeof key);
            put(txn, narrow, &key32, sizeof key32, &key, 3);
        }
        require(mdb_txn_commit(txn) == 0);
    }
}

static void make_reverse_keys(MDB_env *env)
{
    MDB_txn *txn = begin(env);
    MDB_dbi dbi = open_db(txn, "reverse", MDB_REVERSEKEY);
    for (unsigned i = 0; i < 400; i++) {
        char key[32];
        snprintf(key, sizeof key, "%u-%u", i * 7919 % 400, i);
        put(txn, dbi, key, strlen(key), key, strlen(key));
    }
    require(mdb_txn_commit(txn) == 0);
}

static void delete_range(MDB_txn *txn, MDB_dbi dbi, uint32_t begin_key, uint32_t end_key)
{
    for (uint32_t i = begin_key; i < end_key; i++) {
        MDB_val key = {sizeof i, &i};
        require(mdb_del(txn, dbi, &key, NULL) == 0);
    }
}

/* A reader that stays pins all freed pages, so the free list grows instead of being used up. */
static void make_freed(MDB_env *env)
{
    static char big[BIG_BYTES / 3];
    MDB_txn *txn = begin(env);
    MDB_dbi dbi = open_db(txn, "freed", MDB_INTEGERKEY);
    for (uint32_t i = 0; i < 30; i++)
        put(txn, dbi, &i, sizeof i, big, sizeof big);
    require(mdb_txn_commit(txn) == 0);
    MDB_txn *reader;
    require(mdb_txn_begin(env, NULL, MDB_RDONLY, &reader) == 0);
    for (uint32_t step = 0; step < 3; step++) {
        txn = begin(env);
        delete_range(txn, dbi, step * step * 3, (step + 1) * (step + 1) * 3);
        require(mdb_txn_commit(txn) == 0);
    }
    mdb_txn_abort(reader);
    txn = begin(env);
    uint32_t key = 1000;
    put(txn, dbi, &key, sizeof key, big, sizeof big / 2);
    require(mdb_txn_commit(txn) == 0);
}

static void make_small_tree(MDB_env *env)
{
    char key[400];
    memset(key, 'k', sizeof key);
    for (unsigned commit = 0; commit < 3; commit++) {
        static char big[5000];
        MDB_txn *txn = begin(env);
        MDB_dbi dbi = open_db(txn, "tree", 0);
        for (unsigned i = 0; i < 6; i++) {
            key[0] = (char)('a' + i * 3 + commit);
            put(txn, dbi, key, sizeof key, "value", 5);
        }
        put(txn, dbi, "big", 3, big, sizeof big);
        require(mdb_txn_commit(txn) == 0);
    }
}

static void make_emptied(MDB_env *env)
{
    MDB_txn *txn = begin(env);
    MDB_dbi dbi = open_db(txn, "emptied", MDB_INTEGERKEY);
    for (uint32_t i = 0; i < 500; i++)
        put(txn, dbi, &i, sizeof i, "value", 5);
    require(mdb_txn_commit(txn) == 0);
    txn = begin(env);
    delete_range(txn, dbi, 0, 500);
    require(mdb_txn_commit(txn) == 0);
}

void lmdb_shape_make(enum lmdb_shape shape, const char *directory)
{
    static void (*const makers[])(MDB_env *) = {
#define X(name, text) make_##name,
        LMDB_SHAPES(X)
#undef X
    };
    MDB_env *env;
    require(open_env(directory, MDB_NOSYNC, &env) == 0);
    makers[shape](env);
    mdb_env_close(env);
}

/* Adds all bytes, so that each is read. */
static void touch(const MDB_val *value)
{
    static volatile unsigned sum;
    unsigned total = 0;
    for (size_t i = 0; i < value->mv_size; i++)
        total += ((const uint8_t *)value->mv_data)[i];
    sum = sum + total;
}

static int read_db(MDB_txn *txn, MDB_dbi dbi, struct lmdb_shape_counts *counts)
{
    MDB_stat stat;
    MDB_cursor *cursor;
    MDB_val key, value, again;
    int code = mdb_stat(txn, dbi, &stat);
    if (code || (code = mdb_cursor_open(txn, dbi, &cursor)))
        return code;
    while ((code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        touch(&key);
        touch(&value);
        if ((code = mdb_get(txn, dbi, &key, &again)))
            break;
    }
    mdb_cursor_close(cursor);
    counts->entries += stat.ms_entries;
    counts->branch_pages += stat.ms_branch_pages;
    counts->leaf_pages += stat.ms_leaf_pages;
    counts->overflow_pages += stat.ms_overflow_pages;
    return code == MDB_NOTFOUND ? 0 : code;
}

typedef int db_visit(MDB_txn *txn, MDB_dbi dbi, void *context);

/* Visits every named database that can be opened by its name. */
static int each_db(MDB_txn *txn, MDB_dbi main_dbi, db_visit *visit, void *context)
{
    char names[DATABASES_MAX][64];
    unsigned count = 0;
    MDB_cursor *cursor;
    MDB_val key, value;
    int code = mdb_cursor_open(txn, main_dbi, &cursor);
    if (code)
        return code;
    while ((code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0 && count < DATABASES_MAX)
        snprintf(names[count++], sizeof names[0], "%.*s", (int)key.mv_size, (char *)key.mv_data);
    mdb_cursor_close(cursor);
    for (unsigned i = 0; i < count; i++) {
        MDB_dbi dbi;
        code = mdb_dbi_open(txn, names[i], 0, &dbi);
        if (code || (code = visit(txn, dbi, context)))
            return code;
    }
    return 0;
}

static int read_named(MDB_txn *txn, MDB_dbi dbi, void *context)
{
    struct lmdb_shape_counts *counts = context;
    counts->databases++;
    return read_db(txn, dbi, counts);
}

int lmdb_shape_read(const char *directory, struct lmdb_shape_counts *counts)
{
    struct lmdb_shape_counts found = {0};
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    int code = open_env(directory, MDB_RDONLY | MDB_NOLOCK, &env);
    if (code)
        return code;
    if ((code = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn)) == 0) {
        if ((code = mdb_dbi_open(txn, NULL, 0, &dbi)) == 0 &&
            (code = read_db(txn, dbi, &found)) == 0)
            code = each_db(txn, dbi, read_named, &found);
        mdb_txn_abort(txn);
    }
    mdb_env_close(env);
    found.entries -= found.databases; /* their records in the main database */
    *counts = found;
    return code;
}

/* Deletes the first record, replaces the last, adds some. */
static int change_db(MDB_txn *txn, MDB_dbi dbi, void *context)
{
    const unsigned *round = context;
    static char value[9000];
    MDB_cursor *cursor;
    MDB_val key, data = {sizeof value / (1 + *round % 3), value};
    int code = mdb_cursor_open(txn, dbi, &cursor);
    if (code)
        return code;
    unsigned flags = 0;
    mdb_dbi_flags(txn, dbi, &flags);
    if (mdb_cursor_get(cursor, &key, &data, MDB_LAST) == 0) {
        uint8_t last[512];
        size_t size = key.mv_size;
        memcpy(last, key.mv_data, size);
        last[flags & MDB_INTEGERKEY ? 2 : size - 1] ^= (uint8_t)(*round * 16 + 16);
        data = (MDB_val){sizeof value / (1 + *round % 3), value};
        code = mdb_put(txn, dbi, &key, &data, 0);
        key = (MDB_val){size, last};
        if (!code)
            code = mdb_put(txn, dbi, &key, &data, 0);
    }
    if (!code && mdb_cursor_get(cursor, &key, &data, MDB_FIRST) == 0)
        code = mdb_cursor_del(cursor, 0);
    mdb_cursor_close(cursor);
    return code;
}

int lmdb_shape_continue(const char *directory)
{
    MDB_env *env;
    int code = open_env(directory, MDB_NOSYNC | MDB_NOLOCK, &env);
    if (code)
        return code;
    for (unsigned round = 0; round < 6 && !code; round++) {
        MDB_txn *txn;
        MDB_dbi dbi;
        if ((code = mdb_txn_begin(env, NULL, 0, &txn)))
            break;
        if ((code = mdb_dbi_open(txn, NULL, 0, &dbi)) ||
            (code = each_db(txn, dbi, change_db, &round)))
            mdb_txn_abort(txn);
        else
            code = mdb_txn_commit(txn);
    }
    mdb_env_close(env);
    return code;
}
