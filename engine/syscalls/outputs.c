/* SPDX-License-Identifier: MIT */
/* Walking a call's arguments: see outputs.h. */
#include "engine/syscalls/outputs_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

enum {
    PAGE = 4096,
    VECTORS_MAX = 1024,    /* UIO_MAXIOV: more are refused */
    LOWEST_POINTER = 4096, /* smaller arguments of unknown ioctls are numbers */
};

/* --- reading and visiting --- */

bool rrs_outputs_read(const struct rrs_outputs *o, rrs_addr addr, void *buffer, size_t bytes)
{
    const struct rrs_memory_reader *memory = o->memory;
    if (memory->read(memory->context, addr, buffer, bytes) != bytes)
        return false;
    if (memory->used)
        memory->used(memory->context, addr, buffer, bytes);
    return true;
}

uint32_t rrs_outputs_read32(const struct rrs_outputs *o, rrs_addr addr)
{
    uint32_t value;
    return rrs_outputs_read(o, addr, &value, sizeof value) ? value : 0;
}

uint64_t rrs_outputs_read64(const struct rrs_outputs *o, rrs_addr addr)
{
    uint64_t value;
    return rrs_outputs_read(o, addr, &value, sizeof value) ? value : 0;
}

struct rrs_error *rrs_outputs_unsure(const struct rrs_outputs *o, rrs_addr addr, uint64_t bytes,
                                     enum rrs_range_certainty certainty)
{
    struct rrs_memory_range range = {addr, bytes, certainty};
    if (!addr || !bytes)
        return NULL;
    if (addr + bytes < addr) /* a length of -1: nothing lies behind the end of memory */
        range.bytes = -addr;
    return o->visit(o->context, &range);
}

struct rrs_error *rrs_outputs_range(const struct rrs_outputs *o, rrs_addr addr, uint64_t bytes)
{
    return rrs_outputs_unsure(o, addr, bytes, RRS_RANGE_KNOWN);
}

struct rrs_error *rrs_outputs_vector(const struct rrs_outputs *o, rrs_addr vector, uint64_t count,
                                     uint64_t bytes)
{
    struct iovec range;
    if (count > VECTORS_MAX)
        return NULL;
    for (uint64_t i = 0; i < count && bytes; i++) {
        if (!rrs_outputs_read(o, vector + i * sizeof range, &range, sizeof range))
            return NULL;
        uint64_t here = range.iov_len < bytes ? range.iov_len : bytes;
        RRS_TRY(rrs_outputs_range(o, (rrs_addr)(uintptr_t)range.iov_base, here));
        bytes -= here;
    }
    return NULL;
}

/* --- counts --- */

