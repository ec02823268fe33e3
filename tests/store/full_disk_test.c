/* SPDX-License-Identifier: MIT */
/*
 * Test that a writer whose disk fills up says so, in every part of a trace that can be the one that
 * does not fit any more; that what was committed before stays readable, while the writer is open
 * and after; and that the trace can be continued once there is room.
 */
#include "lmdb-store/blob.h"
#include "lmdb-store/event_log_reader.h"
#include "lmdb-store/event_log_writer.h"
#include "lmdb-store/scope.h"
#include "lmdb-store/trace_reader.h"
#include "tests/store/support.h"
#include "tests/store/trace_sample.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SECONDS = 60,
    MAX_EVENTS = 2000000,
    TINY_DISKS = 12,
    PAGES_PER_STEP = 8,
    DISKS = 40,
    FILLER_BYTES = 256 << 10
};

struct disk_case {
    const char *name;
    struct sample sample;
    uint64_t events_per_flush;
};

/* clang-format off */
static const struct disk_case cases[] = {
    /* name            size           blobs  checkpoints  events between two flushes */
    {"small events",  {SAMPLE_SMALL, false, false}, 5000},
    {"large events",  {SAMPLE_MIXED, false, false}, 100},
    {"blobs",         {SAMPLE_SMALL, true,  false}, 250},
    {"checkpoints",   {SAMPLE_SMALL, false, true},  1000},
    {"everything",    {SAMPLE_MIXED, true,  true},  700},
    {"never flushed", {SAMPLE_SMALL, true,  false}, MAX_EVENTS},
};
/* clang-format on */

struct filling {
    const struct disk_case *disk_case;
    const char *path;
    uint64_t limit_bytes;
    uint64_t *promised; /* shared: last event that a flush covered */
};

static void require_disk_full(const char *what, struct rrs_error *error, const char *path)
{
    if (!error)
        support_fail("%s: no error", what);
    if (error->code != RRS_ERROR_DISK_FULL)
        support_fail("%s: %s: %s", what, rrs_error_code_name(error->code), error->message);
    require(support_is_clear(error, path));
}

static struct rrs_error *append_until_full(struct filling *filling, struct rrs_trace_writer *writer)
{
    for (uint64_t number = 1; number <= MAX_EVENTS; number++) {
        RRS_TRY(sample_append(&filling->disk_case->sample, writer, number));
        if (number % filling->disk_case->events_per_flush)
            continue;
        RRS_TRY(rrs_trace_writer_flush(writer));
        *filling->promised = number;
    }
    return NULL;
}

/* What was committed can be read although the writer failed and is still there. */
static void read_beside(struct filling *filling, struct rrs_trace_writer *writer)
{
    struct rrs_trace_reader *reader;
    struct rrs_event_log *log;
    struct rrs_event_log_bounds bounds;
    support_must(rrs_trace_writer_reader(writer, &reader));
    support_must(rrs_event_log_create(reader, &log));
    support_must(rrs_event_log_bounds(log, &bounds));
    require(bounds.n_events >= *filling->promised);
    rrs_event_log_destroy(log);
    rrs_trace_reader_destroy(reader);
}

static enum outcome fill(void *context)
{
    struct filling *filling = context;
    struct rrs_trace_writer *writer;
    struct rrs_checkpoint_builder *builder;
    struct rrs_hash hash;
    struct rrs_event event = {.tick = UINT64_MAX, .data = "x", .size_bytes = 1};
    struct rrs_trace_end end = {.end_kind = RRS_TRACE_END_EXITED};
    struct rrs_error *error = sample_create(filling->path, &writer);
    if (error) {
        require_disk_full("creation", error, filling->path);
        return OUTCOME_REFUSED;
    }
    const char *path = filling->path;
    require_disk_full("filling", append_until_full(filling, writer), path);
    /* From here on nothing is accepted, and nothing breaks. */
    require_disk_full("event", rrs_event_log_append(writer, &event), path);
    require_disk_full("blob", rrs_blob_put(writer, "blob", 4, &hash), path);
    require_disk_full("flush", rrs_trace_writer_flush(writer), path);
    require_disk_full("extra", rrs_trace_writer_put_extra(writer, "name", "x", 1), path);
    error = rrs_checkpoint_builder_create(writer, NULL, &builder);
    if (!error) {
        error =
            rrs_checkpoint_builder_finish(builder, &(struct rrs_checkpoint_place){1, 1}, "x", 1);
        rrs_checkpoint_builder_destroy(builder);
    }
    require_disk_full("checkpoint", error, path);
    read_beside(filling, writer);
    require_disk_full("finish", rrs_trace_writer_finish(writer, &end), path);
    rrs_trace_writer_destroy(writer);
    return OUTCOME_RIGHT;
}

/* Returns OUTCOME_REFUSED if the trace does not say that the disk was full, which needs room too.
 */
static enum outcome read_rest(void *context)
{
    struct filling *filling = context;
    struct sample_found found;
    struct rrs_trace_reader *reader;
    struct rrs_trace_end end;
    if (sample_read(&filling->disk_case->sample, filling->path, 0, &found) != OUTCOME_RIGHT)
        return OUTCOME_WRONG;
    require(found.n_events >= *filling->promised);
    support_must(rrs_trace_reader_open(filling->path, &reader));
    support_must(rrs_trace_reader_end(reader, &end));
    rrs_trace_reader_destroy(reader);
    if (end.end_kind == RRS_TRACE_END_UNFINISHED)
        return OUTCOME_REFUSED;
    return end.end_kind == RRS_TRACE_END_DISK_FULL ? OUTCOME_RIGHT : OUTCOME_WRONG;
}

