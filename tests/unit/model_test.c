/* SPDX-License-Identifier: MIT */
/*
 * Test that a trace answers as a model in memory does, after random operations. The seed is
 * printed; as the first argument it repeats a run, the second is the number of operations.
 */
#include "lmdb-store/blob.h"
#include "lmdb-store/checkpoint.h"
#include "lmdb-store/event_log_reader.h"
#include "lmdb-store/event_log_writer.h"
#include "lmdb-store/trace_check.h"
#include "lmdb-store/trace_dir.h"
#include "tests/unit/test.h"

enum {
    N_OPERATIONS = 1500,
    MAX_EVENTS = 400000,
    MAX_BLOBS = 500,
    MAX_CHECKPOINTS = 40,
    N_MODEL_PAGES = 1200,
    N_TASKS = 6,
    N_KINDS = 12,
    PAGE = RRS_CHECKPOINT_PAGE_BYTES,
};

/* Data, blobs and pages are kept as the seeds they are made from. */
struct model_event {
    uint64_t tick, wall_ns, seed;
    int32_t task;
    uint16_t event_kind;
    uint32_t size_bytes;
};

struct model_blob {
    struct rrs_hash hash;
    uint64_t seed, size_bytes;
};

struct model_checkpoint {
    struct rrs_checkpoint_place place;
    uint64_t payload_bytes, payload_seed;
    uint64_t pages[N_MODEL_PAGES]; /* seed of the content, 0: no page */
};

struct model {
    uint64_t state;
    char path[PATH_MAX];
    struct rrs_trace_writer *writer;
    struct rrs_trace_reader *reader;
    struct rrs_event_log *log;
    struct model_event *events; /* event n at index n - 1 */
    uint64_t n_events;
    struct model_blob blobs[MAX_BLOBS];
    size_t n_blobs;
    struct model_checkpoint *checkpoints[MAX_CHECKPOINTS]; /* in order */
    size_t n_checkpoints;
    uint8_t buffer[1 << 20], expected[1 << 20];
};

static uint64_t below(struct model *model, uint64_t limit)
{
    return test_random_below(&model->state, limit);
}

static void fill(uint64_t seed, void *buffer, size_t size_bytes)
{
    test_fill(&seed, buffer, size_bytes);
}

static void open_reader(struct model *model)
{
    CHECK_OK(rrs_trace_writer_reader(model->writer, &model->reader));
    CHECK_OK(rrs_event_log_create(model->reader, &model->log));
}

static void close_reader(struct model *model)
{
    rrs_event_log_destroy(model->log);
    rrs_trace_reader_destroy(model->reader);
}

static void create(struct model *model)
{
    struct rrs_metadata metadata;
    rrs_metadata_init(&metadata);
    CHECK_OK(rrs_trace_dir_create_at(model->path));
    CHECK_OK(rrs_trace_writer_create(model->path, &metadata, &model->writer));
    rrs_metadata_deinit(&metadata);
    open_reader(model);
}

static void close_writing(struct model *model)
{
    close_reader(model);
    CHECK_OK(rrs_trace_writer_finish(model->writer, NULL));
    rrs_trace_writer_destroy(model->writer);
}

/* ---- operations ---- */

static uint32_t choose_size(struct model *model)
{
    switch (below(model, 300)) {
    case 0:
        return (uint32_t)below(model, sizeof model->buffer + 1);
    case 1:
    case 2:
        return (uint32_t)below(model, 30000);
    default:
        return (uint32_t)below(model, 100);
    }
}

