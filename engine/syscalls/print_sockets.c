/* SPDX-License-Identifier: MIT */
/* Addresses and messages of sockets. */
#include "engine/syscalls/print_internal.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static void print_unix(struct rrs_printer *p, const struct sockaddr_un *address, size_t bytes)
{
    size_t header = offsetof(struct sockaddr_un, sun_path);
    if (bytes <= header)
        return;
    uint32_t limit = p->max_string;
    p->max_string = sizeof address->sun_path;
    if (address->sun_path[0] || bytes == header + 1) {
        rrs_print_text(p, ", sun_path=");
        rrs_print_bytes(p, address->sun_path, strnlen(address->sun_path, bytes - header));
    } else {
        rrs_print_text(p, ", sun_path=@");
        rrs_print_bytes(p, address->sun_path + 1, bytes - header - 1);
    }
    p->max_string = limit;
}

static void print_inet6(struct rrs_printer *p, const struct sockaddr_in6 *address)
{
    char text[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, &address->sin6_addr, text, sizeof text);
    rrs_print_text(p,
                   ", sin6_port=htons(%u), sin6_flowinfo=htonl(%u), "
                   "inet_pton(AF_INET6, \"%s\", &sin6_addr), sin6_scope_id=%u",
                   ntohs(address->sin6_port), ntohl(address->sin6_flowinfo), text,
                   address->sin6_scope_id);
}

static void print_inet(struct rrs_printer *p, const struct sockaddr_in *address)
{
    char text[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &address->sin_addr, text, sizeof text);
    rrs_print_text(p, ", sin_port=htons(%u), sin_addr=inet_addr(\"%s\")", ntohs(address->sin_port),
                   text);
}

void rrs_print_sockaddr(struct rrs_printer *p, rrs_addr addr, uint64_t bytes)
{
    union {
        struct sockaddr any;
        struct sockaddr_un un;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_nl netlink;
        struct sockaddr_storage storage;
    } address = {0};
    bytes = bytes < sizeof address ? bytes : sizeof address;
    if (bytes < sizeof address.any.sa_family ||
        !rrs_outputs_read(&p->outputs, addr, &address, bytes))
        return rrs_print_address(p, addr);
    rrs_print_text(p, "{sa_family=");
    rrs_print_names(p, RRS_NAMES_family, address.any.sa_family);
    if (address.any.sa_family == AF_UNIX)
        print_unix(p, &address.un, bytes);
    else if (address.any.sa_family == AF_INET && bytes >= sizeof address.in)
        print_inet(p, &address.in);
    else if (address.any.sa_family == AF_INET6 && bytes >= sizeof address.in6)
        print_inet6(p, &address.in6);
    else if (address.any.sa_family == AF_NETLINK && bytes >= sizeof address.netlink)
        rrs_print_text(p, ", nl_pid=%u, nl_groups=%08x", address.netlink.nl_pid,
                       address.netlink.nl_groups);
    else if (bytes > sizeof address.any.sa_family) {
        rrs_print_text(p, ", sa_data=");
        rrs_print_bytes(p, address.any.sa_data, bytes - sizeof address.any.sa_family);
    }
    rrs_print_text(p, "}");
}

/* --- messages --- */

static void print_descriptors(struct rrs_printer *p, rrs_addr data, uint64_t bytes)
{
    rrs_print_text(p, "[");
    for (uint64_t i = 0; i < bytes / 4 && i < p->max_elements; i++)
        rrs_print_text(p, "%s%d", i ? ", " : "",
                       (int)rrs_outputs_read32(&p->outputs, data + i * 4));
    rrs_print_text(p, "]");
}

