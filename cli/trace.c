/* SPDX-License-Identifier: MIT */
/* Finding and opening traces for commands, and what several commands say about them. */
#include "cli/trace.h"

#include "cli/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rrs_error *trace_open(const char *argument, struct opened_trace *trace)
{
    memset(trace, 0, sizeof *trace);
    rrs_metadata_init(&trace->metadata);
    RRS_TRY(rrs_trace_dir_resolve(NULL, argument, &trace->path));
    RRS_TRY(rrs_trace_reader_open(trace->path, &trace->reader));
    RRS_TRY(rrs_trace_reader_metadata(trace->reader, &trace->metadata));
    RRS_TRY(rrs_event_log_create(trace->reader, &trace->log));
    return rrs_event_log_bounds(trace->log, &trace->bounds);
}

void trace_close(struct opened_trace *trace)
{
    rrs_event_log_destroy(trace->log);
    rrs_metadata_deinit(&trace->metadata);
    rrs_trace_reader_destroy(trace->reader);
    free(trace->path);
}

const char *trace_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

const char *trace_kind_name(const struct rrs_metadata *metadata, uint16_t event_kind)
{
    const struct rrs_string_list *names = &metadata->event_kinds;
    return event_kind < names->n_items && names->items[event_kind][0] ? names->items[event_kind]
                                                                      : NULL;
}

static int describe_signal(char **text, int signal)
{
    const char *name = sigabbrev_np(signal);
    return name ? asprintf(text, "killed by SIG%s", name)
                : asprintf(text, "killed by signal %d", signal);
}

char *trace_describe_end(const struct rrs_trace_end *end)
{
    char *text = NULL;
    int length;
    if (end->end_kind == RRS_TRACE_END_EXITED)
        length = asprintf(&text, "exit status %d", end->code);
    else if (end->end_kind == RRS_TRACE_END_SIGNALED)
        length = describe_signal(&text, end->code);
    else
        length = asprintf(&text, "%s", rrs_trace_end_kind_name(end->end_kind));
    return length < 0 ? NULL : text;
}

void json_trace_end(struct json *json, const char *name, const struct rrs_trace_end *end)
{
    char text[TEXT_SIZE];
    json_open_object(json, name);
    json_string(json, "kind", rrs_trace_end_kind_name(end->end_kind));
    if (end->end_kind == RRS_TRACE_END_EXITED)
        json_signed(json, "exit_status", end->code);
    if (end->end_kind == RRS_TRACE_END_SIGNALED)
        json_signed(json, "signal", end->code);
    if (end->wall_ns)
        json_string(json, "time", text_format_iso(end->wall_ns, text));
    if (end->detail[0])
        json_string(json, "detail", end->detail);
    json_close_object(json);
}

void json_string_list(struct json *json, const char *name, const struct rrs_string_list *list)
{
    json_open_array(json, name);
    for (size_t i = 0; i < list->n_items; i++)
        json_string(json, NULL, list->items[i]);
    json_close_array(json);
}
