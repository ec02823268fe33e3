/* SPDX-License-Identifier: MIT */
/* `rrsoft check`: reads everything in a trace, and prints each damage found. It repairs nothing. */
#include "cli/command.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/text.h"
#include "cli/trace.h"
#include "lmdb-store/scope.h"
#include "lmdb-store/trace_check.h"

#include <inttypes.h>
#include <string.h>

/* Where the findings go. */
struct findings {
    struct json *json; /* NULL: for people */
    uint64_t count;
};

static void print_finding(void *context, const struct rrs_error *error)
{
    struct findings *findings = context;
    findings->count++;
    if (findings->json) {
        json_open_object(findings->json, NULL);
        json_string(findings->json, "cause", rrs_error_code_name(error->code));
        json_string(findings->json, "message", error->message);
        if (error->key)
            json_string(findings->json, "key", error->key);
        json_close_object(findings->json);
        return;
    }
    _cleanup_free_ char *message = text_escape(error->message, strlen(error->message));
    printf("%s\n", message ? message : "damaged");
}

/* Opens the trace; damage that prevents that is a finding too, and not an error of the command. */
static struct rrs_error *open_or_find(const char *argument, struct opened_trace *trace,
                                      struct rrs_error **damage)
{
    struct rrs_error *error = trace_open(argument, trace);
    if (!error || !trace->path || error->code != RRS_ERROR_BAD_TRACE)
        return error;
    *damage = error;
    return NULL;
}

/* Takes `damage`, which may be NULL. */
static struct rrs_error *read_all(struct opened_trace *trace, struct rrs_error *damage,
                                  struct findings *findings, struct rrs_trace_check_report *report)
{
    if (!damage)
        return rrs_trace_check(trace->reader, print_finding, findings, report);
    print_finding(findings, damage);
    rrs_error_destroy(damage);
    return NULL;
}

static int check_json(struct opened_trace *trace, struct rrs_error *damage)
{
    struct json json = {.stream = stdout};
    struct findings findings = {.json = &json};
    struct rrs_trace_check_report report = {0};
    json_open_object(&json, NULL);
    json_string(&json, "path", trace->path);
    json_open_array(&json, "damages");
    struct rrs_error *error = read_all(trace, damage, &findings, &report);
    json_close_array(&json);
    json_bool(&json, "sound", !error && findings.count == 0);
    json_number(&json, "events", report.n_events);
    json_number(&json, "frames", report.n_frames);
    json_number(&json, "blobs", report.n_blobs);
    json_number(&json, "blob_bytes", report.blob_bytes);
    json_number(&json, "chunks", report.n_chunks);
    json_number(&json, "checkpoints", report.n_checkpoints);
    json_number(&json, "pages", report.n_pages);
    json_close_object(&json);
    if (error)
        return print_rrs_error(error);
    return findings.count == 0 ? EXIT_OK : EXIT_FAILED;
}

static void print_count(const char *before, uint64_t count, const char *noun)
{
    printf("%s%" PRIu64 " %s%s", before, count, noun, count == 1 ? "" : "s");
}

static void print_sound(const char *path, const struct rrs_trace_check_report *report)
{
    char bytes[TEXT_SIZE];
    _cleanup_free_ char *name = text_escape(path, strlen(path));
    printf("%s: sound", name ? name : "");
    print_count(": ", report->n_events, "event");
    print_count(" in ", report->n_frames, "frame");
    print_count(", ", report->n_blobs, "blob");
    printf(" (%s)", text_format_bytes(report->blob_bytes, bytes));
    print_count(", ", report->n_checkpoints, "checkpoint");
    print_count(" (", report->n_pages, "page");
    printf(")\n");
}

static int check_for_people(struct opened_trace *trace, struct rrs_error *damage)
{
    struct findings findings = {0};
    struct rrs_trace_check_report report = {0};
    struct rrs_error *error = read_all(trace, damage, &findings, &report);
    if (error)
        return print_rrs_error(error);
    if (findings.count == 0) {
        print_sound(trace->path, &report);
        return EXIT_OK;
    }
    print_error("%s: damaged in %" PRIu64 " %s", trace->path, findings.count,
                findings.count == 1 ? "place" : "places");
    return EXIT_FAILED;
}

int command_check(int argc, char **argv)
{
    bool json = false;
    const struct option_row options[] = {
        {"json", 0, OPTION_FLAG, NULL, "print a JSON object", &json},
        {0},
    };
    const struct usage usage = {
        .command = "check",
        .arguments = "[TRACE]",
        .description =
            "Reads all of a trace (every event, blob and page), compares the checksums, and\n"
            "prints one line per damage. Exit status: 0 if the trace is sound, else "
            "1.\n" TRACE_HELP,
        .arguments_max = 1,
        .options = options,
    };
    int exit_code;
    if (!options_parse(&usage, &argc, argv, &exit_code))
        return exit_code;
    _cleanup_trace_ struct opened_trace trace;
    struct rrs_error *damage = NULL;
    struct rrs_error *error = open_or_find(argc > 0 ? argv[0] : NULL, &trace, &damage);
    if (error)
        return print_rrs_error(error);
    return json ? check_json(&trace, damage) : check_for_people(&trace, damage);
}
