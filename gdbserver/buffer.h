/* SPDX-License-Identifier: MIT */
/*
 * Bytes that grow at their end: replies, packets, XML. Running out of memory sets `failed` and
 * makes everything added later a no-op, so that only who sends the whole has to look.
 */
#ifndef RRS_GDBSERVER_BUFFER_H
#define RRS_GDBSERVER_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
    uint8_t *data;
    size_t size, capacity;
    bool failed;
};

void buffer_deinit(struct buffer *buffer);

/** Empties it and forgets a failure; the memory stays for reuse. */
void buffer_clear(struct buffer *buffer);

/** Makes room for `size` more bytes. Returns false, and sets `failed`, if there is none. */
bool buffer_reserve(struct buffer *buffer, size_t size);

void buffer_add(struct buffer *buffer, const void *data, size_t size);
void buffer_add_byte(struct buffer *buffer, uint8_t byte);
void buffer_add_text(struct buffer *buffer, const char *text);
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Two lower-case hex digits per byte. */
void buffer_add_hex(struct buffer *buffer, const void *data, size_t size);

/** Text of a trace as XML: what XML does not allow in a value becomes an entity or '?'. */
void buffer_add_xml(struct buffer *buffer, const char *text);

/** The value of a hex digit, -1 if it is none. */
int hex_digit(uint8_t character);

/**
 * Decodes pairs of hex digits into `bytes`, `size` at most. Returns how many bytes that made, or -1
 * if the text is no sequence of pairs or makes more than `size`.
 */
long hex_decode(const uint8_t *text, size_t text_size, uint8_t *bytes, size_t size);

#define _cleanup_buffer_ __attribute__((cleanup(buffer_deinit)))

#endif