/* A reader needs a lock file, for which there is no room: it does without. */
static enum outcome read_without_room(void *context)
{
    struct filling *filling = context;
    _cleanup_free_ char *lock = support_join(filling->path, "lock.mdb");
    _cleanup_free_ char *rest = support_join(filling->path, "../rest");
    require(unlink(lock) == 0);
    _cleanup_close_ int fd = open(rest, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    while (write(fd, lock, 1) == 1)
        if (lseek(fd, 4095, SEEK_CUR) < 0)
            return OUTCOME_WRONG;
    enum outcome outcome = sample_read(&filling->disk_case->sample, filling->path, 0, NULL);
    unlink(rest);
    return outcome;
}

static enum outcome continue_writing(void *context)
{
    struct filling *filling = context;
    struct rrs_trace_writer *writer;
    support_must(rrs_trace_writer_open(filling->path, &writer));
    support_must(rrs_trace_writer_put_extra(writer, "continued", "yes", 3));
    support_must(rrs_trace_writer_finish(writer, NULL));
    rrs_trace_writer_destroy(writer);
    return sample_read(&filling->disk_case->sample, filling->path, 0, NULL);
}

static enum outcome run(enum outcome (*body)(void *), const char *what, struct filling *filling,
                        uint64_t disk_bytes)
{
    char cause[64] = "wrong";
    enum outcome outcome = support_child(body, filling, SECONDS, cause);
    if (outcome == OUTCOME_WRONG || outcome == OUTCOME_DIED)
        support_fail("%s, disk of %llu bytes, %s: %s", filling->disk_case->name,
                     (unsigned long long)disk_bytes, what, cause);
    return outcome;
}

/* A limit on the size of files is a full disk too, and can be tested without privileges. */
static enum outcome fill_to_limit(void *context)
{
    struct filling *filling = context;
    struct rlimit limit = {filling->limit_bytes, filling->limit_bytes};
    require(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    signal(SIGXFSZ, SIG_IGN); /* the writer's own threads block it */
    return fill(filling);
}

static void test_file_size_limit(const char *scratch)
{
    _cleanup_free_ char *path = support_join(scratch, "limited");
    uint64_t promised = 0;
    for (uint64_t limit_bytes = 1 << 20; limit_bytes < 2 << 20; limit_bytes += 100001) {
        struct filling filling = {.disk_case = &cases[0],
                                  .path = path,
                                  .promised = &promised,
                                  .limit_bytes = limit_bytes};
        run(fill_to_limit, "filling to a limit", &filling, limit_bytes);
        run(read_rest, "reading", &filling, limit_bytes);
        support_remove(path);
    }
    printf("file size limits: reported\n");
}

struct tally {
    unsigned not_created, says_full, unfinished;
};

static void try_disk(const struct disk_case *disk_case, const char *mountpoint, uint64_t disk_bytes,
                     struct tally *tally)
{
    _cleanup_free_ char *path = support_join(mountpoint, "trace");
    _cleanup_free_ char *filler_path = support_join(mountpoint, "filler");
    static char filler[FILLER_BYTES];
    uint64_t *promised =
        mmap(NULL, sizeof *promised, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    require(promised != MAP_FAILED);
    struct filling filling = {.disk_case = disk_case, .path = path, .promised = promised};
    support_mount_tmpfs(mountpoint, disk_bytes + FILLER_BYTES);
    support_spill(filler_path, filler, sizeof filler);
    if (run(fill, "filling", &filling, disk_bytes) == OUTCOME_REFUSED) {
        tally->not_created++;
    } else {
        if (run(read_rest, "reading", &filling, disk_bytes) == OUTCOME_RIGHT)
            tally->says_full++;
        else
            tally->unfinished++;
        run(read_without_room, "reading without room", &filling, disk_bytes);
        require(unlink(filler_path) == 0);
        run(continue_writing, "going on", &filling, disk_bytes);
    }
    munmap(promised, sizeof *promised);
    require(umount(mountpoint) == 0);
}

int main(void)
{
    uint64_t random = support_seed();
    _cleanup_free_ char *scratch = support_scratch();
    test_file_size_limit(scratch);
    support_private_mounts(); /* skips what follows where it is not allowed */
    _cleanup_free_ char *mountpoint = support_join(scratch, "disk");
    require(mkdir(mountpoint, 0755) == 0);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tally tally = {0};
        for (unsigned disk = 1; disk <= DISKS; disk++) {
            uint64_t pages = disk <= TINY_DISKS ? disk
                                                : (disk - TINY_DISKS) * PAGES_PER_STEP +
                                                      support_random(&random) % PAGES_PER_STEP;
            try_disk(&cases[i], mountpoint, pages * 4096, &tally);
        }
        printf("%s: %u too small for a trace, %u said they were full, %u could not even say so\n",
               cases[i].name, tally.not_created, tally.says_full, tally.unfinished);
        fflush(stdout);
    }
    return TEST_PASSED;
}