static bool failed(const struct rrs_syscall *call)
{
    return (uint64_t)call->result >= (uint64_t)-4095;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* An argument that counts: negative ones are refused by the kernel. */
static uint64_t number(const struct rrs_outputs *o, unsigned index)
{
    uint64_t value = rrs_argument_value(o->shape, o->call->args, index);
    return (int64_t)value < 0 ? 0 : value;
}

static uint64_t pointed(const struct rrs_outputs *o, unsigned index)
{
    uint32_t value = rrs_outputs_read32(o, o->call->args[index]);
    if (o->call->noted && o->call->noted_bytes < value)
        value = o->call->noted_bytes;
    return (int32_t)value < 0 ? 0 : value;
}

static uint64_t string_bytes(const struct rrs_outputs *o, rrs_addr addr)
{
    char text[PAGE];
    size_t bytes = o->memory->read(o->memory->context, addr, text, sizeof text);
    return o->whole ? bytes : least(strnlen(text, bytes) + 1, bytes);
}

uint64_t rrs_outputs_count(const struct rrs_outputs *o, const struct rrs_argument *argument,
                           rrs_addr addr)
{
    unsigned index = argument->count_argument;
    uint64_t value = number(o, index), result = failed(o->call) ? 0 : (uint64_t)o->call->result;
    uint64_t given = o->call->args[index];
    switch ((enum rrs_argument_count)argument->count_from) {
    case RRS_COUNT_FIXED:
    case RRS_COUNT_UPTO:
        return argument->count;
    case RRS_COUNT_ARG:
        return value;
    case RRS_COUNT_RESULT:
        return o->whole ? value : least(result, value);
    case RRS_COUNT_RESULT_ONLY:
        return result;
    case RRS_COUNT_POINTED:
        return pointed(o, index);
    case RRS_COUNT_SIZED:
        return rrs_outputs_read32(o, addr + argument->count);
    case RRS_COUNT_SIZED_UPTO:
        return o->whole ? value : least(rrs_outputs_read32(o, addr + argument->count), value);
    case RRS_COUNT_BITS:
        return value / 64 + (value % 64 != 0);
    case RRS_COUNT_NODES: /* mm/mempolicy.c get_nodes(), copy_nodes_to_user() */
        return value ? (value - 1) / 64 + ((value - 1) % 64 != 0) : 0;
    case RRS_COUNT_PAGES:
        return value / PAGE + (value % PAGE != 0);
    case RRS_COUNT_IF:
        return (given & argument->count) != 0;
    case RRS_COUNT_IF_ALL:
        return (given & argument->count) == argument->count;
    case RRS_COUNT_IF_EQUAL:
        return given == argument->count;
    case RRS_COUNT_NUL:
        return string_bytes(o, addr);
    }
    return 0;
}

/* --- kinds that are followed --- */

static struct rrs_error *follow_iovec(const struct rrs_outputs *o,
                                      const struct rrs_argument *argument, rrs_addr addr)
{
    uint64_t bytes = o->whole ? UINT64_MAX : (uint64_t)o->call->result;
    return rrs_outputs_vector(o, addr, rrs_outputs_count(o, argument, addr), bytes);
}

/* man 2 msgrcv: the type, and the text behind it. */
static struct rrs_error *follow_msgbuf(const struct rrs_outputs *o,
                                       const struct rrs_argument *argument, rrs_addr addr)
{
    return rrs_outputs_range(o, addr, 8 + rrs_outputs_count(o, argument, addr));
}

/* The handle's length and kind always; the handle if it fitted. fs/fhandle.c */
static struct rrs_error *follow_file_handle(const struct rrs_outputs *o,
                                            const struct rrs_argument *argument, rrs_addr addr)
{
    const uint32_t most = 128; /* MAX_HANDLE_SZ */
    uint64_t handle = failed(o->call) && !o->whole ? 0 : rrs_outputs_read32(o, addr);
    (void)argument;
    return rrs_outputs_range(o, addr, 8 + least(handle, most));
}

/* AT_HANDLE_MNT_ID_UNIQUE asks for the long one: Linux v6.12 fs/fhandle.c */
static struct rrs_error *follow_mount_id(const struct rrs_outputs *o,
                                         const struct rrs_argument *argument, rrs_addr addr)
{
    (void)argument;
    return rrs_outputs_range(o, addr, o->call->args[4] & 1 ? 8 : 4);
}

/* man 2 capget: version 1 has one element, the others two. */
static struct rrs_error *follow_cap_data(const struct rrs_outputs *o,
                                         const struct rrs_argument *argument, rrs_addr addr)
{
    const uint32_t version_1 = 0x19980330;
    bool one = rrs_outputs_read32(o, o->call->args[0]) == version_1;
    return rrs_outputs_range(o, addr, (one ? 1u : 2u) * rrs_kind_bytes(argument->kind));
}

/* man 2 clone: pidfd at 8, child_tid at 16, parent_tid at 24; the struct itself is only read. */
static struct rrs_error *follow_clone_args(const struct rrs_outputs *o,
                                           const struct rrs_argument *argument, rrs_addr addr)
{
    const uint64_t vm = 0x100, pidfd = 0x1000, parent = 0x100000, child = 0x1000000;
    uint64_t flags = rrs_outputs_read64(o, addr);
    (void)argument;
    if (flags & pidfd)
        RRS_TRY(rrs_outputs_range(o, rrs_outputs_read64(o, addr + 8), 4));
    if (flags & parent)
        RRS_TRY(rrs_outputs_range(o, rrs_outputs_read64(o, addr + 24), 4));
    if ((flags & child) && (flags & vm))
        return rrs_outputs_range(o, rrs_outputs_read64(o, addr + 16), 4);
    return NULL;
}

/* PTRACE_GETREGSET: the vector's length is set to what was written. */
static struct rrs_error *follow_iovec_pointer(const struct rrs_outputs *o,
                                              const struct rrs_argument *argument, rrs_addr addr)
{
    RRS_TRY(rrs_outputs_range(o, addr, rrs_kind_bytes(argument->kind)));
    return rrs_outputs_vector(o, addr, 1, UINT64_MAX);
}

/* --- ioctls that go by their number: Linux include/uapi/asm-generic/ioctl.h --- */

enum { DIRECTION_READ = 2 };

static uint32_t size_in_number(const struct rrs_outputs *o)
{
    return (uint32_t)(o->call->args[1] >> 16) & 0x3fff;
}

static struct rrs_error *follow_sized(const struct rrs_outputs *o,
                                      const struct rrs_argument *argument, rrs_addr addr)
{
    (void)argument;
    return rrs_outputs_range(o, addr, size_in_number(o));
}

static bool was_not_done(const struct rrs_outputs *o)
{
    int64_t result = o->call->result;
    return !o->at_entry && (result == -ENOTTY || result == -EBADF || result == -ENOSYS);
}

static struct rrs_error *unknown_ioctl(const struct rrs_outputs *o)
{
    rrs_addr addr = o->call->args[2];
    uint32_t bytes = size_in_number(o), direction = (uint32_t)(o->call->args[1] >> 30) & 3;
    if (addr < LOWEST_POINTER || was_not_done(o))
        return NULL;
    if (bytes && (direction & DIRECTION_READ))
        return rrs_outputs_unsure(o, addr, bytes, RRS_RANGE_GUESSED);
    return rrs_outputs_unsure(o, addr, bytes ? bytes : PAGE - addr % PAGE, RRS_RANGE_UNKNOWN);
}

/* --- the walk --- */

rrs_output_follower *rrs_output_follower_of(enum rrs_argument_kind kind)
{
    static rrs_output_follower *const followers[RRS_KIND_COUNT] = {
        [RRS_KIND_iovec] = follow_iovec,
        [RRS_KIND_msghdr] = rrs_follow_msghdr,
        [RRS_KIND_mmsghdr] = rrs_follow_mmsghdr,
        [RRS_KIND_mmsghdr_sent] = rrs_follow_mmsghdr_sent,
        [RRS_KIND_msgbuf] = follow_msgbuf,
        [RRS_KIND_file_handle] = follow_file_handle,
        [RRS_KIND_mount_id] = follow_mount_id,
        [RRS_KIND_cap_data] = follow_cap_data,
        [RRS_KIND_clone_args] = follow_clone_args,
        [RRS_KIND_iovec_pointer] = follow_iovec_pointer,
        [RRS_KIND_sized] = follow_sized,
        [RRS_KIND_ifconf] = rrs_follow_ifconf,
        [RRS_KIND_fiemap] = rrs_follow_fiemap,
        [RRS_KIND_dedupe] = rrs_follow_dedupe,
        [RRS_KIND_zone_report] = rrs_follow_zone_report,
        [RRS_KIND_sg_io_hdr] = rrs_follow_sg_io_hdr,
        [RRS_KIND_bpf_attr] = rrs_follow_bpf_attr,
    };
    return followers[kind];
}

static bool is_written(const struct rrs_outputs *o, const struct rrs_argument *argument)
{
    if (!(argument->direction & RRS_DIRECTION_OUT))
        return false;
    if (o->at_entry)
        return true;
    switch ((enum rrs_argument_when)argument->when) {
    case RRS_WHEN_ALWAYS:
        return true;
    case RRS_WHEN_FAILED:
        return failed(o->call);
    case RRS_WHEN_E2BIG:
        return o->call->result == -E2BIG;
    case RRS_WHEN_SUCCESS:
        return !failed(o->call) || o->call->result == -EFAULT;
    }
    return false;
}

static struct rrs_error *visit_argument(const struct rrs_outputs *o,
                                        const struct rrs_argument *argument, rrs_addr addr)
{
    rrs_output_follower *follow = rrs_output_follower_of(argument->kind);
    if (follow)
        return follow(o, argument, addr);
    uint64_t count = rrs_outputs_count(o, argument, addr), bytes = rrs_kind_bytes(argument->kind);
    bool unsure = argument->count_from == RRS_COUNT_UPTO;
    if (__builtin_mul_overflow(count, bytes, &bytes))
        bytes = UINT64_MAX;
    return rrs_outputs_unsure(o, addr, bytes, unsure ? RRS_RANGE_UNKNOWN : RRS_RANGE_KNOWN);
}

static struct rrs_error *visit_call(struct rrs_outputs *o)
{
    const struct rrs_syscall *call = o->call;
    o->shape = rrs_syscall_shape(call->number, call->args);
    if (!o->shape)
        return NULL;
    if (call->number == RRS_SYS_ioctl && !rrs_syscall_variant(call->number, call->args))
        return unknown_ioctl(o);
    for (unsigned i = 0; i < o->shape->argument_count; i++)
        if (call->args[i] && is_written(o, &o->shape->arguments[i]))
            RRS_TRY(visit_argument(o, &o->shape->arguments[i], call->args[i]));
    return NULL;
}

struct rrs_error *rrs_syscall_outputs(const struct rrs_syscall *call,
                                      const struct rrs_memory_reader *memory,
                                      rrs_range_visitor *visit, void *context)
{
    struct rrs_outputs o = {.call = call, .memory = memory, .visit = visit, .context = context};
    o.whole = call->result == -EFAULT;
    return visit_call(&o);
}

struct rrs_error *rrs_syscall_outputs_at_entry(const struct rrs_syscall *call,
                                               const struct rrs_memory_reader *memory,
                                               rrs_range_visitor *visit, void *context)
{
    struct rrs_outputs o = {.call = call, .memory = memory, .visit = visit, .context = context};
    o.at_entry = o.whole = true;
    return visit_call(&o);
}
