/* SPDX-License-Identifier: MIT */
/* `rrsoft info`: what a trace says about its recording as a whole. */
#include "cli/command.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/text.h"
#include "cli/trace.h"
#include "lmdb-store/checkpoint.h"
#include "lmdb-store/scope.h"

#include <inttypes.h>
#include <string.h>

/* All that is shown, gathered before anything is printed. */
struct facts {
    struct opened_trace trace;
    struct rrs_trace_end end;
    struct rrs_trace_dir_usage usage;
    struct rrs_event_log_count *tasks, *kinds;
    uint64_t n_tasks, n_kinds;
    struct rrs_checkpoint_info *checkpoints;
    size_t n_checkpoints;
};

static void facts_deinit(struct facts *facts)
{
    free(facts->tasks);
    free(facts->kinds);
    free(facts->checkpoints);
    trace_close(&facts->trace);
}

static struct rrs_error *gather(const char *argument, struct facts *facts)
{
    struct opened_trace *trace = &facts->trace;
    RRS_TRY(trace_open(argument, trace));
    RRS_TRY(rrs_trace_reader_end(trace->reader, &facts->end));
    RRS_TRY(rrs_trace_dir_measure(trace->path, &facts->usage));
    RRS_TRY(rrs_event_log_count_tasks(trace->log, &facts->tasks, &facts->n_tasks));
    RRS_TRY(rrs_event_log_count_kinds(trace->log, &facts->kinds, &facts->n_kinds));
    return rrs_checkpoint_list(trace->reader, &facts->checkpoints, &facts->n_checkpoints);
}

/* The wall-clock length of the recording: to its end, or to the last event if it has none. Clocks
 * go back at times; then it is unknown. */
static bool duration(const struct facts *facts, uint64_t *duration_ns)
{
    uint64_t start_ns = facts->trace.metadata.start_wall_ns;
    uint64_t end_ns = facts->end.wall_ns ? facts->end.wall_ns : facts->trace.bounds.last_wall_ns;
    if (end_ns < start_ns)
        return false;
    *duration_ns = end_ns - start_ns;
    return true;
}

static void print_row(const char *name, const char *value)
{
    _cleanup_free_ char *text = text_escape(value, strlen(value));
    printf("%-18s %s\n", name, text ? text : "");
}

static void print_number(const char *name, uint64_t value)
{
    printf("%-18s %" PRIu64 "\n", name, value);
}

/* "81 syscall, 3 signal": the kinds by name, or by number where the trace has no name for one. */
static void print_kinds(const struct facts *facts)
{
    printf("%-18s ", "events by kind");
    for (uint64_t i = 0; i < facts->n_kinds; i++) {
        const struct rrs_event_log_count *count = &facts->kinds[i];
        const char *name = trace_kind_name(&facts->trace.metadata, count->id);
        _cleanup_free_ char *text = name ? text_escape(name, strlen(name)) : NULL;
        printf("%s%" PRIu64 " ", i ? ", " : "", count->n_events);
        if (text)
            fputs(text, stdout);
        else
            printf("kind %" PRId64, count->id);
    }
    putchar('\n');
}

static void print_times(const struct facts *facts)
{
    char text[TEXT_SIZE];
    uint64_t duration_ns;
    print_row("started", text_format_time(facts->trace.metadata.start_wall_ns, text));
    if (duration(facts, &duration_ns))
        print_row("duration", text_format_duration(duration_ns, text));
}

static void print_end(const struct facts *facts)
{
    _cleanup_free_ char *end = trace_describe_end(&facts->end);
    print_row("end", end ? end : "");
    if (facts->end.detail[0])
        print_row("end, detail", facts->end.detail);
}

static void print_strings(const struct rrs_metadata *metadata)
{
    _cleanup_free_ char *command_line =
        text_quote_arguments(metadata->command_line.items, metadata->command_line.n_items);
    printf("%-18s %s\n", "command line", command_line ? command_line : "");
#define X(name, text)      \
    if (metadata->name[0]) \
        print_row(text, metadata->name);
    RRS_METADATA_STRINGS(X)
#undef X
}

static void print_size(const struct facts *facts)
{
    char text[TEXT_SIZE];
    print_row("disk", text_format_bytes(facts->usage.disk_bytes, text));
    print_number("format version", facts->trace.metadata.format_version);
}

static void print_environment(const struct rrs_string_list *environment)
{
    printf("environment\n");
    for (size_t i = 0; i < environment->n_items; i++) {
        const char *item = environment->items[i];
        _cleanup_free_ char *text = text_escape(item, strlen(item));
        printf("  %s\n", text ? text : "");
    }
}

