/* SPDX-License-Identifier: MIT */
/*
 * Test that the traces in tests/store/traces, written by earlier versions of the store, load and
 * hold what was written to them.
 *
 * Usage: old_trace DIRECTORY tests every format version's file; old_trace --write FILE makes the
 * one of the present version. A file is a data.mdb compressed with zstd. A format that was released
 * never changes: a new one gets a new number and a new file.
 */
#include "lmdb-store/scope.h"
#include "tests/store/support.h"
#include "tests/store/trace_sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zstd.h>

enum { EVENTS = 410, SECONDS = 30, COMPRESSION_LEVEL = 19 };

static const struct sample sample = {SAMPLE_SMALL, .has_blobs = true, .has_checkpoints = true};

static void write_file(const char *scratch, const char *file)
{
    _cleanup_free_ char *path = support_join(scratch, "trace");
    _cleanup_free_ char *data = support_join(path, "data.mdb");
    uint64_t size_bytes;
    sample_make(&sample, path, EVENTS);
    _cleanup_free_ uint8_t *bytes = support_slurp(data, &size_bytes);
    size_t bound = ZSTD_compressBound(size_bytes);
    _cleanup_free_ void *packed = malloc(bound);
    require(packed);
    size_t packed_bytes = ZSTD_compress(packed, bound, bytes, size_bytes, COMPRESSION_LEVEL);
    require(!ZSTD_isError(packed_bytes));
    support_spill(file, packed, packed_bytes);
}

static enum outcome read_trace(void *path)
{
    return sample_read(&sample, path, EVENTS, NULL);
}

static void test_file(const char *scratch, const char *file, const char *name)
{
    char cause[64] = "not what was written";
    uint64_t packed_bytes;
    _cleanup_free_ char *path = support_join(scratch, name);
    _cleanup_free_ char *data = support_join(path, "data.mdb");
    _cleanup_free_ uint8_t *packed = support_slurp(file, &packed_bytes);
    unsigned long long size_bytes = ZSTD_getFrameContentSize(packed, packed_bytes);
    require(size_bytes < 64 << 20);
    _cleanup_free_ void *bytes = malloc(size_bytes);
    require(bytes);
    require(ZSTD_decompress(bytes, size_bytes, packed, packed_bytes) == size_bytes);
    require(mkdir(path, 0700) == 0);
    support_spill(data, bytes, size_bytes);
    if (support_child(read_trace, path, SECONDS, cause) != OUTCOME_RIGHT)
        support_fail("%s: %s", file, cause);
    printf("%s: loads\n", name);
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"format-1"};
    _cleanup_free_ char *scratch = support_scratch();
    if (argc == 3 && strcmp(argv[1], "--write") == 0) {
        write_file(scratch, argv[2]);
        return TEST_PASSED;
    }
    require(argc == 2);
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        char file[4096];
        snprintf(file, sizeof file, "%s/%s.mdb.zst", argv[1], names[i]);
        test_file(scratch, file, names[i]);
    }
    return TEST_PASSED;
}