static void append_events(struct model *model)
{
    uint64_t n_events = below(model, 300);
    for (uint64_t i = 0; i < n_events && model->n_events < MAX_EVENTS; i++) {
        struct model_event *last = model->n_events ? &model->events[model->n_events - 1] : NULL;
        struct model_event made = {
            .tick = (last ? last->tick : 0) + (below(model, 4) ? 0 : below(model, 50)),
            .wall_ns = (last ? last->wall_ns : 1000000) + below(model, 5000) - 1000,
            .seed = test_random(&model->state),
            .task = (int32_t)below(model, N_TASKS) * 1000 - 2000,
            /* kinds of very different frequency */
            .event_kind =
                (uint16_t)(below(model, 1 + below(model, N_KINDS)) * (below(model, 50) == 0)),
            .size_bytes = choose_size(model),
        };
        fill(made.seed, model->buffer, made.size_bytes);
        struct rrs_event event = {
            .tick = made.tick,
            .wall_ns = made.wall_ns,
            .task = made.task,
            .event_kind = made.event_kind,
            .size_bytes = made.size_bytes,
            .data = model->buffer,
        };
        CHECK_OK(rrs_event_log_append(model->writer, &event));
        model->events[model->n_events++] = made;
        CHECK_EQUAL(event.number, model->n_events);
    }
}

static void put_blob(struct model *model)
{
    if (model->n_blobs == MAX_BLOBS)
        return;
    struct model_blob blob = {
        .seed = below(model, 50), /* few, so that some are put again */
        .size_bytes = below(model, 3) ? below(model, 5000) : below(model, sizeof model->buffer),
    };
    if (model->n_blobs && below(model, 3) == 0)
        blob = model->blobs[below(model, model->n_blobs)];
    fill(blob.seed, model->buffer, blob.size_bytes);
    CHECK_OK(rrs_blob_put(model->writer, model->buffer, blob.size_bytes, &blob.hash));
    model->blobs[model->n_blobs++] = blob;
}

static int compare_places(const struct rrs_checkpoint_place *a,
                          const struct rrs_checkpoint_place *b)
{
    if (a->tick != b->tick)
        return a->tick < b->tick ? -1 : 1;
    return a->event < b->event ? -1 : a->event > b->event;
}

/* The number of checkpoints before `place`. */
static size_t find_checkpoint(const struct model *model, const struct rrs_checkpoint_place *place)
{
    size_t i = 0;
    while (i < model->n_checkpoints && compare_places(&model->checkpoints[i]->place, place) < 0)
        i++;
    return i;
}

/* Pages lie in three spaces, with gaps. */
static uint32_t space_of(uint64_t index)
{
    return (uint32_t)(index / 400);
}

static uint64_t address_of(uint64_t index)
{
    return UINT64_C(0x400000) + (index % 400) * (index % 400 < 200 ? 1 : 37) * PAGE;
}

static void change_pages(struct model *model, struct rrs_checkpoint_builder *builder,
                         uint64_t pages[N_MODEL_PAGES], uint64_t one_in)
{
    for (uint64_t i = 0; i < N_MODEL_PAGES; i++) {
        if (below(model, one_in))
            continue;
        if (below(model, 5) == 0) {
            uint64_t n_pages = 1 + below(model, 100);
            CHECK_OK(
                rrs_checkpoint_builder_remove_pages(builder, space_of(i), address_of(i), n_pages));
            uint64_t end = address_of(i) + n_pages * PAGE, first = i;
            for (; i < N_MODEL_PAGES && space_of(i) == space_of(first) && address_of(i) < end; i++)
                pages[i] = 0;
            i--;
            continue;
        }
        pages[i] = 1 + below(model, 300);
        fill(pages[i], model->buffer, PAGE);
        CHECK_OK(
            rrs_checkpoint_builder_put_page(builder, space_of(i), address_of(i), model->buffer));
    }
}

