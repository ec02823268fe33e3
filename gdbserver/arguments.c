/* SPDX-License-Identifier: MIT */
/* Taking packets apart; see the header. */
#include "gdbserver/arguments.h"

#include <string.h>

bool take_hex(const uint8_t **text, const uint8_t *end, uint64_t *number)
{
    uint64_t value = 0;
    const uint8_t *at = *text;
    for (; at < end && hex_digit(*at) >= 0; at++) {
        if (value >> 60)
            return false;
        value = value << 4 | (uint64_t)hex_digit(*at);
    }
    if (at == *text)
        return false;
    *text = at;
    *number = value;
    return true;
}

/* An id: hex, or -1. */
static bool take_id(const uint8_t **text, const uint8_t *end, int64_t *id)
{
    if (end - *text >= 2 && (*text)[0] == '-' && (*text)[1] == '1') {
        *text += 2;
        *id = THREAD_ALL;
        return true;
    }
    uint64_t number;
    if (!take_hex(text, end, &number) || number > INT32_MAX)
        return false;
    *id = (int64_t)number;
    return true;
}

bool take_thread(const uint8_t **text, const uint8_t *end, struct thread_id *thread)
{
    *thread = (struct thread_id){.pid = THREAD_ANY, .tid = THREAD_ANY};
    thread->has_pid = *text < end && **text == 'p';
    if (!thread->has_pid)
        return take_id(text, end, &thread->tid);
    (*text)++;
    if (!take_id(text, end, &thread->pid))
        return false;
    thread->tid = THREAD_ALL; /* "p1" is all of process 1 */
    if (*text == end || **text != '.')
        return true;
    (*text)++;
    return take_id(text, end, &thread->tid);
}

static void take_word(const uint8_t **text, const uint8_t *end, char stop,
                      struct argument *argument)
{
    const uint8_t *found = stop ? memchr(*text, stop, (size_t)(end - *text)) : NULL;
    argument->data = *text;
    argument->size = (size_t)((found ? found : end) - *text);
    *text += argument->size;
}

/* `decoded` has had room made for the whole packet, so what it holds does not move. */
static bool decode(struct buffer *decoded, struct argument *argument)
{
    uint8_t *to = decoded->data + decoded->size;
    long size =
        hex_decode(argument->data, argument->size, to, decoded->capacity - decoded->size - 1);
    if (size < 0)
        return false;
    to[size] = 0;
    decoded->size += (size_t)size + 1;
    argument->data = to;
    argument->size = (size_t)size;
    return true;
}

/* The character that ends a word: the schema's next one that is no mark of its own. */
static char stop_character(const char *schema)
{
    return schema[1] == '?' ? schema[2] : schema[1];
}

static bool take_argument(const char *schema, const uint8_t **text, const uint8_t *end,
                          struct arguments *arguments)
{
    struct argument *argument = &arguments->at[arguments->count++];
    switch (*schema) {
    case 'x':
        return take_hex(text, end, &argument->number);
    case 't':
        return take_thread(text, end, &argument->thread);
    case 'b':
        take_word(text, end, 0, argument);
        return true;
    case 'w':
        take_word(text, end, stop_character(schema), argument);
        return true;
    default:
        take_word(text, end, stop_character(schema), argument);
        return decode(&arguments->decoded, argument);
    }
}

bool arguments_parse(const char *schema, const uint8_t *text, size_t size,
                     struct arguments *arguments)
{
    const uint8_t *end = text + size;
    *arguments = (struct arguments){0};
    if (!buffer_reserve(&arguments->decoded, size + 2 * ARGUMENTS_MAX))
        return false;
    for (; *schema; schema++) {
        if (*schema == '?') {
            if (text == end)
                return true;
        } else if (strchr("xtbwh", *schema)) {
            if (!take_argument(schema, &text, end, arguments))
                return false;
        } else if (text == end || *text++ != (uint8_t)*schema) {
            return false;
        }
    }
    return text == end;
}

void arguments_deinit(struct arguments *arguments)
{
    buffer_deinit(&arguments->decoded);
}
