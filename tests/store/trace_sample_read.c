/* SPDX-License-Identifier: MIT */
/* Reading a sample trace in every way there is, and comparing it with what must be there. */
#include "lmdb-store/blob.h"
#include "lmdb-store/event_log_reader.h"
#include "lmdb-store/scope.h"
#include "lmdb-store/trace_check.h"
#include "lmdb-store/trace_reader.h"
#include "tests/store/trace_sample.h"
#include "tests/store/trace_sample_content.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANY_EVENTS = 10000 }; /* above: not every way with every event, it would take minutes */

struct reading {
    const struct sample *sample;
    const char *path;
    struct rrs_trace_reader *reader;
    struct rrs_event_log *log;
    uint64_t n_events;
    bool is_whole; /* the trace must have exactly n_events, and all that belongs to them */
    bool refused;
    bool wrong;
    struct sample_found found;
};

static void __attribute__((format(printf, 2, 3)))
wrong(struct reading *reading, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s: ", reading->path);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    reading->wrong = true;
}

/* Whether a read succeeded. An error of a damaged trace is allowed, but it has to be a clear one.
 */
static bool succeeded(struct reading *reading, struct rrs_error *error)
{
    if (!error)
        return true;
    reading->refused = true;
    bool right_code = error->code == RRS_ERROR_BAD_TRACE || error->code == RRS_ERROR_OLD_TRACE ||
                      error->code == RRS_ERROR_UNSUPPORTED ||
                      (error->code == RRS_ERROR_NOT_FOUND && !reading->reader) || /* no trace */
                      (error->code == RRS_ERROR_OS && error->os_errno == ELOOP);
    if (getenv("VERBOSE"))
        fprintf(stderr, "%s: %s\n", error->path ? error->path : "(no path)", error->message);
    if (!right_code)
        wrong(reading, "error \"%s\" for a damaged trace", rrs_error_code_name(error->code));
    if (!support_is_clear(error, reading->path))
        wrong(reading, "the error is not clear");
    return false;
}

static void read_metadata(struct reading *reading)
{
    struct rrs_metadata metadata;
    struct rrs_trace_end end;
    if (succeeded(reading, rrs_trace_reader_metadata(reading->reader, &metadata))) {
        if (strcmp(metadata.program, SAMPLE_PROGRAM) != 0 || strcmp(metadata.host, "") != 0 ||
            strcmp(metadata.clock, "translated") != 0 || metadata.command_line.n_items != 3 ||
            strcmp(metadata.command_line.items[1], "--flag") != 0 ||
            metadata.environment.n_items != 2 ||
            strcmp(metadata.environment.items[1], "TERM=dumb") != 0 ||
            metadata.event_kinds.n_items != 3 || metadata.start_wall_ns != SAMPLE_START_WALL_NS)
            wrong(reading, "wrong metadata");
        rrs_metadata_deinit(&metadata);
    }
    if (!succeeded(reading, rrs_trace_reader_end(reading->reader, &end)))
        return;
    if (reading->is_whole && (end.end_kind != RRS_TRACE_END_EXITED || end.code != 3))
        wrong(reading, "wrong end: %s %d", rrs_trace_end_kind_name(end.end_kind), end.code);
}

static void read_extra(struct reading *reading)
{
    uint8_t expected[SAMPLE_EXTRA_BYTES];
    const void *extra;
    size_t size_bytes;
    sample_fill(SAMPLE_EXTRA_SEED, expected, sizeof expected);
    if (reading->is_whole &&
        succeeded(reading, rrs_trace_reader_extra(reading->reader, SAMPLE_EXTRA_NAME, &extra,
                                                  &size_bytes)) &&
        (size_bytes != sizeof expected || memcmp(extra, expected, sizeof expected) != 0))
        wrong(reading, "a wrong extra record");
}

static bool blob_is_right(struct reading *reading, uint64_t blob, const struct rrs_hash *hash)
{
    uint64_t size_bytes;
    if (!succeeded(reading, rrs_blob_size(reading->reader, hash, &size_bytes)))
        return true;
    if (size_bytes != sample_blob_bytes(blob))
        return false;
    _cleanup_free_ uint8_t *expected = malloc(size_bytes);
    _cleanup_free_ uint8_t *actual = malloc(size_bytes);
    require(expected && actual);
    sample_blob_data(blob, expected);
    if (succeeded(reading, rrs_blob_read(reading->reader, hash, 0, actual, size_bytes)) &&
        memcmp(expected, actual, size_bytes) != 0)
        return false;
    uint64_t half = size_bytes / 2;
    return !succeeded(reading, rrs_blob_read(reading->reader, hash, half, actual, 1)) ||
           actual[0] == expected[half];
}

