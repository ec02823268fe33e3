/* SPDX-License-Identifier: MIT */
/*
 * Test that the integrity check accepts what liblmdb writes, counts it as liblmdb does, and lets no
 * damaged file through on which liblmdb crashes, hangs or loses records, reading or writing.
 */
#include "lmdb-store/integrity.h"

#include "lmdb-store/scope.h"
#include "tests/store/lmdb_shapes.h"
#include "tests/store/support.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    FLIPS_PER_SHAPE = 250,
    HEAD_FLIPS_PER_SHAPE = 150,
    PAGE = 4096,
    SECONDS = 20,
    LIVE_CHECKS = 500
};

struct specimen {
    const char *name;
    char *directory;
    char *file;
    uint8_t *bytes;
    uint64_t size_bytes;
    struct lmdb_shape_counts counts;
};

struct tally {
    unsigned refused, right;
};

static struct rrs_error *check(const char *file, struct rrs_integrity_report *report)
{
    _cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC);
    require(fd >= 0);
    return rrs_integrity_check(fd, file, report);
}

/* Refused, or liblmdb gets through it with as many records as before. */
static enum outcome read_and_continue(void *context)
{
    const struct specimen *specimen = context;
    struct lmdb_shape_counts counts;
    struct rrs_error *error = check(specimen->file, NULL);
    if (error)
        return support_is_clear(error, specimen->file) ? OUTCOME_REFUSED : OUTCOME_WRONG;
    if (lmdb_shape_read(specimen->directory, &counts))
        return OUTCOME_RIGHT; /* liblmdb noticed by itself */
    if (memcmp(&counts, &specimen->counts, sizeof counts) != 0)
        return OUTCOME_WRONG;
    lmdb_shape_continue(specimen->directory);
    return OUTCOME_RIGHT;
}

static void try_damaged(struct specimen *specimen, const char *what, uint64_t where,
                        struct tally *tally)
{
    char cause[64] = "wrong data";
    switch (support_child(read_and_continue, specimen, SECONDS, cause)) {
    case OUTCOME_REFUSED:
        tally->refused++;
        return;
    case OUTCOME_RIGHT:
        tally->right++;
        return;
    case OUTCOME_WRONG:
    case OUTCOME_DIED:
        support_fail("%s, %s %llu: %s", specimen->name, what, (unsigned long long)where, cause);
    }
}

static void restore(const struct specimen *specimen)
{
    support_spill(specimen->file, specimen->bytes, specimen->size_bytes);
}

static void flip(struct specimen *specimen, uint64_t bit, struct tally *tally)
{
    specimen->bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    restore(specimen);
    specimen->bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    try_damaged(specimen, "bit", bit, tally);
}

static void test_sound(const struct specimen *specimen)
{
    struct rrs_integrity_report report;
    support_must(check(specimen->file, &report));
    require(report.file_bytes == specimen->size_bytes);
    require(report.databases == specimen->counts.databases);
    require(report.entries == specimen->counts.entries);
    /* The report counts the free list's pages too. */
    require(report.branch_pages >= specimen->counts.branch_pages);
    require(report.leaf_pages >= specimen->counts.leaf_pages);
    require(report.overflow_pages >= specimen->counts.overflow_pages);
    require(report.lost_pages == 0);
    require(report.snapshots_tried == 1);
}

static void test_cuts(struct specimen *specimen)
{
    struct tally tally = {0};
    for (uint64_t size = 0; size < specimen->size_bytes; size += PAGE / 2) {
        support_spill(specimen->file, specimen->bytes, size);
        try_damaged(specimen, "cut at byte", size, &tally);
    }
    restore(specimen);
    printf("%s: cuts: %u refused, %u harmless\n", specimen->name, tally.refused, tally.right);
}

/* A page that begins with a head, as those inside an overflow run do not. */
static uint64_t random_head(const struct specimen *specimen, uint64_t *random)
{
    for (;;) {
        uint64_t page = support_random(random) % (specimen->size_bytes / PAGE);
        uint64_t own_number;
        memcpy(&own_number, specimen->bytes + page * PAGE, sizeof own_number);
        if (own_number == page)
            return page;
    }
}

