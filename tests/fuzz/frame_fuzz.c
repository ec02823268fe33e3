/* SPDX-License-Identifier: MIT */
/*
 * Fuzzer: the frame decoder gives any bytes back as an error or as events that hold together.
 *
 * Left alone, a fuzzer never gets past the checksums and the compression. So the mutator below
 * mostly changes what is under them: it unpacks a frame, lets libFuzzer change the packed columns
 * or a field of the head, packs it again and sets both checksums right. The layout of the head is
 * that of docs/TRACE-FORMAT.md.
 */
#include "lmdb-store/frame.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <zstd.h>

enum {
    OFFSET_BODY_CHECKSUM = 8,
    OFFSET_FIELDS = 16,
    OFFSET_RAW_BYTES = 60,
    MAX_RAW_BYTES = 32 << 10, /* that the mutator unpacks */
};

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_u64(uint8_t *to, uint64_t value)
{
    memcpy(to, &value, sizeof value);
}

static void set_checksums(uint8_t *frame, size_t size)
{
    put_u64(frame + OFFSET_BODY_CHECKSUM,
            XXH3_64bits(frame + RRS_FRAME_HEAD_BYTES, size - RRS_FRAME_HEAD_BYTES));
    put_u64(frame,
            XXH3_64bits(frame + OFFSET_BODY_CHECKSUM, RRS_FRAME_HEAD_BYTES - OFFSET_BODY_CHECKSUM));
}

/* Changes the packed events under the compression. Returns the new size, 0 if it cannot. */
static size_t mutate_columns(uint8_t *frame, size_t size, size_t max_size, unsigned seed)
{
    static uint8_t raw[MAX_RAW_BYTES];
    size_t raw_bytes =
        ZSTD_decompress(raw, sizeof raw, frame + RRS_FRAME_HEAD_BYTES, size - RRS_FRAME_HEAD_BYTES);
    if (ZSTD_isError(raw_bytes))
        return 0;
    raw_bytes = LLVMFuzzerMutate(raw, raw_bytes, sizeof raw);
    size_t body_bytes = ZSTD_compress(frame + RRS_FRAME_HEAD_BYTES, max_size - RRS_FRAME_HEAD_BYTES,
                                      raw, raw_bytes, 1);
    if (ZSTD_isError(body_bytes))
        return 0;
    uint32_t claim = (uint32_t)raw_bytes;
    if (seed % 16) /* else the head goes on claiming the old size */
        memcpy(frame + OFFSET_RAW_BYTES, &claim, sizeof claim);
    return RRS_FRAME_HEAD_BYTES + body_bytes;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    unsigned way = seed % 8;
    seed /= 8;
    if (way == 0 || size < RRS_FRAME_HEAD_BYTES || max_size <= RRS_FRAME_HEAD_BYTES)
        return LLVMFuzzerMutate(data, size, max_size);
    size_t mutated = 0;
    if (way >= 3)
        mutated = mutate_columns(data, size, max_size, seed);
    else if (way == 2)
        LLVMFuzzerMutate(data + OFFSET_FIELDS, RRS_FRAME_HEAD_BYTES - OFFSET_FIELDS,
                         RRS_FRAME_HEAD_BYTES - OFFSET_FIELDS);
    if (mutated == 0)
        mutated = way == 2 ? size : LLVMFuzzerMutate(data, size, max_size);
    if (mutated >= RRS_FRAME_HEAD_BYTES)
        set_checksums(data, mutated);
    return mutated;
}

static uint64_t touch(const struct rrs_event *event)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < event->size_bytes; i++)
        sum += ((const uint8_t *)event->data)[i];
    return sum;
}

static void check_events(const struct rrs_frame *frame)
{
    const struct rrs_frame_head *head = &frame->head;
    uint64_t previous_tick = head->first_tick;
    static volatile uint64_t sum;
    for (uint32_t i = 0; i < head->n_events; i++) {
        const struct rrs_event *event = &frame->events[i];
        assert(event->number == head->first_event + i);
        assert(event->tick >= previous_tick && event->tick <= head->last_tick);
        assert(event->size_bytes <= RRS_EVENT_MAX_BYTES);
        previous_tick = event->tick;
        sum = sum + touch(event);
    }
    assert(previous_tick == head->last_tick);
}

/* What was decoded packs into a frame that decodes to the same. */
static void check_round_trip(const struct rrs_frame *frame)
{
    static struct rrs_frame_encoder *encoder;
    static struct rrs_frame_decoder *decoder;
    static struct rrs_frame again;
    const uint8_t *bytes;
    size_t size;
    struct rrs_error *error = NULL;
    if (!encoder) {
        rrs_frame_init(&again);
        error = rrs_frame_encoder_create(&encoder);
        assert(!error);
        error = rrs_frame_decoder_create(&decoder);
        assert(!error);
    }
    error = rrs_frame_encode(encoder, frame->events, frame->head.n_events, &bytes, &size);
    assert(!error);
    error = rrs_frame_decode(decoder, bytes, size, &again);
    assert(!error);
    assert(again.head.n_events == frame->head.n_events);
    for (uint32_t i = 0; i < again.head.n_events; i++) {
        const struct rrs_event *left = &frame->events[i], *right = &again.events[i];
        assert(left->number == right->number && left->tick == right->tick &&
               left->wall_ns == right->wall_ns && left->task == right->task &&
               left->event_kind == right->event_kind && left->size_bytes == right->size_bytes);
        assert(left->size_bytes == 0 || memcmp(left->data, right->data, left->size_bytes) == 0);
    }
}

static uint64_t data_bytes_of(const struct rrs_frame *frame)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < frame->head.n_events; i++)
        sum += frame->events[i].size_bytes;
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rrs_frame_decoder *decoder;
    struct rrs_frame frame;
    struct rrs_frame_head head;
    struct rrs_error *error = rrs_frame_decoder_create(&decoder);
    assert(!error);
    rrs_frame_init(&frame);
    struct rrs_error *head_error = rrs_frame_decode_head(data, size, &head);
    error = rrs_frame_decode(decoder, data, size, &frame);
    if (error) {
        assert(error->code == RRS_ERROR_BAD_TRACE);
        assert(frame.head.n_events == 0);
    } else {
        assert(!head_error);
        assert(memcmp(&head, &frame.head, sizeof head) == 0);
        check_events(&frame);
        if (data_bytes_of(&frame) <= RRS_EVENT_MAX_BYTES + (64 << 10)) /* the encoder's limit */
            check_round_trip(&frame);
    }
    rrs_error_destroy(head_error);
    rrs_error_destroy(error);
    rrs_frame_deinit(&frame);
    rrs_frame_decoder_destroy(decoder);
    return 0;
}
