/* SPDX-License-Identifier: MIT */
#include "tests/store/trace_sample.h"

#include "lmdb-store/blob.h"
#include "lmdb-store/event_log_writer.h"
#include "lmdb-store/metadata.h"
#include "lmdb-store/scope.h"
#include "lmdb-store/trace_dir.h"
#include "tests/store/trace_sample_content.h"

#include <stdlib.h>
#include <string.h>

static uint64_t mix(uint64_t value)
{
    value += UINT64_C(0x9E3779B97F4A7C15);
    value = (value ^ value >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ value >> 27) * UINT64_C(0x94D049BB133111EB);
    return value ^ value >> 31;
}

void sample_fill(uint64_t seed, void *buffer, uint64_t size_bytes)
{
    uint8_t *bytes = buffer;
    for (uint64_t done = 0; done < size_bytes; done += 8) {
        uint64_t word = mix(seed + done / 64); /* each word eight times: compresses well */
        memcpy(bytes + done, &word, size_bytes - done < 8 ? size_bytes - done : 8);
    }
}

uint64_t sample_tick(uint64_t number)
{
    return number / 3 * 7; /* three events share a tick */
}

uint64_t sample_wall_ns(uint64_t number)
{
    return UINT64_C(1700000000000000000) + number * 1000 - (number % 17 == 0 ? 5000 : 0);
}

int32_t sample_task(uint64_t number)
{
    return (int32_t)(SAMPLE_FIRST_TASK + mix(number) % SAMPLE_TASKS);
}

uint16_t sample_kind(uint64_t number)
{
    return (uint16_t)(mix(number * 31) % SAMPLE_KINDS);
}

uint32_t sample_event_bytes(const struct sample *sample, uint64_t number)
{
    uint64_t random = mix(number * 77);
    if (sample->size == SAMPLE_MIXED && number % 1009 == 0)
        return RRS_EVENT_MAX_BYTES;
    if (sample->size == SAMPLE_MIXED && number % 97 == 0)
        return (uint32_t)(4096 + random % 60000);
    return (uint32_t)(RRS_HASH_BYTES + random % 64);
}

bool sample_names_blob(const struct sample *sample, uint64_t number)
{
    return sample->has_blobs && number % SAMPLE_EVENTS_PER_BLOB == 0;
}

void sample_event_data(const struct sample *sample, uint64_t number, const struct rrs_hash *blob,
                       void *buffer)
{
    sample_fill(number * 1000003, buffer, sample_event_bytes(sample, number));
    if (blob)
        memcpy(buffer, blob->bytes, RRS_HASH_BYTES);
}

uint64_t sample_blob_bytes(uint64_t blob)
{
    return blob % 8 == 7 ? 300000 + blob : 100 + mix(blob) % 3000; /* some have two chunks */
}

void sample_blob_data(uint64_t blob, void *buffer)
{
    sample_fill(blob * 999983, buffer, sample_blob_bytes(blob));
}

struct rrs_checkpoint_place sample_checkpoint_place(uint64_t checkpoint)
{
    uint64_t before = checkpoint * SAMPLE_EVENTS_PER_CHECKPOINT;
    return (struct rrs_checkpoint_place){.tick = sample_tick(before), .event = before + 1};
}

/* A third of the pages changes from checkpoint to checkpoint. */
uint64_t sample_page_version(uint64_t checkpoint, unsigned page)
{
    return page % 3 == 0 ? checkpoint : 0;
}

void sample_page_place(unsigned page, uint32_t *space, uint64_t *address)
{
    *space = page < SAMPLE_CHECKPOINT_PAGES / 2 ? 1 : 2;
    *address = UINT64_C(0x7f0000000000) + (uint64_t)page * 2 * RRS_CHECKPOINT_PAGE_BYTES;
}

void sample_page_data(uint64_t checkpoint, unsigned page, void *buffer)
{
    sample_fill(page * 7919 + sample_page_version(checkpoint, page) * 104729, buffer,
                RRS_CHECKPOINT_PAGE_BYTES);
}

static struct rrs_error *describe(struct rrs_metadata *metadata)
{
    const char *const command_line[] = {"/usr/bin/sample", "--flag", ""};
    const char *const environment[] = {"HOME=/home/somebody", "TERM=dumb"};
    const char *const kinds[] = {"syscall", "signal", "switch"};
    RRS_TRY(rrs_metadata_set(&metadata->recorder, "rrsoft sample"));
    RRS_TRY(rrs_metadata_set(&metadata->program, SAMPLE_PROGRAM));
    RRS_TRY(rrs_metadata_set(&metadata->clock, "translated"));
    RRS_TRY(rrs_string_list_set(&metadata->command_line, command_line, 3));
    RRS_TRY(rrs_string_list_set(&metadata->environment, environment, 2));
    metadata->start_wall_ns = SAMPLE_START_WALL_NS;
    return rrs_string_list_set(&metadata->event_kinds, kinds, 3);
}