static void store_checkpoint(struct model *model)
{
    const struct rrs_checkpoint_place place = {.tick = below(model, 1000),
                                               .event = below(model, 5)};
    size_t at = find_checkpoint(model, &place);
    bool exists =
        at < model->n_checkpoints && !compare_places(&model->checkpoints[at]->place, &place);
    if (model->n_checkpoints == MAX_CHECKPOINTS)
        return;
    struct model_checkpoint *made = calloc(1, sizeof *made);
    const struct model_checkpoint *base =
        model->n_checkpoints && below(model, 4)
            ? model->checkpoints[below(model, model->n_checkpoints)]
            : NULL;
    struct rrs_checkpoint_builder *builder;
    if (base)
        memcpy(made->pages, base->pages, sizeof made->pages);
    made->place = place;
    made->payload_seed = test_random(&model->state);
    made->payload_bytes = below(model, below(model, 10) ? 300 : 600000);
    CHECK_OK(rrs_checkpoint_builder_create(model->writer, base ? &base->place : NULL, &builder));
    change_pages(model, builder, made->pages, base ? 40 : 2);
    fill(made->payload_seed, model->buffer, made->payload_bytes);
    struct rrs_error *error =
        rrs_checkpoint_builder_finish(builder, &place, model->buffer, made->payload_bytes);
    rrs_checkpoint_builder_destroy(builder);
    if (exists) {
        CHECK_FAILS(error, EXISTS);
        free(made);
        return;
    }
    CHECK_OK(error);
    memmove(&model->checkpoints[at + 1], &model->checkpoints[at],
            (model->n_checkpoints - at) * sizeof model->checkpoints[0]);
    model->checkpoints[at] = made;
    model->n_checkpoints++;
}

static void delete_checkpoint(struct model *model)
{
    if (model->n_checkpoints == 0)
        return;
    size_t at = below(model, model->n_checkpoints);
    CHECK_OK(rrs_checkpoint_delete(model->writer, &model->checkpoints[at]->place));
    free(model->checkpoints[at]);
    model->n_checkpoints--;
    memmove(&model->checkpoints[at], &model->checkpoints[at + 1],
            (model->n_checkpoints - at) * sizeof model->checkpoints[0]);
}

/* ---- comparing ---- */

static void compare_event(struct model *model, const struct rrs_event *event, uint64_t number)
{
    CHECK(number >= 1 && number <= model->n_events ? event != NULL : event == NULL);
    if (!event)
        return;
    const struct model_event *expected = &model->events[number - 1];
    CHECK_EQUAL(event->number, number);
    CHECK_EQUAL(event->tick, expected->tick);
    CHECK_EQUAL(event->wall_ns, expected->wall_ns);
    CHECK_EQUAL(event->task, expected->task);
    CHECK_EQUAL(event->event_kind, expected->event_kind);
    CHECK_EQUAL(event->size_bytes, expected->size_bytes);
    fill(expected->seed, model->expected, expected->size_bytes);
    CHECK(memcmp(event->data, model->expected, event->size_bytes) == 0);
}

static bool matches(const struct rrs_event_filter *filter, const struct model_event *event)
{
    return (!filter->has_task || filter->task == event->task) &&
           (!filter->has_kind || filter->event_kind == event->event_kind);
}

/* The next match above, or below, `number`; 0 or n_events + 1 if there is none. */
static uint64_t next_match(const struct model *model, const struct rrs_event_filter *filter,
                           uint64_t number, bool up)
{
    do
        number += up ? 1 : UINT64_MAX;
    while (number >= 1 && number <= model->n_events &&
           !matches(filter, &model->events[number - 1]));
    return number > model->n_events ? model->n_events + 1 : number; /* a seek may go far beyond */
}

static uint64_t first_with_tick(const struct model *model, uint64_t tick)
{
    uint64_t low = 0, high = model->n_events;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (model->events[middle].tick < tick)
            low = middle + 1;
        else
            high = middle;
    }
    return low + 1;
}