/* Pages count as often as checkpoints have them; in the file equal ones are there once. */
static void print_checkpoints(const struct facts *facts)
{
    char text[TEXT_SIZE], row[TEXT_SIZE + 64];
    uint64_t pages = 0;
    for (size_t i = 0; i < facts->n_checkpoints; i++)
        pages += facts->checkpoints[i].n_pages;
    if (!pages)
        return print_number("checkpoints", facts->n_checkpoints);
    snprintf(row, sizeof row, "%zu (of %s of memory)", facts->n_checkpoints,
             text_format_bytes(pages * RRS_CHECKPOINT_PAGE_BYTES, text));
    print_row("checkpoints", row);
}

static void print_for_people(const struct facts *facts, bool environment)
{
    print_row("trace", facts->trace.path);
    print_strings(&facts->trace.metadata);
    print_times(facts);
    print_end(facts);
    print_number("events", facts->trace.bounds.n_events);
    if (facts->n_kinds > 0)
        print_kinds(facts);
    print_number("last tick", facts->trace.bounds.last_tick);
    print_number("tasks", facts->n_tasks);
    print_checkpoints(facts);
    print_size(facts);
    if (environment)
        print_environment(&facts->trace.metadata.environment);
}

static void print_json_metadata(struct json *json, const struct rrs_metadata *metadata)
{
#define X(name, text) json_string(json, #name, metadata->name);
    RRS_METADATA_STRINGS(X)
#undef X
#define X(name, text) json_string_list(json, #name, &metadata->name);
    RRS_METADATA_LISTS(X)
#undef X
    json_number(json, "format_version", metadata->format_version);
}

static void print_json_kinds(struct json *json, const struct facts *facts)
{
    json_open_array(json, "kinds");
    for (uint64_t i = 0; i < facts->n_kinds; i++) {
        const char *name = trace_kind_name(&facts->trace.metadata, facts->kinds[i].id);
        json_open_object(json, NULL);
        json_number(json, "kind", (uint64_t)facts->kinds[i].id);
        if (name)
            json_string(json, "name", name);
        json_number(json, "events", facts->kinds[i].n_events);
        json_close_object(json);
    }
    json_close_array(json);
}

static void print_json_tasks(struct json *json, const struct facts *facts)
{
    json_open_array(json, "tasks");
    for (uint64_t i = 0; i < facts->n_tasks; i++) {
        json_open_object(json, NULL);
        json_signed(json, "task", facts->tasks[i].id);
        json_number(json, "events", facts->tasks[i].n_events);
        json_close_object(json);
    }
    json_close_array(json);
}

static void print_json_checkpoints(struct json *json, const struct facts *facts)
{
    json_open_array(json, "checkpoints");
    for (size_t i = 0; i < facts->n_checkpoints; i++) {
        const struct rrs_checkpoint_info *checkpoint = &facts->checkpoints[i];
        json_open_object(json, NULL);
        json_number(json, "event", checkpoint->place.event);
        json_number(json, "tick", checkpoint->place.tick);
        json_number(json, "pages", checkpoint->n_pages);
        json_close_object(json);
    }
    json_close_array(json);
}

static void print_json(const struct facts *facts)
{
    char text[TEXT_SIZE];
    uint64_t duration_ns;
    struct json json = {.stream = stdout};
    json_open_object(&json, NULL);
    json_string(&json, "path", facts->trace.path);
    print_json_metadata(&json, &facts->trace.metadata);
    json_string(&json, "started", text_format_iso(facts->trace.metadata.start_wall_ns, text));
    if (duration(facts, &duration_ns))
        json_number(&json, "duration_ns", duration_ns);
    json_trace_end(&json, "end", &facts->end);
    json_number(&json, "events", facts->trace.bounds.n_events);
    json_number(&json, "first_tick", facts->trace.bounds.first_tick);
    json_number(&json, "last_tick", facts->trace.bounds.last_tick);
    print_json_kinds(&json, facts);
    print_json_tasks(&json, facts);
    print_json_checkpoints(&json, facts);
    json_number(&json, "disk_bytes", facts->usage.disk_bytes);
    json_number(&json, "file_bytes", facts->usage.file_bytes);
    json_close_object(&json);
}

int command_info(int argc, char **argv)
{
    bool json = false, environment = false;
    const struct option_row options[] = {
        {"environment", 'e', OPTION_FLAG, NULL, "show the program's environment too", &environment},
        {"json", 0, OPTION_FLAG, NULL, "print a JSON object (with the environment)", &json},
        {0},
    };
    const struct usage usage = {
        .command = "info",
        .arguments = "[TRACE]",
        .description =
            "Shows what a trace says about its recording: program, machine, times, how it\n"
            "ended, and how many events there are.\n" TRACE_HELP,
        .arguments_max = 1,
        .options = options,
    };
    int exit_code;
    if (!options_parse(&usage, &argc, argv, &exit_code))
        return exit_code;
    __attribute__((cleanup(facts_deinit))) struct facts facts = {0};
    struct rrs_error *error = gather(argc > 0 ? argv[0] : NULL, &facts);
    if (error)
        return print_rrs_error(error);
    if (json)
        print_json(&facts);
    else
        print_for_people(&facts, environment);
    return EXIT_OK;
}
