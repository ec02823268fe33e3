/* SPDX-License-Identifier: MIT */
#include "engine/run/clock.h"

/* Each cell gets its share by use, and at least this part of an even share. */
enum { LEAST_SHARE_DIVISOR = 8 };

static uint64_t total_use(const struct rrs_clock *clock)
{
    uint64_t total = 0;
    for (int i = 0; i < RRS_TICK_CELLS; i++)
        total += clock->use[i];
    return total;
}

static void set_cell(struct rrs_clock *clock, int cell, int64_t rest)
{
    clock->armed[cell] = rest;
    clock->page->rest[cell] = rest;
}

void rrs_clock_arm(struct rrs_clock *clock, uint64_t budget)
{
    uint64_t least = budget / RRS_TICK_CELLS / LEAST_SHARE_DIVISOR;
    uint64_t to_share = budget - least * RRS_TICK_CELLS;
    uint64_t total = total_use(clock), left = budget;
    for (int i = 0; i < RRS_TICK_CELLS; i++) {
        double part = total ? (double)clock->use[i] / (double)total : 1.0 / RRS_TICK_CELLS;
        uint64_t share = least + (uint64_t)(part * (double)to_share);
        share = share < left ? share : left;
        left -= share;
        set_cell(clock, i, (int64_t)share);
    }
    /* What rounding left over goes to the cells in turn. */
    for (int i = 0; left; i = (i + 1) % RRS_TICK_CELLS, left--)
        set_cell(clock, i, clock->armed[i] + 1);
}

int64_t rrs_clock_settle(struct rrs_clock *clock, bool tick_pending)
{
    int64_t retired = tick_pending ? -1 : 0;
    for (int i = 0; i < RRS_TICK_CELLS; i++) {
        int64_t rest = clock->page->rest[i];
        if (rest < -1 || rest > clock->armed[i]) {
            clock->written = true;
            rest = clock->armed[i];
        }
        int64_t counted = clock->armed[i] - rest;
        retired += counted;
        clock->use[i] = clock->use[i] / 2 + (uint64_t)counted;
        clock->armed[i] = rest;
    }
    clock->ticks += (uint64_t)retired;
    return retired;
}

void rrs_clock_expire(struct rrs_clock *clock)
{
    for (int i = 0; i < RRS_TICK_CELLS; i++)
        if (clock->page->rest[i] > 0) {
            clock->armed[i] -= clock->page->rest[i];
            clock->page->rest[i] = 0;
        }
}

bool rrs_clock_stands_still(const struct rrs_clock *clock)
{
    for (int i = 0; i < RRS_TICK_CELLS; i++)
        if (clock->page->rest[i] != clock->armed[i])
            return false;
    return true;
}
