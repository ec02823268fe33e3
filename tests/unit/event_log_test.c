/* SPDX-License-Identifier: MIT */
/* Test that events are found by number, tick, task and kind, forwards and backwards. */
#include "lmdb-store/event_log_reader.h"
#include "lmdb-store/event_log_writer.h"

#include "tests/unit/test.h"

enum { N_EVENTS = 20000, RARE_EVERY = 6000, RARE_KIND = 77, RARE_TASK = -5 };

/* Event i: ticks come in long runs of equal ones, now and then there is a rare kind or task. */
static struct rrs_event make_event(uint64_t i, uint64_t *data)
{
    data[0] = i * 31;
    return (struct rrs_event){
        .tick = i / 1000 * 10,
        .wall_ns = UINT64_C(1700000000000000000) + i * 1000 - (i % 7) * 5000,
        .task = i % RARE_EVERY == 17 ? RARE_TASK : (int32_t)(1000 + i / 5000),
        .event_kind = i % RARE_EVERY == 18 ? RARE_KIND : (uint16_t)(i % 3),
        .size_bytes = (uint32_t)(i % 9),
        .data = data,
    };
}

static void check_event(const struct rrs_event *event, uint64_t number)
{
    uint64_t data;
    struct rrs_event expected = make_event(number, &data);
    CHECK(event);
    CHECK_EQUAL(event->number, number);
    CHECK_EQUAL(event->tick, expected.tick);
    CHECK_EQUAL(event->wall_ns, expected.wall_ns);
    CHECK_EQUAL(event->task, expected.task);
    CHECK_EQUAL(event->event_kind, expected.event_kind);
    CHECK_EQUAL(event->size_bytes, expected.size_bytes);
    CHECK(memcmp(event->data, expected.data, event->size_bytes) == 0);
}

static void write_events(struct rrs_trace_writer *writer)
{
    for (uint64_t i = RRS_EVENT_FIRST; i <= N_EVENTS; i++) {
        uint64_t data;
        struct rrs_event event = make_event(i, &data);
        CHECK_EQUAL(rrs_event_log_next_number(writer), i);
        CHECK_OK(rrs_event_log_append(writer, &event));
        CHECK_EQUAL(event.number, i);
    }
}

static void check_refusals(struct rrs_trace_writer *writer)
{
    static char large[RRS_EVENT_MAX_BYTES + 1];
    struct rrs_event earlier = {.tick = 1};
    struct rrs_event too_large = {.tick = UINT64_MAX, .size_bytes = sizeof large, .data = large};
    CHECK_FAILS(rrs_event_log_append(writer, &earlier), USAGE);
    CHECK_FAILS(rrs_event_log_append(writer, &too_large), USAGE);
}

static void check_all(struct rrs_event_log *log)
{
    struct rrs_event_cursor *cursor;
    const struct rrs_event *event;
    CHECK_OK(rrs_event_cursor_create(log, NULL, &cursor));
    CHECK_OK(rrs_event_cursor_previous(cursor, &event));
    CHECK(!event);
    for (uint64_t i = RRS_EVENT_FIRST; i <= N_EVENTS; i++) {
        CHECK_OK(rrs_event_cursor_next(cursor, &event));
        check_event(event, i);
    }
    for (int i = 0; i < 2; i++) {
        CHECK_OK(rrs_event_cursor_next(cursor, &event));
        CHECK(!event);
    }
    for (uint64_t i = N_EVENTS; i >= RRS_EVENT_FIRST; i--) {
        CHECK_OK(rrs_event_cursor_previous(cursor, &event));
        check_event(event, i);
    }
    CHECK_OK(rrs_event_cursor_previous(cursor, &event));
    CHECK(!event);
    CHECK_OK(rrs_event_cursor_next(cursor, &event));
    check_event(event, RRS_EVENT_FIRST);
    rrs_event_cursor_destroy(cursor);
}