static void test_flips(struct specimen *specimen, uint64_t *random)
{
    struct tally anywhere = {0}, heads = {0};
    for (unsigned i = 0; i < FLIPS_PER_SHAPE; i++)
        flip(specimen, support_random(random) % (specimen->size_bytes * 8), &anywhere);
    for (unsigned i = 0; i < HEAD_FLIPS_PER_SHAPE; i++) {
        uint64_t page = random_head(specimen, random);
        unsigned head_bytes = page < 2 ? 16 + 136 : 16 + 24;
        flip(specimen, page * PAGE * 8 + support_random(random) % (head_bytes * 8), &heads);
    }
    restore(specimen);
    printf("%s: flips anywhere: %u refused, %u harmless; in heads: %u refused, %u harmless\n",
           specimen->name, anywhere.refused, anywhere.right, heads.refused, heads.right);
}

/* Every bit of both meta pages; also the older one's, which the next writer trusts. */
static void test_meta_flips(struct specimen *specimen)
{
    struct tally tally = {0};
    for (unsigned page = 0; page < 2; page++) {
        for (unsigned bit = 0; bit < (16 + 136) * 8; bit++)
            flip(specimen, page * PAGE * 8 + bit, &tally);
    }
    restore(specimen);
    printf("%s: meta flips: %u refused, %u harmless\n", specimen->name, tally.refused, tally.right);
}

static void test_shape(enum lmdb_shape shape, const char *scratch, uint64_t *random)
{
    struct specimen specimen = {.name = lmdb_shape_name(shape)};
    specimen.directory = support_join(scratch, specimen.name);
    require(mkdir(specimen.directory, 0700) == 0);
    specimen.file = support_join(specimen.directory, "data.mdb");
    lmdb_shape_make(shape, specimen.directory);
    specimen.bytes = support_slurp(specimen.file, &specimen.size_bytes);
    require(lmdb_shape_read(specimen.directory, &specimen.counts) == 0);
    test_sound(&specimen);
    test_cuts(&specimen);
    test_flips(&specimen, random);
    if (shape == LMDB_SHAPE_freed)
        test_meta_flips(&specimen);
    require(lmdb_shape_continue(specimen.directory) == 0);
    struct rrs_integrity_report report;
    support_must(check(specimen.file, &report)); /* a continued file is sound too */
    free(specimen.directory);
    free(specimen.file);
    free(specimen.bytes);
}

static void expect_refusal(const char *file, const char *words)
{
    struct rrs_error *error = check(file, NULL);
    require(error && error->code == RRS_ERROR_BAD_TRACE);
    if (!strstr(error->message, words))
        support_fail("%s: expected \"%s\", got \"%s\"", file, words, error->message);
    require(support_is_clear(error, file));
}

static void test_strangers(const char *scratch)
{
    _cleanup_free_ char *file = support_join(scratch, "stranger");
    static char text[20000];
    support_spill(file, "", 0);
    expect_refusal(file, "is empty");
    support_spill(file, "hello", 5);
    expect_refusal(file, "is not an LMDB file");
    memset(text, 'x', sizeof text);
    support_spill(file, text, sizeof text);
    expect_refusal(file, "is not an LMDB file");
    expect_refusal(scratch, "is not a regular file");
}

/* Commits over and over, replacing pages, until it is killed. */
static _Noreturn void commit_forever(const char *directory)
{
    for (;;) {
        lmdb_shape_continue(directory);
        usleep(200);
    }
}

/* A writer's commits replace the pages of the snapshot before last: no damage. */
static void test_beside_a_writer(const char *scratch)
{
    _cleanup_free_ char *directory = support_join(scratch, "live");
    _cleanup_free_ char *file = support_join(directory, "data.mdb");
    require(mkdir(directory, 0700) == 0);
    lmdb_shape_make(LMDB_SHAPE_integer_keys, directory);
    fflush(NULL);
    pid_t writer = fork();
    require(writer >= 0);
    if (writer == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        commit_forever(directory);
    }
    unsigned repeated = 0;
    for (unsigned i = 0; i < LIVE_CHECKS; i++) {
        struct rrs_integrity_report report;
        support_must(check(file, &report));
        repeated += report.snapshots_tried > 1;
    }
    kill(writer, SIGKILL);
    require(waitpid(writer, NULL, 0) == writer);
    support_must(check(file, NULL));
    printf("beside a writer: %u of %u checks were overtaken\n", repeated, LIVE_CHECKS);
}

int main(void)
{
    uint64_t random = support_seed();
    _cleanup_free_ char *scratch = support_scratch();
    test_strangers(scratch);
    for (unsigned shape = 0; shape < LMDB_SHAPE_COUNT; shape++)
        test_shape((enum lmdb_shape)shape, scratch, &random);
    test_beside_a_writer(scratch);
    return TEST_PASSED;
}