static void print_control_data(struct rrs_printer *p, const struct cmsghdr *control, rrs_addr data,
                               uint64_t bytes)
{
    bool of_socket = control->cmsg_level == SOL_SOCKET, shown = false;
    enum { CREDENTIALS = 2, TIMESTAMP = 29, TIMESTAMPNS = 35 };
    if (of_socket && control->cmsg_type == SCM_RIGHTS)
        return print_descriptors(p, data, bytes);
    if (of_socket && control->cmsg_type == CREDENTIALS)
        shown = rrs_print_element(p, RRS_KIND_ucred, data);
    else if (of_socket && control->cmsg_type == TIMESTAMP && bytes >= 16)
        shown = rrs_print_element(p, RRS_KIND_timeval, data);
    else if (of_socket && control->cmsg_type == TIMESTAMPNS && bytes >= 16)
        shown = rrs_print_element(p, RRS_KIND_timespec, data);
    if (!shown)
        rrs_print_memory_bytes(p, data, bytes);
}

static void print_control(struct rrs_printer *p, rrs_addr addr, uint64_t bytes)
{
    struct cmsghdr control;
    const char *separator = "[";
    uint32_t shown = 0;
    if (!addr || bytes < sizeof control)
        return;
    rrs_print_text(p, ", msg_control=");
    while (bytes >= sizeof control && shown++ < p->max_elements &&
           rrs_outputs_read(&p->outputs, addr, &control, sizeof control)) {
        uint64_t length = control.cmsg_len < bytes ? control.cmsg_len : bytes;
        if (length < sizeof control)
            break;
        rrs_print_text(p, "%s{cmsg_len=%zu, cmsg_level=", separator, control.cmsg_len);
        rrs_print_names(p, RRS_NAMES_sol, (uint32_t)control.cmsg_level);
        rrs_print_text(p, ", cmsg_type=");
        rrs_print_names(p, control.cmsg_level == SOL_SOCKET ? RRS_NAMES_scm : RRS_NAMES_sockopt_ip,
                        (uint32_t)control.cmsg_type);
        rrs_print_text(p, ", cmsg_data=");
        print_control_data(p, &control, addr + sizeof control, length - sizeof control);
        rrs_print_text(p, "}");
        separator = ", ";
        length = (length + 7) & ~7ull;
        addr += length;
        bytes -= length < bytes ? length : bytes;
    }
    rrs_print_text(p, *separator == '[' ? "[]" : "]");
}

/* The length that was there at entry, where it was another. */
static void print_name_length(struct rrs_printer *p, uint32_t now)
{
    const struct rrs_syscall *call = p->outputs.call;
    if (call->noted && call->noted_bytes != now && call->number != RRS_SYS_recvmmsg)
        rrs_print_text(p, "%u => %u", call->noted_bytes, now);
    else
        rrs_print_text(p, "%u", now);
}

void rrs_print_message(struct rrs_printer *p, rrs_addr addr, uint64_t data_bytes)
{
    struct msghdr header;
    const struct rrs_syscall *call = p->outputs.call;
    if (!rrs_outputs_read(&p->outputs, addr, &header, sizeof header))
        return rrs_print_address(p, addr);
    uint32_t name_bytes = header.msg_namelen;
    if (call->noted && call->noted_bytes < name_bytes)
        name_bytes = call->noted_bytes;
    rrs_print_text(p, "{msg_name=");
    if (header.msg_name && name_bytes)
        rrs_print_sockaddr(p, (uintptr_t)header.msg_name, name_bytes);
    else
        rrs_print_address(p, (uintptr_t)header.msg_name);
    rrs_print_text(p, ", msg_namelen=");
    print_name_length(p, header.msg_namelen);
    rrs_print_text(p, ", msg_iov=");
    rrs_print_vector(p, (uintptr_t)header.msg_iov, header.msg_iovlen, data_bytes);
    rrs_print_text(p, ", msg_iovlen=%zu", header.msg_iovlen);
    print_control(p, (uintptr_t)header.msg_control, header.msg_controllen);
    rrs_print_text(p, ", msg_controllen=%zu, msg_flags=", header.msg_controllen);
    rrs_print_names(p, RRS_NAMES_msg, (uint32_t)header.msg_flags);
    rrs_print_text(p, "}");
}
