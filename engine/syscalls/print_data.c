/* SPDX-License-Identifier: MIT */
/* What an argument points to: strings, arrays, sets, vectors. */
#include "engine/syscalls/print_internal.h"

#include <stdlib.h>
#include <string.h>

/* --- sets of bits --- */

static void print_bits(struct rrs_printer *p, rrs_addr addr, uint64_t bytes)
{
    uint8_t bits[1024] = {0};
    const char *separator = "[";
    bytes = bytes < sizeof bits ? bytes : sizeof bits;
    if (!rrs_outputs_read(&p->outputs, addr, bits, bytes))
        return rrs_print_address(p, addr);
    for (uint64_t i = 0; i < bytes * 8; i++) {
        if (!(bits[i / 8] >> (i % 8) & 1))
            continue;
        rrs_print_text(p, "%s%lu", separator, i);
        separator = " ";
    }
    rrs_print_text(p, *separator == '[' ? "[]" : "]");
}

/* Words that only the first `number` bits of count in. */
static void print_descriptor_set(struct rrs_printer *p, rrs_addr addr)
{
    uint64_t count = p->outputs.call->args[0], word = 0;
    const char *separator = "[";
    for (uint64_t i = 0; i < (uint32_t)count && i < RRS_PRINT_LOOPS_MAX; i++) {
        if (i % 64 == 0 && !rrs_outputs_read(&p->outputs, addr + i / 8, &word, sizeof word))
            break;
        if (!(word >> (i % 64) & 1))
            continue;
        rrs_print_text(p, "%s%lu", separator, i);
        separator = " ";
    }
    rrs_print_text(p, *separator == '[' ? "[]" : "]");
}

static void print_signals(struct rrs_printer *p, rrs_addr addr, uint64_t bytes)
{
    uint64_t set = 0;
    if (bytes > sizeof set || !rrs_outputs_read(&p->outputs, addr, &set, bytes))
        return rrs_print_address(p, addr);
    rrs_print_sigset(p, set);
}

/* pselect6: a pointer to the set, and its size. */
static void print_sigset_argument(struct rrs_printer *p, rrs_addr addr)
{
    uint64_t pair[2];
    if (!rrs_outputs_read(&p->outputs, addr, pair, sizeof pair))
        return rrs_print_address(p, addr);
    rrs_print_text(p, "{sigmask=");
    if (pair[0])
        print_signals(p, pair[0], pair[1]);
    else
        rrs_print_text(p, "NULL");
    rrs_print_text(p, ", sigsetsize=%lu}", pair[1]);
}

/* --- arrays --- */

static void print_elements(struct rrs_printer *p, enum rrs_argument_kind kind, rrs_addr addr,
                           uint64_t count)
{
    uint32_t stride = rrs_kind_bytes(kind);
    rrs_print_text(p, "[");
    for (uint64_t i = 0; i < count; i++) {
        if (i)
            rrs_print_text(p, ", ");
        if (i == p->max_elements) {
            rrs_print_text(p, "...");
            break;
        }
        if (!rrs_print_element(p, kind, addr + i * stride)) {
            rrs_print_text(p, "... /* %#lx */", addr + i * stride);
            break;
        }
    }
    rrs_print_text(p, "]");
}

/* "[a, b]" for numbers, "{...}" for one struct, "[{...}, {...}]" for an array of them. */
static void print_array(struct rrs_printer *p, const struct rrs_argument *argument, rrs_addr addr,
                        uint64_t count)
{
    uint8_t byte;
    enum rrs_argument_kind kind = argument->kind;
    bool one = argument->count_from == RRS_COUNT_FIXED && argument->count == 1;
    bool named = kind == RRS_KIND_name16 || kind == RRS_KIND_wait_status;
    bool number = rrs_kind_bytes(kind) <= 8 && !named && rrs_kind_bytes(kind) != 1;
    bool plain = one && (!number || kind == RRS_KIND_timezone || kind == RRS_KIND_winsize ||
                         kind == RRS_KIND_owner || kind == RRS_KIND_cap_header);
    if (rrs_kind_bytes(kind) <= 1 && kind != RRS_KIND_byte)
        plain = true; /* a struct whose size is an argument */
    if (plain) {
        if (!rrs_print_element(p, kind, addr))
            rrs_print_address(p, addr);
    } else if (count && !rrs_outputs_read(&p->outputs, addr, &byte, 1)) {
        rrs_print_address(p, addr);
    } else {
        print_elements(p, kind, addr, count);
    }
}

