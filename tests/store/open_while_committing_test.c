/* SPDX-License-Identifier: MIT */
/*
 * Test that a trace opens while its writer commits thousands of times a second, replacing pages all
 * the time: what changes under the check at opening must not be taken for damage.
 */
#include "lmdb-store/event_log_reader.h"
#include "lmdb-store/scope.h"
#include "lmdb-store/trace_reader.h"
#include "tests/store/support.h"
#include "tests/store/trace_sample.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EVENTS_BEFORE = 600000, OPENINGS = 60, SECONDS = 60 };

static const struct sample sample = {SAMPLE_SMALL, .has_blobs = false, .has_checkpoints = false};

struct shared {
    _Atomic uint64_t flushed; /* number of the last event that a flush covered */
    _Atomic uint64_t commits;
};

static _Noreturn void commit_forever(const char *path, struct shared *shared)
{
    struct rrs_trace_writer *writer;
    support_must(sample_create(path, &writer));
    for (uint64_t number = 1;; number++) {
        support_must(sample_append(&sample, writer, number));
        if (number < EVENTS_BEFORE)
            continue;
        support_must(rrs_trace_writer_put_extra(writer, "number", &number, sizeof number));
        support_must(rrs_trace_writer_flush(writer));
        shared->flushed = number;
        shared->commits++;
    }
}

static void open_once(const char *path, const struct shared *shared)
{
    struct rrs_trace_reader *reader;
    struct rrs_event_log *log;
    struct rrs_event_log_bounds bounds;
    uint64_t flushed_before = shared->flushed;
    support_must(rrs_trace_reader_open(path, &reader));
    support_must(rrs_event_log_create(reader, &log));
    support_must(rrs_event_log_bounds(log, &bounds));
    require(bounds.n_events >= flushed_before);
    rrs_event_log_destroy(log);
    rrs_trace_reader_destroy(reader);
}

static enum outcome read_rest(void *path)
{
    return sample_read(&sample, path, 0, NULL);
}

int main(void)
{
    _cleanup_free_ char *scratch = support_scratch();
    _cleanup_free_ char *path = support_join(scratch, "trace");
    char cause[64] = "wrong data";
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    require(shared != MAP_FAILED);
    pid_t writer = fork();
    require(writer >= 0);
    if (writer == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(SECONDS);
        commit_forever(path, shared);
    }
    while (!shared->flushed) {
        require(waitpid(writer, NULL, WNOHANG) == 0);
        usleep(1000);
    }
    for (unsigned i = 0; i < OPENINGS; i++)
        open_once(path, shared);
    uint64_t commits = shared->commits;
    require(kill(writer, SIGKILL) == 0);
    require(waitpid(writer, NULL, 0) == writer);
    if (support_child(read_rest, path, SECONDS, cause) != OUTCOME_RIGHT)
        support_fail("afterwards: %s", cause);
    printf("%u openings beside %llu commits\n", OPENINGS, (unsigned long long)commits);
    return TEST_PASSED;
}