static void check_seeks(struct rrs_event_log *log)
{
    struct rrs_event_cursor *cursor;
    const struct rrs_event *event;
    CHECK_OK(rrs_event_cursor_create(log, NULL, &cursor));
    for (uint64_t i = RRS_EVENT_FIRST; i <= N_EVENTS; i += 123) {
        CHECK_OK(rrs_event_cursor_seek_number(cursor, i, &event));
        check_event(event, i);
    }
    CHECK_OK(rrs_event_cursor_seek_number(cursor, 0, &event));
    check_event(event, RRS_EVENT_FIRST);
    CHECK_OK(rrs_event_cursor_seek_number(cursor, N_EVENTS + 1, &event));
    CHECK(!event);
    CHECK_OK(rrs_event_cursor_previous(cursor, &event));
    check_event(event, N_EVENTS);
    CHECK_OK(rrs_event_cursor_seek_tick(cursor, 0, &event));
    check_event(event, RRS_EVENT_FIRST);
    for (uint64_t tick = 1; tick <= N_EVENTS / 1000 * 10; tick++) {
        CHECK_OK(rrs_event_cursor_seek_tick(cursor, tick, &event));
        check_event(event, (tick + 9) / 10 * 1000);
    }
    CHECK_OK(rrs_event_cursor_seek_tick(cursor, N_EVENTS / 1000 * 10 + 1, &event));
    CHECK(!event);
    CHECK_OK(rrs_event_cursor_seek_last(cursor, &event));
    check_event(event, N_EVENTS);
    rrs_event_cursor_destroy(cursor);
}

static bool is_wanted(const struct rrs_event_filter *filter, uint64_t number)
{
    uint64_t data;
    struct rrs_event event = make_event(number, &data);
    return (!filter->has_task || event.task == filter->task) &&
           (!filter->has_kind || event.event_kind == filter->event_kind);
}

static void check_filter(struct rrs_event_log *log, const struct rrs_event_filter *filter)
{
    struct rrs_event_cursor *cursor;
    const struct rrs_event *event;
    CHECK_OK(rrs_event_cursor_create(log, filter, &cursor));
    for (uint64_t i = RRS_EVENT_FIRST; i <= N_EVENTS; i++) {
        if (!is_wanted(filter, i))
            continue;
        CHECK_OK(rrs_event_cursor_next(cursor, &event));
        check_event(event, i);
    }
    CHECK_OK(rrs_event_cursor_next(cursor, &event));
    CHECK(!event);
    for (uint64_t i = N_EVENTS; i >= RRS_EVENT_FIRST; i--) {
        if (!is_wanted(filter, i))
            continue;
        CHECK_OK(rrs_event_cursor_previous(cursor, &event));
        check_event(event, i);
    }
    CHECK_OK(rrs_event_cursor_previous(cursor, &event));
    CHECK(!event);
    rrs_event_cursor_destroy(cursor);
}

static void check_filters(struct rrs_event_log *log)
{
    const struct rrs_event_filter filters[] = {
        {.has_task = true, .task = 1001},
        {.has_task = true, .task = RARE_TASK},
        {.has_kind = true, .event_kind = RARE_KIND},
        {.has_kind = true, .event_kind = 1},
        {.has_task = true, .task = 1002, .has_kind = true, .event_kind = RARE_KIND},
        {.has_task = true, .task = RARE_TASK, .has_kind = true, .event_kind = 2},
        {.has_task = true, .task = 1000, .has_kind = true, .event_kind = 0},
        {.has_task = true, .task = 4711},
        {.has_kind = true, .event_kind = 4711},
    };
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++)
        check_filter(log, &filters[i]);
}

static uint64_t expected_count(int64_t id, bool is_task)
{
    uint64_t n_events = 0;
    for (uint64_t i = RRS_EVENT_FIRST; i <= N_EVENTS; i++) {
        const struct rrs_event_filter filter = {
            .has_task = is_task,
            .has_kind = !is_task,
            .task = (int32_t)id,
            .event_kind = (uint16_t)id,
        };
        n_events += is_wanted(&filter, i);
    }
    return n_events;
}