static void walk_events(struct model *model)
{
    const struct rrs_event_filter filter = {
        .has_task = below(model, 2),
        .has_kind = below(model, 2),
        .task = (int32_t)below(model, N_TASKS + 1) * 1000 - 2000,
        .event_kind = (uint16_t)below(model, N_KINDS + 1),
    };
    struct rrs_event_cursor *cursor;
    const struct rrs_event *event;
    uint64_t number;
    CHECK_OK(rrs_event_cursor_create(model->log, &filter, &cursor));
    if (below(model, 2)) {
        uint64_t start = below(model, model->n_events + 3);
        CHECK_OK(rrs_event_cursor_seek_number(cursor, start, &event));
        number = next_match(model, &filter, start ? start - 1 : 0, true);
    } else {
        uint64_t last_tick = model->n_events ? model->events[model->n_events - 1].tick : 0;
        uint64_t tick = below(model, last_tick + 10);
        CHECK_OK(rrs_event_cursor_seek_tick(cursor, tick, &event));
        number = next_match(model, &filter, first_with_tick(model, tick) - 1, true);
    }
    compare_event(model, event, number);
    bool up = below(model, 2);
    for (int i = 0; i < 30; i++) {
        if (below(model, 10) == 0)
            up = !up;
        if (up && number <= model->n_events)
            number = next_match(model, &filter, number, true);
        else if (!up && number >= 1)
            number = next_match(model, &filter, number, false);
        CHECK_OK(up ? rrs_event_cursor_next(cursor, &event)
                    : rrs_event_cursor_previous(cursor, &event));
        compare_event(model, event, number);
    }
    rrs_event_cursor_destroy(cursor);
}

static void compare_blob(struct model *model)
{
    if (model->n_blobs == 0)
        return;
    const struct model_blob *blob = &model->blobs[below(model, model->n_blobs)];
    uint64_t size_bytes, from = below(model, blob->size_bytes + 1);
    uint64_t part = below(model, blob->size_bytes - from + 1);
    CHECK_OK(rrs_blob_size(model->reader, &blob->hash, &size_bytes));
    CHECK_EQUAL(size_bytes, blob->size_bytes);
    fill(blob->seed, model->expected, size_bytes);
    CHECK_OK(rrs_blob_read(model->reader, &blob->hash, from, model->buffer, part));
    CHECK(memcmp(model->buffer, model->expected + from, part) == 0);
}

static void compare_pages(struct model *model, struct rrs_checkpoint *checkpoint,
                          const struct model_checkpoint *expected)
{
    struct rrs_checkpoint_page page = {0};
    uint64_t address = 0;
    bool found;
    for (uint64_t i = 0; i < N_MODEL_PAGES; i++) {
        if (!expected->pages[i])
            continue;
        CHECK_OK(rrs_checkpoint_find_page(checkpoint, page.space, address, &page, &found));
        CHECK(found);
        CHECK_EQUAL(page.space, space_of(i));
        CHECK_EQUAL(page.address, address_of(i));
        CHECK_OK(rrs_checkpoint_read_page(checkpoint, &page, model->buffer));
        fill(expected->pages[i], model->expected, PAGE);
        CHECK(memcmp(model->buffer, model->expected, PAGE) == 0);
        address = page.address + 1;
    }
    CHECK_OK(rrs_checkpoint_find_page(checkpoint, page.space, address, &page, &found));
    CHECK(!found);
}

static void compare_checkpoint(struct model *model)
{
    const struct rrs_checkpoint_place place = {.tick = below(model, 1000),
                                               .event = below(model, 5)};
    struct rrs_checkpoint_info info;
    struct rrs_checkpoint *checkpoint;
    size_t n_before = find_checkpoint(
        model, &(struct rrs_checkpoint_place){.tick = place.tick, .event = place.event + 1});
    struct rrs_error *error = rrs_checkpoint_find_place(model->reader, &place, &info);
    if (n_before == 0) {
        CHECK_FAILS(error, NOT_FOUND);
        return;
    }
    CHECK_OK(error);
    const struct model_checkpoint *expected = model->checkpoints[n_before - 1];
    CHECK_EQUAL(compare_places(&info.place, &expected->place), 0);
    CHECK_OK(rrs_checkpoint_open(model->reader, &info.place, &checkpoint));
    CHECK_EQUAL(info.payload_bytes, expected->payload_bytes);
    CHECK_OK(rrs_checkpoint_read_payload(checkpoint, model->buffer));
    fill(expected->payload_seed, model->expected, info.payload_bytes);
    CHECK(memcmp(model->buffer, model->expected, info.payload_bytes) == 0);
    compare_pages(model, checkpoint, expected);
    rrs_checkpoint_destroy(checkpoint);
}

