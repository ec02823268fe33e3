/* SPDX-License-Identifier: MIT */
/* `x/FMT ADDRESS`: memory in gdb's notation, a count, a letter for the form, one for the size. */
#include "cli/console/symbols.h"
#include "cli/console/words.h"
#include "cli/text.h"
#include "lmdb-store/scope.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned size_of_letter(char letter)
{
    return letter == 'b' ? 1 : letter == 'h' ? 2 : letter == 'w' ? 4 : letter == 'g' ? 8 : 0;
}

/* "/12xw"; what is left out stays as it was, except the count. */
static struct rrs_error *parse_format(const char **rest, struct console_format *format,
                                      uint64_t *count)
{
    char word[WORD_BYTES], *at = word + 1;
    *count = 1;
    if (**rest != '/' || !word_take(rest, word))
        return NULL;
    if (isdigit((unsigned char)*at))
        *count = strtoull(at, &at, 10);
    for (; *at; at++) {
        if (size_of_letter(*at))
            format->bytes = size_of_letter(*at);
        else if (strchr("xduotcfasi", *at))
            format->letter = *at;
        else
            return rrs_error_create(RRS_ERROR_USAGE, "no format '%c'; see 'help x'", *at);
    }
    if (format->letter == 'a')
        format->bytes = 8;
    if (format->letter == 'f' && format->bytes < 4)
        format->bytes = 8;
    return NULL;
}

static void print_bits(uint64_t value, unsigned bytes)
{
    for (unsigned bit = 8 * bytes; bit-- > 0;)
        putchar(value >> bit & 1 ? '1' : '0');
}

static void print_float(uint64_t value, unsigned bytes)
{
    float single;
    double whole;
    memcpy(&single, &value, sizeof single);
    memcpy(&whole, &value, sizeof whole);
    if (bytes == 4)
        printf("%.9g", (double)single);
    else
        printf("%.17g", whole);
}

static void print_value(struct console *console, char letter, unsigned bytes, uint64_t value)
{
    char text[SYMBOL_TEXT_BYTES];
    int64_t number = (int64_t)(value << (64 - 8 * bytes)) >> (64 - 8 * bytes);
    switch (letter) {
    case 'd':
        printf("%" PRId64, number);
        break;
    case 'u':
        printf("%" PRIu64, value);
        break;
    case 'o':
        printf("0%" PRIo64, value);
        break;
    case 't':
        print_bits(value, bytes);
        break;
    case 'c':
        printf("%" PRId64 " '%c'", number,
               isprint((int)(value & 0xff)) ? (int)(value & 0xff) : '.');
        break;
    case 'f':
        print_float(value, bytes);
        break;
    case 'a':
        printf("0x%" PRIx64, value);
        if (symbols_describe(console, value, text))
            printf(" %s", text);
        break;
    default:
        printf("0x%0*" PRIx64, (int)(2 * bytes), value);
    }
}

static void print_address(struct console *console, rrs_addr address)
{
    char text[SYMBOL_TEXT_BYTES];
    printf("0x%" PRIx64, address);
    if (symbols_describe(console, address, text))
        printf(" %s", text);
    putchar(':');
}

static struct rrs_error *no_memory_at(rrs_addr address)
{
    return rrs_error_create(RRS_ERROR_NOT_FOUND, "no memory at 0x%" PRIx64, address);
}

static struct rrs_error *print_values(struct console *console, uint64_t count)
{
    enum { LINE_BYTES = 16 };
    struct console_format *format = &console->format;
    unsigned per_line = format->letter == 'a' || format->letter == 't' || format->letter == 'f'
                            ? 1
                            : LINE_BYTES / format->bytes;
    for (uint64_t i = 0; i < count && !console_is_interrupted(console); i++) {
        uint64_t value = 0;
        if (rrs_timeline_read(console->timeline, console->tid, format->next, &value,
                              format->bytes) != format->bytes) {
            if (i % per_line)
                putchar('\n');
            return no_memory_at(format->next);
        }
        if (i % per_line == 0)
            print_address(console, format->next);
        putchar('\t');
        print_value(console, format->letter, format->bytes, value);
        if (i % per_line == per_line - 1 || i == count - 1)
            putchar('\n');
        format->next += format->bytes;
    }
    return NULL;
}

static struct rrs_error *print_strings(struct console *console, uint64_t count)
{
    enum { STRING_MAX = 4096 };
    rrs_addr *next = &console->format.next;
    char bytes[STRING_MAX];
    for (uint64_t i = 0; i < count && !console_is_interrupted(console); i++) {
        size_t size =
            rrs_timeline_read(console->timeline, console->tid, *next, bytes, sizeof bytes);
        if (size == 0)
            return no_memory_at(*next);
        size_t length = strnlen(bytes, size);
        _cleanup_free_ char *text = text_escape(bytes, length);
        if (!text)
            return rrs_error_no_memory();
        print_address(console, *next);
        printf("\t\"%s\"%s\n", text, length == size ? "..." : "");
        *next += length + (length < size);
    }
    return NULL;
}

struct rrs_error *console_examine(struct console *console, const char *rest)
{
    struct console_format format = console->format;
    uint64_t count;
    RRS_TRY(parse_format(&rest, &format, &count));
    RRS_TRY(expression_take(console, &rest, format.next, &format.next));
    RRS_TRY(words_end(rest));
    console->format = format;
    if (format.letter == 's')
        return print_strings(console, count);
    if (format.letter == 'i')
        return console_print_instructions(console, format.next, count, &console->format.next);
    return print_values(console, count);
}
