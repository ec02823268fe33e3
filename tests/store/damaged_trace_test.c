/* SPDX-License-Identifier: MIT */
/*
 * Test that a trace that was cut, flipped, replaced or left out in part is either refused, by an
 * error that names the file and the cause, or read exactly as it was written.
 */
#include "lmdb-store/integrity_format.h"
#include "lmdb-store/scope.h"
#include "tests/store/lmdb_shapes.h"
#include "tests/store/support.h"
#include "tests/store/trace_sample.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    EVENTS = 1290,
    FLIPS = 2000,
    HEAD_FLIPS = 600,
    BURSTS = 200,
    LOCK_FLIPS = 60,
    PAGE = 4096,
    SECONDS = 20,
};

static const struct sample sample = {SAMPLE_SMALL, .has_blobs = true, .has_checkpoints = true};

struct trace {
    char *path;
    char *data;
    char *lock;
    uint8_t *bytes; /* of data.mdb, undamaged */
    uint64_t size_bytes;
};

struct tally {
    unsigned refused, right;
};

static enum outcome read_trace(void *context)
{
    const struct trace *trace = context;
    return sample_read(&sample, trace->path, EVENTS, NULL);
}

/* Reads the trace in a child. Returns whether it was refused. */
static bool try_damaged(struct trace *trace, const char *what, uint64_t where, struct tally *tally)
{
    char cause[64] = "wrong data or an unclear error";
    switch (support_child(read_trace, trace, SECONDS, cause)) {
    case OUTCOME_REFUSED:
        tally->refused++;
        return true;
    case OUTCOME_RIGHT:
        tally->right++;
        return false;
    case OUTCOME_WRONG:
    case OUTCOME_DIED:
        break;
    }
    support_fail("%s %llu: %s", what, (unsigned long long)where, cause);
}

static void print_tally(const char *what, const struct tally *tally)
{
    printf("%s: %u refused, %u harmless\n", what, tally->refused, tally->right);
    fflush(stdout);
}

static void put_bytes(const struct trace *trace, uint64_t offset, uint64_t size_bytes)
{
    _cleanup_close_ int fd = open(trace->data, O_WRONLY | O_CLOEXEC);
    require(fd >= 0);
    require(pwrite(fd, trace->bytes + offset, size_bytes, (off_t)offset) == (ssize_t)size_bytes);
}

static void flip(struct trace *trace, uint64_t bit, struct tally *tally)
{
    trace->bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    put_bytes(trace, bit / 8, 1);
    try_damaged(trace, "bit", bit, tally);
    trace->bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    put_bytes(trace, bit / 8, 1);
}

static void test_cuts(struct trace *trace)
{
    struct tally tally = {0};
    for (uint64_t size = 0; size < trace->size_bytes; size += PAGE) {
        support_spill(trace->data, trace->bytes, size);
        if (!try_damaged(trace, "cut at byte", size, &tally))
            printf("cut at byte %llu of %llu: harmless\n", (unsigned long long)size,
                   (unsigned long long)trace->size_bytes);
    }
    support_spill(trace->data, trace->bytes, trace->size_bytes);
    print_tally("cuts", &tally);
}

static void test_flips(struct trace *trace, uint64_t *random)
{
    struct tally anywhere = {0}, heads = {0};
    for (unsigned i = 0; i < FLIPS; i++)
        flip(trace, support_random(random) % (trace->size_bytes * 8), &anywhere);
    print_tally("flips anywhere", &anywhere);
    uint64_t n_pages = trace->size_bytes / PAGE;
    for (unsigned i = 0; i < HEAD_FLIPS; i++) {
        uint64_t page = support_random(random) % n_pages;
        uint64_t own_number;
        memcpy(&own_number, trace->bytes + page * PAGE, sizeof own_number);
        unsigned head_bytes = page < 2 ? 16 + 136 : 16 + 32;
        if (own_number == page) /* else within an overflow run, where no head is */
            flip(trace, page * PAGE * 8 + support_random(random) % (head_bytes * 8), &heads);
        else
            i--;
    }
    print_tally("flips in heads", &heads);
}