static void compare(struct model *model)
{
    CHECK_OK(rrs_trace_writer_flush(model->writer));
    CHECK_OK(rrs_trace_reader_refresh(model->reader));
    for (int i = 0; i < 10; i++) {
        walk_events(model);
        compare_blob(model);
    }
    compare_checkpoint(model);
}

static void print_damage(void *context, const struct rrs_error *error)
{
    (void)context;
    fprintf(stderr, "damage: %s\n", error->message);
}

static uint64_t check_whole(struct model *model)
{
    struct rrs_trace_check_report report;
    CHECK_OK(rrs_trace_writer_flush(model->writer));
    CHECK_OK(rrs_trace_reader_refresh(model->reader));
    CHECK_OK(rrs_trace_check(model->reader, print_damage, NULL, &report));
    CHECK_EQUAL(report.n_damages, 0);
    CHECK_EQUAL(report.n_events, model->n_events);
    CHECK_EQUAL(report.n_checkpoints, model->n_checkpoints);
    return report.n_chunks;
}

/* Ends writing in one of three ways and begins again. */
static void reopen(struct model *model)
{
    const struct rrs_trace_end end = {.end_kind = RRS_TRACE_END_STOPPED};
    close_reader(model);
    if (below(model, 2))
        CHECK_OK(rrs_trace_writer_finish(model->writer, &end));
    else
        CHECK_OK(rrs_trace_writer_flush(model->writer));
    rrs_trace_writer_destroy(model->writer);
    CHECK_OK(rrs_trace_writer_open(model->path, &model->writer));
    open_reader(model);
}

static void run(struct model *model, uint64_t n_operations)
{
    for (uint64_t i = 0; i < n_operations; i++) {
        uint64_t choice = below(model, 1000);
        if (choice < 500)
            append_events(model);
        else if (choice < 700)
            put_blob(model);
        else if (choice < 730)
            store_checkpoint(model);
        else if (choice < 750)
            delete_checkpoint(model);
        else if (choice < 760)
            reopen(model);
        else if (choice < 765)
            check_whole(model);
        else if (choice < 850)
            compare(model);
    }
}

/* Without its checkpoints the trace has the chunks of its blobs, and no other. */
static void check_nothing_is_left(struct model *model, const char *directory)
{
    struct model_blob *blobs = model->blobs;
    struct rrs_hash hash;
    while (model->n_checkpoints > 0)
        delete_checkpoint(model);
    reopen(model); /* sweeps what refused checkpoints left */
    uint64_t n_chunks = check_whole(model);
    close_writing(model);
    model->n_events = 0;
    test_path(model->path, directory, "blobs-only");
    create(model);
    for (size_t i = 0; i < model->n_blobs; i++) {
        fill(blobs[i].seed, model->buffer, blobs[i].size_bytes);
        CHECK_OK(rrs_blob_put(model->writer, model->buffer, blobs[i].size_bytes, &hash));
    }
    CHECK_EQUAL(n_chunks, check_whole(model));
}

int main(int argc, char **argv)
{
    char directory[PATH_MAX];
    struct model *model = calloc(1, sizeof *model);
    CHECK(model);
    model->state = test_seed(argc, argv);
    model->events = calloc(MAX_EVENTS, sizeof *model->events);
    CHECK(model->events);
    test_path(model->path, test_make_directory(directory), "trace");
    create(model);
    run(model, argc > 2 ? strtoull(argv[2], NULL, 0) : N_OPERATIONS);
    check_nothing_is_left(model, directory);
    close_writing(model);
    free(model->events);
    free(model);
    test_remove_tree(directory);
    return 0;
}
