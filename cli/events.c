/* SPDX-License-Identifier: MIT */
/*
 * `rrsoft events`: prints the event log, or a part of it. Events are printed as they are read, so a
 * log of any length needs no memory to speak of; the widths of the columns come from the bounds of
 * the log and not from the rows.
 */
#include "cli/command.h"
#include "cli/event_items.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/selection.h"
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
    struct selection selection;
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

static struct rrs_error *print_events(struct rrs_event_cursor *cursor,
                                      const struct request *request, const struct printer *printer)
{
    const struct rrs_event *event;
    RRS_TRY(selection_first(&request->selection, cursor, &event));
    while (event && !output_failed()) {
        if (printer->json)
            print_json_event(printer, event);
        else
            print_row(printer, event);
        RRS_TRY(selection_next(&request->selection, cursor, &event));
    }
    return NULL;
}

static struct rrs_error *run(const char *argument, const struct request *request)
{
    _cleanup_trace_ struct opened_trace trace;
    RRS_TRY(trace_open(argument, &trace));
    struct rrs_event_cursor *cursor;
    RRS_TRY(selection_open("events", &request->selection, &trace, &cursor));
    struct json json = {.stream = stdout};
    struct printer printer = {
        .json = request->json ? &json : NULL, .data = request->data, .items = request->items};
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
    struct request request = {0};
    const struct option_row options[] = {
        SELECTION_OPTIONS(request.selection),
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
    if (!selection_check("events", &request.selection))
        return EXIT_USAGE;
    struct rrs_error *error = run(argc > 0 ? argv[0] : NULL, &request);
    return error ? print_rrs_error(error) : EXIT_OK;
}
