/* SPDX-License-Identifier: MIT */
/* Harmless and readable text. UTF-8 is assumed everywhere: what is not UTF-8 is shown in hex. */
#include "cli/text.h"

#include "lmdb-store/scope.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    NS_PER_SECOND = 1000000000,
};

size_t text_decode_utf8(const char *bytes, size_t size_bytes, uint32_t *codepoint)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (!size_bytes)
        return 0;
    unsigned char first = bytes[0];
    if (first < 0x80) {
        *codepoint = first;
        return 1;
    }
    size_t length = first >= 0xf8   ? 0
                    : first >= 0xf0 ? 4
                    : first >= 0xe0 ? 3
                    : first >= 0xc0 ? 2
                                    : 0;
    if (!length || length > size_bytes)
        return 0;
    uint32_t value = first & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (bytes[i] & 0x3f);
    }
    if (value < smallest[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    *codepoint = value;
    return length;
}

/* Controls of both sets, line and paragraph separators, and the marks of bidirectional text (they
 * can make a command line read as another one: Unicode TR 36). */
static bool is_harmful(uint32_t codepoint)
{
    return codepoint < 0x20 || (codepoint >= 0x7f && codepoint < 0xa0) || codepoint == 0x61c ||
           codepoint == 0x200e || codepoint == 0x200f ||
           (codepoint >= 0x2028 && codepoint <= 0x202e) ||
           (codepoint >= 0x2066 && codepoint <= 0x2069) || codepoint == 0xfeff;
}

static void write_harmful(FILE *stream, uint32_t codepoint)
{
    if (codepoint == '\n')
        fputs("\\n", stream);
    else if (codepoint == '\t')
        fputs("\\t", stream);
    else if (codepoint < 0x80)
        fprintf(stream, "\\x%02x", (unsigned)codepoint);
    else
        fprintf(stream, "\\u%04x", (unsigned)codepoint);
}

static void write_escaped(FILE *stream, const char *bytes, size_t size_bytes)
{
    for (size_t at = 0; at < size_bytes;) {
        uint32_t codepoint;
        size_t length = text_decode_utf8(bytes + at, size_bytes - at, &codepoint);
        if (!length) {
            fprintf(stream, "\\x%02x", (unsigned char)bytes[at]);
            length = 1;
        } else if (codepoint == '\\') {
            fputs("\\\\", stream);
        } else if (is_harmful(codepoint)) {
            write_harmful(stream, codepoint);
        } else {
            fwrite(bytes + at, 1, length, stream);
        }
        at += length;
    }
}

char *text_escape(const char *bytes, size_t size_bytes)
{
    char *text = NULL;
    size_t text_bytes;
    FILE *stream = open_memstream(&text, &text_bytes);
    if (!stream)
        return NULL;
    write_escaped(stream, bytes, size_bytes);
    if (fclose(stream) == 0)
        return text;
    free(text);
    return NULL;
}

static bool needs_no_quotes(const char *argument)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-+=./:,@%^";
    return *argument && argument[strspn(argument, plain)] == '\0';
}

static bool is_harmless(const char *argument)
{
    size_t size_bytes = strlen(argument);
    for (size_t at = 0; at < size_bytes;) {
        uint32_t codepoint;
        size_t length = text_decode_utf8(argument + at, size_bytes - at, &codepoint);
        if (!length || is_harmful(codepoint))
            return false;
        at += length;
    }
    return true;
}

/* 'plain quotes' where every character may be shown, $'escapes' (bash, zsh, ksh) where not. */
static void write_quoted(FILE *stream, const char *argument)
{
    if (needs_no_quotes(argument)) {
        fputs(argument, stream);
        return;
    }
    bool harmless = is_harmless(argument);
    fputs(harmless ? "'" : "$'", stream);
    for (const char *at = argument; *at;) {
        size_t length = strcspn(at, "'");
        if (harmless)
            fwrite(at, 1, length, stream);
        else
            write_escaped(stream, at, length);
        at += length;
        if (*at == '\'') {
            fputs(harmless ? "'\\''" : "\\'", stream);
            at++;
        }
    }
    putc('\'', stream);
}

char *text_quote_arguments(char *const *arguments, size_t count)
{
    char *text = NULL;
    size_t text_bytes;
    FILE *stream = open_memstream(&text, &text_bytes);
    if (!stream)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (i)
            putc(' ', stream);
        write_quoted(stream, arguments[i]);
    }
    if (fclose(stream) == 0)
        return text;
    free(text);
    return NULL;
}

size_t text_width(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += (*text & 0xc0) != 0x80;
    return width;
}

const char *text_format_bytes(uint64_t bytes, char buffer[TEXT_SIZE])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = bytes;
    unsigned unit = 0;
    /* 1023.95 would be printed as 1024.0 of the smaller unit. */
    for (; value >= 1023.95 && unit < 6; unit++)
        value /= 1024;
    snprintf(buffer, TEXT_SIZE, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return buffer;
}

const char *text_format_duration(uint64_t duration_ns, char buffer[TEXT_SIZE])
{
    uint64_t seconds = duration_ns / NS_PER_SECOND;
    if (seconds < 10)
        snprintf(buffer, TEXT_SIZE, "%.3f s", (double)duration_ns / NS_PER_SECOND);
    else if (seconds < 60)
        snprintf(buffer, TEXT_SIZE, "%.1f s", (double)duration_ns / NS_PER_SECOND);
    else if (seconds < 3600)
        snprintf(buffer, TEXT_SIZE, "%" PRIu64 " min %" PRIu64 " s", seconds / 60, seconds % 60);
    else
        snprintf(buffer, TEXT_SIZE, "%" PRIu64 " h %" PRIu64 " min", seconds / 3600,
                 seconds / 60 % 60);
    return buffer;
}

static struct tm local_time(uint64_t time_ns)
{
    time_t seconds = time_ns / NS_PER_SECOND;
    struct tm time = {0};
    localtime_r(&seconds, &time);
    return time;
}

const char *text_format_time(uint64_t time_ns, char buffer[TEXT_SIZE])
{
    struct tm time = local_time(time_ns);
    strftime(buffer, TEXT_SIZE, "%Y-%m-%d %H:%M:%S", &time);
    return buffer;
}

const char *text_format_clock(uint64_t time_ns, char buffer[TEXT_SIZE])
{
    struct tm time = local_time(time_ns);
    size_t length = strftime(buffer, TEXT_SIZE, "%H:%M:%S", &time);
    snprintf(buffer + length, TEXT_SIZE - length, ".%06u",
             (unsigned)(time_ns % NS_PER_SECOND / 1000));
    return buffer;
}

const char *text_format_iso(uint64_t time_ns, char buffer[TEXT_SIZE])
{
    time_t seconds = time_ns / NS_PER_SECOND;
    struct tm time = {0};
    gmtime_r(&seconds, &time);
    size_t length = strftime(buffer, TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &time);
    snprintf(buffer + length, TEXT_SIZE - length, ".%09uZ", (unsigned)(time_ns % NS_PER_SECOND));
    return buffer;
}