/* Whether reading the trace needs this page: others, free or old ones, may hold anything. */
static bool page_matters(struct trace *trace, uint64_t page)
{
    uint8_t kept[PAGE];
    struct tally tally = {0};
    memcpy(kept, trace->bytes + page * PAGE, PAGE);
    memset(trace->bytes + page * PAGE, 0, PAGE);
    put_bytes(trace, page * PAGE, PAGE);
    bool matters = try_damaged(trace, "page", page, &tally);
    memcpy(trace->bytes + page * PAGE, kept, PAGE);
    put_bytes(trace, page * PAGE, PAGE);
    return matters;
}

/* A bit of a key, which may leave the order of keys as it is: then the record is not found any
 * more, or is found as another one. */
static void test_key_flips(struct trace *trace, uint64_t *random)
{
    struct tally keys = {0}, values = {0};
    for (uint64_t page = 2; page < trace->size_bytes / PAGE; page++) {
        const uint8_t *bytes = trace->bytes + page * PAGE;
        if (lmdb_u64(bytes) != page || lmdb_u16(bytes + 10) != LMDB_PAGE_LEAF ||
            !page_matters(trace, page))
            continue;
        for (unsigned i = 0; i < lmdb_page_keys(bytes); i++) {
            struct lmdb_node node = lmdb_node_at(bytes, i);
            uint64_t key_bit = (uint64_t)(node.key - trace->bytes) * 8;
            uint64_t value_bit = (uint64_t)(node.value - trace->bytes) * 8;
            /* The last bytes of a key first: a change there keeps the order more often. */
            for (unsigned turn = 0; turn < 3; turn++) {
                uint32_t tail = node.key_bytes < 2 || turn == 0 ? node.key_bytes : 2;
                uint32_t begin = (node.key_bytes - tail) * 8;
                flip(trace, key_bit + begin + support_random(random) % (tail * 8), &keys);
            }
            flip(trace, value_bit + support_random(random) % 64, &values);
        }
    }
    print_tally("flips in keys", &keys);
    print_tally("flips in values' heads", &values);
}

/* 512 bytes of noise or zeros, as a bad sector leaves them. */
static void test_bursts(struct trace *trace, uint64_t *random)
{
    enum { SECTOR = 512 };
    struct tally tally = {0};
    for (unsigned i = 0; i < BURSTS; i++) {
        uint64_t offset = support_random(random) % (trace->size_bytes / SECTOR) * SECTOR;
        uint8_t kept[SECTOR];
        memcpy(kept, trace->bytes + offset, SECTOR);
        for (unsigned j = 0; j < SECTOR; j++)
            trace->bytes[offset + j] = i % 2 ? (uint8_t)support_random(random) : 0;
        put_bytes(trace, offset, SECTOR);
        try_damaged(trace, "sector at byte", offset, &tally);
        memcpy(trace->bytes + offset, kept, SECTOR);
        put_bytes(trace, offset, SECTOR);
    }
    print_tally("sectors", &tally);
}

/* The lock file carries no data: whatever is in it, an unused trace opens. */
static void test_lock_file(struct trace *trace, uint64_t *random)
{
    struct tally tally = {0};
    uint8_t noise[8192];
    for (unsigned i = 0; i < LOCK_FLIPS; i++) {
        for (unsigned j = 0; j < sizeof noise; j++)
            noise[j] = (uint8_t)support_random(random);
        support_spill(trace->lock, noise, i % 4 ? sizeof noise / (i % 4) : 0);
        require(!try_damaged(trace, "lock file", i, &tally));
    }
    print_tally("lock files", &tally);
}

static void must_refuse(struct trace *trace, const char *what)
{
    struct tally tally = {0};
    if (!try_damaged(trace, what, 0, &tally))
        support_fail("%s: not refused", what);
    printf("%s: refused\n", what);
}