static void compare_event(struct reading *reading, uint64_t number, const struct rrs_event *event)
{
    static uint8_t expected[RRS_EVENT_MAX_BYTES];
    struct rrs_hash hash;
    bool names_blob = sample_names_blob(reading->sample, number);
    if (event->number != number || event->tick != sample_tick(number) ||
        event->wall_ns != sample_wall_ns(number) || event->task != sample_task(number) ||
        event->event_kind != sample_kind(number) ||
        event->size_bytes != sample_event_bytes(reading->sample, number)) {
        wrong(reading, "event %llu is event %llu or has a wrong head", (unsigned long long)number,
              (unsigned long long)event->number);
        return;
    }
    if (names_blob)
        memcpy(hash.bytes, event->data, sizeof hash.bytes);
    sample_event_data(reading->sample, number, names_blob ? &hash : NULL, expected);
    if (memcmp(event->data, expected, event->size_bytes) != 0)
        wrong(reading, "event %llu has wrong data", (unsigned long long)number);
}

/* The next number after `number` (in `step`s of 1 or -1) that the filter lets through, 0 if none.
 */
static uint64_t next_number(const struct reading *reading, uint64_t number, int step,
                            const struct rrs_event_filter *filter)
{
    for (number += (uint64_t)step; number >= 1 && number <= reading->n_events;
         number += (uint64_t)step) {
        if (filter->has_task && sample_task(number) != filter->task)
            continue;
        if (filter->has_kind && sample_kind(number) != filter->event_kind)
            continue;
        return number;
    }
    return 0;
}

/* Walks all events of a filter in one direction from where the cursor stands. */
static void walk_events(struct reading *reading, struct rrs_event_cursor *cursor, int step,
                        const struct rrs_event_filter *filter)
{
    uint64_t expected = next_number(reading, step > 0 ? 0 : reading->n_events + 1, step, filter);
    bool first = true;
    while (!reading->wrong) {
        const struct rrs_event *event;
        struct rrs_error *error = step > 0 ? rrs_event_cursor_next(cursor, &event)
                                  : first  ? rrs_event_cursor_seek_last(cursor, &event)
                                           : rrs_event_cursor_previous(cursor, &event);
        first = false;
        if (!succeeded(reading, error))
            return;
        if (!event && expected)
            wrong(reading, "event %llu is missing in the walk", (unsigned long long)expected);
        if (!event)
            return;
        compare_event(reading, expected, event);
        expected = next_number(reading, expected, step, filter);
    }
}

static void walk_both_ways(struct reading *reading, const struct rrs_event_filter *filter)
{
    struct rrs_event_cursor *cursor;
    if (!succeeded(reading, rrs_event_cursor_create(reading->log, filter, &cursor)))
        return;
    walk_events(reading, cursor, 1, filter);
    walk_events(reading, cursor, -1, filter);
    rrs_event_cursor_destroy(cursor);
}

static void read_filtered(struct reading *reading)
{
    walk_both_ways(reading, &(struct rrs_event_filter){0});
    if (reading->n_events > MANY_EVENTS)
        return;
    for (int32_t task = SAMPLE_FIRST_TASK; task < SAMPLE_FIRST_TASK + SAMPLE_TASKS; task++)
        walk_both_ways(reading, &(struct rrs_event_filter){.has_task = true, .task = task});
    for (uint16_t kind = 0; kind < SAMPLE_KINDS; kind++)
        walk_both_ways(reading, &(struct rrs_event_filter){.has_kind = true, .event_kind = kind});
    walk_both_ways(reading, &(struct rrs_event_filter){.has_task = true,
                                                       .task = SAMPLE_FIRST_TASK,
                                                       .has_kind = true,
                                                       .event_kind = 1});
}

/* Some events by their numbers, and the first events of their ticks. */
static void read_by_number(struct reading *reading)
{
    struct rrs_event_cursor *cursor;
    const struct rrs_event *event;
    if (!succeeded(reading, rrs_event_cursor_create(reading->log, NULL, &cursor)))
        return;
    uint64_t step = reading->n_events > MANY_EVENTS ? reading->n_events / 300 : 7;
    for (uint64_t number = 1; number <= reading->n_events; number += step) {
        uint64_t first_of_tick = number < 3 ? 1 : number / 3 * 3;
        if (succeeded(reading, rrs_event_cursor_seek_number(cursor, number, &event))) {
            if (event)
                compare_event(reading, number, event);
            else
                wrong(reading, "no event %llu", (unsigned long long)number);
        }
        if (!succeeded(reading, rrs_event_cursor_seek_tick(cursor, sample_tick(number), &event)))
            continue;
        if (!event || event->number != first_of_tick)
            wrong(reading, "tick %llu is not at event %llu",
                  (unsigned long long)sample_tick(number), (unsigned long long)first_of_tick);
    }
    rrs_event_cursor_destroy(cursor);
}