static void print_string_array(struct rrs_printer *p, rrs_addr addr)
{
    uint64_t pointer;
    const char *separator = "[";
    for (uint32_t i = 0;; i++, separator = ", ") {
        if (!rrs_outputs_read(&p->outputs, addr + i * 8ull, &pointer, sizeof pointer)) {
            if (!i)
                return rrs_print_address(p, addr);
            break;
        }
        if (!pointer)
            break;
        rrs_print_text(p, "%s", separator);
        if (i == p->max_elements) {
            rrs_print_text(p, "...");
            break;
        }
        rrs_print_string(p, pointer, p->max_string);
    }
    rrs_print_text(p, *separator == '[' ? "[]" : "]");
}

static void print_environment(struct rrs_printer *p, rrs_addr addr)
{
    uint64_t count = 0, pointer;
    while (count < RRS_PRINT_LOOPS_MAX &&
           rrs_outputs_read(&p->outputs, addr + count * 8, &pointer, sizeof pointer) && pointer)
        count++;
    rrs_print_text(p, "%#lx /* %lu var%s */", addr, count, count == 1 ? "" : "s");
}

/* Entries say their length at offset 16: man 2 getdents. */
static void print_directory(struct rrs_printer *p, rrs_addr addr, uint64_t bytes)
{
    uint64_t at = 0, count = 0;
    while (at + 18 <= bytes && count < RRS_PRINT_LOOPS_MAX) {
        uint32_t length = rrs_outputs_read32(&p->outputs, addr + at + 16) & 0xffff;
        if (!length)
            break;
        at += length;
        count++;
    }
    rrs_print_text(p, "%#lx /* %lu entr%s */", addr, count, count == 1 ? "y" : "ies");
}

/* --- vectors and messages --- */

void rrs_print_vector(struct rrs_printer *p, rrs_addr vector, uint64_t count, uint64_t bytes)
{
    uint64_t range[2];
    if (!count || !rrs_outputs_read(&p->outputs, vector, range, sizeof range)) {
        if (vector && !count)
            rrs_print_text(p, "[]");
        else
            rrs_print_address(p, vector);
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        rrs_print_text(p, i ? ", " : "[");
        if (i == p->max_elements ||
            !rrs_outputs_read(&p->outputs, vector + i * sizeof range, range, sizeof range)) {
            rrs_print_text(p, "...");
            break;
        }
        uint64_t here = range[1] < bytes ? range[1] : bytes;
        rrs_print_text(p, "{iov_base=");
        if (bytes == UINT64_MAX)
            rrs_print_address(p, range[0]);
        else
            rrs_print_memory_bytes(p, range[0], here);
        rrs_print_text(p, ", iov_len=%lu}", range[1]);
        bytes -= bytes == UINT64_MAX ? 0 : here;
    }
    rrs_print_text(p, "]");
}

/* The data of outputs is what the result says; that of inputs is all there is. */
static uint64_t data_bytes(const struct rrs_printer *p, const struct rrs_argument *argument)
{
    bool is_output = argument->direction & RRS_DIRECTION_OUT;
    if (!is_output)
        return UINT64_MAX - 1;
    return p->outputs.whole || p->outputs.call->result < 0 ? UINT64_MAX
                                                           : (uint64_t)p->outputs.call->result;
}

static void print_messages(struct rrs_printer *p, const struct rrs_argument *argument,
                           rrs_addr addr)
{
    enum { STRIDE = 64, LENGTH_AT = 56 };
    bool sent = argument->kind == RRS_KIND_mmsghdr_sent;
    uint64_t count = rrs_outputs_count(&p->outputs, argument, addr);
    rrs_print_text(p, "[");
    for (uint64_t i = 0; i < count && i < p->max_elements; i++, addr += STRIDE) {
        uint32_t length = rrs_outputs_read32(&p->outputs, addr + LENGTH_AT);
        rrs_print_text(p, i ? ", {msg_hdr=" : "{msg_hdr=");
        rrs_print_message(p, addr, sent ? UINT64_MAX - 1 : length);
        rrs_print_text(p, ", msg_len=%u}", length);
    }
    rrs_print_text(p, count > p->max_elements ? ", ...]" : "]");
}

static void print_msgbuf(struct rrs_printer *p, rrs_addr addr, uint64_t bytes)
{
    uint64_t kind;
    if (!rrs_outputs_read(&p->outputs, addr, &kind, sizeof kind))
        return rrs_print_address(p, addr);
    rrs_print_text(p, "{mtype=%ld, mtext=", (int64_t)kind);
    rrs_print_memory_bytes(p, addr + sizeof kind, bytes);
    rrs_print_text(p, "}");
}