static void check_counts(struct rrs_event_log *log)
{
    struct rrs_event_log_count *counts;
    struct rrs_event_log_bounds bounds;
    uint64_t n_counts;
    CHECK_OK(rrs_event_log_count_tasks(log, &counts, &n_counts));
    CHECK_EQUAL(n_counts, 1 + N_EVENTS / 5000 + 1);
    CHECK_EQUAL(counts[0].id, RARE_TASK);
    for (uint64_t i = 0; i < n_counts; i++)
        CHECK_EQUAL(counts[i].n_events, expected_count(counts[i].id, true));
    free(counts);
    CHECK_OK(rrs_event_log_count_kinds(log, &counts, &n_counts));
    CHECK_EQUAL(n_counts, 4);
    for (uint64_t i = 0; i < n_counts; i++)
        CHECK_EQUAL(counts[i].n_events, expected_count(counts[i].id, false));
    free(counts);
    CHECK_OK(rrs_event_log_bounds(log, &bounds));
    CHECK_EQUAL(bounds.n_events, N_EVENTS);
    CHECK_EQUAL(bounds.first_event, RRS_EVENT_FIRST);
    CHECK_EQUAL(bounds.last_event, N_EVENTS);
    CHECK_EQUAL(bounds.last_tick, N_EVENTS / 1000 * 10);
}

/* More cursors than the cache keeps frames: what each one lent out must stay. */
static void check_many_cursors(struct rrs_event_log *log)
{
    enum { N_CURSORS = 20 };
    struct rrs_event_cursor *cursors[N_CURSORS];
    const struct rrs_event *events[N_CURSORS];
    for (uint64_t i = 0; i < N_CURSORS; i++) {
        CHECK_OK(rrs_event_cursor_create(log, NULL, &cursors[i]));
        CHECK_OK(rrs_event_cursor_seek_number(cursors[i], 1 + i * 1000, &events[i]));
    }
    for (uint64_t i = 0; i < N_CURSORS; i++) {
        check_event(events[i], 1 + i * 1000);
        rrs_event_cursor_destroy(cursors[i]);
    }
}

static void check_empty(struct rrs_trace_writer *writer)
{
    struct rrs_trace_reader *reader;
    struct rrs_event_log *log;
    struct rrs_event_log_bounds bounds;
    struct rrs_event_cursor *cursor;
    const struct rrs_event *event;
    CHECK_OK(rrs_trace_writer_reader(writer, &reader));
    CHECK_OK(rrs_event_log_create(reader, &log));
    CHECK_OK(rrs_event_log_bounds(log, &bounds));
    CHECK_EQUAL(bounds.n_events, 0);
    CHECK_EQUAL(bounds.last_event, 0);
    CHECK_OK(rrs_event_cursor_create(log, NULL, &cursor));
    CHECK_OK(rrs_event_cursor_seek_number(cursor, 1, &event));
    CHECK(!event);
    CHECK_OK(rrs_event_cursor_seek_tick(cursor, 0, &event));
    CHECK(!event);
    CHECK_OK(rrs_event_cursor_seek_last(cursor, &event));
    CHECK(!event);
    rrs_event_cursor_destroy(cursor);
    rrs_event_log_destroy(log);
    rrs_trace_reader_destroy(reader);
}

int main(void)
{
    char path[PATH_MAX];
    struct rrs_metadata metadata;
    struct rrs_trace_writer *writer;
    struct rrs_trace_reader *reader;
    struct rrs_event_log *log;
    const struct rrs_trace_end end = {.end_kind = RRS_TRACE_END_EXITED};
    test_make_directory(path);
    rrs_metadata_init(&metadata);
    CHECK_OK(rrs_trace_writer_create(path, &metadata, &writer));
    check_empty(writer);
    write_events(writer);
    check_refusals(writer);
    CHECK_OK(rrs_trace_writer_finish(writer, &end));
    rrs_trace_writer_destroy(writer);

    CHECK_OK(rrs_trace_reader_open(path, &reader));
    CHECK_OK(rrs_event_log_create(reader, &log));
    check_counts(log);
    check_all(log);
    check_seeks(log);
    check_filters(log);
    check_many_cursors(log);
    rrs_event_log_destroy(log);
    rrs_trace_reader_destroy(reader);
    rrs_metadata_deinit(&metadata);
    test_remove_tree(path);
    return 0;
}
