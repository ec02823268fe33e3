/* SPDX-License-Identifier: MIT */
/* What a line has no room for: mappings, and the members of an event in JSON. */
#include "cli/decode.h"

#include "cli/event_memory.h"
#include "cli/text.h"
#include "engine/syscalls/print.h"
#include "engine/syscalls/table.h"
#include "lmdb-store/scope.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* --- mappings --- */

void decode_protection(const struct rrs_map_item *map, char text[5])
{
    snprintf(text, 5, "%c%c%c%c", map->prot & PROT_READ ? 'r' : '-',
             map->prot & PROT_WRITE ? 'w' : '-', map->prot & PROT_EXEC ? 'x' : '-',
             map->shared ? 's' : 'p');
}

static void print_mapping(const struct rrs_map_item *map, const char *indent, FILE *stream)
{
    char protection[5], hash[RRS_HASH_TEXT_BYTES];
    decode_protection(map, protection);
    fprintf(stream, "%s%012" PRIx64 "-%012" PRIx64 " %s", indent, map->start, map->end, protection);
    if (map->source == RRS_MAP_FILE)
        fprintf(stream, " %08" PRIx64 " %.16s", map->file_offset,
                rrs_hash_format(&map->blob, hash));
    _cleanup_free_ char *path = text_escape(map->path, map->path_bytes);
    fprintf(stream, "%s%s\n", map->path_bytes ? " " : "", path ? path : "");
}

void decode_mappings(const struct rrs_event *event, const char *indent, FILE *stream)
{
    struct rrs_item_reader items = rrs_item_reader_begin(event->data, event->size_bytes);
    struct rrs_item item;
    while (rrs_item_next(&items, &item))
        if (item.kind == RRS_ITEM_MAP)
            print_mapping(&item.map, indent, stream);
}

/* --- JSON --- */

static void json_hex(struct json *json, const char *name, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%#" PRIx64, value);
    json_string(json, name, text);
}

static void json_call(struct json *json, const struct rrs_item *call)
{
    const struct rrs_syscall_row *row = rrs_syscall_row(call->call.number);
    json_signed(json, "number", call->call.number);
    if (row)
        json_string(json, "call", row->shape.name);
    json_open_array(json, "arguments");
    for (int i = 0; i < 6; i++)
        json_hex(json, NULL, call->call.args[i]);
    json_close_array(json);
}

static void json_signal(struct json *json, const struct rrs_item *item)
{
    siginfo_t info = {0};
    memcpy(&info, item->bytes.bytes,
           item->bytes.size < sizeof info ? item->bytes.size : sizeof info);
    const char *name = rrs_signal_name(info.si_signo);
    json_signed(json, "signal", info.si_signo);
    if (name)
        json_string(json, "signal_name", name);
    json_signed(json, "signal_code", info.si_code);
}

static void json_status(struct json *json, int status)
{
    json_signed(json, "wait_status", status);
    if (WIFEXITED(status))
        json_signed(json, "exit_status", WEXITSTATUS(status));
    if (WIFSIGNALED(status))
        json_signed(json, "killed_by", WTERMSIG(status));
}

static void json_task(struct json *json, const struct rrs_item *item)
{
    json_signed(json, "process", item->task.tgid);
    json_signed(json, "creator", item->task.creator);
    json_hex(json, "clone_flags", item->task.flags);
}

/* Each item of a kind stands in an object once: a stranger's event may have more. */
static void json_item(struct json *json, const struct rrs_item *item)
{
    switch (item->kind) {
    case RRS_ITEM_PC:
        return json_hex(json, "pc", item->pc);
    case RRS_ITEM_CALL:
        return json_call(json, item);
    case RRS_ITEM_RESULT:
        return json_signed(json, "result", item->result);
    case RRS_ITEM_SIGINFO:
        return json_signal(json, item);
    case RRS_ITEM_ACTION:
        json_bool(json, "raised", item->action & RRS_SIGNAL_RAISED);
        return json_bool(json, "handled", !(item->action & RRS_SIGNAL_ENDS));
    case RRS_ITEM_TASK:
        return json_task(json, item);
    case RRS_ITEM_STATUS:
        return json_status(json, item->status);
    case RRS_ITEM_SHOWN:
        return json_signed(json, "shown_on", item->shown_on);
    default:
        return;
    }
}

static void json_items(struct json *json, const struct rrs_event *event)
{
    struct rrs_item_reader items = rrs_item_reader_begin(event->data, event->size_bytes);
    struct rrs_item item;
    uint32_t seen = 0;
    while (rrs_item_next(&items, &item)) {
        if (!(seen >> item.kind & 1))
            json_item(json, &item);
        seen |= 1u << item.kind;
    }
}

static void json_strings(struct json *json, const char *name, char *const *strings, size_t count)
{
    json_open_array(json, name);
    for (size_t i = 0; i < count; i++)
        json_string(json, NULL, strings[i]);
    json_close_array(json);
}

/* A blob that cannot be read was reported with the event's text. */
static void json_exec(struct decoder *decoder, const struct rrs_event *event, struct json *json)
{
    struct exec_strings strings;
    rrs_error_destroy(exec_strings_read(decoder->reader, event, &strings));
    if (strings.program)
        json_string(json, "program", strings.program);
    if (strings.file)
        json_string(json, "file", strings.file);
    json_strings(json, "command_line", strings.arguments, strings.n_arguments);
    json_strings(json, "environment", strings.environment, strings.n_environment);
    exec_strings_deinit(&strings);
}

static void json_mapping(struct json *json, const struct rrs_map_item *map)
{
    char text[RRS_HASH_TEXT_BYTES];
    json_open_object(json, NULL);
    json_hex(json, "start", map->start);
    json_hex(json, "end", map->end);
    decode_protection(map, text);
    json_string(json, "protection", text);
    if (map->path_bytes)
        json_bytes(json, "path", map->path, map->path_bytes);
    if (map->source == RRS_MAP_FILE) {
        json_number(json, "file_offset", map->file_offset);
        json_string(json, "hash", rrs_hash_format(&map->blob, text));
    }
    json_close_object(json);
}

static void json_mappings(struct json *json, const struct rrs_event *event)
{
    struct rrs_item_reader items = rrs_item_reader_begin(event->data, event->size_bytes);
    struct rrs_item item;
    bool opened = false;
    while (rrs_item_next(&items, &item)) {
        if (item.kind != RRS_ITEM_MAP)
            continue;
        if (!opened)
            json_open_array(json, "mappings");
        opened = true;
        json_mapping(json, &item.map);
    }
    if (opened)
        json_close_array(json);
}

struct rrs_error *decode_json(struct decoder *decoder, const struct rrs_event *event,
                              struct json *json)
{
    enum rrs_event_kind kind = decode_kind(decoder, event);
    bool sound = kind != RRS_EVENT_NONE && decode_is_sound(kind, event);
    _cleanup_free_ char *text = NULL;
    struct rrs_error *error = decode_string(decoder, event, &text);
    json_string(json, "text", text ? text : "");
    json_bool(json, "sound", sound);
    if (!sound)
        return error;
    json_items(json, event);
    json_mappings(json, event);
    if (kind == RRS_EVENT_EXEC)
        json_exec(decoder, event, json);
    return error;
}
