/* SPDX-License-Identifier: MIT */
/*
 * Test that a writer killed at any instant leaves a trace that opens, holds exactly the first
 * events that were appended with their blobs and checkpoints, and lacks no more than the last 16
 * MiB and the last second.
 *
 * The writers tell through shared memory how far they got. The bound in bytes is checked as it is;
 * the bound in time with 1.5 s of grace, since a busy machine may keep the writing thread waiting.
 * What a flush or a finished checkpoint promised must be there in any case.
 */
#include "lmdb-store/event_log_writer.h"
#include "lmdb-store/scope.h"
#include "lmdb-store/trace_reader.h"
#include "tests/store/support.h"
#include "tests/store/trace_sample.h"
#include "tests/store/trace_sample_content.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    KILLS = 200,
    SLOW_WRITERS = 6,
    MAX_DELAY_US = 160000,
    MAX_EVENTS = 150000,
    EVENTS_PER_MARK = 8,
    MARKS = 8192,
    SLOW_PAUSE_US = 500,
    SECONDS = 60,
    REOPEN_EVERY = 8,
    HOLD_EVERY = 9,
};

#define MAX_LOSS_BYTES (UINT64_C(16) << 20)
#define MAX_LOSS_NS    UINT64_C(2500000000)

struct progress {
    _Atomic uint64_t created;
    _Atomic uint64_t held;                /* a reader has the trace open */
    _Atomic uint64_t appended;            /* number of the last event whose append has returned */
    _Atomic uint64_t promised;            /* number of the last event that a flush covered */
    _Atomic uint64_t lost_bytes, lost_ns; /* what the kill cost, found afterwards */
    _Atomic uint64_t marks_ns[MARKS];     /* when event EVENTS_PER_MARK * i was appended */
};

