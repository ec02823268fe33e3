/* SPDX-License-Identifier: MIT */
/*
 * `rrsoft events`: prints the event log, or a part of it. Events are printed as they are read, so a
 * log of any length needs no memory to speak of; the widths of the columns come from the bounds of
 * the log and not from the rows.
 */
#include "cli/command.h"
#include "cli/event_items.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/suggest.h"
#include "cli/text.h"
#include "cli/trace.h"
#include "lmdb-store/scope.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

enum {
    DUMP_BYTES = 16, /* per line of a hex dump */
};

struct request {
    struct option_number from, to, tick, task;
    const char *kind;
    bool data;
    bool items;
    bool json;
};

/* How an event is printed: to `json`, or (NULL) as a row with columns of these widths. */
struct printer {
    const struct rrs_metadata *metadata;
    struct json *json;
    bool data, items;
    int number_width, tick_width, kind_width;
};

static struct rrs_error *unknown_kind(const struct rrs_metadata *metadata, const char *text)
{
    const char *nearest = NULL;
    unsigned best_distance = 0;
    for (size_t i = 0; i < metadata->event_kinds.n_items; i++)
        if (suggest_is_nearer(text, metadata->event_kinds.items[i], &best_distance))
            nearest = metadata->event_kinds.items[i];
    if (nearest)
        return rrs_error_create(RRS_ERROR_USAGE,
                                "events: no kind '%s' in this trace; did you mean '%s'?", text,
                                nearest);
    return rrs_error_create(RRS_ERROR_USAGE,
                            "events: no kind '%s' in this trace; see 'rrsoft info'", text);
}

static struct rrs_error *parse_kind(const struct rrs_metadata *metadata, const char *text,
                                    uint16_t *event_kind)
{
    for (size_t i = 0; i < metadata->event_kinds.n_items && i <= UINT16_MAX; i++) {
        if (*text && strcmp(metadata->event_kinds.items[i], text) == 0) {
            *event_kind = i;
            return NULL;
        }
    }
    uint64_t number;
    if (!options_parse_number(text, &number) || number > UINT16_MAX)
        return unknown_kind(metadata, text);
    *event_kind = number;
    return NULL;
}

static struct rrs_error *make_filter(const struct request *request,
                                     const struct rrs_metadata *metadata,
                                     struct rrs_event_filter *filter)
{
    if (request->task.given) {
        if (request->task.value > INT32_MAX)
            return rrs_error_create(RRS_ERROR_USAGE, "events: --task %" PRIu64 " is no task id",
                                    request->task.value);
        filter->has_task = true;
        filter->task = request->task.value;
    }
    if (request->kind) {
        RRS_TRY(parse_kind(metadata, request->kind, &filter->event_kind));
        filter->has_kind = true;
    }
    return NULL;
}

static int digits(uint64_t value)
{
    return snprintf(NULL, 0, "%" PRIu64, value);
}

static int at_least(int width, int other)
{
    return width > other ? width : other;
}

static void printer_init(struct printer *printer, const struct opened_trace *trace)
{
    printer->metadata = &trace->metadata;
    printer->number_width = at_least(digits(trace->bounds.last_event), strlen("EVENT"));
    printer->tick_width = at_least(digits(trace->bounds.last_tick), strlen("TICK"));
    printer->kind_width = strlen("KIND");
    for (size_t i = 0; i < trace->metadata.event_kinds.n_items; i++)
        printer->kind_width =
            at_least(printer->kind_width, text_width(trace->metadata.event_kinds.items[i]));
}

static void print_head(const struct printer *printer)
{
    printf("%*s  %*s  %-15s  %7s  %-*s  %7s\n", printer->number_width, "EVENT", printer->tick_width,
           "TICK", "TIME", "TASK", printer->kind_width, "KIND", "BYTES");
}

/* One line: offset, bytes in hex, and what of them is printable ASCII. */
static void print_dump_line(const uint8_t *bytes, size_t offset, size_t count)
{
    printf("    %06zx ", offset);
    for (size_t i = 0; i < DUMP_BYTES; i++) {
        if (i < count)
            printf(" %02x", bytes[offset + i]);
        else
            fputs("   ", stdout);
    }
    fputs("  ", stdout);
    for (size_t i = 0; i < count; i++)
        putchar(isascii(bytes[offset + i]) && isprint(bytes[offset + i]) ? bytes[offset + i] : '.');
    putchar('\n');
}

static void print_dump(const struct rrs_event *event)
{
    for (size_t offset = 0; offset < event->size_bytes; offset += DUMP_BYTES) {
        size_t left = event->size_bytes - offset;
        print_dump_line(event->data, offset, left < DUMP_BYTES ? left : DUMP_BYTES);
    }
}

static void print_row(const struct printer *printer, const struct rrs_event *event)
{
    char clock[TEXT_SIZE], number[TEXT_SIZE];
    const char *name = trace_kind_name(printer->metadata, event->event_kind);
    snprintf(number, sizeof number, "%u", event->event_kind);
    _cleanup_free_ char *kind = name ? text_escape(name, strlen(name)) : NULL;
    printf("%*" PRIu64 "  %*" PRIu64 "  %-15s  %7" PRId32 "  %-*s  %7" PRIu32 "\n",
           printer->number_width, event->number, printer->tick_width, event->tick,
           text_format_clock(event->wall_ns, clock), event->task, printer->kind_width,
           kind ? kind : number, event->size_bytes);
    if (printer->items)
        print_event_items(event);
    if (printer->data)
        print_dump(event);
}

