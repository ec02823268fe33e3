/* SPDX-License-Identifier: MIT */
/*
 * Test that every way to a position of a recording gives the same registers and memory there.
 *
 *     timeline_test TRACE SEED [PLACES [INDEXED]]
 *
 * A forward run is the model: at PLACES (default 60) places of it, some a few instructions apart,
 * positions, registers and a hash of all memory are noted. Then they are visited in random order,
 * by steps backward, by reverse-continue to breakpoints, and to writes and reads. What
 * reverse-continue finds is also compared with a list made by single steps. With INDEXED, a copy of
 * the trace with stored checkpoints, that one is visited, opened again and again.
 */
#include "engine/events/kinds.h"
#include "engine/replay/timeline.h"
#include "lmdb-store/event_log_reader.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xxhash.h>

enum { PAGE = 4096 };

struct page {
    rrs_addr address;
    uint64_t hash; /* 0: it cannot be read */
};

struct memory {
    struct page *pages; /* ascending */
    size_t count, room;
};

struct place {
    struct rrs_position position;
    pid_t tid;
    struct user_regs_struct regs;
    struct memory memory;
};

static struct rrs_timeline *timeline;
static const char *path; /* of the trace that the forward run was in */
static unsigned failures;

static void must(struct rrs_error *error)
{
    char text[1024];
    if (!error)
        return;
    fprintf(stderr, "FAILED: %s\n", rrs_error_format(error, text, sizeof text));
    exit(1);
}

static void __attribute__((format(printf, 1, 2))) fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "FAILED: ");
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    if (++failures > 20)
        exit(1);
}

static void add_page(struct memory *memory, rrs_addr address, uint64_t hash)
{
    if (memory->count == memory->room) {
        memory->room = memory->room ? memory->room * 2 : 1024;
        memory->pages = realloc(memory->pages, memory->room * sizeof *memory->pages);
        if (!memory->pages)
            exit(2);
    }
    memory->pages[memory->count++] = (struct page){address, hash};
}

/* A page that cannot be read counts as that, not as nothing. */
static void hash_range(struct memory *memory, pid_t tid, rrs_addr from, rrs_addr to)
{
    static uint8_t buffer[1 << 20];
    while (from < to) {
        size_t piece = to - from < sizeof buffer ? to - from : sizeof buffer, page;
        size_t bytes = rrs_timeline_read(timeline, tid, from, buffer, piece);
        for (page = 0; page + PAGE <= bytes; page += PAGE)
            add_page(memory, from + page, XXH64(buffer + page, PAGE, 0));
        if (page < piece)
            add_page(memory, from + page, 0);
        from += page < piece ? page + PAGE : piece;
    }
}

/* All memory that can be written to; of mappings too large for that, what lies at both ends. */
static void hash_memory(struct memory *memory, pid_t tid)
{
    enum { LARGE = 256 << 20, END = 1 << 20 };
    struct rrs_timeline_mapping *mappings;
    size_t count;
    must(rrs_timeline_mappings(timeline, tid, &mappings, &count));
    for (size_t i = 0; i < count; i++) {
        rrs_addr start = mappings[i].start, end = mappings[i].end;
        bool large = end - start > LARGE;
        if (!(mappings[i].prot & PROT_WRITE))
            continue;
        hash_range(memory, tid, start, large ? start + END : end);
        if (large)
            hash_range(memory, tid, end - END, end);
    }
    rrs_timeline_free_mappings(mappings, count);
}

/* `*place` has been noted before, or is all zero. */
static void note(struct place *place)
{
    free(place->memory.pages);
    memset(place, 0, sizeof *place);
    rrs_timeline_position(timeline, &place->position, &place->tid);
    if (!place->tid)
        return;
    must(rrs_timeline_get_regs(timeline, place->tid, &place->regs));
    hash_memory(&place->memory, place->tid);
}

