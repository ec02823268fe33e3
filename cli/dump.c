/* SPDX-License-Identifier: MIT */
/* `rrsoft dump`: the events of a trace, decoded as strace does. Printed as they are read. */
#include "cli/command.h"
#include "cli/decode.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/selection.h"
#include "cli/text.h"
#include "cli/trace.h"
#include "lmdb-store/scope.h"

#include <inttypes.h>
#include <string.h>

struct request {
    struct selection selection;
    struct option_number strings;
    bool time, mappings, json;
};

struct widths {
    int number, tick;
};

static int digits(uint64_t value)
{
    return snprintf(NULL, 0, "%" PRIu64, value);
}

static struct rrs_error *print_line(struct decoder *decoder, const struct request *request,
                                    const struct widths *widths, const struct rrs_event *event)
{
    char clock[TEXT_SIZE];
    printf("%*" PRIu64 "  %*" PRIu64 "  ", widths->number, event->number, widths->tick,
           event->tick);
    if (request->time)
        printf("%s  ", text_format_clock(event->wall_ns, clock));
    printf("%7" PRId32 "  ", event->task);
    struct rrs_error *error = decode_text(decoder, event, stdout);
    putchar('\n');
    if (request->mappings)
        decode_mappings(event, "    ", stdout);
    return error;
}

static struct rrs_error *print_object(struct decoder *decoder, struct json *json,
                                      const struct rrs_event *event)
{
    char time[TEXT_SIZE];
    const char *name = trace_kind_name(decoder->metadata, event->event_kind);
    json_open_object(json, NULL);
    json_number(json, "event", event->number);
    json_number(json, "tick", event->tick);
    json_string(json, "time", text_format_iso(event->wall_ns, time));
    json_signed(json, "task", event->task);
    json_number(json, "kind", event->event_kind);
    if (name)
        json_string(json, "name", name);
    struct rrs_error *error = decode_json(decoder, event, json);
    json_close_object(json);
    return error;
}

/* What an event names and the trace lacks is no reason to hide the others: the first error waits.
 */
static void keep_first(struct rrs_error **first, struct rrs_error *error)
{
    if (*first)
        rrs_error_destroy(error);
    else
        *first = error;
}

static struct rrs_error *print_events(const struct opened_trace *trace,
                                      struct rrs_event_cursor *cursor,
                                      const struct request *request, struct decoder *decoder)
{
    const struct widths widths = {digits(trace->bounds.last_event),
                                  digits(trace->bounds.last_tick)};
    struct json json = {.stream = stdout};
    const struct rrs_event *event;
    struct rrs_error *damage = NULL;
    struct rrs_error *error = selection_first(&request->selection, cursor, &event);
    if (request->json)
        json_open_array(&json, NULL);
    while (!error && event && !output_failed()) {
        keep_first(&damage, request->json ? print_object(decoder, &json, event)
                                          : print_line(decoder, request, &widths, event));
        error = selection_next(&request->selection, cursor, &event);
    }
    if (request->json)
        json_close_array(&json);
    keep_first(&damage, error);
    return damage;
}

static struct rrs_error *run(const char *argument, const struct request *request)
{
    _cleanup_trace_ struct opened_trace trace;
    RRS_TRY(trace_open(argument, &trace));
    struct rrs_event_cursor *cursor;
    RRS_TRY(selection_open("dump", &request->selection, &trace, &cursor));
    struct decoder decoder;
    decoder_init(&decoder, &trace);
    decoder.max_string = (uint32_t)request->strings.value;
    struct rrs_error *error = print_events(&trace, cursor, request, &decoder);
    decoder_deinit(&decoder);
    rrs_event_cursor_destroy(cursor);
    return error;
}

int command_dump(int argc, char **argv)
{
    struct request request = {0};
    const struct option_row options[] = {
        SELECTION_OPTIONS(request.selection),
        {"strings", 's', OPTION_NUMBER, "N", "show N bytes of each string (1 to 4096); default 32",
         &request.strings},
        {"time", 't', OPTION_FLAG, NULL, "print the time of day of each event", &request.time},
        {"mappings", 'm', OPTION_FLAG, NULL, "print the mappings that execs and calls made",
         &request.mappings},
        {"json", 0, OPTION_FLAG, NULL, "print a JSON array, one event per line", &request.json},
        {0},
    };
    const struct usage usage = {
        .command = "dump",
        .arguments = "[TRACE]",
        .description =
            "Prints the events of a trace as strace does: number, tick, task, and what happened.\n"
            "Of a call's memory a trace holds what the call wrote; what it read is shown as an\n"
            "address.\n" TRACE_HELP,
        .arguments_max = 1,
        .options = options,
    };
    int exit_code;
    if (!options_parse(&usage, &argc, argv, &exit_code))
        return exit_code;
    if (!selection_check("dump", &request.selection))
        return EXIT_USAGE;
    if (request.strings.given &&
        (request.strings.value < 1 || request.strings.value > DECODE_STRING_MAX)) {
        print_error("dump: --strings: give a number from 1 to %d", DECODE_STRING_MAX);
        return EXIT_USAGE;
    }
    struct rrs_error *error = run(argc > 0 ? argv[0] : NULL, &request);
    return error ? print_rrs_error(error) : EXIT_OK;
}
