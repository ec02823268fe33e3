/* SPDX-License-Identifier: MIT */
/*
 * Packing and unpacking one frame. The events are turned into columns (all ticks, all times, ...)
 * because like stands beside like there: headers of ordinary events shrink to a few bits each.
 */
#include "lmdb-store/frame.h"

#include "lmdb-store/bytes.h"
#include "lmdb-store/invariant.h"
#include "lmdb-store/scope.h"
#include "lmdb-store/varint.h"

#include <string.h>
#include <xxhash.h>
#include <zstd.h>

enum {
    OFFSET_HEAD_CHECKSUM = 0, /* of the head behind it */
    OFFSET_BODY_CHECKSUM = 8, /* of what follows the head */
    OFFSET_FIRST_EVENT = 16,
    OFFSET_FIRST_TICK = 24,
    OFFSET_LAST_TICK = 32,
    OFFSET_FIRST_WALL = 40,
    OFFSET_LAST_WALL = 48,
    OFFSET_N_EVENTS = 56,
    OFFSET_RAW_BYTES = 60,
    /* Measured on frames of 64-byte events: level 1 packs 700 MB/s a core; level -1 840 MB/s, but
     * 11 % larger; levels 3 and 5 are slower and no smaller, as a frame is too short for what they
     * do. */
    COMPRESSION_LEVEL = 1,
    /* Per event: tick, time, task, kind, size. */
    MAX_COLUMN_BYTES = 2 * RRS_VARINT_MAX_BYTES + 5 + 3 + 3,
};

struct rrs_frame_encoder {
    ZSTD_CCtx *context;
    uint8_t *raw;
    size_t raw_capacity_bytes;
    uint8_t *packed;
    size_t packed_capacity_bytes;
};

struct rrs_frame_decoder {
    ZSTD_DCtx *context;
};

struct rrs_error *rrs_frame_encoder_create(struct rrs_frame_encoder **encoder)
{
    _cleanup_free_ struct rrs_frame_encoder *made = calloc(1, sizeof *made);
    if (!made || !(made->context = ZSTD_createCCtx()))
        return rrs_error_no_memory();
    ZSTD_CCtx_setParameter(made->context, ZSTD_c_compressionLevel, COMPRESSION_LEVEL);
    *encoder = rrs_steal_pointer(&made);
    return NULL;
}

void rrs_frame_encoder_destroy(struct rrs_frame_encoder *encoder)
{
    if (!encoder)
        return;
    ZSTD_freeCCtx(encoder->context);
    free(encoder->raw);
    free(encoder->packed);
    free(encoder);
}

/* Makes room for `need_bytes`; the content is not kept. */
static struct rrs_error *reserve(uint8_t **buffer, size_t *capacity_bytes, size_t need_bytes)
{
    if (need_bytes <= *capacity_bytes)
        return NULL;
    uint8_t *larger = malloc(need_bytes);
    if (!larger)
        return rrs_error_no_memory();
    free(*buffer);
    *buffer = larger;
    *capacity_bytes = need_bytes;
    return NULL;
}

static size_t data_bytes_of(const struct rrs_event *events, uint32_t n_events)
{
    size_t sum = 0;
    for (uint32_t i = 0; i < n_events; i++)
        sum += events[i].size_bytes;
    return sum;
}

/* Writes the columns, then the data of all events. Returns the byte behind. */
static uint8_t *pack(uint8_t *to, const struct rrs_event *events, uint32_t n_events)
{
    for (uint32_t i = 1; i < n_events; i++)
        to = rrs_varint_write(to, events[i].tick - events[i - 1].tick);
    for (uint32_t i = 1; i < n_events; i++)
        to = rrs_varint_write(
            to, rrs_zigzag_fold((int64_t)(events[i].wall_ns - events[i - 1].wall_ns)));
    int64_t task = 0;
    for (uint32_t i = 0; i < n_events; i++) {
        to = rrs_varint_write(to, rrs_zigzag_fold(events[i].task - task));
        task = events[i].task;
    }
    for (uint32_t i = 0; i < n_events; i++)
        to = rrs_varint_write(to, events[i].event_kind);
    for (uint32_t i = 0; i < n_events; i++)
        to = rrs_varint_write(to, events[i].size_bytes);
    for (uint32_t i = 0; i < n_events; i++) {
        if (events[i].size_bytes)
            memcpy(to, events[i].data, events[i].size_bytes);
        to += events[i].size_bytes;
    }
    return to;
}

