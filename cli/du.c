/* SPDX-License-Identifier: MIT */
/* `rrsoft du`: the disk space of traces, and their sum. No trace is opened, so damage is no matter.
 */
#include "cli/command.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/text.h"
#include "cli/trace.h"
#include "lmdb-store/scope.h"

#include <string.h>

/* Where the figures go: one of the two is NULL. */
struct report {
    struct json *json;
    struct table *table;
    struct rrs_trace_dir_usage total;
};

static void add_to_table(struct table *table, const char *name,
                         const struct rrs_trace_dir_usage *usage)
{
    char text[TEXT_SIZE];
    table_add(table, text_format_bytes(usage->disk_bytes, text));
    table_add(table, text_format_bytes(usage->file_bytes, text));
    table_add(table, name);
}

static void add_trace(struct report *report, const char *path,
                      const struct rrs_trace_dir_usage *usage)
{
    report->total.disk_bytes += usage->disk_bytes;
    report->total.file_bytes += usage->file_bytes;
    if (report->table) {
        add_to_table(report->table, trace_name(path), usage);
        return;
    }
    json_open_object(report->json, NULL);
    json_string(report->json, "name", trace_name(path));
    json_string(report->json, "path", path);
    json_number(report->json, "disk_bytes", usage->disk_bytes);
    json_number(report->json, "file_bytes", usage->file_bytes);
    json_close_object(report->json);
}

static struct rrs_error *measure_all(struct report *report)
{
    _cleanup_trace_list_ struct rrs_trace_dir_list list = {0};
    RRS_TRY(rrs_trace_dir_list(NULL, &list));
    for (size_t i = 0; i < list.n_entries; i++)
        add_trace(report, list.entries[i].path, &list.entries[i].usage);
    return NULL;
}

static struct rrs_error *measure_one(struct report *report, const char *argument)
{
    _cleanup_free_ char *path = NULL;
    struct rrs_trace_dir_usage usage;
    RRS_TRY(rrs_trace_dir_resolve(NULL, argument, &path));
    RRS_TRY(rrs_trace_dir_measure(path, &usage));
    add_trace(report, path, &usage);
    return NULL;
}

static int measure(struct report *report, int argc, char **argv)
{
    int exit_code = EXIT_OK;
    struct rrs_error *error = argc == 0 ? measure_all(report) : NULL;
    if (error)
        exit_code = print_rrs_error(error);
    for (int i = 0; i < argc; i++)
        if ((error = measure_one(report, argv[i])))
            exit_code = print_rrs_error(error);
    return exit_code;
}

static int report_json(int argc, char **argv)
{
    struct json json = {.stream = stdout};
    struct report report = {.json = &json};
    json_open_object(&json, NULL);
    json_open_array(&json, "traces");
    int exit_code = measure(&report, argc, argv);
    json_close_array(&json);
    json_number(&json, "disk_bytes", report.total.disk_bytes);
    json_number(&json, "file_bytes", report.total.file_bytes);
    json_close_object(&json);
    return exit_code;
}

static int report_table(int argc, char **argv)
{
    struct report report = {.table = table_create("rrl")};
    if (!report.table)
        return print_rrs_error(rrs_error_no_memory());
    table_add(report.table, "DISK");
    table_add(report.table, "FILES");
    table_add(report.table, "NAME");
    int exit_code = measure(&report, argc, argv);
    add_to_table(report.table, "total", &report.total);
    if (!table_print(report.table))
        exit_code = print_rrs_error(rrs_error_no_memory());
    table_destroy(report.table);
    return exit_code;
}

int command_du(int argc, char **argv)
{
    bool json = false;
    const struct option_row options[] = {
        {"json", 0, OPTION_FLAG, NULL, "print a JSON object", &json},
        {0},
    };
    const struct usage usage = {
        .command = "du",
        .arguments = "[TRACE]...",
        .description = "Shows the disk space that traces use and the length of their files; files\n"
                       "have holes, so the two differ. Default: all traces.\n"
                       "TRACE is a name that 'rrsoft ls' shows or a path (with a '/').\n",
        .arguments_max = -1,
        .options = options,
    };
    int exit_code;
    if (!options_parse(&usage, &argc, argv, &exit_code))
        return exit_code;
    return json ? report_json(argc, argv) : report_table(argc, argv);
}