/* Names the first word that differs, by its place in struct user_regs_struct. */
static void show_register(const struct user_regs_struct *here, const struct user_regs_struct *then)
{
    uint64_t a[sizeof *here / 8], b[sizeof *then / 8];
    memcpy(a, here, sizeof a);
    memcpy(b, then, sizeof b);
    for (size_t i = 0; i < sizeof a / sizeof a[0]; i++)
        if (a[i] != b[i])
            fprintf(stderr, "  word %zu is %#" PRIx64 ", expected %#" PRIx64 "\n", i, a[i], b[i]);
}

static const char *path_at(pid_t tid, rrs_addr address, char text[256])
{
    struct rrs_timeline_mapping *mappings;
    size_t count;
    must(rrs_timeline_mappings(timeline, tid, &mappings, &count));
    snprintf(text, 256, "no mapping");
    for (size_t i = 0; i < count; i++)
        if (address >= mappings[i].start && address < mappings[i].end)
            snprintf(text, 256, "%#" PRIx64 "-%#" PRIx64 "%s %s", mappings[i].start,
                     mappings[i].end, mappings[i].shared ? " shared" : "", mappings[i].path);
    rrs_timeline_free_mappings(mappings, count);
    return text;
}

/* What the page holds, against what a forward run of its own finds there. */
static void show_page(const struct place *here, rrs_addr address, uint64_t expected)
{
    const struct rrs_timeline_options options = {0};
    uint8_t now[PAGE], then[PAGE];
    char text[256];
    struct rrs_timeline *other = NULL;
    struct rrs_stop stop;
    fprintf(stderr, "  page %#" PRIx64 " (%s; rsp is %#llx):\n", address,
            path_at(here->tid, address, text), here->regs.rsp);
    size_t bytes = rrs_timeline_read(timeline, here->tid, address, now, PAGE);
    must(rrs_timeline_open(path, &options, &other));
    must(rrs_timeline_seek(other, &here->position, &stop));
    size_t bytes_then = rrs_timeline_read(other, here->tid, address, then, PAGE);
    if (bytes != PAGE || bytes_then != PAGE)
        fprintf(stderr, "    %zu bytes can be read, from the beginning %zu\n", bytes, bytes_then);
    else if (XXH64(then, PAGE, 0) != expected)
        fprintf(stderr, "    a run from the beginning gives something else again\n");
    for (size_t i = 0; bytes == PAGE && bytes_then == PAGE && i < PAGE; i += 8)
        if (memcmp(now + i, then + i, 8)) {
            uint64_t a, b;
            memcpy(&a, now + i, 8);
            memcpy(&b, then + i, 8);
            fprintf(stderr, "    %#" PRIx64 ": %#" PRIx64 ", from the beginning %#" PRIx64 "\n",
                    address + i, a, b);
        }
    rrs_timeline_destroy(other);
}

/* Whether two notes of memory are alike; if not, up to three of the pages are shown. */
static bool is_same_memory(const struct place *here, const struct place *expected, bool show)
{
    const struct memory *a = &here->memory, *b = &expected->memory;
    size_t i = 0, k = 0, differ = 0;
    while (i < a->count || k < b->count) {
        bool only_a = k == b->count || (i < a->count && a->pages[i].address < b->pages[k].address);
        bool only_b = i == a->count || (k < b->count && b->pages[k].address < a->pages[i].address);
        rrs_addr address = only_b ? b->pages[k].address : a->pages[i].address;
        bool same = !only_a && !only_b && a->pages[i].hash == b->pages[k].hash;
        if (!same && ++differ <= 3 && show) {
            fprintf(stderr, "  %s\n",
                    only_a   ? "only here:"
                    : only_b ? "missing here:"
                             : "differs:");
            show_page(here, address, only_a ? 0 : b->pages[k].hash);
        }
        i += !only_b;
        k += !only_a;
    }
    return !differ;
}

