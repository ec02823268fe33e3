/* SPDX-License-Identifier: MIT */
/* The table of breakpoints, and their conditions; see the header. */
#include "gdbserver/breakpoints.h"

#include "gdbserver/agent_expression.h"
#include "gdbserver/server.h"
#include "lmdb-store/bytes.h"

#include <stdlib.h>
#include <string.h>

struct breakpoint {
    struct breakpoint *next;
    server *server; /* set when it is placed */
    pid_t pid;      /* for whose process gdb wants it */
    enum breakpoint_kind kind;
    rrs_addr address;
    uint64_t bytes;
    uint8_t *conditions; /* as in the packet */
    size_t conditions_size;
    bool wanted; /* by gdb */
    bool placed; /* in the timeline */
};

static bool is_code(const struct breakpoint *breakpoint)
{
    return breakpoint->kind <= BREAKPOINT_HARDWARE;
}

static void breakpoint_destroy(struct breakpoint *breakpoint)
{
    free(breakpoint->conditions);
    free(breakpoint);
}

void breakpoints_deinit(struct breakpoints *breakpoints)
{
    while (breakpoints->first) {
        struct breakpoint *breakpoint = breakpoints->first;
        breakpoints->first = breakpoint->next;
        breakpoint_destroy(breakpoint);
    }
}

static struct breakpoint *find(const struct breakpoints *breakpoints, pid_t pid,
                               enum breakpoint_kind kind, rrs_addr address, uint64_t bytes)
{
    for (struct breakpoint *b = breakpoints->first; b; b = b->next)
        if (b->pid == pid && b->kind == kind && b->address == address &&
            (is_code(b) || b->bytes == bytes))
            return b;
    return NULL;
}

/* Takes ";X<length>,<bytes>" off the front; false at the end or if there is no such thing. */
static bool take_condition(const uint8_t **text, const uint8_t *end, const uint8_t **code,
                           size_t *size)
{
    const uint8_t *at = *text;
    uint64_t length;
    if (end - at < 2 || at[0] != 'X')
        return false;
    at++;
    if (!take_hex(&at, end, &length) || at == end || *at++ != ',' ||
        length > (uint64_t)(end - at) / 2)
        return false;
    *code = at;
    *size = length;
    *text = at + 2 * length;
    if (*text < end && **text == ';')
        (*text)++;
    return true;
}

static bool conditions_are_sound(const uint8_t *text, size_t text_size)
{
    if (text_size == 0)
        return true;
    const uint8_t *end = text + text_size, *code;
    size_t size;
    while (text < end)
        if (!take_condition(&text, end, &code, &size))
            return false;
    return true;
}

static struct rrs_error *set_conditions(struct breakpoint *breakpoint, const uint8_t *conditions,
                                        size_t size)
{
    uint8_t *copy = size ? malloc(size) : NULL;
    if (size && !copy)
        return rrs_error_no_memory();
    if (size)
        memcpy(copy, conditions, size);
    free(breakpoint->conditions);
    breakpoint->conditions = copy;
    breakpoint->conditions_size = size;
    return NULL;
}

struct rrs_error *breakpoints_insert(struct breakpoints *breakpoints, pid_t pid,
                                     enum breakpoint_kind kind, rrs_addr address, uint64_t bytes,
                                     const uint8_t *conditions, size_t conditions_size)
{
    if (!conditions_are_sound(conditions, conditions_size))
        return rrs_error_create(RRS_ERROR_USAGE, "a breakpoint's condition is malformed");
    struct breakpoint *breakpoint = find(breakpoints, pid, kind, address, bytes);
    if (!breakpoint) {
        breakpoint = calloc(1, sizeof *breakpoint);
        if (!breakpoint)
            return rrs_error_no_memory();
        breakpoint->pid = pid;
        breakpoint->kind = kind;
        breakpoint->address = address;
        breakpoint->bytes = bytes;
        breakpoint->next = breakpoints->first;
        breakpoints->first = breakpoint;
    }
    breakpoint->wanted = true;
    return set_conditions(breakpoint, conditions, conditions_size);
}

void breakpoints_remove(struct breakpoints *breakpoints, pid_t pid, enum breakpoint_kind kind,
                        rrs_addr address, uint64_t bytes)
{
    struct breakpoint *breakpoint = find(breakpoints, pid, kind, address, bytes);
    if (breakpoint)
        breakpoint->wanted = false;
}

void breakpoints_remove_of(struct breakpoints *breakpoints, pid_t pid)
{
    for (struct breakpoint *b = breakpoints->first; b; b = b->next)
        b->wanted &= b->pid != pid;
}

void breakpoints_remove_all(struct breakpoints *breakpoints)
{
    for (struct breakpoint *b = breakpoints->first; b; b = b->next)
        b->wanted = false;
}

bool breakpoints_has(const struct breakpoints *breakpoints, pid_t pid, enum breakpoint_kind kind,
                     rrs_addr address)
{
    for (struct breakpoint *b = breakpoints->first; b; b = b->next)
        if (b->wanted && b->pid == pid && b->kind == kind && b->address == address)
            return true;
    return false;
}

bool breakpoints_lifted(const struct breakpoints *breakpoints, pid_t pid, rrs_addr pc)
{
    for (struct breakpoint *b = breakpoints->first; b; b = b->next)
        if (is_code(b) && b->pid == pid && b->address == pc && b->placed && !b->wanted)
            return true;
    return false;
}

/* --- conditions --- */

struct condition_context {
    server *server;
    pid_t tid;
    struct register_values values;
    bool has_regs, has_xstate;
};

static bool read_memory(void *context, uint64_t address, void *to, size_t bytes)
{
    struct condition_context *condition = context;
    return rrs_timeline_read(condition->server->timeline, condition->tid, address, to, bytes) ==
           bytes;
}

