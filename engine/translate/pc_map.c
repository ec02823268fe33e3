/* SPDX-License-Identifier: MIT */
#include "engine/translate/pc_map.h"

#include <assert.h>

void rrs_map_begin(struct rrs_map_writer *map, const uint8_t *out)
{
    map->stretch_start = out;
    map->state = 0;
    map->ahead = 0;
    map->bytes = 0;
}

static void add(struct rrs_map_writer *map, const uint8_t *out, uint8_t app_bytes)
{
    long covered = out - map->stretch_start;
    if (covered == 0 && app_bytes == 0)
        return;
    while (covered > 255) {
        map->entries[map->bytes++] = 255;
        map->entries[map->bytes++] = (uint8_t)(map->state << 4);
        covered -= 255;
    }
    assert(map->bytes + 2 <= RRS_MAP_MAX_BYTES && "a block's PC map outgrew its room");
    map->entries[map->bytes++] = (uint8_t)covered;
    map->entries[map->bytes++] = (uint8_t)(map->state << 4 | app_bytes);
    map->stretch_start = out;
}

void rrs_map_state(struct rrs_map_writer *map, const uint8_t *out, uint8_t state)
{
    add(map, out, 0);
    map->state = state;
}

void rrs_map_effect(struct rrs_map_writer *map, const uint8_t *out, uint8_t app_bytes)
{
    add(map, out, app_bytes);
    map->ahead = app_bytes;
}

void rrs_map_instruction(struct rrs_map_writer *map, const uint8_t *out, uint8_t app_bytes)
{
    add(map, out, app_bytes - map->ahead);
    map->ahead = 0;
    map->state = 0;
}

void rrs_map_find(const uint8_t *entries, uint32_t bytes, uint32_t shadow_offset,
                  uint32_t *app_offset, uint8_t *state)
{
    uint32_t shadow = 0;
    uint32_t app = 0;
    for (uint32_t i = 0; i + 1 < bytes; i += 2) {
        *app_offset = app;
        *state = entries[i + 1] >> 4;
        shadow += entries[i];
        if (shadow_offset < shadow)
            return;
        app += entries[i + 1] & 15;
    }
}
