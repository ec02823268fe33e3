/* SPDX-License-Identifier: MIT */
/*
 * Test that a trace on read-only media, or in a directory that its reader may not write, opens and
 * reads, with a lock file and without.
 */
#include "lmdb-store/scope.h"
#include "lmdb-store/trace_reader.h"
#include "lmdb-store/trace_writer.h"
#include "tests/store/support.h"
#include "tests/store/trace_sample.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EVENTS = 900, SECONDS = 30, NOBODY = 65534 };

static const struct sample sample = {SAMPLE_SMALL, .has_blobs = true, .has_checkpoints = true};

static enum outcome read_trace(void *context)
{
    return sample_read(&sample, context, EVENTS, NULL);
}

/* As another user if this one is root, whom no mode keeps from writing. */
static void drop_privileges(void)
{
    if (geteuid() != 0)
        return;
    require(setgroups(0, NULL) == 0);
    require(setgid(NOBODY) == 0);
    require(setuid(NOBODY) == 0);
}

static enum outcome read_unprivileged(void *context)
{
    drop_privileges();
    return read_trace(context);
}

/* Without a lock nothing keeps the recorder from writing over what is being read. */
static enum outcome read_live_unprivileged(void *context)
{
    struct rrs_trace_reader *reader;
    drop_privileges();
    struct rrs_error *error = rrs_trace_reader_open(context, &reader);
    require(error && error->code == RRS_ERROR_UNSUPPORTED);
    return support_is_clear(error, context) ? OUTCOME_REFUSED : OUTCOME_WRONG;
}

static void must_read(const char *what, enum outcome (*body)(void *), char *path)
{
    char cause[64] = "wrong data";
    enum outcome outcome = support_child(body, path, SECONDS, cause);
    if (outcome != OUTCOME_RIGHT)
        support_fail("%s: %s", what, outcome == OUTCOME_REFUSED ? "refused" : cause);
    printf("%s: read\n", what);
}

static void test_unwritable(char *path, const char *data, const char *lock)
{
    require(chmod(data, 0444) == 0);
    require(chmod(lock, 0444) == 0);
    require(chmod(path, 0555) == 0);
    must_read("unwritable directory", read_unprivileged, path);
    require(chmod(path, 0755) == 0);
    require(unlink(lock) == 0);
    require(chmod(path, 0555) == 0);
    must_read("unwritable directory without a lock file", read_unprivileged, path);
    require(access(lock, F_OK) != 0);
    require(chmod(path, 0755) == 0);
}

static void test_live(const char *scratch)
{
    _cleanup_free_ char *path = support_join(scratch, "live");
    _cleanup_free_ char *data = support_join(path, "data.mdb");
    _cleanup_free_ char *lock = support_join(path, "lock.mdb");
    struct rrs_trace_writer *writer;
    char cause[64] = "not refused clearly";
    support_must(sample_create(path, &writer));
    require(chmod(data, 0444) == 0);
    require(chmod(lock, 0444) == 0);
    require(chmod(path, 0555) == 0);
    if (support_child(read_live_unprivileged, path, SECONDS, cause) != OUTCOME_REFUSED)
        support_fail("a live trace without a lock: %s", cause);
    printf("a live trace without a lock: refused\n");
    support_must(rrs_trace_writer_finish(writer, NULL));
    rrs_trace_writer_destroy(writer);
    require(chmod(path, 0755) == 0);
}

static void test_read_only_mount(const char *scratch, char *path)
{
    _cleanup_free_ char *mountpoint = support_join(scratch, "medium");
    require(mkdir(mountpoint, 0755) == 0);
    require(mount(path, mountpoint, NULL, MS_BIND, NULL) == 0);
    if (mount(NULL, mountpoint, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) != 0)
        support_fail("read-only mount: %s", strerror(errno));
    must_read("read-only medium", read_trace, mountpoint);
    require(umount(mountpoint) == 0);
}

int main(void)
{
    _cleanup_free_ char *scratch = support_scratch();
    _cleanup_free_ char *path = support_join(scratch, "trace");
    _cleanup_free_ char *data = support_join(path, "data.mdb");
    _cleanup_free_ char *lock = support_join(path, "lock.mdb");
    require(chmod(scratch, 0755) == 0);
    sample_make(&sample, path, EVENTS);
    test_unwritable(path, data, lock);
    test_live(scratch);
    support_private_mounts(); /* skips what follows where it is not allowed */
    test_read_only_mount(scratch, path);
    return TEST_PASSED;
}
