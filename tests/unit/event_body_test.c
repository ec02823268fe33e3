/* SPDX-License-Identifier: MIT */
/* Test that every item of an event comes back as it was put, and that cut, random and damaged bytes
 * are read to an end without a step beside them. */
#include "engine/events/body.h"
#include "engine/events/checksum.h"

#include "tests/unit/test.h"

static const uint8_t some_bytes[300] = {1, 2, 3, [299] = 9};

static struct rrs_map_item a_map(void)
{
    return (struct rrs_map_item){
        .start = 0x7ffff7fc1000,
        .end = 0x7ffff7fc4000,
        .prot = 5,
        .shared = true,
        .grows_down = true,
        .source = RRS_MAP_FILE,
        .identity = 1ull << 32,
        .file_offset = 0x3000,
        .blob_offset = 0x1000,
        .blob_bytes = 1ull << 40,
        .blob = {{7, 8}},
        .path = "/lib/x",
        .path_bytes = 6,
    };
}

static const uint64_t arguments[6] = {1, 0, UINT64_MAX, 1ull << 47, 127, 128};

/* One item of each kind, in the order of their numbers. */
static void put_all(struct rrs_body *body)
{
    struct user_regs_struct regs = {.rax = 5, .gs = 1, .r15 = UINT64_MAX}, zeros = {0};
    const struct rrs_map_item map = a_map();
    rrs_body_put_pc(body, UINT64_MAX);
    rrs_body_put_call(body, -1, arguments);
    rrs_body_put_result(body, -4095);
    rrs_body_put_regs(body, &regs, &zeros);
    rrs_body_put_bytes(body, RRS_ITEM_XSTATE, some_bytes, sizeof some_bytes);
    rrs_body_put_write(body, 0x1000, some_bytes, sizeof some_bytes);
    rrs_body_put_blob(body, 0x2000, 1ull << 33, &map.blob);
    rrs_body_put_map(body, &map);
    rrs_body_put_bytes(body, RRS_ITEM_SIGINFO, some_bytes, 128);
    rrs_body_put_action(body, RRS_SIGNAL_ENDS | RRS_SIGNAL_RAISED);
    rrs_body_put_task(body, 4194304, 1, UINT64_MAX);
    rrs_body_put_status(body, 0x8b);
    rrs_body_put_bytes(body, RRS_ITEM_PROGRAM, "", 0);
    rrs_body_put_runtime(body, 3, 0x555555559000);
    rrs_body_put_shown(body, 2);
    rrs_body_put_target(body, 4194304);
    rrs_body_put_copied(body, 1ull << 34, &map.blob);
    struct rrs_page_sum pages[] = {{0x1000, 7}, {0x5000, 0}};
    struct rrs_checksum_head head = {.registers = {5}, .flags = RRS_CHECKSUM_GUESSED};
    rrs_body_put_checksum(body, &head, &(struct rrs_page_sums){pages, 2, 2});
    rrs_body_put_input(body, 0x3000, some_bytes, 20);
}

static void check_checksum(const struct rrs_item *item)
{
    struct rrs_checksum_head head;
    struct rrs_page_sums pages = {0}, known = {0}, changes = {0};
    CHECK(rrs_checksum_read(item, &head, &pages));
    CHECK(head.registers[0] == 5 && head.flags == RRS_CHECKSUM_GUESSED && pages.count == 2);
    /* Applying what a comparison found gives what it was compared with. */
    CHECK_OK(rrs_page_sums_append(&known, 0x1000, 8));
    CHECK_OK(rrs_page_sums_append(&known, 0x5000, 9));
    CHECK_OK(rrs_page_sums_append(&known, 0x6000, 10));
    CHECK_OK(rrs_page_sums_apply(&known, &pages));
    CHECK(known.count == 2 && known.items[0].hash == 7 && known.items[1].address == 0x6000);
    pages.items[1].hash = 11;
    CHECK_OK(rrs_page_sums_compare(&known, &pages, &changes));
    CHECK(changes.count == 2 && changes.items[0].hash == 11 && changes.items[1].hash == 0);
    CHECK_OK(rrs_page_sums_apply(&known, &changes));
    CHECK(known.count == 2 && !memcmp(known.items, pages.items, 2 * sizeof *pages.items));
    rrs_page_sums_deinit(&pages);
    rrs_page_sums_deinit(&known);
    rrs_page_sums_deinit(&changes);
}

static void check_map(const struct rrs_map_item *map)
{
    const struct rrs_map_item expected = a_map();
    CHECK_EQUAL(map->start, expected.start);
    CHECK_EQUAL(map->end, expected.end);
    CHECK_EQUAL(map->prot, expected.prot);
    CHECK(map->shared && map->grows_down && map->source == RRS_MAP_FILE);
    CHECK_EQUAL(map->identity, expected.identity);
    CHECK_EQUAL(map->file_offset, expected.file_offset);
    CHECK_EQUAL(map->blob_offset, expected.blob_offset);
    CHECK_EQUAL(map->blob_bytes, expected.blob_bytes);
    CHECK(!memcmp(&map->blob, &expected.blob, sizeof map->blob));
    CHECK(map->path_bytes == 6 && !memcmp(map->path, "/lib/x", 6));
}

