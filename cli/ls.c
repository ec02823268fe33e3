/* SPDX-License-Identifier: MIT */
/*
 * `rrsoft ls`: one line per trace, oldest first. A trace that cannot be read is listed too, with
 * the reason in place of what it would have said about itself: it still takes up room.
 */
#include "cli/command.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/text.h"
#include "cli/trace.h"
#include "lmdb-store/scope.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

struct row {
    const struct rrs_trace_dir_entry *entry;
    struct opened_trace trace;
    struct rrs_trace_end end;
    struct rrs_error *error; /* why it could not be read, or NULL */
};

static void row_init(struct row *row, const struct rrs_trace_dir_entry *entry)
{
    row->entry = entry;
    row->error = trace_open(entry->path, &row->trace);
    if (!row->error)
        row->error = rrs_trace_reader_end(row->trace.reader, &row->end);
}

static void row_deinit(struct row *row)
{
    trace_close(&row->trace);
    rrs_error_destroy(row->error);
}

static void print_json_row(struct json *json, const struct row *row)
{
    const struct rrs_metadata *metadata = &row->trace.metadata;
    char time[TEXT_SIZE];
    json_open_object(json, NULL);
    json_string(json, "name", row->entry->name);
    json_string(json, "path", row->entry->path);
    json_bool(json, "latest", row->entry->is_latest);
    json_number(json, "file_bytes", row->entry->usage.file_bytes);
    json_number(json, "disk_bytes", row->entry->usage.disk_bytes);
    json_string(json, "modified", text_format_iso(row->entry->modified_wall_ns, time));
    if (row->error) {
        json_string(json, "error", row->error->message);
    } else {
        json_string(json, "started", text_format_iso(metadata->start_wall_ns, time));
        json_number(json, "events", row->trace.bounds.n_events);
        json_trace_end(json, "end", &row->end);
        json_string_list(json, "command_line", &metadata->command_line);
    }
    json_close_object(json);
}

static void add_readable(struct table *table, const struct row *row)
{
    const struct rrs_string_list *words = &row->trace.metadata.command_line;
    char text[TEXT_SIZE];
    _cleanup_free_ char *end = trace_describe_end(&row->end);
    _cleanup_free_ char *command_line = text_quote_arguments(words->items, words->n_items);
    snprintf(text, sizeof text, "%" PRIu64, row->trace.bounds.n_events);
    table_add(table, text);
    table_add(table, end ? end : "");
    table_add_verbatim(table, command_line ? command_line : "");
}

static void add_unreadable(struct table *table, const struct rrs_error *error)
{
    table_add(table, "-");
    table_add(table, rrs_error_code_name(error->code));
    table_add(table, error->message);
}

static void add_row(struct table *table, const struct row *row)
{
    char text[TEXT_SIZE];
    table_add(table, row->entry->is_latest ? "*" : "");
    table_add(table, row->entry->name);
    /* A trace that does not tell when it was started was changed then. */
    uint64_t time_ns =
        row->error ? row->entry->modified_wall_ns : row->trace.metadata.start_wall_ns;
    table_add(table, text_format_time(time_ns, text));
    table_add(table, text_format_bytes(row->entry->usage.disk_bytes, text));
    if (row->error)
        add_unreadable(table, row->error);
    else
        add_readable(table, row);
}

static int list_json(const struct rrs_trace_dir_list *list)
{
    struct json json = {.stream = stdout};
    json_open_array(&json, NULL);
    for (size_t i = 0; i < list->n_entries && !output_failed(); i++) {
        struct row row;
        row_init(&row, &list->entries[i]);
        print_json_row(&json, &row);
        row_deinit(&row);
    }
    json_close_array(&json);
    return EXIT_OK;
}

static int list_table(const struct rrs_trace_dir_list *list)
{
    struct table *table = table_create("lllrrll");
    if (!table)
        return print_rrs_error(rrs_error_no_memory());
    static const char *const heads[] = {"", "NAME", "STARTED", "DISK", "EVENTS", "END", "COMMAND"};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        table_add(table, heads[i]);
    for (size_t i = 0; i < list->n_entries; i++) {
        struct row row;
        row_init(&row, &list->entries[i]);
        add_row(table, &row);
        row_deinit(&row);
    }
    int exit_code = table_print(table) ? EXIT_OK : print_rrs_error(rrs_error_no_memory());
    table_destroy(table);
    return exit_code;
}

static void reverse(struct rrs_trace_dir_list *list)
{
    for (size_t i = 0, n = list->n_entries; i < n / 2; i++) {
        struct rrs_trace_dir_entry entry = list->entries[i];
        list->entries[i] = list->entries[n - 1 - i];
        list->entries[n - 1 - i] = entry;
    }
}

static int list_names(const struct rrs_trace_dir_list *list)
{
    for (size_t i = 0; i < list->n_entries; i++) {
        const char *name = list->entries[i].name;
        _cleanup_free_ char *text = text_escape(name, strlen(name));
        if (!text)
            return print_rrs_error(rrs_error_no_memory());
        printf("%s\n", text);
    }
    return EXIT_OK;
}

static struct rrs_error *find_home(const char *argument, char **home)
{
    if (!argument)
        return rrs_trace_home(home);
    struct stat status;
    if (stat(argument, &status) < 0)
        return rrs_error_os(errno, argument, "cannot list traces");
    if (!S_ISDIR(status.st_mode))
        return rrs_error_os(ENOTDIR, argument, "cannot list traces");
    *home = strdup(argument);
    return *home ? NULL : rrs_error_no_memory();
}

int command_ls(int argc, char **argv)
{
    bool json = false, quiet = false, by_age = false, newest_first = false, long_listing = false;
    const struct option_row options[] = {
        {"quiet", 'q', OPTION_FLAG, NULL, "print names only", &quiet},
        {"sort-by-age", 't', OPTION_FLAG, NULL, "the same, as 'rr ls -t' does", &by_age},
        {"reverse", 'r', OPTION_FLAG, NULL, "newest first", &newest_first},
        {"long-listing", 'l', OPTION_FLAG, NULL, "print all, also with -t", &long_listing},
        {"json", 0, OPTION_FLAG, NULL, "print a JSON array of traces", &json},
        {0},
    };
    const struct usage usage = {
        .command = "ls",
        .arguments = "[DIRECTORY]",
        .description = "Lists the traces in DIRECTORY, oldest first; '*' marks the latest.\n"
                       "Default: $RRSOFT_TRACE_DIR, else $XDG_DATA_HOME/rrsoft, else\n"
                       "~/.local/share/rrsoft.\n",
        .arguments_max = 1,
        .options = options,
    };
    int exit_code;
    if (!options_parse(&usage, &argc, argv, &exit_code))
        return exit_code;
    _cleanup_free_ char *home = NULL;
    _cleanup_trace_list_ struct rrs_trace_dir_list list = {0};
    struct rrs_error *error = find_home(argc > 0 ? argv[0] : NULL, &home);
    if (!error)
        error = rrs_trace_dir_list(home, &list);
    if (error)
        return print_rrs_error(error);
    if (newest_first)
        reverse(&list);
    if (json)
        return list_json(&list);
    if (quiet || (by_age && !long_listing))
        return list_names(&list);
    if (list.n_entries > 0)
        return list_table(&list);
    print_error("no traces in %s", home);
    return EXIT_OK;
}