struct run {
    struct sample sample;
    bool is_slow;
    char *path;
    struct progress *progress;
    pid_t writer;
    pid_t reader; /* 0: none */
    uint64_t killed_ns;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void note_progress(struct progress *progress, uint64_t number)
{
    if (number % EVENTS_PER_MARK == 0 && number / EVENTS_PER_MARK < MARKS)
        progress->marks_ns[number / EVENTS_PER_MARK] = now_ns();
    progress->appended = number;
}

static _Noreturn void write_until_killed(struct run *run)
{
    struct rrs_trace_writer *writer;
    struct progress *progress = run->progress;
    support_must(sample_create(run->path, &writer));
    progress->created = 1;
    for (uint64_t number = 1; number <= MAX_EVENTS; number++) {
        support_must(sample_append(&run->sample, writer, number));
        note_progress(progress, number);
        if (run->sample.has_checkpoints && number % SAMPLE_EVENTS_PER_CHECKPOINT == 0)
            progress->promised = number;
        if (number % 30011 == 0) {
            support_must(rrs_trace_writer_flush(writer));
            progress->promised = number;
        }
        if (run->is_slow)
            usleep(SLOW_PAUSE_US);
    }
    for (;;)
        pause();
}

/* A reader that stays while the writer dies: the next writer finds locks of the dead one. */
static void hold_open(struct run *run)
{
    run->reader = fork();
    require(run->reader >= 0);
    if (run->reader == 0) {
        struct rrs_trace_reader *reader;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        support_must(rrs_trace_reader_open(run->path, &reader));
        run->progress->held = 1;
        for (;;)
            pause();
    }
    for (unsigned waited = 0; !run->progress->held; waited++) {
        require(waited < SECONDS * 1000);
        usleep(1000);
    }
}

static void let_go(struct run *run)
{
    if (!run->reader)
        return;
    require(kill(run->reader, SIGKILL) == 0);
    require(waitpid(run->reader, NULL, 0) == run->reader);
}

static void start(struct run *run)
{
    run->progress = mmap(NULL, sizeof *run->progress, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    require(run->progress != MAP_FAILED);
    fflush(NULL);
    run->writer = fork();
    require(run->writer >= 0);
    if (run->writer == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        write_until_killed(run);
    }
}

static void stop(struct run *run)
{
    int status;
    run->killed_ns = now_ns();
    require(kill(run->writer, SIGKILL) == 0);
    require(waitpid(run->writer, &status, 0) == run->writer);
    require(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* The bytes of events and blobs behind event `from`, up to event `to`. */
static uint64_t bytes_between(const struct sample *sample, uint64_t from, uint64_t to)
{
    uint64_t bytes = 0;
    for (uint64_t number = from + 1; number <= to; number++) {
        bytes += sample_event_bytes(sample, number);
        if (sample_names_blob(sample, number))
            bytes += sample_blob_bytes(number / SAMPLE_EVENTS_PER_BLOB);
    }
    return bytes;
}

static bool loss_is_small(const struct run *run, uint64_t n_events)
{
    struct progress *progress = run->progress;
    uint64_t appended = progress->appended;
    uint64_t lost_bytes = bytes_between(&run->sample, n_events, appended);
    bool small = true;
    progress->lost_bytes = lost_bytes;
    if (n_events < progress->promised) {
        fprintf(stderr, "event %llu was promised\n", (unsigned long long)progress->promised);
        small = false;
    }
    if (lost_bytes > MAX_LOSS_BYTES) {
        fprintf(stderr, "%llu bytes lost\n", (unsigned long long)lost_bytes);
        small = false;
    }
    for (uint64_t mark = n_events / EVENTS_PER_MARK + 1;
         mark <= appended / EVENTS_PER_MARK && mark < MARKS; mark++) {
        if (progress->marks_ns[mark] >= run->killed_ns)
            break; /* the kill took its time */
        uint64_t age_ns = run->killed_ns - progress->marks_ns[mark];
        progress->lost_ns = age_ns;
        if (age_ns < MAX_LOSS_NS)
            break;
        fprintf(stderr, "an event of %llu ms before the kill is lost\n",
                (unsigned long long)age_ns / 1000000);
        return false;
    }
    return small;
}

static enum outcome read_rest(void *context)
{
    const struct run *run = context;
    struct sample_found found;
    enum outcome outcome = sample_read(&run->sample, run->path, 0, &found);
    if (outcome == OUTCOME_REFUSED && !run->progress->created)
        return OUTCOME_REFUSED;
    /* One more than appended: the kill came between the append and the note of it. */
    if (outcome != OUTCOME_RIGHT || found.n_events > run->progress->appended + 1)
        return OUTCOME_WRONG;
    return loss_is_small(run, found.n_events) ? OUTCOME_RIGHT : OUTCOME_WRONG;
}

/* A later writer goes on with the checkpoints of what is left. */
static enum outcome reopen(void *context)
{
    const struct run *run = context;
    struct rrs_trace_writer *writer;
    struct rrs_checkpoint_info *infos;
    struct rrs_trace_reader *reader;
    size_t n_infos;
    support_must(rrs_trace_writer_open(run->path, &writer));
    support_must(rrs_trace_writer_reader(writer, &reader));
    support_must(rrs_checkpoint_list(reader, &infos, &n_infos));
    rrs_trace_reader_destroy(reader);
    support_must(rrs_trace_writer_put_extra(writer, "reopened", "yes", 3));
    if (n_infos)
        support_must(rrs_checkpoint_delete(writer, &infos[n_infos - 1].place));
    free(infos);
    support_must(rrs_trace_writer_finish(writer, NULL));
    rrs_trace_writer_destroy(writer);
    struct sample events_only = run->sample;
    events_only.has_checkpoints = false;
    return sample_read(&events_only, run->path, 0, NULL);
}

struct tally {
    unsigned opened;
    uint64_t most_lost_bytes, most_lost_ns;
};

static void note_loss(struct tally *tally, const struct progress *progress)
{
    if (progress->lost_bytes > tally->most_lost_bytes)
        tally->most_lost_bytes = progress->lost_bytes;
    if (progress->lost_ns > tally->most_lost_ns)
        tally->most_lost_ns = progress->lost_ns;
}

/* Reads what the killed writer left, if there is a trace at all. */
static void examine(struct run *run, unsigned index, struct tally *tally)
{
    char cause[64] = "wrong or too little data";
    enum outcome outcome = support_child(read_rest, run, SECONDS, cause);
    if (outcome == OUTCOME_RIGHT && (run->reader || index % REOPEN_EVERY == 0))
        outcome = support_child(reopen, run, SECONDS, cause);
    if (outcome == OUTCOME_WRONG || outcome == OUTCOME_DIED)
        support_fail("run %u (sizes %d, blobs %d, checkpoints %d), killed after event %llu: %s",
                     index, run->sample.size, run->sample.has_blobs, run->sample.has_checkpoints,
                     (unsigned long long)run->progress->appended, cause);
    let_go(run);
    tally->opened += outcome == OUTCOME_RIGHT;
    note_loss(tally, run->progress);
    munmap(run->progress, sizeof *run->progress);
    support_remove(run->path);
    free(run->path);
}

static void describe(struct run *run, const char *scratch, unsigned index, uint64_t *random)
{
    char name[32];
    snprintf(name, sizeof name, "run-%u", index);
    *run = (struct run){
        .path = support_join(scratch, name),
        .sample = {.size = support_random(random) % 3 ? SAMPLE_SMALL : SAMPLE_MIXED,
                   .has_blobs = support_random(random) % 2,
                   .has_checkpoints = support_random(random) % 3 == 0},
    };
}

/* Half of the kills count from the fork, so that some hit the creation of the trace. */
static void wait_for_the_instant(const struct run *run, uint64_t *random)
{
    bool from_fork = support_random(random) % 2;
    while (!from_fork && !run->progress->created)
        usleep(200);
    uint64_t max_us = from_fork && support_random(random) % 2 ? 3000 : MAX_DELAY_US;
    usleep((useconds_t)(support_random(random) % max_us));
}

int main(void)
{
    uint64_t random = support_seed();
    _cleanup_free_ char *scratch = support_scratch();
    struct run slow[SLOW_WRITERS];
    struct tally tally = {0};
    for (unsigned i = 0; i < SLOW_WRITERS; i++) {
        describe(&slow[i], scratch, KILLS + i, &random);
        slow[i].is_slow = true;
        start(&slow[i]);
    }
    for (unsigned i = 0; i < KILLS; i++) {
        struct run run;
        describe(&run, scratch, i, &random);
        start(&run);
        wait_for_the_instant(&run, &random);
        if (run.progress->created && i % HOLD_EVERY == 0)
            hold_open(&run);
        stop(&run);
        examine(&run, i, &tally);
        if (i % 32 == 31 && i / 32 < SLOW_WRITERS)
            stop(&slow[i / 32]);
    }
    for (unsigned i = 0; i < SLOW_WRITERS; i++)
        examine(&slow[i], KILLS + i, &tally);
    printf("%u writers killed, %u of them had begun a trace; most lost: %llu KiB, %llu ms\n",
           KILLS + SLOW_WRITERS, tally.opened, (unsigned long long)tally.most_lost_bytes >> 10,
           (unsigned long long)tally.most_lost_ns / 1000000);
    return TEST_PASSED;
}
