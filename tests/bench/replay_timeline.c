/* SPDX-License-Identifier: MIT */
/*
 * Times movements in a recording, for tests/bench/replay.py: prints "NAME VALUE", in ns or bytes.
 *
 *     replay_timeline TRACE seek N SEED     open, then N seeks to random ticks, one line each
 *     replay_timeline TRACE break ADDRESS   from the end back to the last hit of a breakpoint
 *     replay_timeline TRACE watch ADDRESS   the same for a write to 8 bytes
 *
 * `forward` is a run of the whole recording in a timeline that is new.
 */
#include "engine/replay/timeline.h"
#include "lmdb-store/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void must(struct rrs_error *error)
{
    char text[1024];
    if (!error)
        return;
    fprintf(stderr, "replay_timeline: %s\n", rrs_error_format(error, text, sizeof text));
    exit(1);
}

static uint64_t now(void)
{
    return rrs_clock_ns(CLOCK_MONOTONIC);
}

static void print(const char *name, uint64_t value)
{
    printf("%s %" PRIu64 "\n", name, value);
}

static struct rrs_timeline *open_timeline(const char *path)
{
    const struct rrs_timeline_options options = {0};
    struct rrs_timeline *timeline;
    must(rrs_timeline_open(path, &options, &timeline));
    return timeline;
}

/* Proportional share of memory: what several processes show counts once. man 5 proc. */
static uint64_t share_of(int pid)
{
    char path[64], line[256];
    unsigned long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file) && sscanf(line, "Pss: %lu", &kib) != 1)
        ;
    if (file)
        fclose(file);
    return kib << 10;
}

static void print_memory(void)
{
    uint64_t total = share_of(getpid());
    int child;
    FILE *file = fopen("/proc/thread-self/children", "re");
    while (file && fscanf(file, "%d", &child) == 1)
        total += share_of(child);
    if (file)
        fclose(file);
    print("memory", total);
}

static void seek(const char *path, unsigned count, unsigned seed)
{
    uint64_t start = now();
    struct rrs_timeline *timeline = open_timeline(path);
    struct rrs_position end;
    struct rrs_stop stop;
    print("open", now() - start);
    rrs_timeline_end(timeline, &end);
    srand(seed);
    for (unsigned i = 0; i < count; i++) {
        uint64_t tick = (uint64_t)((double)rand() / RAND_MAX * (double)end.tick);
        start = now();
        must(rrs_timeline_seek_tick(timeline, tick, &stop));
        print("seek", now() - start);
    }
    print_memory();
    rrs_timeline_destroy(timeline);
}

/* To the end; the movement stops in front of the last event if that is where it ends. */
static void run_to_end(struct rrs_timeline *timeline)
{
    struct rrs_stop stop;
    uint64_t start = now();
    must(rrs_timeline_run(timeline, RRS_FORWARD, &stop));
    print("forward", now() - start);
}

static int go_back(const char *path, bool watch, rrs_addr address)
{
    struct rrs_timeline *timeline = open_timeline(path);
    struct rrs_stop stop;
    run_to_end(timeline);
    must(watch ? rrs_timeline_add_watchpoint(timeline, address, 8, RRS_WATCH_WRITE)
               : rrs_timeline_add_breakpoint(timeline, address, NULL, NULL));
    for (int i = 0; i < 3; i++) {
        uint64_t start = now();
        must(rrs_timeline_run(timeline, RRS_BACKWARD, &stop));
        print("backward", now() - start);
        if (stop.reason != (watch ? RRS_STOP_WATCHPOINT : RRS_STOP_BREAKPOINT)) {
            fprintf(stderr, "replay_timeline: nothing found\n");
            return 1;
        }
    }
    print_memory();
    rrs_timeline_destroy(timeline);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && !strcmp(argv[2], "seek")) {
        seek(argv[1], (unsigned)strtoul(argv[3], NULL, 0), (unsigned)strtoul(argv[4], NULL, 0));
        return 0;
    }
    if (argc == 4 && (!strcmp(argv[2], "break") || !strcmp(argv[2], "watch")))
        return go_back(argv[1], argv[2][0] == 'w', strtoull(argv[3], NULL, 16));
    fprintf(stderr, "usage: replay_timeline TRACE seek N SEED | break ADDRESS | watch ADDRESS\n");
    return 2;
}