static void compare(const char *how, const struct place *expected)
{
    struct place here = {0};
    note(&here);
    if (rrs_position_compare(&here.position, &expected->position) || here.tid != expected->tid)
        fail("%s: at event %" PRIu64 ", tick %" PRIu64 ", PC %#" PRIx64
             ", task %d; expected %" PRIu64 ", %" PRIu64 ", %#" PRIx64 ", task %d\n",
             how, here.position.event, here.position.tick, here.position.pc, here.tid,
             expected->position.event, expected->position.tick, expected->position.pc,
             expected->tid);
    else if (memcmp(&here.regs, &expected->regs, sizeof here.regs)) {
        fail("%s: registers differ at event %" PRIu64 ", tick %" PRIu64 ", PC %#" PRIx64 "\n", how,
             here.position.event, here.position.tick, here.position.pc);
        show_register(&here.regs, &expected->regs);
    } else if (!is_same_memory(&here, expected, false)) {
        fail("%s: memory differs at event %" PRIu64 ", tick %" PRIu64 ", PC %#" PRIx64 "\n", how,
             here.position.event, here.position.tick, here.position.pc);
        is_same_memory(&here, expected, true);
    }
    free(here.memory.pages);
}

/* Places of a forward run: at rising ticks, then some steps from there. */
static size_t run_forward(struct place *places, size_t wanted)
{
    enum { STEPS = 4 };
    struct rrs_position end;
    struct rrs_stop stop;
    size_t count = 0;
    rrs_timeline_end(timeline, &end);
    for (size_t i = 0; count + STEPS < wanted; i++) {
        uint64_t tick = end.tick * i * (STEPS + 1) / wanted;
        must(rrs_timeline_seek_tick(timeline, tick, &stop));
        for (int step = 0; step <= STEPS; step++) {
            note(&places[count]);
            if (!places[count].tid)
                return count;
            count++;
            must(rrs_timeline_step(timeline, RRS_FORWARD, 0, &stop));
        }
    }
    return count;
}

static void visit_at_random(const struct place *places, size_t count)
{
    struct rrs_stop stop;
    for (size_t i = 0; i < count; i++) {
        const struct place *place = &places[(size_t)rand() % count];
        must(rrs_timeline_seek(timeline, &place->position, &stop));
        compare("seek", place);
    }
}

/* Opened afresh, a timeline has only stored checkpoints to start from. */
static void visit_opened_afresh(const char *indexed, const struct place *places, size_t count)
{
    const struct rrs_timeline_options options = {0};
    struct rrs_stop stop;
    for (size_t i = 0; i < count; i++) {
        const struct place *place = &places[(size_t)rand() % count];
        rrs_timeline_destroy(timeline);
        must(rrs_timeline_open(indexed, &options, &timeline));
        must(rrs_timeline_seek(timeline, &place->position, &stop));
        compare("seek in a timeline just opened", place);
    }
}

static void step_back(const struct place *places, size_t count)
{
    enum { STEPS = 40 };
    static struct place walked[STEPS + 1];
    struct rrs_stop stop;
    for (int round = 0; round < 4; round++) {
        must(rrs_timeline_seek(timeline, &places[(size_t)rand() % count].position, &stop));
        int steps = 0;
        note(&walked[0]);
        while (steps < STEPS) {
            must(rrs_timeline_step(timeline, RRS_FORWARD, 0, &stop));
            if (stop.reason != RRS_STOP_STEPPED)
                break;
            note(&walked[++steps]);
            if (!walked[steps].tid) {
                steps--;
                must(rrs_timeline_seek(timeline, &walked[steps].position, &stop));
                break;
            }
        }
        while (steps-- > 0) {
            must(rrs_timeline_step(timeline, RRS_BACKWARD, 0, &stop));
            compare("step back", &walked[steps]);
        }
    }
}

