/* SPDX-License-Identifier: MIT */
/* Writes the fuzzers' seeds: real frames and real LMDB files. Usage: make_seeds FRAMES FILES */
#include "lmdb-store/frame.h"
#include "lmdb-store/scope.h"
#include "tests/store/lmdb_shapes.h"
#include "tests/store/support.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { EVENTS_MAX = 600, DATA_MAX = 300 };

struct frame_seed {
    const char *name;
    uint32_t n_events;
    uint64_t first_event, first_tick, tick_step;
    uint32_t data_bytes; /* of the largest event */
};

static const struct frame_seed frame_seeds[] = {
    {"single-empty", 1, 1, 0, 0, 0},
    {"single", 1, 77, UINT64_MAX, 0, 40},
    {"few", 12, 1, 1000, 3, 20},
    {"same-tick", 40, 900, 5, 0, 8},
    {"many", EVENTS_MAX, 1 << 20, 1 << 30, 1000000, 4},
    {"long", 9, UINT64_MAX - 100, 0, UINT64_C(1) << 59, DATA_MAX},
};

static void fill_event(struct rrs_event *event, const struct frame_seed *seed, uint32_t index,
                       uint64_t *random)
{
    static uint8_t data[DATA_MAX];
    for (unsigned i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i / 7);
    *event = (struct rrs_event){
        .number = seed->first_event + index,
        .tick = seed->first_tick + index * seed->tick_step,
        .wall_ns = support_random(random) >> support_random(random) % 64,
        .task = (int32_t)(support_random(random) >> 32) >> support_random(random) % 32,
        .event_kind = (uint16_t)(support_random(random) >> 48 >> support_random(random) % 16),
        .size_bytes = (uint32_t)(support_random(random) % (seed->data_bytes + 1)),
        .data = data,
    };
}

static void make_frames(const char *directory)
{
    static struct rrs_event events[EVENTS_MAX];
    struct rrs_frame_encoder *encoder;
    uint64_t random = 4711;
    support_must(rrs_frame_encoder_create(&encoder));
    for (unsigned i = 0; i < sizeof frame_seeds / sizeof frame_seeds[0]; i++) {
        const uint8_t *bytes;
        size_t size_bytes;
        _cleanup_free_ char *path = support_join(directory, frame_seeds[i].name);
        for (uint32_t j = 0; j < frame_seeds[i].n_events; j++)
            fill_event(&events[j], &frame_seeds[i], j, &random);
        support_must(
            rrs_frame_encode(encoder, events, frame_seeds[i].n_events, &bytes, &size_bytes));
        support_spill(path, bytes, size_bytes);
    }
    rrs_frame_encoder_destroy(encoder);
}

static void make_files(const char *directory)
{
    static const enum lmdb_shape shapes[] = {
        LMDB_SHAPE_fresh,        LMDB_SHAPE_one_commit, LMDB_SHAPE_reverse_keys,
        LMDB_SHAPE_integer_keys, LMDB_SHAPE_emptied,    LMDB_SHAPE_small_tree,
    };
    for (unsigned i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        _cleanup_free_ char *scratch = support_scratch();
        _cleanup_free_ char *made = support_join(scratch, "data.mdb");
        _cleanup_free_ char *path = support_join(directory, lmdb_shape_name(shapes[i]));
        uint64_t size_bytes;
        lmdb_shape_make(shapes[i], scratch);
        _cleanup_free_ uint8_t *bytes = support_slurp(made, &size_bytes);
        support_spill(path, bytes, size_bytes);
    }
}

int main(int argc, char **argv)
{
    if (argc != 3)
        support_fail("usage: make_seeds FRAMES FILES");
    for (int i = 1; i < 3; i++) {
        support_remove(argv[i]);
        if (mkdir(argv[i], 0755) != 0)
            support_fail("%s: %s", argv[i], strerror(errno));
    }
    make_frames(argv[1]);
    make_files(argv[2]);
    return 0;
}