struct rrs_error *sample_create(const char *path, struct rrs_trace_writer **writer)
{
    struct rrs_metadata metadata;
    rrs_metadata_init(&metadata);
    struct rrs_error *error = describe(&metadata);
    if (!error)
        error = rrs_trace_dir_create_at(path);
    if (!error)
        error = rrs_trace_writer_create(path, &metadata, writer);
    rrs_metadata_deinit(&metadata);
    return error;
}

static struct rrs_error *append_blob(struct rrs_trace_writer *writer, uint64_t blob,
                                     struct rrs_hash *hash)
{
    uint64_t size_bytes = sample_blob_bytes(blob);
    _cleanup_free_ void *buffer = malloc(size_bytes);
    require(buffer);
    sample_blob_data(blob, buffer);
    return rrs_blob_put(writer, buffer, size_bytes, hash);
}

static struct rrs_error *put_pages(struct rrs_checkpoint_builder *builder, uint64_t checkpoint)
{
    for (unsigned page = 0; page < SAMPLE_CHECKPOINT_PAGES; page++) {
        uint8_t content[RRS_CHECKPOINT_PAGE_BYTES];
        uint32_t space;
        uint64_t address;
        bool as_before = checkpoint > 1 && sample_page_version(checkpoint, page) ==
                                               sample_page_version(checkpoint - 1, page);
        if (as_before)
            continue;
        sample_page_place(page, &space, &address);
        sample_page_data(checkpoint, page, content);
        RRS_TRY(rrs_checkpoint_builder_put_page(builder, space, address, content));
    }
    return NULL;
}

static struct rrs_error *append_checkpoint(struct rrs_trace_writer *writer, uint64_t checkpoint)
{
    uint8_t payload[SAMPLE_PAYLOAD_BYTES];
    struct rrs_checkpoint_place place = sample_checkpoint_place(checkpoint);
    struct rrs_checkpoint_place base = sample_checkpoint_place(checkpoint - 1);
    struct rrs_checkpoint_builder *builder;
    RRS_TRY(rrs_checkpoint_builder_create(writer, checkpoint > 1 ? &base : NULL, &builder));
    sample_fill(checkpoint, payload, sizeof payload);
    struct rrs_error *error = put_pages(builder, checkpoint);
    if (!error)
        error = rrs_checkpoint_builder_finish(builder, &place, payload, sizeof payload);
    rrs_checkpoint_builder_destroy(builder);
    return error;
}

struct rrs_error *sample_append(const struct sample *sample, struct rrs_trace_writer *writer,
                                uint64_t number)
{
    struct rrs_hash hash;
    bool names_blob = sample_names_blob(sample, number);
    if (names_blob)
        RRS_TRY(append_blob(writer, number / SAMPLE_EVENTS_PER_BLOB, &hash));
    uint32_t size_bytes = sample_event_bytes(sample, number);
    _cleanup_free_ void *data = malloc(size_bytes);
    require(data);
    sample_event_data(sample, number, names_blob ? &hash : NULL, data);
    struct rrs_event event = {
        .tick = sample_tick(number),
        .wall_ns = sample_wall_ns(number),
        .task = sample_task(number),
        .event_kind = sample_kind(number),
        .size_bytes = size_bytes,
        .data = data,
    };
    RRS_TRY(rrs_event_log_append(writer, &event));
    require(event.number == number);
    if (sample->has_checkpoints && number % SAMPLE_EVENTS_PER_CHECKPOINT == 0)
        return append_checkpoint(writer, number / SAMPLE_EVENTS_PER_CHECKPOINT);
    return NULL;
}

void sample_make(const struct sample *sample, const char *path, uint64_t n_events)
{
    struct rrs_trace_writer *writer;
    struct rrs_trace_end end = {.end_kind = RRS_TRACE_END_EXITED, .code = 3, .wall_ns = 1};
    support_must(sample_create(path, &writer));
    for (uint64_t number = RRS_EVENT_FIRST; number <= n_events; number++)
        support_must(sample_append(sample, writer, number));
    uint8_t extra[SAMPLE_EXTRA_BYTES];
    sample_fill(SAMPLE_EXTRA_SEED, extra, sizeof extra);
    support_must(rrs_trace_writer_put_extra(writer, SAMPLE_EXTRA_NAME, extra, sizeof extra));
    support_must(rrs_trace_writer_finish(writer, &end));
    rrs_trace_writer_destroy(writer);
}
