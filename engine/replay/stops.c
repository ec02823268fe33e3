/* SPDX-License-Identifier: MIT */
/* What stops a run: breakpoints in shadow code, and watched memory. */
#include "engine/arch/x86_64/accesses.h"
#include "engine/replay/step.h"
#include "engine/replay/timeline_internal.h"
#include "engine/run/address_space.h"
#include "engine/run/state.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>

/* --- breakpoints --- */

static size_t first_at(const struct rrs_timeline *timeline, rrs_addr pc)
{
    size_t at = 0;
    while (at < timeline->breakpoint_count && timeline->breakpoints[at].pc < pc)
        at++;
    return at;
}

const struct rrs_breakpoint *rrs_breakpoint_at(const struct rrs_timeline *timeline, rrs_addr pc)
{
    size_t at = first_at(timeline, pc);
    return at < timeline->breakpoint_count && timeline->breakpoints[at].pc == pc
               ? &timeline->breakpoints[at]
               : NULL;
}

struct rrs_error *rrs_timeline_add_breakpoint(struct rrs_timeline *timeline, rrs_addr pc,
                                              rrs_accept_fn accept, void *context)
{
    size_t at = first_at(timeline, pc), count = timeline->breakpoint_count;
    const struct rrs_breakpoint new = {pc, accept, context};
    rrs_breaks_enable(timeline, false);
    if (at < count && timeline->breakpoints[at].pc == pc) {
        timeline->breakpoints[at] = new;
        return NULL;
    }
    struct rrs_breakpoint *moved =
        realloc(timeline->breakpoints, (count + 1) * sizeof *timeline->breakpoints);
    rrs_addr *breaks = realloc(timeline->breaks, (count + 1) * sizeof *timeline->breaks);
    timeline->breakpoints = moved ? moved : timeline->breakpoints;
    timeline->breaks = breaks ? breaks : timeline->breaks;
    if (!moved || !breaks)
        return rrs_error_no_memory();
    memmove(&moved[at + 1], &moved[at], (count - at) * sizeof *moved);
    moved[at] = new;
    timeline->breakpoint_count++;
    return NULL;
}

void rrs_timeline_remove_breakpoint(struct rrs_timeline *timeline, rrs_addr pc)
{
    size_t at = first_at(timeline, pc);
    if (at == timeline->breakpoint_count || timeline->breakpoints[at].pc != pc)
        return;
    rrs_breaks_enable(timeline, false);
    timeline->breakpoint_count--;
    memmove(&timeline->breakpoints[at], &timeline->breakpoints[at + 1],
            (timeline->breakpoint_count - at) * sizeof *timeline->breakpoints);
}

/* Blocks that lead past the PC go; those made from now on end in front of it. */
static void drop_blocks(struct rrs_session *session, rrs_addr pc)
{
    for (struct rrs_task *task = session->tasks; task; task = task->next)
        if (task->space)
            rrs_space_drop_code_at(task->space, pc);
}

void rrs_breaks_enable(struct rrs_timeline *timeline, bool on)
{
    struct rrs_session *session = &timeline->replayer->session;
    size_t wanted = on ? timeline->breakpoint_count : 0;
    if (session->break_count == wanted)
        return; /* adding and removing switches them off */
    for (size_t i = 0; i < timeline->breakpoint_count; i++)
        timeline->breaks[i] = timeline->breakpoints[i].pc;
    session->breaks = timeline->breaks;
    session->break_count = wanted;
    for (size_t i = 0; on && i < wanted; i++)
        drop_blocks(session, timeline->breaks[i]);
}

void rrs_timeline_catch_events(struct rrs_timeline *timeline, uint64_t kinds,
                               bool (*accept_event)(void *context, struct rrs_timeline *timeline,
                                                    uint64_t event),
                               void *context)
{
    timeline->caught_kinds = kinds;
    timeline->accept_event = accept_event;
    timeline->accept_event_context = context;
}

