/* SPDX-License-Identifier: MIT */
/* The JSON writer. */
#include "cli/json.h"

#include "cli/text.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

static void write_quoted(FILE *stream, const char *bytes, size_t size_bytes)
{
    putc('"', stream);
    for (size_t at = 0; at < size_bytes;) {
        uint32_t codepoint;
        size_t length = text_decode_utf8(bytes + at, size_bytes - at, &codepoint);
        if (!length) {
            fputs("\xEF\xBF\xBD", stream);
            length = 1;
        } else if (codepoint == '"' || codepoint == '\\') {
            fprintf(stream, "\\%c", (int)codepoint);
        } else if (codepoint < 0x20 || codepoint == 0x7f) {
            fprintf(stream, "\\u%04x", (unsigned)codepoint);
        } else {
            fwrite(bytes + at, 1, length, stream);
        }
        at += length;
    }
    putc('"', stream);
}

/* Writes what stands before a value: the comma, the line break of a top-level member, the name. */
static void begin_value(struct json *json, const char *name)
{
    if (json->depth > 0) {
        bool *has_members = &json->has_members[json->depth - 1];
        bool is_top = json->depth == 1;
        fputs(*has_members ? is_top ? ",\n" : ", " : is_top ? "\n" : "", json->stream);
        *has_members = true;
    }
    if (name) {
        write_quoted(json->stream, name, strlen(name));
        fputs(": ", json->stream);
    }
}

static void open_container(struct json *json, const char *name, char bracket)
{
    assert(json->depth < JSON_DEPTH_MAX && "JSON is nested deeper than any command needs");
    begin_value(json, name);
    putc(bracket, json->stream);
    json->has_members[json->depth++] = false;
}

static void close_container(struct json *json, char bracket)
{
    assert(json->depth > 0 && "a JSON container is closed that was not opened");
    json->depth--;
    if (json->depth == 0)
        putc('\n', json->stream);
    putc(bracket, json->stream);
    if (json->depth == 0)
        putc('\n', json->stream);
}

void json_open_object(struct json *json, const char *name)
{
    open_container(json, name, '{');
}

void json_close_object(struct json *json)
{
    close_container(json, '}');
}

void json_open_array(struct json *json, const char *name)
{
    open_container(json, name, '[');
}

void json_close_array(struct json *json)
{
    close_container(json, ']');
}

void json_bytes(struct json *json, const char *name, const void *bytes, size_t size_bytes)
{
    begin_value(json, name);
    write_quoted(json->stream, bytes, size_bytes);
}

void json_string(struct json *json, const char *name, const char *text)
{
    json_bytes(json, name, text, strlen(text));
}

void json_number(struct json *json, const char *name, uint64_t value)
{
    begin_value(json, name);
    fprintf(json->stream, "%" PRIu64, value);
}

void json_signed(struct json *json, const char *name, int64_t value)
{
    begin_value(json, name);
    fprintf(json->stream, "%" PRId64, value);
}

void json_bool(struct json *json, const char *name, bool value)
{
    begin_value(json, name);
    fputs(value ? "true" : "false", json->stream);
}