static bool load_values(struct condition_context *condition, bool general)
{
    struct rrs_timeline *timeline = condition->server->timeline;
    struct rrs_error *error = NULL;
    if (!condition->has_regs)
        error = rrs_timeline_get_regs(timeline, condition->tid, &condition->values.regs);
    condition->has_regs |= !error;
    if (!error && !general && !condition->has_xstate) {
        error = rrs_timeline_get_xstate(timeline, condition->tid, condition->values.xstate,
                                        &condition->values.xstate_bytes);
        condition->has_xstate = !error;
    }
    bool loaded = !error;
    rrs_error_destroy(error);
    return loaded;
}

static bool read_register(void *context, unsigned number, uint64_t *value)
{
    struct condition_context *condition = context;
    uint8_t bytes[REGISTER_MAX_BYTES] = {0};
    if (number >= REGISTER_COUNT || !load_values(condition, register_is_general(number)) ||
        !register_get(&condition->server->registers, &condition->values, number, bytes))
        return false;
    *value = rrs_load_le64(bytes);
    return true;
}

/* A condition that cannot be evaluated counts as true: gdb then looks itself. */
static bool condition_holds(const struct agent_machine *machine, const uint8_t *hex, size_t size)
{
    uint8_t code[4096];
    uint64_t result;
    if (size > sizeof code || hex_decode(hex, 2 * size, code, sizeof code) < 0)
        return true;
    return !agent_evaluate(machine, code, size, &result) || result;
}

static bool breakpoint_holds(const struct breakpoint *breakpoint,
                             const struct agent_machine *machine)
{
    if (!breakpoint->conditions_size)
        return true;
    const uint8_t *text = breakpoint->conditions, *end = text + breakpoint->conditions_size, *code;
    size_t size;
    while (text < end && take_condition(&text, end, &code, &size))
        if (condition_holds(machine, code, size))
            return true;
    return false;
}

/* The hits of one run are of few tasks, so the last answer is mostly the one needed. */
static bool is_of_process(server *server, pid_t tid)
{
    struct breakpoints *breakpoints = &server->breakpoints;
    if (breakpoints->checked_tid != tid) {
        breakpoints->checked_tid = tid;
        breakpoints->checked_result = thread_exists(server, tid);
    }
    return breakpoints->checked_result;
}

/* Asked by the timeline at each hit: whether to stop there. */
static bool accept(void *context, struct rrs_timeline *timeline, pid_t tid)
{
    (void)timeline;
    struct breakpoint *placed = context;
    server *server = placed->server;
    if (!is_of_process(server, tid))
        return false;
    struct condition_context condition = {.server = server, .tid = tid};
    struct agent_machine machine = {read_memory, read_register, &condition};
    for (struct breakpoint *b = server->breakpoints.first; b; b = b->next)
        if (is_code(b) && b->wanted && b->pid == server->pid && b->address == placed->address &&
            breakpoint_holds(b, &machine))
            return true;
    return false;
}

/* --- placing --- */

static enum rrs_watch_kind watch_kind(const struct breakpoint *breakpoint)
{
    static const enum rrs_watch_kind kinds[BREAKPOINT_KINDS] = {
        [BREAKPOINT_WRITE] = RRS_WATCH_WRITE,
        [BREAKPOINT_READ] = RRS_WATCH_READ,
        [BREAKPOINT_ACCESS] = RRS_WATCH_ACCESS,
    };
    return kinds[breakpoint->kind];
}

static struct rrs_error *place(server *server, struct breakpoint *b)
{
    b->server = server;
    struct rrs_error *error =
        is_code(b)
            ? rrs_timeline_add_breakpoint(server->timeline, b->address, accept, b)
            : rrs_timeline_add_watchpoint(server->timeline, b->address, b->bytes, watch_kind(b));
    b->placed = !error;
    return error;
}

static void take_out(server *server, struct breakpoint *b)
{
    if (is_code(b))
        rrs_timeline_remove_breakpoint(server->timeline, b->address);
    else
        rrs_timeline_remove_watchpoint(server->timeline, b->address, b->bytes, watch_kind(b));
    b->placed = false;
}

static void sweep(struct breakpoints *breakpoints)
{
    for (struct breakpoint **link = &breakpoints->first; *link;) {
        struct breakpoint *breakpoint = *link;
        if (breakpoint->wanted || breakpoint->placed) {
            link = &breakpoint->next;
            continue;
        }
        *link = breakpoint->next;
        breakpoint_destroy(breakpoint);
    }
}

static bool is_one_to_timeline(const struct breakpoint *a, const struct breakpoint *b)
{
    if (a->address != b->address)
        return false;
    return is_code(a) ? is_code(b) : a->kind == b->kind && a->bytes == b->bytes;
}

/* Software and hardware breakpoints at one address, and those of several processes, are one to the
 * timeline: taking out comes first, and whoever shares the place of one taken out is placed again.
 */
struct rrs_error *breakpoints_place(server *server, bool none)
{
    struct breakpoints *breakpoints = &server->breakpoints;
    breakpoints->checked_tid = 0;
    for (struct breakpoint *b = breakpoints->first; b; b = b->next) {
        if (!b->placed || (b->wanted && !none))
            continue;
        take_out(server, b);
        for (struct breakpoint *other = breakpoints->first; other; other = other->next)
            other->placed &= !is_one_to_timeline(b, other);
    }
    for (struct breakpoint *b = breakpoints->first; b; b = b->next)
        if (b->wanted && !none && !b->placed)
            RRS_TRY(place(server, b));
    sweep(breakpoints);
    return NULL;
}
