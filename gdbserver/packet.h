/* SPDX-License-Identifier: MIT */
/*
 * The framing of gdb's remote protocol: $DATA#CS with escapes, acknowledgements, and the interrupt
 * byte between packets. Pure functions on bytes: whatever comes, in whatever pieces, gives tokens.
 * (gdb manual, "Overview" of the Remote Serial Protocol, and "Packet Acknowledgment".)
 */
#ifndef RRS_GDBSERVER_PACKET_H
#define RRS_GDBSERVER_PACKET_H

#include "gdbserver/buffer.h"

/* Of a packet received, unescaped. What is longer is bad. Announced as PacketSize, escaped. */
enum { PACKET_MAX_BYTES = 0x20000 };

enum packet_token {
    PACKET_TOKEN_MORE,      /* nothing complete yet */
    PACKET_TOKEN_PACKET,    /* reader->data is a packet's content, escapes undone */
    PACKET_TOKEN_BAD,       /* a packet with a wrong checksum, a bad escape, or too long */
    PACKET_TOKEN_INTERRUPT, /* 0x03 outside of a packet */
    PACKET_TOKEN_ACK,
    PACKET_TOKEN_NACK,
};

struct packet_reader {
    enum {
        PACKET_BETWEEN,
        PACKET_INSIDE,
        PACKET_ESCAPE,
        PACKET_CHECKSUM_1,
        PACKET_CHECKSUM_2
    } state;
    struct buffer data;
    uint8_t sum;     /* of the bytes received */
    int first_digit; /* of the checksum, -1 if it is no digit */
    bool bad;
    bool no_checksum; /* do not compare it: for the fuzzer */
};

void packet_reader_deinit(struct packet_reader *reader);

/** Takes one byte. The content of a packet stays until the next byte is taken. */
enum packet_token packet_reader_take(struct packet_reader *reader, uint8_t byte);

/** Appends a packet ('$') or notification ('%') with `data`, escaped, and its checksum. */
void packet_encode(struct buffer *buffer, char lead, const void *data, size_t size);

#endif
