/* SPDX-License-Identifier: MIT */
/*
 * Test that a trace of another format version, older or newer, is refused with both versions in the
 * message, for reading and for writing, even if nothing else of it is as in this version.
 *
 * docs/TRACE-FORMAT.md promises for all versions: the database `meta` has a record `format`, whose
 * value is an XXH3 checksum of key and body, then the version as a 32-bit little-endian number.
 */
#include "lmdb-store/scope.h"
#include "lmdb-store/trace_reader.h"
#include "lmdb-store/trace_writer.h"
#include "tests/store/support.h"

#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

enum { VALUE_BYTES = 12, THIS_VERSION = 1 };

static void make_value(uint8_t value[VALUE_BYTES], const char *key, uint32_t version)
{
    for (unsigned i = 0; i < 4; i++)
        value[8 + i] = (uint8_t)(version >> 8 * i);
    uint64_t seal = XXH3_64bits_withSeed(value + 8, 4, XXH3_64bits(key, strlen(key)));
    for (unsigned i = 0; i < 8; i++)
        value[i] = (uint8_t)(seal >> 8 * i);
}

/* A trace of a version that has nothing in common with this one but the version's record. */
static void make_trace(const char *path, uint32_t version)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    char key_text[] = "format";
    uint8_t value_bytes[VALUE_BYTES];
    MDB_val key = {sizeof key_text - 1, key_text}, value = {sizeof value_bytes, value_bytes};
    make_value(value_bytes, key_text, version);
    require(mkdir(path, 0700) == 0);
    require(mdb_env_create(&env) == 0);
    require(mdb_env_set_maxdbs(env, 4) == 0);
    require(mdb_env_open(env, path, 0, 0600) == 0);
    require(mdb_txn_begin(env, NULL, 0, &txn) == 0);
    require(mdb_dbi_open(txn, "meta", MDB_CREATE, &dbi) == 0);
    require(mdb_put(txn, dbi, &key, &value, 0) == 0);
    require(mdb_txn_commit(txn) == 0);
    mdb_env_close(env);
}

static void must_refuse(struct rrs_error *error, const char *path, uint32_t version)
{
    char found[32], expected[32];
    snprintf(found, sizeof found, "version %u", version);
    snprintf(expected, sizeof expected, "expected %u", THIS_VERSION);
    require(error && error->code == RRS_ERROR_OLD_TRACE);
    printf("%s\n", error->message);
    require(strstr(error->message, found) && strstr(error->message, expected));
    require(error->key && strtoul(error->key, NULL, 10) == version);
    require(support_is_clear(error, path));
}

static void try_version(const char *scratch, uint32_t version)
{
    struct rrs_trace_reader *reader;
    struct rrs_trace_writer *writer;
    char name[32];
    snprintf(name, sizeof name, "version-%u", version);
    _cleanup_free_ char *path = support_join(scratch, name);
    make_trace(path, version);
    must_refuse(rrs_trace_reader_open(path, &reader), path, version);
    must_refuse(rrs_trace_writer_open(path, &writer), path, version);
}

int main(void)
{
    _cleanup_free_ char *scratch = support_scratch();
    try_version(scratch, 0);
    try_version(scratch, THIS_VERSION + 1);
    try_version(scratch, 4000000000);
    return TEST_PASSED;
}