/* A lock file that leads elsewhere: liblmdb would write there. */
static void test_lock_link(struct trace *trace, const char *scratch)
{
    static const char text[] = "somebody's letters";
    _cleanup_free_ char *victim = support_join(scratch, "letters");
    uint64_t size_bytes;
    support_spill(victim, text, sizeof text);
    unlink(trace->lock);
    require(symlink(victim, trace->lock) == 0);
    must_refuse(trace, "a lock file that is a link");
    _cleanup_free_ uint8_t *left = support_slurp(victim, &size_bytes);
    require(size_bytes == sizeof text && memcmp(left, text, sizeof text) == 0);
    require(unlink(trace->lock) == 0);
    require(mkfifo(trace->lock, 0600) == 0);
    must_refuse(trace, "a lock file that is a pipe");
    require(unlink(trace->lock) == 0);
    require(mkdir(trace->lock, 0700) == 0);
    must_refuse(trace, "a lock file that is a directory");
    require(rmdir(trace->lock) == 0);
}

static void test_strange_files(struct trace *trace)
{
    uint8_t text[3 * PAGE];
    memset(text, 'x', sizeof text);
    support_spill(trace->data, "", 0);
    must_refuse(trace, "an empty file");
    support_spill(trace->data, text, sizeof text);
    must_refuse(trace, "a foreign file");
    support_spill(trace->data, text, 3);
    must_refuse(trace, "a foreign file of 3 bytes");
    require(unlink(trace->data) == 0);
    must_refuse(trace, "a missing file");
    require(mkdir(trace->data, 0700) == 0);
    must_refuse(trace, "a directory");
    require(rmdir(trace->data) == 0);
    require(mkfifo(trace->data, 0600) == 0);
    must_refuse(trace, "a pipe");
    require(unlink(trace->data) == 0);
    require(symlink("/dev/zero", trace->data) == 0);
    must_refuse(trace, "an endless device");
    require(unlink(trace->data) == 0);
    require(symlink("data.mdb", trace->data) == 0);
    must_refuse(trace, "a link to itself");
    require(unlink(trace->data) == 0);
    support_spill(trace->data, trace->bytes, trace->size_bytes);
}

/* LMDB files that are sound, but no traces. */
static void test_other_stores(struct trace *trace)
{
    for (unsigned shape = 0; shape < LMDB_SHAPE_COUNT; shape++) {
        require(unlink(trace->data) == 0);
        unlink(trace->lock);
        lmdb_shape_make((enum lmdb_shape)shape, trace->path);
        must_refuse(trace, lmdb_shape_name((enum lmdb_shape)shape));
    }
    support_spill(trace->data, trace->bytes, trace->size_bytes);
}

static void test_missing_directory(const char *scratch)
{
    struct trace nothing = {.path = support_join(scratch, "nothing")};
    must_refuse(&nothing, "a missing directory");
    free(nothing.path);
}

int main(void)
{
    uint64_t random = support_seed();
    _cleanup_free_ char *scratch = support_scratch();
    struct trace trace = {.path = support_join(scratch, "trace")};
    struct tally tally = {0};
    sample_make(&sample, trace.path, EVENTS);
    trace.data = support_join(trace.path, "data.mdb");
    trace.lock = support_join(trace.path, "lock.mdb");
    trace.bytes = support_slurp(trace.data, &trace.size_bytes);
    printf("%llu bytes\n", (unsigned long long)trace.size_bytes);
    if (try_damaged(&trace, "undamaged", 0, &tally))
        support_fail("the undamaged trace is refused");
    test_missing_directory(scratch);
    test_strange_files(&trace);
    test_other_stores(&trace);
    test_lock_file(&trace, &random);
    test_lock_link(&trace, scratch);
    test_cuts(&trace);
    test_flips(&trace, &random);
    test_key_flips(&trace, &random);
    test_bursts(&trace, &random);
    if (try_damaged(&trace, "restored", 0, &tally))
        support_fail("reading changed the trace");
    free(trace.path);
    free(trace.data);
    free(trace.lock);
    free(trace.bytes);
    return TEST_PASSED;
}
