/* SPDX-License-Identifier: MIT */
/* Growing bytes; see the header. */
#include "gdbserver/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buffer_deinit(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
    buffer->failed = false;
}

bool buffer_reserve(struct buffer *buffer, size_t size)
{
    if (buffer->failed)
        return false;
    if (buffer->capacity - buffer->size >= size)
        return true;
    size_t capacity = buffer->capacity ? buffer->capacity * 2 : 256;
    while (capacity - buffer->size < size)
        capacity *= 2;
    uint8_t *data = realloc(buffer->data, capacity);
    buffer->failed = !data;
    if (!data)
        return false;
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

void buffer_add(struct buffer *buffer, const void *data, size_t size)
{
    if (size == 0 || !buffer_reserve(buffer, size))
        return;
    memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
}

void buffer_add_byte(struct buffer *buffer, uint8_t byte)
{
    buffer_add(buffer, &byte, 1);
}

void buffer_add_text(struct buffer *buffer, const char *text)
{
    buffer_add(buffer, text, strlen(text));
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0) {
        buffer->failed = true;
        return;
    }
    buffer_add(buffer, text, (size_t)length);
    free(text);
}

void buffer_add_hex(struct buffer *buffer, const void *data, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *bytes = data;
    if (!buffer_reserve(buffer, 2 * size))
        return;
    for (size_t i = 0; i < size; i++) {
        buffer->data[buffer->size++] = (uint8_t)digits[bytes[i] >> 4];
        buffer->data[buffer->size++] = (uint8_t)digits[bytes[i] & 15];
    }
}

void buffer_add_xml(struct buffer *buffer, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < ' ' || c >= 127)
            buffer_add_byte(buffer, '?');
        else if (strchr("<>&'\"", c))
            buffer_printf(buffer, "&#%u;", c);
        else
            buffer_add_byte(buffer, c);
    }
}

int hex_digit(uint8_t character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    character |= 32;
    return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

long hex_decode(const uint8_t *text, size_t text_size, uint8_t *bytes, size_t size)
{
    if (text_size % 2 || text_size / 2 > size)
        return -1;
    for (size_t i = 0; i < text_size / 2; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return -1;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return (long)(text_size / 2);
}
