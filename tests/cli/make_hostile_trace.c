/* SPDX-License-Identifier: MIT */
/*
 * Makes a trace whose events have the kinds of a recording and bytes that no recorder would write:
 * items with random contents, cut, and with bytes changed.
 *
 *     make_hostile_trace EVENTS SEED
 *
 *  * Prints the path of the trace.
 */
#include "engine/events/body.h"
#include "engine/record/recorder.h"
#include "lmdb-store/event_log_writer.h"
#include "lmdb-store/scope.h"
#include "lmdb-store/trace_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state;

/* xorshift64*: Vigna, An experimental exploration of Marsaglia's xorshift generators */
static uint64_t any(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1d;
}

static uint64_t below(uint64_t limit)
{
    return any() % limit;
}

/* Near the addresses that other items have, or anything. */
static uint64_t any_address(void)
{
    return below(8) ? 0x1000 + below(64) * 8 : any() >> below(64);
}

static void put_bytes(struct rrs_body *body, enum rrs_item_kind kind)
{
    uint8_t bytes[512];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(below(4) ? any() : 0);
    size_t size = below(sizeof bytes + 1);
    if (kind == RRS_ITEM_WRITE)
        rrs_body_put_write(body, any_address(), bytes, size);
    else
        rrs_body_put_bytes(body, kind, bytes, size);
}

static void put_call(struct rrs_body *body)
{
    uint64_t args[6];
    for (int i = 0; i < 6; i++)
        args[i] = below(2) ? any_address() : below(16);
    rrs_body_put_call(body, (int)(below(16) ? below(480) : any()), args);
    rrs_body_put_result(body, (int64_t)(below(2) ? below(64) : any()));
}

static void put_map(struct rrs_body *body)
{
    const struct rrs_map_item map = {
        .start = any_address() & ~4095ull,
        .end = below(4) ? 0x10000 : any(),
        .source = (enum rrs_map_source)below(3),
        .path = "/etc/\x1b[31m\nred",
        .path_bytes = below(15),
        .blob_bytes = any(),
    };
    rrs_body_put_map(body, &map);
}

/* A stack pointer into what WRITE items hold makes an exec's strings. */
static void put_regs(struct rrs_body *body)
{
    struct user_regs_struct regs = {.rsp = any_address(), .rip = any()};
    rrs_body_put_regs(body, &regs, NULL);
}

static void put_item(struct rrs_body *body)
{
    const struct rrs_hash hash = {{0}};
    switch (below(12)) {
    case 0:
        return rrs_body_put_pc(body, any());
    case 1:
        return put_call(body);
    case 2:
        return put_regs(body);
    case 3:
        return rrs_body_put_task(body, (pid_t)any(), (pid_t)below(100), any());
    case 4:
        return rrs_body_put_status(body, (int)any());
    case 5:
        return rrs_body_put_action(body, (uint32_t)below(64));
    case 6:
        return put_map(body);
    case 7:
        return put_bytes(body, (enum rrs_item_kind)below(40));
    case 8:
        if (below(20) == 0)
            rrs_body_put_blob(body, any_address(), any(), &hash);
        return;
    case 9:
        return put_bytes(body, RRS_ITEM_SIGINFO);
    default:
        return put_bytes(body, RRS_ITEM_WRITE);
    }
}

static void spoil(struct rrs_body *body)
{
    for (uint64_t i = below(4); i && body->size; i--)
        body->bytes[below(body->size)] = (uint8_t)any();
    if (body->size && below(8) == 0)
        body->size = below(body->size);
}

static struct rrs_error *append_all(struct rrs_trace_writer *writer, uint64_t count)
{
    struct rrs_body body = {0};
    struct rrs_error *error = NULL;
    for (uint64_t i = 0; i < count && !error; i++) {
        rrs_body_clear(&body);
        for (uint64_t items = below(24); items; items--)
            put_item(&body);
        if (below(3) == 0)
            spoil(&body);
        struct rrs_event event = {
            .tick = i,
            .task = (int32_t)(below(8) ? 100 + below(4) : any()),
            .event_kind = (uint16_t)below(RRS_EVENT_KIND_COUNT + 2),
            .size_bytes = (uint32_t)body.size,
            .data = body.bytes,
        };
        error = rrs_event_log_append(writer, &event);
    }
    rrs_body_deinit(&body);
    return error;
}

static struct rrs_error *make_trace(uint64_t count)
{
    _cleanup_free_ char *path = NULL;
    struct rrs_trace_writer *writer = NULL;
    struct rrs_metadata metadata;
    RRS_TRY(rrs_trace_dir_create(NULL, "hostile", &path));
    rrs_metadata_init(&metadata);
    struct rrs_error *error = rrs_recorder_name_kinds(&metadata);
    if (!error)
        error = rrs_trace_writer_create(path, &metadata, &writer);
    rrs_metadata_deinit(&metadata);
    if (!error)
        error = append_all(writer, count);
    const struct rrs_trace_end end = {.end_kind = RRS_TRACE_END_EXITED};
    if (!error)
        error = rrs_trace_writer_finish(writer, &end);
    rrs_trace_writer_destroy(writer);
    printf("%s\n", path);
    return error;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    state = strtoull(argv[2], NULL, 10) * 2 + 1;
    struct rrs_error *error = make_trace(strtoull(argv[1], NULL, 10));
    if (!error)
        return 0;
    char message[512];
    fprintf(stderr, "make_hostile_trace: %s\n", rrs_error_format(error, message, sizeof message));
    rrs_error_destroy(error);
    return 1;
}