static void print_file_handle(struct rrs_printer *p, rrs_addr addr)
{
    uint32_t header[2];
    uint8_t handle[128];
    if (!rrs_outputs_read(&p->outputs, addr, header, sizeof header))
        return rrs_print_address(p, addr);
    rrs_print_text(p, "{handle_bytes=%u", header[0]);
    if (p->outputs.call->result >= 0 && header[0] <= sizeof handle &&
        rrs_outputs_read(&p->outputs, addr + sizeof header, handle, header[0])) {
        rrs_print_text(p, ", handle_type=%d, f_handle=\"", (int)header[1]);
        for (uint32_t i = 0; i < header[0]; i++)
            rrs_print_text(p, "\\x%02x", handle[i]);
        rrs_print_text(p, "\"");
    }
    rrs_print_text(p, "}");
}

/* Options of sockets: an int where there is room for just one, except where the kernel has structs.
 */
static void print_option(struct rrs_printer *p, rrs_addr addr, uint64_t bytes)
{
    enum { PEERCRED = 17, SOL_SOCKET_LEVEL = 1 };
    const uint64_t *args = p->outputs.call->args;
    if (args[1] == SOL_SOCKET_LEVEL && args[2] == PEERCRED && bytes == 12 &&
        rrs_print_element(p, RRS_KIND_ucred, addr))
        return;
    if (bytes == 4)
        rrs_print_text(p, "[%d]", (int)rrs_outputs_read32(&p->outputs, addr));
    else if (bytes)
        rrs_print_memory_bytes(p, addr, bytes);
    else
        rrs_print_address(p, addr);
}

static void print_length(struct rrs_printer *p, rrs_addr addr)
{
    const struct rrs_syscall *call = p->outputs.call;
    uint32_t length;
    if (!rrs_outputs_read(&p->outputs, addr, &length, sizeof length))
        return rrs_print_address(p, addr);
    if (call->noted && call->noted_bytes != length)
        rrs_print_text(p, "[%u => %u]", call->noted_bytes, length);
    else
        rrs_print_text(p, "[%u]", length);
}

static void print_text_data(struct rrs_printer *p, rrs_addr addr, uint64_t count)
{
    char last = 1;
    if (count && rrs_outputs_read(&p->outputs, addr + count - 1, &last, 1) && !last)
        count--;
    rrs_print_memory_bytes(p, addr, count);
}

void rrs_print_data(struct rrs_printer *p, const struct rrs_argument *argument, rrs_addr addr)
{
    uint64_t count = 0;
    if (argument->kind != RRS_KIND_string && argument->kind != RRS_KIND_path)
        count = rrs_outputs_count(&p->outputs, argument, addr);
    switch ((enum rrs_argument_kind)argument->kind) {
    case RRS_KIND_buffer:
        return rrs_print_memory_bytes(p, addr, count);
    case RRS_KIND_text:
        return print_text_data(p, addr, count);
    case RRS_KIND_string:
        return rrs_print_string(p, addr, p->max_string);
    case RRS_KIND_path:
        return rrs_print_string(p, addr, UINT64_MAX);
    case RRS_KIND_cpu_set:
        return print_bits(p, addr, count);
    case RRS_KIND_fd_set:
        return print_descriptor_set(p, addr);
    case RRS_KIND_sigset:
        return print_signals(p, addr, count);
    case RRS_KIND_sigset_argument:
        return print_sigset_argument(p, addr);
    case RRS_KIND_string_array:
        return print_string_array(p, addr);
    case RRS_KIND_environment:
        return print_environment(p, addr);
    case RRS_KIND_dirents:
    case RRS_KIND_dirents64:
        return print_directory(p, addr, count);
    case RRS_KIND_iovec:
        return rrs_print_vector(p, addr, count, data_bytes(p, argument));
    case RRS_KIND_msghdr:
        if ((argument->direction & RRS_DIRECTION_OUT) && p->outputs.call->result < 0)
            return rrs_print_address(p, addr); /* nothing of it says anything */
        return rrs_print_message(p, addr, data_bytes(p, argument));
    case RRS_KIND_mmsghdr:
    case RRS_KIND_mmsghdr_sent:
        return print_messages(p, argument, addr);
    case RRS_KIND_msgbuf:
        return print_msgbuf(p, addr, count);
    case RRS_KIND_sockaddr:
        return rrs_print_sockaddr(p, addr, count);
    case RRS_KIND_sockopt:
        return print_option(p, addr, count);
    case RRS_KIND_length32:
        return print_length(p, addr);
    case RRS_KIND_file_handle:
        return print_file_handle(p, addr);
    case RRS_KIND_mount_id:
        rrs_print_text(p, "[%d]", (int)rrs_outputs_read32(&p->outputs, addr));
        return;
    case RRS_KIND_bytes:
    case RRS_KIND_futex32:
        return rrs_print_address(p, addr);
    default:
        return print_array(p, argument, addr, count);
    }
}