static void print_json_data(struct json *json, const struct rrs_event *event)
{
    static const char hex_digits[] = "0123456789abcdef";
    _cleanup_free_ char *hex = malloc(2 * (size_t)event->size_bytes + 1);
    const uint8_t *bytes = event->data;
    if (!hex)
        return;
    for (size_t i = 0; i < event->size_bytes; i++) {
        hex[2 * i] = hex_digits[bytes[i] >> 4];
        hex[2 * i + 1] = hex_digits[bytes[i] & 15];
    }
    json_bytes(json, "data", hex, 2 * (size_t)event->size_bytes);
}

static void print_json_event(const struct printer *printer, const struct rrs_event *event)
{
    char time[TEXT_SIZE];
    struct json *json = printer->json;
    const char *name = trace_kind_name(printer->metadata, event->event_kind);
    json_open_object(json, NULL);
    json_number(json, "event", event->number);
    json_number(json, "tick", event->tick);
    json_string(json, "time", text_format_iso(event->wall_ns, time));
    json_signed(json, "task", event->task);
    json_number(json, "kind", event->event_kind);
    if (name)
        json_string(json, "name", name);
    json_number(json, "bytes", event->size_bytes);
    if (printer->data)
        print_json_data(json, event);
    json_close_object(json);
}

static struct rrs_error *seek_first(struct rrs_event_cursor *cursor, const struct request *request,
                                    const struct rrs_event **event)
{
    if (!request->tick.given)
        return rrs_event_cursor_seek_number(cursor, request->from.value, event);
    RRS_TRY(rrs_event_cursor_seek_tick(cursor, request->tick.value, event));
    if (*event && (*event)->number < request->from.value)
        return rrs_event_cursor_seek_number(cursor, request->from.value, event);
    return NULL;
}

static struct rrs_error *print_events(struct rrs_event_cursor *cursor,
                                      const struct request *request, const struct printer *printer)
{
    const struct rrs_event *event;
    RRS_TRY(seek_first(cursor, request, &event));
    while (event && event->number <= request->to.value && !output_failed()) {
        if (printer->json)
            print_json_event(printer, event);
        else
            print_row(printer, event);
        RRS_TRY(rrs_event_cursor_next(cursor, &event));
    }
    return NULL;
}

static struct rrs_error *run(const char *argument, const struct request *request)
{
    _cleanup_trace_ struct opened_trace trace;
    RRS_TRY(trace_open(argument, &trace));
    struct rrs_event_filter filter = {0};
    RRS_TRY(make_filter(request, &trace.metadata, &filter));
    struct rrs_event_cursor *cursor;
    RRS_TRY(rrs_event_cursor_create(trace.log, &filter, &cursor));
    struct json json = {.stream = stdout};
    struct printer printer = {.json = request->json ? &json : NULL, .data = request->data, .items = request->items};
    printer_init(&printer, &trace);
    if (request->json)
        json_open_array(&json, NULL);
    else
        print_head(&printer);
    struct rrs_error *error = print_events(cursor, request, &printer);
    if (request->json)
        json_close_array(&json);
    rrs_event_cursor_destroy(cursor);
    return error;
}

int command_events(int argc, char **argv)
{
    struct request request = {.to.value = UINT64_MAX};
    const struct option_row options[] = {
        {"from", 0, OPTION_NUMBER, "EVENT", "begin with this event number", &request.from},
        {"to", 0, OPTION_NUMBER, "EVENT", "end with this event number", &request.to},
        {"tick", 0, OPTION_NUMBER, "TICK", "begin with the first event at or after a tick",
         &request.tick},
        {"task", 0, OPTION_NUMBER, "TASK", "only events of this task", &request.task},
        {"kind", 0, OPTION_TEXT, "KIND", "only events of this kind (name or number)",
         &request.kind},
        {"data", 0, OPTION_FLAG, NULL, "print the bytes of each event", &request.data},
        {"items", 0, OPTION_FLAG, NULL, "print what each event says", &request.items},
        {"json", 0, OPTION_FLAG, NULL, "print a JSON array, one event per line", &request.json},
        {0},
    };
    const struct usage usage = {
        .command = "events",
        .arguments = "[TRACE]",
        .description =
            "Prints the events of a trace: number, tick, time of day, task, kind, size.\n"
            "Numbers may hold commas (81,234,567) or be hexadecimal (0x1f).\n" TRACE_HELP,
        .arguments_max = 1,
        .options = options,
    };
    int exit_code;
    if (!options_parse(&usage, &argc, argv, &exit_code))
        return exit_code;
    if (request.from.value > request.to.value) {
        print_error("events: --from %" PRIu64 " lies after --to %" PRIu64, request.from.value,
                    request.to.value);
        return EXIT_USAGE;
    }
    struct rrs_error *error = run(argc > 0 ? argv[0] : NULL, &request);
    return error ? print_rrs_error(error) : EXIT_OK;
}
