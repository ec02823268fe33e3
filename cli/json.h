/* SPDX-License-Identifier: MIT */
/*
 * A writer of strict JSON (RFC 8259) to a stream. It keeps the commas and checks the nesting; it
 * builds nothing in memory, so a list of any length can be streamed. No library is used because
 * writing is the easy half of JSON and the project reads none.
 */
#ifndef RRS_CLI_JSON_H
#define RRS_CLI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    JSON_DEPTH_MAX = 16,
};

struct json {
    FILE *stream;
    unsigned depth;
    bool has_members[JSON_DEPTH_MAX]; /* whether a comma is due at each depth */
};

/* Each of these writes one value. `name` is the member's name inside an object, and NULL inside an
 * array and at the top. */
void json_open_object(struct json *json, const char *name);
void json_open_array(struct json *json, const char *name);
void json_string(struct json *json, const char *name, const char *text);
void json_number(struct json *json, const char *name, uint64_t value);
void json_signed(struct json *json, const char *name, int64_t value);
void json_bool(struct json *json, const char *name, bool value);

/** Writes a string of `size_bytes` bytes, NUL bytes included. What is not UTF-8 becomes U+FFFD. */
void json_bytes(struct json *json, const char *name, const void *bytes, size_t size_bytes);

void json_close_object(struct json *json);
void json_close_array(struct json *json);

#endif
