/* SPDX-License-Identifier: MIT */
/*
 * Text for people: bytes of a trace made harmless for a terminal, and readable sizes and times. A
 * trace may come from a stranger, so none of its strings reaches a terminal except through here.
 */
#ifndef RRS_CLI_TEXT_H
#define RRS_CLI_TEXT_H

#include <stddef.h>
#include <stdint.h>

enum {
    TEXT_SIZE = 48, /* bytes that any of the format functions below needs at most */
};

/**
 * Decodes the character at the start of `bytes`. Returns its length in bytes, 0 if the bytes are
 * not UTF-8 (overlong forms and surrogates are not) or `size_bytes` is 0.
 */
size_t text_decode_utf8(const char *bytes, size_t size_bytes, uint32_t *codepoint);

/**
 * Returns a copy in which control characters, marks that turn the direction of text, and bytes that
 * are not UTF-8 are written as \n, \t, \xHH or \uHHHH, and a backslash as \\. The caller frees it;
 * NULL if memory is out.
 */
char *text_escape(const char *bytes, size_t size_bytes);

/**
 * Returns an argument vector as a shell would read it: escaped, and quoted where needed. The caller
 * frees it; NULL if memory is out.
 */
char *text_quote_arguments(char *const *arguments, size_t count);

/** The columns that an escaped text takes on a terminal, counting every character as one. */
size_t text_width(const char *text);

/** "512 B", "1.5 KiB", "12.0 GiB". */
const char *text_format_bytes(uint64_t bytes, char buffer[TEXT_SIZE]);

/** "0.001 s", "12.3 s", "3 min 5 s", "2 h 10 min". */
const char *text_format_duration(uint64_t duration_ns, char buffer[TEXT_SIZE]);

/** "2026-11-23 15:12:54" in the local time zone; `time_ns` counts from 1970 (CLOCK_REALTIME). */
const char *text_format_time(uint64_t time_ns, char buffer[TEXT_SIZE]);

/** "15:12:54.123456" in the local time zone. */
const char *text_format_clock(uint64_t time_ns, char buffer[TEXT_SIZE]);

/** "2026-11-23T15:12:54.123456789Z": for programs. */
const char *text_format_iso(uint64_t time_ns, char buffer[TEXT_SIZE]);

#endif