/* A breakpoint, hit for hit: forward from the beginning, then backward from the end. */
static void go_back_to_breakpoint(const struct place *place)
{
    enum { HITS = 30 };
    static struct place hits[HITS];
    struct rrs_stop stop;
    int count = 0;
    must(rrs_timeline_add_breakpoint(timeline, place->position.pc, NULL, NULL));
    must(rrs_timeline_seek_tick(timeline, 0, &stop));
    note(&hits[0]); /* where a run begins it does not stop */
    count = hits[0].position.pc == place->position.pc;
    while (count < HITS) {
        must(rrs_timeline_run(timeline, RRS_FORWARD, &stop));
        if (stop.reason != RRS_STOP_BREAKPOINT)
            break;
        note(&hits[count++]);
    }
    if (!count)
        fail("the breakpoint at %#" PRIx64 " was not hit\n", place->position.pc);
    for (int i = count - 2; i >= 0; i--) {
        must(rrs_timeline_run(timeline, RRS_BACKWARD, &stop));
        if (i == count - 2 && count < HITS) { /* from the end: the last hit itself */
            compare("reverse-continue", &hits[count - 1]);
            must(rrs_timeline_run(timeline, RRS_BACKWARD, &stop));
        }
        compare("reverse-continue", &hits[i]);
    }
    rrs_timeline_remove_breakpoint(timeline, place->position.pc);
    printf("breakpoint at %#" PRIx64 ": %d hits\n", place->position.pc, count);
}

/* The same at the instruction of a system call, where an event and a breakpoint meet. */
static void go_back_to_call(const struct place *place)
{
    struct rrs_stop stop;
    static struct place call;
    must(rrs_timeline_seek(timeline, &place->position, &stop));
    rrs_timeline_catch_events(timeline, 1ull << RRS_EVENT_CALL, NULL, NULL);
    must(rrs_timeline_run(timeline, RRS_FORWARD, &stop));
    rrs_timeline_catch_events(timeline, 0, NULL, NULL);
    note(&call);
    if (stop.reason == RRS_STOP_EVENT)
        go_back_to_breakpoint(&call);
}

/* What happens to a word of the stack: forward, then backward. */
static void go_back_to_access(const struct place *place, enum rrs_watch_kind kind)
{
    enum { HITS = 12 };
    struct rrs_position before[HITS];
    struct rrs_stop stop;
    int count = 0;
    rrs_addr word = (place->regs.rsp - 16) & ~7ull;
    must(rrs_timeline_seek(timeline, &place->position, &stop));
    must(rrs_timeline_add_watchpoint(timeline, word, 8, kind));
    while (count < HITS) {
        pid_t tid;
        must(rrs_timeline_run(timeline, RRS_FORWARD, &stop));
        if (stop.reason != RRS_STOP_WATCHPOINT)
            break;
        rrs_timeline_position(timeline, &before[count++], &tid);
    }
    for (int i = count - 1; i >= 0; i--) {
        struct rrs_position here;
        pid_t tid;
        must(rrs_timeline_run(timeline, RRS_BACKWARD, &stop));
        rrs_timeline_position(timeline, &here, &tid);
        if (stop.reason != RRS_STOP_WATCHPOINT || rrs_position_compare(&here, &before[i]) >= 0 ||
            (i && rrs_position_compare(&here, &before[i - 1]) < 0))
            fail("kind %d, hit %d of %d: reverse-continue came to event %" PRIu64 ", tick %" PRIu64
                 ", PC %#" PRIx64 " (reason %d); it is in front of event %" PRIu64 ", tick %" PRIu64
                 ", PC %#" PRIx64 "\n",
                 kind, i, count, here.event, here.tick, here.pc, stop.reason, before[i].event,
                 before[i].tick, before[i].pc);
    }
    rrs_timeline_remove_watchpoint(timeline, word, 8, kind);
    printf("watchpoint of kind %d at %#" PRIx64 ": %d hits\n", kind, word, count);
}

/* --- against a list that is made by single steps --- */

enum { LIST = 1200 };

struct list {
    struct {
        struct rrs_position position;
        uint64_t word;
    } places[LIST];
    int count;
    rrs_addr word;
};

/* Where the timeline stands, with the word; false at the end of the task's history. */
static bool note_in_list(struct list *list, pid_t tid)
{
    pid_t actor;
    rrs_timeline_position(timeline, &list->places[list->count].position, &actor);
    if (actor != tid ||
        rrs_timeline_read(timeline, tid, list->word, &list->places[list->count].word, 8) != 8)
        return false;
    list->count++;
    return true;
}

