/* SPDX-License-Identifier: MIT */
/* Test that checkpoints are found, share what they have in common, and give it back when deleted.
 */
#include "lmdb-store/checkpoint.h"

#include "lmdb-store/trace_check.h"
#include "tests/unit/test.h"

enum { PAGE = RRS_CHECKPOINT_PAGE_BYTES, N_PAGES = 1500 };

static const uint64_t base_address = UINT64_C(0x7ffff0000000);

static void make_page(uint64_t value, uint8_t page[PAGE])
{
    uint64_t state = value;
    test_fill(&state, page, PAGE);
}

static void put(struct rrs_checkpoint_builder *builder, uint32_t space, uint64_t index,
                uint64_t value)
{
    uint8_t page[PAGE];
    make_page(value, page);
    CHECK_OK(rrs_checkpoint_builder_put_page(builder, space, base_address + index * PAGE, page));
}

static void finish(struct rrs_checkpoint_builder *builder, uint64_t place, const char *payload)
{
    const struct rrs_checkpoint_place at = {.tick = place * 10, .event = place};
    CHECK_OK(rrs_checkpoint_builder_finish(builder, &at, payload, strlen(payload)));
    rrs_checkpoint_builder_destroy(builder);
}

/* Checkpoint 1: all pages of two spaces, of 1500 values. */
static void store_first(struct rrs_trace_writer *writer)
{
    struct rrs_checkpoint_builder *builder, *second;
    uint8_t page[PAGE] = {0};
    CHECK_OK(rrs_checkpoint_builder_create(writer, NULL, &builder));
    CHECK_FAILS(rrs_checkpoint_builder_create(writer, NULL, &second), USAGE);
    for (uint32_t space = 1; space <= 2; space++)
        for (uint64_t i = 0; i < N_PAGES; i++)
            put(builder, space, i, i);
    CHECK_FAILS(rrs_checkpoint_builder_put_page(builder, 1, 0, page), USAGE);
    CHECK_FAILS(rrs_checkpoint_builder_put_page(builder, 2, base_address, page), USAGE);
    CHECK_FAILS(rrs_checkpoint_builder_put_page(builder, 3, 1, page), USAGE);
    finish(builder, 1, "first");
}

/* Checkpoint 2: as 1, but every 100th page of space 1 is another, and in space 2 pages 100 to 1399
 * are gone. */
static void store_second(struct rrs_trace_writer *writer)
{
    const struct rrs_checkpoint_place base = {.tick = 10, .event = 1};
    struct rrs_checkpoint_builder *builder;
    CHECK_OK(rrs_checkpoint_builder_create(writer, &base, &builder));
    for (uint64_t i = 0; i < N_PAGES; i += 100)
        put(builder, 1, i, 1000000 + i);
    CHECK_OK(rrs_checkpoint_builder_remove_pages(builder, 2, base_address + 100 * PAGE, 1300));
    finish(builder, 2, "second");
}

static uint64_t expected_value(uint64_t place, uint32_t space, uint64_t i)
{
    if (place == 2 && space == 1 && i % 100 == 0)
        return 1000000 + i;
    if (place == 2 && space == 2 && i >= 100 && i < 1400)
        return UINT64_MAX;
    return i;
}

static void check_checkpoint(struct rrs_trace_reader *reader, uint64_t place, const char *payload)
{
    const struct rrs_checkpoint_place at = {.tick = place * 10, .event = place};
    struct rrs_checkpoint *checkpoint;
    struct rrs_checkpoint_info info;
    struct rrs_checkpoint_page page = {0};
    uint8_t content[PAGE], expected[PAGE];
    char read_payload[16] = "";
    bool found;
    CHECK_OK(rrs_checkpoint_open(reader, &at, &checkpoint));
    rrs_checkpoint_get_info(checkpoint, &info);
    CHECK_EQUAL(info.place.event, place);
    CHECK_EQUAL(info.n_pages, place == 1 ? 2 * N_PAGES : 2 * N_PAGES - 1300);
    CHECK_EQUAL(info.payload_bytes, strlen(payload));
    CHECK_OK(rrs_checkpoint_read_payload(checkpoint, read_payload));
    CHECK_STRING(read_payload, payload);
    for (uint32_t space = 1; space <= 2; space++)
        for (uint64_t i = 0; i < N_PAGES; i++) {
            if (expected_value(place, space, i) == UINT64_MAX)
                continue;
            CHECK_OK(rrs_checkpoint_find_page(checkpoint, page.space,
                                              page.space ? page.address + 1 : 0, &page, &found));
            CHECK(found);
            CHECK_EQUAL(page.space, space);
            CHECK_EQUAL(page.address, base_address + i * PAGE);
            CHECK_OK(rrs_checkpoint_read_page(checkpoint, &page, content));
            make_page(expected_value(place, space, i), expected);
            CHECK(memcmp(content, expected, PAGE) == 0);
        }
    CHECK_OK(rrs_checkpoint_find_page(checkpoint, page.space, page.address + 1, &page, &found));
    CHECK(!found);
    rrs_checkpoint_destroy(checkpoint);
}