static void read_counts(struct reading *reading)
{
    struct rrs_event_log_count *counts = NULL;
    uint64_t n_counts, total = 0;
    if (succeeded(reading, rrs_event_log_count_tasks(reading->log, &counts, &n_counts))) {
        for (uint64_t i = 0; i < n_counts; i++)
            total += counts[i].n_events;
        if (total != reading->n_events)
            wrong(reading, "the tasks have %llu events", (unsigned long long)total);
        free(counts);
    }
    total = 0;
    if (succeeded(reading, rrs_event_log_count_kinds(reading->log, &counts, &n_counts))) {
        for (uint64_t i = 0; i < n_counts; i++)
            total += counts[i].n_events;
        if (total != reading->n_events)
            wrong(reading, "the kinds have %llu events", (unsigned long long)total);
        free(counts);
    }
}

static bool read_bounds(struct reading *reading)
{
    struct rrs_event_log_bounds bounds;
    if (!succeeded(reading, rrs_event_log_bounds(reading->log, &bounds)))
        return reading->is_whole; /* then it is known how far to read all the same */
    if (reading->is_whole && bounds.n_events != reading->n_events)
        wrong(reading, "%llu events", (unsigned long long)bounds.n_events);
    uint64_t n_events = reading->n_events = bounds.n_events;
    reading->found.n_events = n_events;
    if (n_events &&
        (bounds.first_event != 1 || bounds.last_event != n_events ||
         bounds.first_tick != sample_tick(1) || bounds.last_tick != sample_tick(n_events) ||
         bounds.first_wall_ns != sample_wall_ns(1) ||
         bounds.last_wall_ns != sample_wall_ns(n_events)))
        wrong(reading, "wrong bounds");
    return true;
}

static void read_events(struct reading *reading)
{
    if (!succeeded(reading, rrs_event_log_create(reading->reader, &reading->log)))
        return;
    if (read_bounds(reading) && !reading->wrong) {
        read_filtered(reading);
        read_by_number(reading);
        read_counts(reading);
    }
    rrs_event_log_destroy(reading->log);
    reading->log = NULL;
}

static struct rrs_error *count_blob(void *context, const struct rrs_hash *hash, uint64_t size_bytes)
{
    struct reading *reading = context;
    (void)hash;
    (void)size_bytes;
    reading->found.n_blobs++;
    return NULL;
}

/* Blobs are found through the events that name them. */
static void read_blobs(struct reading *reading)
{
    struct rrs_event_log *log;
    struct rrs_event_cursor *cursor;
    uint64_t n_blobs = reading->n_events / SAMPLE_EVENTS_PER_BLOB;
    if (!succeeded(reading, rrs_event_log_create(reading->reader, &log)))
        return;
    if (succeeded(reading, rrs_event_cursor_create(log, NULL, &cursor))) {
        for (uint64_t blob = 1; blob <= n_blobs; blob++) {
            struct rrs_hash hash;
            const struct rrs_event *event;
            if (!succeeded(reading, rrs_event_cursor_seek_number(
                                        cursor, blob * SAMPLE_EVENTS_PER_BLOB, &event)) ||
                !event)
                continue;
            memcpy(hash.bytes, event->data, sizeof hash.bytes);
            if (!blob_is_right(reading, blob, &hash))
                wrong(reading, "blob %llu is wrong", (unsigned long long)blob);
        }
        rrs_event_cursor_destroy(cursor);
    }
    rrs_event_log_destroy(log);
    if (!succeeded(reading, rrs_blob_for_each(reading->reader, count_blob, reading)))
        return;
    if (reading->found.n_blobs < n_blobs || (reading->is_whole && reading->found.n_blobs > n_blobs))
        wrong(reading, "%llu blobs", (unsigned long long)reading->found.n_blobs);
}

static void read_pages(struct reading *reading, uint64_t number, struct rrs_checkpoint *checkpoint)
{
    uint32_t space = 0;
    uint64_t address = 0;
    for (unsigned i = 0; i <= SAMPLE_CHECKPOINT_PAGES && !reading->wrong; i++) {
        struct rrs_checkpoint_page page;
        uint8_t expected[RRS_CHECKPOINT_PAGE_BYTES], actual[RRS_CHECKPOINT_PAGE_BYTES];
        bool found;
        if (!succeeded(reading,
                       rrs_checkpoint_find_page(checkpoint, space, address, &page, &found)))
            return;
        if (found != (i < SAMPLE_CHECKPOINT_PAGES))
            wrong(reading, "checkpoint %llu has not its pages", (unsigned long long)number);
        if (!found)
            return;
        sample_page_place(i, &space, &address);
        if (page.space != space || page.address != address)
            wrong(reading, "checkpoint %llu has a page elsewhere", (unsigned long long)number);
        sample_page_data(number, i, expected);
        if (succeeded(reading, rrs_checkpoint_read_page(checkpoint, &page, actual)) &&
            memcmp(expected, actual, sizeof actual) != 0)
            wrong(reading, "checkpoint %llu has a wrong page", (unsigned long long)number);
        address += RRS_CHECKPOINT_PAGE_BYTES;
    }
}