/* --- watchpoints --- */

struct rrs_error *rrs_timeline_add_watchpoint(struct rrs_timeline *timeline, rrs_addr address,
                                              uint64_t bytes, enum rrs_watch_kind kind)
{
    const uint64_t most = 1 << 20;
    if (bytes == 0 || bytes > most)
        return rrs_error_create(RRS_ERROR_USAGE, "1 to %lu bytes can be watched",
                                (unsigned long)most);
    rrs_timeline_remove_watchpoint(timeline, address, bytes, kind);
    size_t count = timeline->watchpoint_count;
    struct rrs_watchpoint *moved =
        realloc(timeline->watchpoints, (count + 1) * sizeof *timeline->watchpoints);
    if (!moved)
        return rrs_error_no_memory();
    timeline->watchpoints = moved;
    moved[count] = (struct rrs_watchpoint){address, bytes, kind, malloc(bytes), 0};
    if (!moved[count].before)
        return rrs_error_no_memory();
    timeline->watchpoint_count++;
    return NULL;
}

void rrs_timeline_remove_watchpoint(struct rrs_timeline *timeline, rrs_addr address, uint64_t bytes,
                                    enum rrs_watch_kind kind)
{
    for (size_t i = 0; i < timeline->watchpoint_count; i++) {
        struct rrs_watchpoint *watch = &timeline->watchpoints[i];
        if (watch->address != address || watch->bytes != bytes || watch->watch_kind != kind)
            continue;
        free(watch->before);
        *watch = timeline->watchpoints[--timeline->watchpoint_count];
        return;
    }
}

static const struct rrs_replay_space *space_of_actor(const struct rrs_timeline *timeline)
{
    const struct rrs_replay_task *actor = rrs_replay_actor(timeline->replayer);
    return actor ? actor->space : NULL;
}

void rrs_watches_look(struct rrs_timeline *timeline)
{
    const struct rrs_replay_space *space = space_of_actor(timeline);
    timeline->watched = space;
    for (size_t i = 0; space && i < timeline->watchpoint_count; i++) {
        struct rrs_watchpoint *watch = &timeline->watchpoints[i];
        watch->before_bytes =
            rrs_tracee_read(space->host, watch->address, watch->before, watch->bytes);
    }
}

void rrs_watches_follow_actor(struct rrs_timeline *timeline)
{
    if (timeline->watchpoint_count && timeline->watched != space_of_actor(timeline))
        rrs_watches_look(timeline);
}

static bool has_changed(const struct rrs_replay_space *space, struct rrs_watchpoint *watch)
{
    uint8_t small[64], *now = watch->bytes <= sizeof small ? small : malloc(watch->bytes);
    assert(now && "out of memory for a watchpoint");
    uint64_t bytes = rrs_tracee_read(space->host, watch->address, now, watch->bytes);
    bool changed = bytes != watch->before_bytes || memcmp(now, watch->before, bytes);
    memcpy(watch->before, now, bytes);
    watch->before_bytes = bytes;
    if (now != small)
        free(now);
    return changed;
}

bool rrs_watches_reads(const struct rrs_timeline *timeline)
{
    for (size_t i = 0; i < timeline->watchpoint_count; i++)
        if (timeline->watchpoints[i].watch_kind != RRS_WATCH_WRITE)
            return true;
    return false;
}

static bool is_watched(const struct rrs_watchpoint *watch, const struct rrs_access *access)
{
    bool overlaps = access->start < watch->address + watch->bytes && access->end > watch->address;
    return overlaps && ((watch->watch_kind & RRS_WATCH_READ && access->reads) ||
                        (watch->watch_kind == RRS_WATCH_ACCESS && access->writes));
}

