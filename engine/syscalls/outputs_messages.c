/* SPDX-License-Identifier: MIT */
/*
 * What receiving a message writes: the data, the sender's name, control messages, and in the header
 * the lengths and the flags (net/socket.c ____sys_recvmsg()). And the notes of lengths at entry.
 */
#include "engine/syscalls/outputs_internal.h"

#include <stddef.h>
#include <sys/socket.h>

enum { MESSAGES_MAX = 1024 }; /* UIO_MAXIOV: recvmmsg takes no more at a time */

_Static_assert(sizeof(struct msghdr) == 56 && sizeof(struct mmsghdr) == 64, "as in kinds.def");

static rrs_addr address(const void *pointer)
{
    return (rrs_addr)(uintptr_t)pointer;
}

static uint32_t name_bytes(const struct rrs_outputs *o, const struct msghdr *header)
{
    uint32_t bytes = header->msg_namelen;
    if (o->call->noted && o->call->noted_bytes < bytes)
        bytes = o->call->noted_bytes;
    return bytes > sizeof(struct sockaddr_storage) ? sizeof(struct sockaddr_storage) : bytes;
}

static struct rrs_error *message(const struct rrs_outputs *o, rrs_addr addr, uint64_t data_bytes)
{
    struct msghdr header;
    if (!rrs_outputs_read(o, addr, &header, sizeof header))
        return NULL;
    RRS_TRY(rrs_outputs_range(o, addr + offsetof(struct msghdr, msg_namelen), sizeof(int)));
    RRS_TRY(rrs_outputs_range(o, addr + offsetof(struct msghdr, msg_controllen),
                              sizeof(size_t) + sizeof(int)));
    RRS_TRY(rrs_outputs_range(o, address(header.msg_name), name_bytes(o, &header)));
    RRS_TRY(rrs_outputs_range(o, address(header.msg_control), header.msg_controllen));
    return rrs_outputs_vector(o, address(header.msg_iov), header.msg_iovlen, data_bytes);
}

struct rrs_error *rrs_follow_msghdr(const struct rrs_outputs *o,
                                    const struct rrs_argument *argument, rrs_addr addr)
{
    (void)argument;
    return message(o, addr, o->whole ? UINT64_MAX : (uint64_t)o->call->result);
}

static uint64_t message_count(const struct rrs_outputs *o, const struct rrs_argument *argument,
                              rrs_addr addr)
{
    uint64_t count = rrs_outputs_count(o, argument, addr);
    return count < MESSAGES_MAX ? count : MESSAGES_MAX;
}

struct rrs_error *rrs_follow_mmsghdr(const struct rrs_outputs *o,
                                     const struct rrs_argument *argument, rrs_addr addr)
{
    uint64_t count = message_count(o, argument, addr);
    for (uint64_t i = 0; i < count; i++, addr += sizeof(struct mmsghdr)) {
        rrs_addr length = addr + offsetof(struct mmsghdr, msg_len);
        RRS_TRY(message(o, addr, o->whole ? UINT64_MAX : rrs_outputs_read32(o, length)));
        RRS_TRY(rrs_outputs_range(o, length, sizeof(int)));
    }
    return NULL;
}

struct rrs_error *rrs_follow_mmsghdr_sent(const struct rrs_outputs *o,
                                          const struct rrs_argument *argument, rrs_addr addr)
{
    uint64_t count = message_count(o, argument, addr);
    for (uint64_t i = 0; i < count; i++, addr += sizeof(struct mmsghdr))
        RRS_TRY(rrs_outputs_range(o, addr + offsetof(struct mmsghdr, msg_len), sizeof(int)));
    return NULL;
}

/* --- lengths that the kernel replaces --- */

static int index_of_length(int number)
{
    switch (number) {
    case RRS_SYS_lsm_list_modules:
        return 1;
    case RRS_SYS_accept:
    case RRS_SYS_accept4:
    case RRS_SYS_getsockname:
    case RRS_SYS_getpeername:
    case RRS_SYS_lsm_get_self_attr:
        return 2;
    case RRS_SYS_getsockopt:
        return 4;
    case RRS_SYS_recvfrom:
        return 5;
    default:
        return -1;
    }
}

bool rrs_syscall_needs_note(int number)
{
    return index_of_length(number) >= 0 || number == RRS_SYS_recvmsg || number == RRS_SYS_recvmmsg;
}

/* The longest name that one of the messages has room for. */
static uint32_t longest_name(const struct rrs_outputs *o, rrs_addr addr, uint64_t count,
                             size_t stride)
{
    uint32_t longest = 0;
    for (uint64_t i = 0; i < count && i < MESSAGES_MAX; i++, addr += stride) {
        uint32_t bytes = rrs_outputs_read32(o, addr + offsetof(struct msghdr, msg_namelen));
        longest = bytes > longest ? bytes : longest;
    }
    return longest;
}

void rrs_syscall_note_entry(struct rrs_syscall *call, const struct rrs_memory_reader *memory)
{
    struct rrs_outputs o = {.call = call, .memory = memory};
    int index = index_of_length(call->number);
    call->noted = rrs_syscall_needs_note(call->number);
    if (index >= 0)
        call->noted_bytes = rrs_outputs_read32(&o, call->args[index]);
    else if (call->number == RRS_SYS_recvmsg)
        call->noted_bytes = longest_name(&o, call->args[1], 1, 0);
    else if (call->number == RRS_SYS_recvmmsg)
        call->noted_bytes =
            longest_name(&o, call->args[1], (uint32_t)call->args[2], sizeof(struct mmsghdr));
}