static void write_head(uint8_t *frame, size_t size_bytes, const struct rrs_event *events,
                       uint32_t n_events, uint32_t raw_bytes)
{
    const struct rrs_event *last = &events[n_events - 1];
    rrs_store_le64(frame + OFFSET_BODY_CHECKSUM,
                   XXH3_64bits(frame + RRS_FRAME_HEAD_BYTES, size_bytes - RRS_FRAME_HEAD_BYTES));
    rrs_store_le64(frame + OFFSET_FIRST_EVENT, events[0].number);
    rrs_store_le64(frame + OFFSET_FIRST_TICK, events[0].tick);
    rrs_store_le64(frame + OFFSET_LAST_TICK, last->tick);
    rrs_store_le64(frame + OFFSET_FIRST_WALL, events[0].wall_ns);
    rrs_store_le64(frame + OFFSET_LAST_WALL, last->wall_ns);
    rrs_store_le32(frame + OFFSET_N_EVENTS, n_events);
    rrs_store_le32(frame + OFFSET_RAW_BYTES, raw_bytes);
    rrs_store_le64(
        frame + OFFSET_HEAD_CHECKSUM,
        XXH3_64bits(frame + OFFSET_BODY_CHECKSUM, RRS_FRAME_HEAD_BYTES - OFFSET_BODY_CHECKSUM));
}

struct rrs_error *rrs_frame_encode(struct rrs_frame_encoder *encoder,
                                   const struct rrs_event *events, uint32_t n_events,
                                   const uint8_t **bytes, size_t *size_bytes)
{
    RRS_INVARIANT(n_events >= 1 && n_events <= RRS_FRAME_MAX_EVENTS, "a frame's count of events");
    size_t bound = data_bytes_of(events, n_events) + (size_t)n_events * MAX_COLUMN_BYTES;
    RRS_INVARIANT(bound <= RRS_FRAME_MAX_RAW_BYTES, "a frame's size");
    RRS_TRY(reserve(&encoder->raw, &encoder->raw_capacity_bytes, bound));
    RRS_TRY(reserve(&encoder->packed, &encoder->packed_capacity_bytes,
                    RRS_FRAME_HEAD_BYTES + ZSTD_compressBound(bound)));
    size_t raw_bytes = (size_t)(pack(encoder->raw, events, n_events) - encoder->raw);
    size_t body_bytes = ZSTD_compress2(encoder->context, encoder->packed + RRS_FRAME_HEAD_BYTES,
                                       encoder->packed_capacity_bytes - RRS_FRAME_HEAD_BYTES,
                                       encoder->raw, raw_bytes);
    if (ZSTD_isError(body_bytes)) /* room is there, so nothing but memory can be missing */
        return rrs_error_no_memory();
    write_head(encoder->packed, RRS_FRAME_HEAD_BYTES + body_bytes, events, n_events,
               (uint32_t)raw_bytes);
    *bytes = encoder->packed;
    *size_bytes = RRS_FRAME_HEAD_BYTES + body_bytes;
    return NULL;
}

struct rrs_error *rrs_frame_decoder_create(struct rrs_frame_decoder **decoder)
{
    _cleanup_free_ struct rrs_frame_decoder *made = calloc(1, sizeof *made);
    if (!made || !(made->context = ZSTD_createDCtx()))
        return rrs_error_no_memory();
    *decoder = rrs_steal_pointer(&made);
    return NULL;
}

