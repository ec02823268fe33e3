/* SPDX-License-Identifier: MIT */
/*
 * The connection to one gdb: packets in and out over two descriptors, acknowledgements, and the
 * interrupt byte, which is remembered until somebody asks for it. While an operation takes long,
 * link_poll() looks for input without waiting and keeps gdb from giving up.
 */
#ifndef RRS_GDBSERVER_LINK_H
#define RRS_GDBSERVER_LINK_H

#include "gdbserver/packet.h"

struct link_packet;

struct link {
    int in, out;
    struct packet_reader reader;
    struct link_packet *first, *last; /* received, not asked for yet */
    size_t waiting_bytes;
    struct link_packet *current; /* given out last */
    struct buffer sent;          /* the last packet, for a resend */
    bool no_ack;
    bool closed;      /* the other side is gone */
    bool interrupted; /* 0x03 came */
    uint64_t last_sent_ns;
    void (*log)(void *context, const char *direction, const void *data, size_t size);
    void *log_context;
};

void link_init(struct link *link, int in, int out);

/** Frees what it holds; the descriptors stay open. */
void link_deinit(struct link *link);

/** Waits for a packet; borrowed until the next call. False if the other side is gone. */
bool link_receive(struct link *link, const uint8_t **data, size_t *size);

void link_send(struct link *link, const void *data, size_t size);
void link_notify(struct link *link, const char *text);

/** Takes what input is there; sends a sign of life if nothing was sent for a second. */
void link_poll(struct link *link);

/** Whether an interrupt came since the last call. */
bool link_take_interrupt(struct link *link);

#endif
