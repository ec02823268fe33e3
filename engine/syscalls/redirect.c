/* SPDX-License-Identifier: MIT */
#include "engine/syscalls/redirect.h"

#include "engine/syscalls/outputs_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum {
    PAGE = 4096,
    VECTORS_MAX = 1024, /* UIO_MAXIOV */
    SMALL = 512,        /* larger parts keep their place in the page, for direct input */
    ALIGNMENT = 64,
};

struct planner {
    struct rrs_outputs outputs;
    struct rrs_redirection *plan;
    uint64_t most;
};

/* --- parts and pointers --- */

/* Puts a range, if it is not empty, into scratch memory; false if there is no room for it. */
static bool add_part(struct planner *p, struct rrs_redirected_part part, uint64_t *at)
{
    struct rrs_redirection *plan = p->plan;
    *at = 0;
    if (!part.bytes)
        return true;
    uint64_t begin = (plan->bytes + ALIGNMENT - 1) & ~(uint64_t)(ALIGNMENT - 1);
    if (part.bytes >= SMALL)
        begin += (part.app - begin) % PAGE;
    else
        begin += part.app % 8;
    if (part.bytes > p->most || begin + part.bytes > p->most || part.app + part.bytes < part.app)
        return false;
    if (plan->part_count == plan->part_room) {
        plan->part_room = plan->part_room ? plan->part_room * 2 : 8;
        plan->parts = realloc(plan->parts, plan->part_room * sizeof *plan->parts);
        assert(plan->parts && "out of memory for a call's outputs");
    }
    part.at = *at = begin;
    plan->parts[plan->part_count++] = part;
    plan->bytes = begin + part.bytes;
    return true;
}

static void add_pointer(struct planner *p, uint64_t at, uint64_t target, rrs_addr app)
{
    struct rrs_redirection *plan = p->plan;
    if (plan->pointer_count == plan->pointer_room) {
        plan->pointer_room = plan->pointer_room ? plan->pointer_room * 2 : 8;
        plan->pointers = realloc(plan->pointers, plan->pointer_room * sizeof *plan->pointers);
        assert(plan->pointers && "out of memory for a call's outputs");
    }
    plan->pointers[plan->pointer_count++] = (struct rrs_redirected_pointer){at, target, app};
}

static bool add_output(struct planner *p, rrs_addr app, uint64_t bytes, bool filled, uint64_t *at)
{
    struct rrs_redirected_part part = {
        .app = app, .bytes = bytes, .filled = filled, .written = true};
    return add_part(p, part, at);
}

/* --- kinds --- */

/* The vector's copy leads to a part for each range; how many bytes are written, the result says. */
static bool add_vector(struct planner *p, rrs_addr vector, uint64_t count, uint64_t *at)
{
    struct rrs_redirected_part copy = {
        .app = vector, .bytes = count * sizeof(struct iovec), .filled = true};
    if (count > VECTORS_MAX || !add_part(p, copy, at))
        return false;
    for (uint64_t i = 0; i < count; i++) {
        struct iovec range;
        uint64_t data;
        if (!rrs_outputs_read(&p->outputs, vector + i * sizeof range, &range, sizeof range))
            return false;
        rrs_addr base = (rrs_addr)(uintptr_t)range.iov_base;
        if (!range.iov_len)
            continue;
        if (!add_output(p, base, range.iov_len, false, &data))
            return false;
        add_pointer(p, *at + i * sizeof range, data, base);
    }
    return true;
}

/* `header_at`: where the copy of the header is. */
static bool add_message(struct planner *p, rrs_addr header_app, uint64_t header_at)
{
    struct msghdr header;
    uint64_t at;
    if (!rrs_outputs_read(&p->outputs, header_app, &header, sizeof header))
        return false;
    rrs_addr name = (rrs_addr)(uintptr_t)header.msg_name,
             vector = (rrs_addr)(uintptr_t)header.msg_iov,
             control = (rrs_addr)(uintptr_t)header.msg_control;
    uint64_t name_bytes = header.msg_namelen;
    if (name_bytes > sizeof(struct sockaddr_storage))
        name_bytes = sizeof(struct sockaddr_storage);
    if (name && name_bytes) {
        if (!add_output(p, name, name_bytes, true, &at))
            return false;
        add_pointer(p, header_at + offsetof(struct msghdr, msg_name), at, name);
    }
    if (control && header.msg_controllen) {
        if (!add_output(p, control, header.msg_controllen, true, &at))
            return false;
        add_pointer(p, header_at + offsetof(struct msghdr, msg_control), at, control);
    }
    if (!header.msg_iovlen)
        return true;
    if (!add_vector(p, vector, header.msg_iovlen, &at))
        return false;
    add_pointer(p, header_at + offsetof(struct msghdr, msg_iov), at, vector);
    return true;
}