static void read_checkpoint(struct reading *reading, uint64_t number,
                            const struct rrs_checkpoint_info *info)
{
    struct rrs_checkpoint_place place = sample_checkpoint_place(number);
    struct rrs_checkpoint *checkpoint;
    struct rrs_checkpoint_info found;
    uint8_t expected[SAMPLE_PAYLOAD_BYTES], actual[SAMPLE_PAYLOAD_BYTES];
    if (info->place.tick != place.tick || info->place.event != place.event ||
        info->n_pages != SAMPLE_CHECKPOINT_PAGES || info->payload_bytes != sizeof expected) {
        wrong(reading, "checkpoint %llu is another", (unsigned long long)number);
        return;
    }
    if (succeeded(reading, rrs_checkpoint_find_place(reading->reader, &place, &found)) &&
        found.place.event != place.event)
        wrong(reading, "checkpoint %llu is not found", (unsigned long long)number);
    if (!succeeded(reading, rrs_checkpoint_open(reading->reader, &place, &checkpoint)))
        return;
    sample_fill(number, expected, sizeof expected);
    if (succeeded(reading, rrs_checkpoint_read_payload(checkpoint, actual)) &&
        memcmp(expected, actual, sizeof actual) != 0)
        wrong(reading, "checkpoint %llu has a wrong payload", (unsigned long long)number);
    read_pages(reading, number, checkpoint);
    rrs_checkpoint_destroy(checkpoint);
}

static void read_checkpoints(struct reading *reading)
{
    _cleanup_free_ struct rrs_checkpoint_info *infos = NULL;
    size_t n_infos;
    if (!succeeded(reading, rrs_checkpoint_list(reading->reader, &infos, &n_infos)))
        return;
    /* The one after the last event may be there or not; those before later events must be. */
    uint64_t most = reading->n_events / SAMPLE_EVENTS_PER_CHECKPOINT;
    uint64_t least = reading->is_whole || reading->n_events == 0
                         ? most
                         : (reading->n_events - 1) / SAMPLE_EVENTS_PER_CHECKPOINT;
    reading->found.n_checkpoints = n_infos;
    if (n_infos < least || n_infos > most)
        wrong(reading, "%llu checkpoints", (unsigned long long)n_infos);
    for (size_t i = 0; i < n_infos && !reading->wrong; i++)
        read_checkpoint(reading, i + 1, &infos[i]);
}

static void note_damage(void *context, const struct rrs_error *error)
{
    struct reading *reading = context;
    char text[512];
    rrs_error_format(error, text, sizeof text);
    if (!strstr(text, reading->path))
        wrong(reading, "the check's finding is not clear: %s", text);
}

/* The check may find more than reading did, but not less. */
static void run_check(struct reading *reading)
{
    struct rrs_trace_check_report report;
    bool refused_before = reading->refused;
    if (!succeeded(reading, rrs_trace_check(reading->reader, note_damage, reading, &report)))
        return;
    if (refused_before && report.n_damages == 0)
        wrong(reading, "reading met damage that the check did not find");
    if (report.n_damages)
        reading->refused = true;
    else if (report.n_events != reading->n_events)
        wrong(reading, "the check saw %llu events", (unsigned long long)report.n_events);
}

enum outcome sample_read(const struct sample *sample, const char *path, uint64_t n_events,
                         struct sample_found *found)
{
    struct reading reading = {
        .sample = sample, .path = path, .n_events = n_events, .is_whole = n_events != 0};
    if (succeeded(&reading, rrs_trace_reader_open(path, &reading.reader))) {
        read_metadata(&reading);
        read_extra(&reading);
        read_events(&reading);
        if (sample->has_blobs && !reading.wrong)
            read_blobs(&reading);
        if (sample->has_checkpoints && !reading.wrong)
            read_checkpoints(&reading);
        run_check(&reading);
        rrs_trace_reader_destroy(reading.reader);
    }
    if (found)
        *found = reading.found;
    return reading.wrong ? OUTCOME_WRONG : reading.refused ? OUTCOME_REFUSED : OUTCOME_RIGHT;
}