static void check_item(const struct rrs_item *item)
{
    switch (item->kind) {
    case RRS_ITEM_PC:
        CHECK_EQUAL(item->pc, UINT64_MAX);
        break;
    case RRS_ITEM_CALL:
        CHECK(item->call.number == -1 && !memcmp(item->call.args, arguments, sizeof arguments));
        break;
    case RRS_ITEM_RESULT:
        CHECK_EQUAL(item->result, -4095);
        break;
    case RRS_ITEM_XSTATE:
        CHECK(item->bytes.size == 300 && !memcmp(item->bytes.bytes, some_bytes, 300));
        break;
    case RRS_ITEM_WRITE:
        CHECK(item->write.address == 0x1000 && item->write.size == 300);
        CHECK(!memcmp(item->write.bytes, some_bytes, 300));
        break;
    case RRS_ITEM_INPUT:
        CHECK(item->write.address == 0x3000 && item->write.size == 20);
        CHECK(!memcmp(item->write.bytes, some_bytes, 20));
        break;
    case RRS_ITEM_BLOB:
        CHECK(item->write.address == 0x2000 && item->write.size == 1ull << 33);
        CHECK(item->write.hash.bytes[0] == 7);
        break;
    case RRS_ITEM_COPIED:
        CHECK(item->write.size == 1ull << 34 && item->write.hash.bytes[1] == 8);
        break;
    case RRS_ITEM_CHECKSUM:
        check_checksum(item);
        break;
    case RRS_ITEM_MAP:
        check_map(&item->map);
        break;
    case RRS_ITEM_SIGINFO:
        CHECK_EQUAL(item->bytes.size, 128);
        break;
    case RRS_ITEM_ACTION:
        CHECK_EQUAL(item->action, RRS_SIGNAL_ENDS | RRS_SIGNAL_RAISED);
        break;
    case RRS_ITEM_TASK:
        CHECK(item->task.tgid == 4194304 && item->task.creator == 1);
        CHECK_EQUAL(item->task.flags, UINT64_MAX);
        break;
    case RRS_ITEM_STATUS:
        CHECK_EQUAL(item->status, 0x8b);
        break;
    case RRS_ITEM_PROGRAM:
        CHECK_EQUAL(item->bytes.size, 0);
        break;
    case RRS_ITEM_RUNTIME:
        CHECK(item->runtime.base_index == 3 && item->runtime.brk == 0x555555559000);
        break;
    case RRS_ITEM_SHOWN:
        CHECK_EQUAL(item->shown_on, 2);
        break;
    case RRS_ITEM_TARGET:
        CHECK_EQUAL(item->target, 4194304);
        break;
    default:
        break;
    }
}

static void check_round_trip(const struct rrs_body *body)
{
    struct rrs_item_reader reader = rrs_item_reader_begin(body->bytes, body->size);
    struct rrs_item item;
    int kind = 1;
    for (; rrs_item_next(&reader, &item); kind++) {
        CHECK_EQUAL(item.kind, kind);
        check_item(&item);
    }
    CHECK(!reader.malformed && reader.at == reader.end);
    CHECK_EQUAL(kind, RRS_ITEM_LAST + 1);
    struct user_regs_struct regs = {.rax = 1, .rbx = 2, .r15 = 3};
    CHECK(rrs_item_find(body->bytes, body->size, RRS_ITEM_REGS, &item));
    rrs_item_apply_regs(&item, &regs);
    CHECK(regs.rax == 5 && regs.rbx == 2 && regs.r15 == UINT64_MAX && regs.gs == 1);
}

/* Reads to the end; the bytes stand in memory of exactly their size, for a sanitizer. */
static size_t read_through(const uint8_t *bytes, size_t size, bool *malformed)
{
    uint8_t *exact = malloc(size ? size : 1);
    CHECK(exact);
    memcpy(exact, bytes, size);
    struct rrs_item_reader reader = rrs_item_reader_begin(exact, size);
    struct rrs_item item;
    size_t count = 0;
    while (rrs_item_next(&reader, &item)) {
        CHECK(++count <= size);
        if (item.kind == RRS_ITEM_MAP)
            CHECK(item.map.path_bytes <= size && item.map.start < item.map.end);
        if (item.kind == RRS_ITEM_WRITE || item.kind == RRS_ITEM_INPUT)
            CHECK(item.write.size <= size);
    }
    *malformed = reader.malformed;
    free(exact);
    return count;
}

int main(int argc, char **argv)
{
    struct rrs_body body = {0};
    bool malformed;
    uint64_t state = test_seed(argc, argv);
    put_all(&body);
    check_round_trip(&body);
    size_t whole = read_through(body.bytes, body.size, &malformed);
    for (size_t size = 0; size < body.size; size++)
        CHECK(read_through(body.bytes, size, &malformed) <= whole);
    for (int round = 0; round < 20000; round++) { /* one damaged byte */
        size_t at = test_random(&state) % body.size;
        uint8_t before = body.bytes[at];
        body.bytes[at] = (uint8_t)test_random(&state);
        read_through(body.bytes, body.size, &malformed);
        body.bytes[at] = before;
    }
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[64];
        size_t size = test_random(&state) % sizeof bytes;
        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)(i % 3 ? test_random(&state) : test_random(&state) % 20);
        read_through(bytes, size, &malformed);
    }
    rrs_body_clear(&body);
    struct user_regs_struct same = {.rax = 1};
    rrs_body_put_regs(&body, &same, &same); /* nothing to say */
    CHECK_EQUAL(body.size, 0);
    rrs_body_deinit(&body);
    return 0;
}