void rrs_frame_decoder_destroy(struct rrs_frame_decoder *decoder)
{
    if (!decoder)
        return;
    ZSTD_freeDCtx(decoder->context);
    free(decoder);
}

void rrs_frame_init(struct rrs_frame *frame)
{
    memset(frame, 0, sizeof *frame);
}

void rrs_frame_deinit(struct rrs_frame *frame)
{
    free(frame->events);
    free(frame->raw);
}

static struct rrs_error *bad(const char *what)
{
    return rrs_error_create(RRS_ERROR_BAD_TRACE, "damaged frame: %s", what);
}

struct rrs_error *rrs_frame_decode_head(const uint8_t *bytes, size_t size_bytes,
                                        struct rrs_frame_head *head)
{
    if (size_bytes < RRS_FRAME_HEAD_BYTES)
        return bad("it is shorter than its head");
    uint64_t checksum =
        XXH3_64bits(bytes + OFFSET_BODY_CHECKSUM, RRS_FRAME_HEAD_BYTES - OFFSET_BODY_CHECKSUM);
    if (checksum != rrs_load_le64(bytes + OFFSET_HEAD_CHECKSUM))
        return bad("the head's checksum is wrong");
    struct rrs_frame_head read = {
        .first_event = rrs_load_le64(bytes + OFFSET_FIRST_EVENT),
        .first_tick = rrs_load_le64(bytes + OFFSET_FIRST_TICK),
        .last_tick = rrs_load_le64(bytes + OFFSET_LAST_TICK),
        .first_wall_ns = rrs_load_le64(bytes + OFFSET_FIRST_WALL),
        .last_wall_ns = rrs_load_le64(bytes + OFFSET_LAST_WALL),
        .n_events = rrs_load_le32(bytes + OFFSET_N_EVENTS),
        .raw_bytes = rrs_load_le32(bytes + OFFSET_RAW_BYTES),
    };
    if (read.n_events < 1 || read.n_events > RRS_FRAME_MAX_EVENTS)
        return bad("its count of events is out of range");
    if (read.raw_bytes < read.n_events || read.raw_bytes > RRS_FRAME_MAX_RAW_BYTES)
        return bad("its size before compression is out of range");
    if (read.first_event < RRS_EVENT_FIRST || read.first_event > UINT64_MAX - read.n_events)
        return bad("its event number is out of range");
    if (read.last_tick < read.first_tick)
        return bad("its ticks go back");
    *head = read;
    return NULL;
}

static struct rrs_error *make_room(struct rrs_frame *frame, const struct rrs_frame_head *head)
{
    RRS_TRY(reserve(&frame->raw, &frame->raw_capacity_bytes, head->raw_bytes));
    if (head->n_events <= frame->events_capacity)
        return NULL;
    struct rrs_event *events = calloc(head->n_events, sizeof *events);
    if (!events)
        return rrs_error_no_memory();
    free(frame->events);
    frame->events = events;
    frame->events_capacity = head->n_events;
    return NULL;
}

static bool unpack_ticks(const uint8_t **from, const uint8_t *end,
                         const struct rrs_frame_head *head, struct rrs_event *events)
{
    uint64_t tick = head->first_tick;
    events[0].tick = tick;
    for (uint32_t i = 1; i < head->n_events; i++) {
        uint64_t delta;
        if (!rrs_varint_read(from, end, &delta) || delta > head->last_tick - tick)
            return false;
        tick += delta;
        events[i].tick = tick;
    }
    return tick == head->last_tick;
}

static bool unpack_times(const uint8_t **from, const uint8_t *end,
                         const struct rrs_frame_head *head, struct rrs_event *events)
{
    uint64_t wall_ns = head->first_wall_ns;
    events[0].wall_ns = wall_ns;
    for (uint32_t i = 1; i < head->n_events; i++) {
        uint64_t folded;
        if (!rrs_varint_read(from, end, &folded))
            return false;
        wall_ns += (uint64_t)rrs_zigzag_unfold(folded);
        events[i].wall_ns = wall_ns;
    }
    return wall_ns == head->last_wall_ns;
}

