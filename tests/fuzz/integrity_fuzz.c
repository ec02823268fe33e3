/* SPDX-License-Identifier: MIT */
/*
 * Fuzzer: the integrity check takes any file, and what it lets through liblmdb reads to the last
 * byte and continues without a crash, into a file that passes again. The file is in memory; liblmdb
 * opens it by its name in /proc.
 *
 * The mutator aims at what a page tree is made of: heads, offsets, nodes, small changes of numbers.
 */
#include "lmdb-store/integrity.h"

#include <assert.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, MAP_BYTES = 1 << 24, DATABASES_MAX = 16, META_BYTES = 16 + 136 };

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned next_random(unsigned *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

/* Where a change would count: in a head, in the array of offsets, or in a node that one points to.
 */
static size_t place_in_page(const uint8_t *page, size_t number, unsigned *random)
{
    uint16_t lower, offset;
    if (number < 2)
        return next_random(random) % META_BYTES;
    memcpy(&lower, page + 12, sizeof lower);
    if (next_random(random) % 3 == 0 || lower <= 16 || lower > PAGE)
        return next_random(random) % 24;
    size_t index = 16 + next_random(random) % (lower - 16u) / 2 * 2;
    if (next_random(random) % 2)
        return index;
    memcpy(&offset, page + index, sizeof offset);
    size_t place = offset + next_random(random) % 64;
    return place < PAGE ? place : index;
}

static void change_at(uint8_t *at, size_t room, unsigned *random)
{
    uint16_t word;
    switch (next_random(random) % 4) {
    case 0:
        *at ^= (uint8_t)(1 << next_random(random) % 8);
        return;
    case 1:
        *at = (uint8_t)next_random(random);
        return;
    default:
        if (room < sizeof word)
            return;
        memcpy(&word, at, sizeof word);
        word = (uint16_t)(word + next_random(random) % 33 - 16);
        memcpy(at, &word, sizeof word);
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    unsigned random = seed;
    if (size < 2 * PAGE || next_random(&random) % 16 == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    for (unsigned changes = 1 + next_random(&random) % 3; changes; changes--) {
        size_t number = next_random(&random) % (size / PAGE);
        size_t place = number * PAGE + place_in_page(data + number * PAGE, number, &random);
        change_at(data + place, size - place, &random);
    }
    return size;
}

static void touch(const MDB_val *value)
{
    static volatile unsigned sum;
    for (size_t i = 0; i < value->mv_size; i++)
        sum = sum + ((const uint8_t *)value->mv_data)[i];
}

/* Returns the number of records; stops at an error, which liblmdb may well report. */
static size_t read_db(MDB_txn *txn, MDB_dbi dbi)
{
    MDB_cursor *cursor;
    MDB_val key, value, again;
    size_t records = 0;
    if (mdb_cursor_open(txn, dbi, &cursor))
        return 0;
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
        touch(&key);
        touch(&value);
        int code = mdb_get(txn, dbi, &key, &again);
        assert(code == 0); /* the keys were found to be in order */
        records++;
    }
    mdb_cursor_close(cursor);
    return records;
}

static size_t read_named_dbs(MDB_txn *txn, MDB_dbi main_dbi)
{
    char names[DATABASES_MAX][600];
    unsigned n_names = 0;
    size_t records = 0;
    MDB_cursor *cursor;
    MDB_val key, value;
    if (mdb_cursor_open(txn, main_dbi, &cursor))
        return 0;
    while (n_names < DATABASES_MAX && mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0)
        snprintf(names[n_names++], sizeof names[0], "%.*s", (int)key.mv_size, (char *)key.mv_data);
    mdb_cursor_close(cursor);
    for (unsigned i = 0; i < n_names; i++) {
        MDB_dbi dbi;
        if (mdb_dbi_open(txn, names[i], 0, &dbi) == 0)
            records += read_db(txn, dbi);
    }
    return records;
}

/* Deletes the first record and adds a large one, which takes pages from the free list. */
static int change_db(MDB_txn *txn, MDB_dbi dbi)
{
    static char large[3 * PAGE];
    MDB_cursor *cursor;
    MDB_val key, value, added = {sizeof large, large};
    uint8_t copy[512];
    int code = mdb_cursor_open(txn, dbi, &cursor);
    if (code)
        return code;
    code = mdb_cursor_get(cursor, &key, &value, MDB_LAST);
    if (code == 0) {
        memcpy(copy, key.mv_data, key.mv_size);
        copy[key.mv_size / 2] ^= 0x15;
        key.mv_data = copy;
        code = mdb_put(txn, dbi, &key, &added, 0);
    }
    if (code == 0 && (code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST)) == 0)
        code = mdb_cursor_del(cursor, 0);
    mdb_cursor_close(cursor);
    return code == MDB_NOTFOUND ? 0 : code;
}

static int change_first_db(MDB_env *env)
{
    char name[600];
    MDB_txn *txn;
    MDB_dbi main_dbi, dbi;
    MDB_cursor *cursor;
    MDB_val key, value;
    int code = mdb_txn_begin(env, NULL, 0, &txn);
    if (code)
        return code;
    if ((code = mdb_dbi_open(txn, NULL, 0, &main_dbi)) == 0 &&
        (code = mdb_cursor_open(txn, main_dbi, &cursor)) == 0) {
        code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
        if (code == 0)
            snprintf(name, sizeof name, "%.*s", (int)key.mv_size, (char *)key.mv_data);
        mdb_cursor_close(cursor);
    }
    if (code == 0 && (code = mdb_dbi_open(txn, name, 0, &dbi)) == 0)
        code = change_db(txn, dbi);
    if (code == 0)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return code;
}

static void continue_with_lmdb(int fd, const char *path)
{
    enum { COMMITS = 4 };
    MDB_env *env;
    int code = mdb_env_create(&env);
    assert(code == 0);
    mdb_env_set_mapsize(env, MAP_BYTES);
    mdb_env_set_maxdbs(env, DATABASES_MAX);
    code = mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOSYNC | MDB_NOLOCK, 0600);
    for (unsigned i = 0; i < COMMITS && code == 0; i++)
        code = change_first_db(env);
    mdb_env_close(env);
    struct rrs_error *error = rrs_integrity_check(fd, path, NULL);
    if (error && code == 0)
        fprintf(stderr, "after writing: %s\n", error->message);
    assert(!error || code != 0);
    rrs_error_destroy(error);
}

static void read_with_lmdb(const char *path, const struct rrs_integrity_report *report)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    int code = mdb_env_create(&env);
    assert(code == 0);
    mdb_env_set_mapsize(env, MAP_BYTES);
    mdb_env_set_maxdbs(env, DATABASES_MAX);
    code = mdb_env_open(env, path, MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK, 0600);
    if (code == 0 && (code = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn)) == 0) {
        code = mdb_dbi_open(txn, NULL, 0, &dbi);
        assert(code == 0);
        size_t records = read_db(txn, dbi);
        assert(records <= report->entries + report->databases);
        records = read_named_dbs(txn, dbi);
        assert(records <= report->entries);
        mdb_txn_abort(txn);
    }
    mdb_env_close(env);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    struct rrs_integrity_report report;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    assert(fd >= 0);
    ssize_t written = write(fd, data, size);
    assert(written == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct rrs_error *error = rrs_integrity_check(fd, path, &report);
    if (error)
        assert(error->code == RRS_ERROR_BAD_TRACE || error->code == RRS_ERROR_UNSUPPORTED);
    else {
        read_with_lmdb(path, &report);
        continue_with_lmdb(fd, path);
    }
    rrs_error_destroy(error);
    close(fd);
    return 0;
}
