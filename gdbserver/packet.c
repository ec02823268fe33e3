/* SPDX-License-Identifier: MIT */
/* Framing; see the header. */
#include "gdbserver/packet.h"

enum { ESCAPE = '}', ESCAPE_FLIP = 0x20, INTERRUPT = 3 };

void packet_reader_deinit(struct packet_reader *reader)
{
    buffer_deinit(&reader->data);
}

static enum packet_token take_between(struct packet_reader *reader, uint8_t byte)
{
    switch (byte) {
    case '$':
        buffer_clear(&reader->data);
        reader->sum = 0;
        reader->bad = false;
        reader->state = PACKET_INSIDE;
        return PACKET_TOKEN_MORE;
    case INTERRUPT:
        return PACKET_TOKEN_INTERRUPT;
    case '+':
        return PACKET_TOKEN_ACK;
    case '-':
        return PACKET_TOKEN_NACK;
    }
    return PACKET_TOKEN_MORE; /* noise, as a terminal line makes */
}

static void add_byte(struct packet_reader *reader, uint8_t byte)
{
    if (reader->data.size < PACKET_MAX_BYTES)
        buffer_add_byte(&reader->data, byte);
    else
        reader->bad = true;
    reader->bad |= reader->data.failed;
}

/* '$' inside of a packet begins another one: the end of the first was lost. */
static enum packet_token take_inside(struct packet_reader *reader, uint8_t byte)
{
    if (byte == '$') {
        reader->state = PACKET_BETWEEN;
        take_between(reader, byte);
        return PACKET_TOKEN_BAD;
    }
    if (byte == '#') {
        reader->bad |= reader->state == PACKET_ESCAPE;
        reader->state = PACKET_CHECKSUM_1;
        return PACKET_TOKEN_MORE;
    }
    reader->sum = (uint8_t)(reader->sum + byte);
    if (reader->state == PACKET_ESCAPE) {
        add_byte(reader, byte ^ ESCAPE_FLIP);
        reader->state = PACKET_INSIDE;
    } else if (byte == ESCAPE) {
        reader->state = PACKET_ESCAPE;
    } else {
        add_byte(reader, byte);
    }
    return PACKET_TOKEN_MORE;
}

static enum packet_token finish(struct packet_reader *reader, uint8_t byte)
{
    int second_digit = hex_digit(byte);
    bool matches = reader->first_digit >= 0 && second_digit >= 0 &&
                   (reader->first_digit << 4 | second_digit) == reader->sum;
    reader->state = PACKET_BETWEEN;
    return !reader->bad && (matches || reader->no_checksum) ? PACKET_TOKEN_PACKET
                                                            : PACKET_TOKEN_BAD;
}

enum packet_token packet_reader_take(struct packet_reader *reader, uint8_t byte)
{
    switch (reader->state) {
    case PACKET_BETWEEN:
        return take_between(reader, byte);
    case PACKET_INSIDE:
    case PACKET_ESCAPE:
        return take_inside(reader, byte);
    case PACKET_CHECKSUM_1:
        reader->first_digit = hex_digit(byte);
        reader->state = PACKET_CHECKSUM_2;
        return PACKET_TOKEN_MORE;
    case PACKET_CHECKSUM_2:
        return finish(reader, byte);
    }
    return PACKET_TOKEN_MORE;
}

static bool needs_escape(uint8_t byte)
{
    return byte == '#' || byte == '$' || byte == ESCAPE || byte == '*';
}

void packet_encode(struct buffer *buffer, char lead, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    if (!buffer_reserve(buffer, size + 4))
        return;
    buffer_add_byte(buffer, (uint8_t)lead);
    size_t begin = buffer->size;
    for (size_t i = 0; i < size; i++) {
        if (needs_escape(bytes[i]))
            buffer_add_byte(buffer, ESCAPE);
        buffer_add_byte(buffer, needs_escape(bytes[i]) ? bytes[i] ^ ESCAPE_FLIP : bytes[i]);
    }
    uint8_t sum = 0;
    for (size_t i = begin; i < buffer->size; i++)
        sum = (uint8_t)(sum + buffer->data[i]);
    buffer_printf(buffer, "#%02x", sum);
}
