/* SPDX-License-Identifier: MIT */
/* `rrsoft sources`: the files that a recorded program mapped, which are in the trace. */
#include "cli/command.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/source_list.h"
#include "cli/trace.h"
#include "lmdb-store/scope.h"

#include <inttypes.h>
#include <stdio.h>

enum { SHORT_HASH = 16 }; /* digits */

static void add_row(struct table *table, const struct source *source)
{
    char text[RRS_HASH_TEXT_BYTES];
    snprintf(text, sizeof text, "%" PRIu64, source->bytes);
    table_add(table, text);
    rrs_hash_format(&source->hash, text);
    text[SHORT_HASH] = 0;
    table_add(table, text);
    snprintf(text, sizeof text, "%" PRIu64, source->first_event);
    table_add(table, text);
    snprintf(text, sizeof text, "%012" PRIx64, source->first_start);
    table_add(table, text);
    snprintf(text, sizeof text, "%" PRIu64, source->n_mappings);
    table_add(table, text);
    table_add(table, source->code ? "yes" : "-");
    table_add(table, source->path);
}

static struct rrs_error *print_table(const struct source_list *list)
{
    static const char *const heads[] = {"BYTES", "HASH", "EVENT", "ADDRESS",
                                        "MAPS",  "CODE", "PATH"};
    struct table *table = table_create("rlrrrll");
    if (!table)
        return rrs_error_no_memory();
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        table_add(table, heads[i]);
    for (size_t i = 0; i < list->n_sources; i++)
        add_row(table, list->sources[i]);
    bool printed = table_print(table);
    table_destroy(table);
    return printed ? NULL : rrs_error_no_memory();
}

static void print_json_source(struct json *json, const struct source *source)
{
    char text[RRS_HASH_TEXT_BYTES];
    json_open_object(json, NULL);
    json_string(json, "path", source->path);
    json_string(json, "hash", rrs_hash_format(&source->hash, text));
    json_number(json, "offset", source->offset);
    json_number(json, "bytes", source->bytes);
    json_number(json, "mappings", source->n_mappings);
    json_bool(json, "code", source->code);
    json_number(json, "first_event", source->first_event);
    json_signed(json, "first_task", source->first_task);
    snprintf(text, sizeof text, "%#" PRIx64, source->first_start);
    json_string(json, "first_start", text);
    snprintf(text, sizeof text, "%#" PRIx64, source->first_end);
    json_string(json, "first_end", text);
    json_close_object(json);
}

static void print_json(const struct source_list *list)
{
    struct json json = {.stream = stdout};
    json_open_array(&json, NULL);
    for (size_t i = 0; i < list->n_sources; i++)
        print_json_source(&json, list->sources[i]);
    json_close_array(&json);
}

static struct rrs_error *run(const char *argument, bool as_json)
{
    _cleanup_trace_ struct opened_trace trace;
    RRS_TRY(trace_open(argument, &trace));
    struct source_list list;
    struct rrs_error *error = source_list_read(&trace, &list);
    if (!error && as_json)
        print_json(&list);
    else if (!error)
        error = print_table(&list);
    source_list_deinit(&list);
    return error;
}

int command_sources(int argc, char **argv)
{
    bool as_json = false;
    const struct option_row options[] = {
        {"json", 0, OPTION_FLAG, NULL, "print a JSON array, one object per content", &as_json},
        {0},
    };
    const struct usage usage = {
        .command = "sources",
        .arguments = "[TRACE]",
        .description =
            "Prints the files that the recorded program mapped: size, hash of the contents, where\n"
            "it was first mapped (event, address), how often, whether as code, path.\n" TRACE_HELP,
        .arguments_max = 1,
        .options = options,
    };
    int exit_code;
    if (!options_parse(&usage, &argc, argv, &exit_code))
        return exit_code;
    struct rrs_error *error = run(argc > 0 ? argv[0] : NULL, as_json);
    return error ? print_rrs_error(error) : EXIT_OK;
}