static void make_list(struct list *list, const struct place *from)
{
    struct rrs_stop stop = {.reason = RRS_STOP_STEPPED};
    list->count = 0;
    list->word = (from->regs.rsp - 16) & ~7ull;
    must(rrs_timeline_seek(timeline, &from->position, &stop));
    do {
        if (!note_in_list(list, from->tid))
            return;
        must(rrs_timeline_step(timeline, RRS_FORWARD, 0, &stop));
    } while (stop.reason == RRS_STOP_STEPPED && list->count < LIST);
}

/* Runs back through the list: the stops have to be those places that `is_hit` names, all of them.
 */
static void expect_hits(const struct list *list, const char *what,
                        bool (*is_hit)(const struct list *list, int i, rrs_addr pc), rrs_addr pc)
{
    struct rrs_stop stop;
    int hits = 0;
    must(rrs_timeline_seek(timeline, &list->places[list->count - 1].position, &stop));
    for (int i = list->count - 2; i > 0; i--) {
        struct rrs_position here;
        pid_t tid;
        if (!is_hit(list, i, pc))
            continue;
        must(rrs_timeline_run(timeline, RRS_BACKWARD, &stop));
        rrs_timeline_position(timeline, &here, &tid);
        if (rrs_position_compare(&here, &list->places[i].position)) {
            fail("%s, step %d: back at event %" PRIu64 ", tick %" PRIu64 ", PC %#" PRIx64 "\n",
                 what, i, here.event, here.tick, here.pc);
            return;
        }
        hits++;
    }
    printf("%s: %d hits in %d steps\n", what, hits, list->count);
}

static bool is_at(const struct list *list, int i, rrs_addr pc)
{
    return list->places[i].position.pc == pc;
}

static bool is_change(const struct list *list, int i, rrs_addr pc)
{
    (void)pc;
    return list->places[i].word != list->places[i + 1].word;
}

static void compare_with_list(const struct place *from)
{
    static struct list list;
    make_list(&list, from);
    if (list.count < 3)
        return;
    rrs_addr pc = list.places[(size_t)rand() % (size_t)list.count].position.pc;
    must(rrs_timeline_add_breakpoint(timeline, pc, NULL, NULL));
    expect_hits(&list, "breakpoint", is_at, pc);
    rrs_timeline_remove_breakpoint(timeline, pc);
    must(rrs_timeline_add_watchpoint(timeline, list.word, 8, RRS_WATCH_WRITE));
    expect_hits(&list, "changes", is_change, 0);
    rrs_timeline_remove_watchpoint(timeline, list.word, 8, RRS_WATCH_WRITE);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: timeline_test TRACE SEED [PLACES [INDEXED]]\n");
        return 2;
    }
    size_t wanted = argc > 3 ? strtoul(argv[3], NULL, 0) : 60;
    struct place *places = calloc(wanted, sizeof *places);
    const struct rrs_timeline_options options = {0};
    srand((unsigned)strtoul(argv[2], NULL, 0));
    printf("seed %s\n", argv[2]);
    path = argv[1];
    must(rrs_timeline_open(path, &options, &timeline));
    size_t count = run_forward(places, wanted);
    printf("%zu places\n", count);
    if (argc > 4)
        visit_opened_afresh(argv[4], places, count);
    visit_at_random(places, count);
    step_back(places, count);
    for (int i = 0; i < 3; i++)
        go_back_to_breakpoint(&places[(size_t)rand() % count]);
    for (int i = 0; i < 2; i++)
        go_back_to_call(&places[(size_t)rand() % count]);
    for (int i = 0; i < 3; i++) {
        const struct place *place = &places[(size_t)rand() % count];
        for (int kind = RRS_WATCH_WRITE; kind <= RRS_WATCH_ACCESS; kind++)
            go_back_to_access(place, (enum rrs_watch_kind)kind);
        compare_with_list(place);
    }
    rrs_timeline_destroy(timeline);
    for (size_t i = 0; i < wanted; i++)
        free(places[i].memory.pages);
    free(places);
    return failures != 0;
}