const struct rrs_watchpoint *rrs_watches_accessed(struct rrs_timeline *timeline)
{
    struct rrs_replayer *replayer = timeline->replayer;
    const struct rrs_replay_task *actor = rrs_replay_actor(replayer);
    struct rrs_access accesses[RRS_ACCESSES_MAX];
    struct rrs_insn insn;
    if (!actor || !rrs_watches_reads(timeline) ||
        !rrs_fetch_insn(&replayer->session, actor->task, actor->task->regs.rip, &insn))
        return NULL;
    uint32_t count = rrs_insn_accesses(&insn, &actor->task->regs, accesses);
    for (size_t i = 0; i < timeline->watchpoint_count; i++)
        for (uint32_t k = 0; k < count; k++)
            if (is_watched(&timeline->watchpoints[i], &accesses[k]))
                return &timeline->watchpoints[i];
    return NULL;
}

static bool is_alive(const struct rrs_timeline *timeline, const struct rrs_replay_space *space)
{
    const struct rrs_replay_task *task = timeline->replayer->tasks;
    while (task && task->space != space)
        task = task->next;
    return task;
}

const struct rrs_watchpoint *rrs_watches_changed(struct rrs_timeline *timeline)
{
    const struct rrs_replay_space *space = timeline->watched;
    const struct rrs_watchpoint *first = NULL;
    if (space && !is_alive(timeline, space)) { /* its memory did not change: it went */
        rrs_watches_look(timeline);
        return NULL;
    }
    for (size_t i = 0; space && i < timeline->watchpoint_count; i++)
        if (has_changed(space, &timeline->watchpoints[i]) && !first &&
            timeline->watchpoints[i].watch_kind & RRS_WATCH_WRITE)
            first = &timeline->watchpoints[i];
    if (timeline->watchpoint_count && space_of_actor(timeline) != space)
        rrs_watches_look(timeline);
    return first;
}

/* --- debug registers: SDM vol. 3B §18.2 --- */

enum { DEBUG_REGISTERS = 4, DR7 = 7 };

static bool set_debug_register(pid_t tid, int number, uint64_t value)
{
    size_t at = offsetof(struct user, u_debugreg) + (size_t)number * 8;
    return ptrace(PTRACE_POKEUSER, tid, at, value) == 0;
}

struct debug_slots {
    rrs_addr addresses[DEBUG_REGISTERS];
    uint64_t control;
    int count;
};

/* Aligned pieces of 8, 4, 2 or 1 bytes. */
static bool add_slots(struct debug_slots *slots, const struct rrs_watchpoint *watch)
{
    enum { WRITES = 1, ACCESSES = 3, LENGTH_1 = 0, LENGTH_2 = 1, LENGTH_8 = 2, LENGTH_4 = 3 };
    static const uint64_t lengths[] = {
        [1] = LENGTH_1, [2] = LENGTH_2, [4] = LENGTH_4, [8] = LENGTH_8};
    uint64_t traps = watch->watch_kind == RRS_WATCH_WRITE ? WRITES : ACCESSES;
    rrs_addr at = watch->address, end = watch->address + watch->bytes;
    while (at < end) {
        uint64_t piece = 8;
        while (at % piece || piece > end - at)
            piece /= 2;
        if (slots->count == DEBUG_REGISTERS)
            return false;
        int i = slots->count++;
        slots->addresses[i] = at;
        slots->control |= 1ull << (2 * i) | (traps | lengths[piece] << 2) << (16 + 4 * i);
        at += piece;
    }
    return true;
}

bool rrs_watches_arm(struct rrs_timeline *timeline, bool on)
{
    const struct rrs_replay_space *space = space_of_actor(timeline);
    struct debug_slots slots = {0};
    bool all = true;
    if (!space)
        return false;
    set_debug_register(space->host, DR7, 0);
    for (size_t i = 0; on && i < timeline->watchpoint_count; i++)
        all &= add_slots(&slots, &timeline->watchpoints[i]);
    if (!on || !all)
        return false;
    for (int i = 0; i < slots.count; i++)
        all &= set_debug_register(space->host, i, slots.addresses[i]);
    return all && set_debug_register(space->host, DR7, slots.control);
}