static bool unpack_tasks(const uint8_t **from, const uint8_t *end, uint32_t n_events,
                         struct rrs_event *events)
{
    int64_t task = 0;
    for (uint32_t i = 0; i < n_events; i++) {
        uint64_t folded;
        if (!rrs_varint_read(from, end, &folded) || folded > UINT64_C(1) << 33)
            return false;
        task += rrs_zigzag_unfold(folded);
        if (task < INT32_MIN || task > INT32_MAX)
            return false;
        events[i].task = (int32_t)task;
    }
    return true;
}

static bool unpack_kinds(const uint8_t **from, const uint8_t *end, uint32_t n_events,
                         struct rrs_event *events)
{
    for (uint32_t i = 0; i < n_events; i++) {
        uint64_t event_kind;
        if (!rrs_varint_read(from, end, &event_kind) || event_kind > UINT16_MAX)
            return false;
        events[i].event_kind = (uint16_t)event_kind;
    }
    return true;
}

static bool unpack_sizes(const uint8_t **from, const uint8_t *end, uint32_t n_events,
                         struct rrs_event *events)
{
    for (uint32_t i = 0; i < n_events; i++) {
        uint64_t size_bytes;
        if (!rrs_varint_read(from, end, &size_bytes) || size_bytes > RRS_EVENT_MAX_BYTES)
            return false;
        events[i].size_bytes = (uint32_t)size_bytes;
    }
    return true;
}

/* Gives each event its part of what is left, which must come out even. */
static bool unpack_data(const uint8_t *from, const uint8_t *end, const struct rrs_frame_head *head,
                        struct rrs_event *events)
{
    for (uint32_t i = 0; i < head->n_events; i++) {
        if (events[i].size_bytes > (size_t)(end - from))
            return false;
        events[i].number = head->first_event + i;
        events[i].data = from;
        from += events[i].size_bytes;
    }
    return from == end;
}

static struct rrs_error *unpack(struct rrs_frame *frame, const struct rrs_frame_head *head)
{
    const uint8_t *from = frame->raw, *end = frame->raw + head->raw_bytes;
    if (!unpack_ticks(&from, end, head, frame->events))
        return bad("its ticks do not add up");
    if (!unpack_times(&from, end, head, frame->events))
        return bad("its times do not add up");
    if (!unpack_tasks(&from, end, head->n_events, frame->events))
        return bad("a task id is out of range");
    if (!unpack_kinds(&from, end, head->n_events, frame->events))
        return bad("an event's kind is out of range");
    if (!unpack_sizes(&from, end, head->n_events, frame->events))
        return bad("an event's size is out of range");
    if (!unpack_data(from, end, head, frame->events))
        return bad("the events' sizes do not add up");
    return NULL;
}

struct rrs_error *rrs_frame_decode(struct rrs_frame_decoder *decoder, const uint8_t *bytes,
                                   size_t size_bytes, struct rrs_frame *frame)
{
    struct rrs_frame_head head;
    frame->head.n_events = 0;
    RRS_TRY(rrs_frame_decode_head(bytes, size_bytes, &head));
    const uint8_t *body = bytes + RRS_FRAME_HEAD_BYTES;
    size_t body_bytes = size_bytes - RRS_FRAME_HEAD_BYTES;
    if (XXH3_64bits(body, body_bytes) != rrs_load_le64(bytes + OFFSET_BODY_CHECKSUM))
        return bad("the checksum is wrong");
    RRS_TRY(make_room(frame, &head));
    size_t got_bytes =
        ZSTD_decompressDCtx(decoder->context, frame->raw, head.raw_bytes, body, body_bytes);
    if (ZSTD_isError(got_bytes))
        return bad(ZSTD_getErrorName(got_bytes));
    if (got_bytes != head.raw_bytes)
        return bad("it is shorter than it claims");
    RRS_TRY(unpack(frame, &head));
    frame->head = head;
    return NULL;
}