static void check_search(struct rrs_trace_reader *reader)
{
    struct rrs_checkpoint_info info, *infos;
    size_t n_infos;
    CHECK_FAILS(rrs_checkpoint_find_tick(reader, 9, &info), NOT_FOUND);
    CHECK_OK(rrs_checkpoint_find_tick(reader, 10, &info));
    CHECK_EQUAL(info.place.event, 1);
    CHECK_OK(rrs_checkpoint_find_tick(reader, 19, &info));
    CHECK_EQUAL(info.place.event, 1);
    CHECK_OK(rrs_checkpoint_find_tick(reader, UINT64_MAX, &info));
    CHECK_EQUAL(info.place.event, 2);
    const struct rrs_checkpoint_place before = {.tick = 20, .event = 1};
    CHECK_OK(rrs_checkpoint_find_place(reader, &before, &info));
    CHECK_EQUAL(info.place.event, 1);
    CHECK_OK(rrs_checkpoint_list(reader, &infos, &n_infos));
    CHECK_EQUAL(n_infos, 2);
    CHECK_EQUAL(infos[1].place.tick, 20);
    free(infos);
}

static void report_damage(void *context, const struct rrs_error *error)
{
    (void)context;
    fprintf(stderr, "damage: %s\n", error->message);
}

static uint64_t count_chunks(struct rrs_trace_reader *reader)
{
    struct rrs_trace_check_report report;
    CHECK_OK(rrs_trace_reader_refresh(reader));
    CHECK_OK(rrs_trace_check(reader, report_damage, NULL, &report));
    CHECK_EQUAL(report.n_damages, 0);
    return report.n_chunks;
}

static void check_refusals(struct rrs_trace_writer *writer)
{
    const struct rrs_checkpoint_place taken = {.tick = 10, .event = 1}, none = {.tick = 1};
    struct rrs_checkpoint_builder *builder;
    CHECK_FAILS(rrs_checkpoint_builder_create(writer, &none, &builder), NOT_FOUND);
    CHECK_FAILS(rrs_checkpoint_delete(writer, &none), NOT_FOUND);
    CHECK_OK(rrs_checkpoint_builder_create(writer, NULL, &builder));
    CHECK_FAILS(rrs_checkpoint_delete(writer, &taken), USAGE);
    CHECK_FAILS(rrs_checkpoint_builder_finish(builder, &taken, NULL, 0), EXISTS);
    rrs_checkpoint_builder_destroy(builder);
}

static void check_deletion(struct rrs_trace_writer *writer, struct rrs_trace_reader *reader)
{
    const struct rrs_checkpoint_place first = {.tick = 10, .event = 1};
    const struct rrs_checkpoint_place second = {.tick = 20, .event = 2};
    struct rrs_checkpoint_builder *builder;
    CHECK_OK(rrs_checkpoint_delete(writer, &first));
    count_chunks(reader);
    check_checkpoint(reader, 2, "second");
    CHECK_OK(rrs_checkpoint_delete(writer, &second));
    CHECK_EQUAL(count_chunks(reader), 0);
    /* A page given up by a builder goes when the trace is opened for writing again. */
    CHECK_OK(rrs_checkpoint_builder_create(writer, NULL, &builder));
    put(builder, 1, 1, 1);
    rrs_checkpoint_builder_destroy(builder);
    CHECK_OK(rrs_trace_writer_flush(writer));
    CHECK_EQUAL(count_chunks(reader), 1);
}

int main(void)
{
    char path[PATH_MAX];
    struct rrs_metadata metadata;
    struct rrs_trace_writer *writer;
    struct rrs_trace_reader *reader;
    test_make_directory(path);
    rrs_metadata_init(&metadata);
    CHECK_OK(rrs_trace_writer_create(path, &metadata, &writer));
    CHECK_OK(rrs_trace_writer_reader(writer, &reader));
    store_first(writer);
    /* 1500 pages, 3 blocks which both spaces share, the map, the payload. */
    CHECK_EQUAL(count_chunks(reader), 1500 + 3 + 2);
    store_second(writer);
    /* 15 pages, 3 blocks of space 1, 2 of space 2 (the one between is gone), the map, the payload.
     */
    CHECK_EQUAL(count_chunks(reader), 1505 + 15 + 3 + 2 + 2);
    check_refusals(writer);
    check_checkpoint(reader, 1, "first");
    check_checkpoint(reader, 2, "second");
    check_search(reader);
    check_deletion(writer, reader);
    rrs_trace_reader_destroy(reader);
    CHECK_OK(rrs_trace_writer_finish(writer, NULL));
    rrs_trace_writer_destroy(writer);
    CHECK_OK(rrs_trace_writer_open(path, &writer));
    CHECK_OK(rrs_trace_writer_reader(writer, &reader));
    CHECK_EQUAL(count_chunks(reader), 0);
    rrs_trace_reader_destroy(reader);
    CHECK_OK(rrs_trace_writer_finish(writer, NULL));
    rrs_trace_writer_destroy(writer);
    rrs_metadata_deinit(&metadata);
    test_remove_tree(path);
    return 0;
}
