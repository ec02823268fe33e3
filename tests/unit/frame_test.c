/* SPDX-License-Identifier: MIT */
/* Test that a frame gives back the events it was made of, and that a changed one gives an error. */
#include "lmdb-store/frame.h"

#include "tests/unit/test.h"

enum { N_EVENTS = 300, N_FLIPS = 2000 };

static uint8_t pool[4096];

static void make_events(uint64_t *state, struct rrs_event *events, uint32_t n_events)
{
    uint64_t tick = test_random(state) >> 1, number = 1 + test_random_below(state, 1000);
    for (uint32_t i = 0; i < n_events; i++) {
        uint32_t size_bytes = (uint32_t)test_random_below(state, 200);
        tick += test_random_below(state, 3) ? test_random_below(state, 1 << 20) : 0;
        events[i] = (struct rrs_event){
            .number = number + i,
            .tick = tick,
            .wall_ns = test_random(state),
            .task = (int32_t)test_random(state),
            .event_kind = (uint16_t)test_random(state),
            .size_bytes = size_bytes,
            .data = pool + test_random_below(state, sizeof pool - size_bytes),
        };
    }
}

static void check_same(const struct rrs_event *events, uint32_t n_events,
                       const struct rrs_frame *frame)
{
    CHECK_EQUAL(frame->head.n_events, n_events);
    CHECK_EQUAL(frame->head.first_event, events[0].number);
    CHECK_EQUAL(frame->head.last_tick, events[n_events - 1].tick);
    for (uint32_t i = 0; i < n_events; i++) {
        CHECK_EQUAL(frame->events[i].number, events[i].number);
        CHECK_EQUAL(frame->events[i].tick, events[i].tick);
        CHECK_EQUAL(frame->events[i].wall_ns, events[i].wall_ns);
        CHECK_EQUAL(frame->events[i].task, events[i].task);
        CHECK_EQUAL(frame->events[i].event_kind, events[i].event_kind);
        CHECK_EQUAL(frame->events[i].size_bytes, events[i].size_bytes);
        CHECK(memcmp(frame->events[i].data, events[i].data, events[i].size_bytes) == 0);
    }
}

/* Each checksum covers its part: no single flip may go unseen. */
static void check_flips(uint64_t *state, struct rrs_frame_decoder *decoder, const uint8_t *bytes,
                        size_t size_bytes, struct rrs_frame *frame)
{
    uint8_t *copy = malloc(size_bytes);
    for (int i = 0; i < N_FLIPS; i++) {
        memcpy(copy, bytes, size_bytes);
        copy[test_random_below(state, size_bytes)] ^= (uint8_t)(1 << test_random_below(state, 8));
        CHECK_FAILS(rrs_frame_decode(decoder, copy, size_bytes, frame), BAD_TRACE);
        CHECK_EQUAL(frame->head.n_events, 0);
    }
    free(copy);
}

static void check_cuts(struct rrs_frame_decoder *decoder, const uint8_t *bytes, size_t size_bytes,
                       struct rrs_frame *frame)
{
    for (size_t cut = 0; cut < size_bytes; cut++) {
        uint8_t *copy = malloc(cut ? cut : 1); /* exact, for ASan */
        memcpy(copy, bytes, cut);
        CHECK_FAILS(rrs_frame_decode(decoder, copy, cut, frame), BAD_TRACE);
        free(copy);
    }
}

static void check_largest_event(struct rrs_frame_encoder *encoder,
                                struct rrs_frame_decoder *decoder, struct rrs_frame *frame)
{
    uint8_t *data = calloc(1, RRS_EVENT_MAX_BYTES);
    const struct rrs_event event = {
        .number = UINT64_MAX - 1,
        .tick = UINT64_MAX,
        .wall_ns = UINT64_MAX,
        .task = INT32_MIN,
        .event_kind = UINT16_MAX,
        .size_bytes = RRS_EVENT_MAX_BYTES,
        .data = data,
    };
    const uint8_t *bytes;
    size_t size_bytes;
    CHECK_OK(rrs_frame_encode(encoder, &event, 1, &bytes, &size_bytes));
    CHECK_OK(rrs_frame_decode(decoder, bytes, size_bytes, frame));
    check_same(&event, 1, frame);
    free(data);
}

int main(int argc, char **argv)
{
    uint64_t state = test_seed(argc, argv);
    struct rrs_event events[N_EVENTS];
    struct rrs_frame_encoder *encoder;
    struct rrs_frame_decoder *decoder;
    struct rrs_frame frame;
    const uint8_t *bytes;
    size_t size_bytes;
    CHECK_OK(rrs_frame_encoder_create(&encoder));
    CHECK_OK(rrs_frame_decoder_create(&decoder));
    rrs_frame_init(&frame);
    test_fill(&state, pool, sizeof pool);
    for (int round = 0; round < 50; round++) {
        uint32_t n_events = 1 + (uint32_t)test_random_below(&state, N_EVENTS);
        make_events(&state, events, n_events);
        CHECK_OK(rrs_frame_encode(encoder, events, n_events, &bytes, &size_bytes));
        CHECK_OK(rrs_frame_decode(decoder, bytes, size_bytes, &frame));
        check_same(events, n_events, &frame);
    }
    check_flips(&state, decoder, bytes, size_bytes, &frame);
    check_cuts(decoder, bytes, size_bytes, &frame);
    check_largest_event(encoder, decoder, &frame);
    rrs_frame_deinit(&frame);
    rrs_frame_decoder_destroy(decoder);
    rrs_frame_encoder_destroy(encoder);
    return 0;
}