static bool add_messages(struct planner *p, rrs_addr headers, uint64_t count, size_t stride,
                         uint64_t *at)
{
    if (count > VECTORS_MAX || !add_output(p, headers, count * stride, true, at))
        return false;
    for (uint64_t i = 0; i < count; i++)
        if (!add_message(p, headers + i * stride, *at + i * stride))
            return false;
    return true;
}

/* How many bytes are written, the result says: nobody need know what was there before. */
static bool is_exact(const struct rrs_argument *argument)
{
    return argument->count_from == RRS_COUNT_RESULT ||
           argument->count_from == RRS_COUNT_RESULT_ONLY;
}

static bool add_plain(struct planner *p, const struct rrs_argument *argument, rrs_addr addr,
                      uint64_t *at)
{
    uint64_t bytes = rrs_outputs_count(&p->outputs, argument, addr);
    if (__builtin_mul_overflow(bytes, rrs_kind_bytes(argument->kind), &bytes))
        return false;
    if (argument->kind == RRS_KIND_sockaddr && bytes > sizeof(struct sockaddr_storage))
        bytes = sizeof(struct sockaddr_storage);
    struct rrs_redirected_part part = {
        .app = addr,
        .bytes = bytes,
        .filled = !is_exact(argument),
        .written = true,
        .events_only = argument->kind == RRS_KIND_pollfd,
    };
    return add_part(p, part, at);
}

static bool add_argument(struct planner *p, const struct rrs_argument *argument, rrs_addr addr,
                         uint64_t *at)
{
    uint64_t count = 0;
    if (argument->count_from == RRS_COUNT_UPTO)
        return false; /* what was written could not be told */
    switch ((enum rrs_argument_kind)argument->kind) {
    case RRS_KIND_iovec:
        count = rrs_outputs_count(&p->outputs, argument, addr);
        return add_vector(p, addr, count, at);
    case RRS_KIND_msghdr:
        return add_messages(p, addr, 1, sizeof(struct msghdr), at);
    case RRS_KIND_mmsghdr:
        count = rrs_outputs_count(&p->outputs, argument, addr);
        return add_messages(p, addr, count < VECTORS_MAX ? count : VECTORS_MAX,
                            sizeof(struct mmsghdr), at);
    case RRS_KIND_futex32: /* the very word is what the call is about */
        return false;
    case RRS_KIND_mmsghdr_sent:
        return add_plain(p, argument, addr, at);
    case RRS_KIND_msgbuf:
        return add_output(p, addr, 8 + rrs_outputs_count(&p->outputs, argument, addr), false, at);
    default:
        return !rrs_output_follower_of(argument->kind) && add_plain(p, argument, addr, at);
    }
}

/* --- the whole call --- */

static int by_address(const void *left, const void *right)
{
    const struct rrs_redirected_part *a = left, *b = right;
    return a->app < b->app ? -1 : a->app > b->app;
}

/* Memory that is handed over twice: what it holds in the end depends on the kernel's order. */
static bool overlap(const struct rrs_redirection *plan)
{
    size_t bytes = plan->part_count * sizeof *plan->parts;
    struct rrs_redirected_part few[16], *sorted = bytes > sizeof few ? malloc(bytes) : few;
    bool found = false;
    assert(sorted && "out of memory for a call's outputs");
    memcpy(sorted, plan->parts, bytes);
    qsort(sorted, plan->part_count, sizeof *sorted, by_address);
    for (size_t i = 1; i < plan->part_count; i++)
        found |= sorted[i].app < sorted[i - 1].app + sorted[i - 1].bytes;
    if (sorted != few)
        free(sorted);
    return found;
}

static bool plan_arguments(struct planner *p)
{
    const struct rrs_syscall *call = p->outputs.call;
    for (unsigned i = 0; i < p->outputs.shape->argument_count; i++) {
        const struct rrs_argument *argument = &p->outputs.shape->arguments[i];
        if (!(argument->direction & RRS_DIRECTION_OUT) || !call->args[i])
            continue;
        size_t before = p->plan->part_count;
        if (!add_argument(p, argument, call->args[i], &p->plan->targets[i]))
            return false;
        p->plan->replaced[i] = p->plan->part_count > before;
    }
    return p->plan->bytes && !overlap(p->plan);
}

bool rrs_redirection_plan(const struct rrs_syscall *call, const struct rrs_memory_reader *memory,
                          uint64_t most, struct rrs_redirection *plan)
{
    struct planner p = {.plan = plan, .most = most};
    p.outputs = (struct rrs_outputs){.call = call, .memory = memory, .at_entry = true};
    p.outputs.whole = true;
    p.outputs.shape = rrs_syscall_shape(call->number, call->args);
    *plan = (struct rrs_redirection){0};
    if (!p.outputs.shape || call->number == RRS_SYS_vmsplice) /* that one hands pages over */
        return false;
    if (plan_arguments(&p))
        return true;
    rrs_redirection_deinit(plan);
    return false;
}

void rrs_redirection_deinit(struct rrs_redirection *plan)
{
    free(plan->parts);
    free(plan->pointers);
    *plan = (struct rrs_redirection){0};
}
