/* SPDX-License-Identifier: MIT */
#include "cli/selection.h"

#include "cli/output.h"
#include "cli/suggest.h"

#include <inttypes.h>
#include <string.h>

bool selection_check(const char *command, const struct selection *selection)
{
    if (!selection->to.given || selection->from.value <= selection->to.value)
        return true;
    print_error("%s: --from %" PRIu64 " lies after --to %" PRIu64, command, selection->from.value,
                selection->to.value);
    return false;
}

static struct rrs_error *unknown_kind(const char *command, const struct rrs_metadata *metadata,
                                      const char *text)
{
    const char *nearest = NULL;
    unsigned best_distance = 0;
    for (size_t i = 0; i < metadata->event_kinds.n_items; i++)
        if (suggest_is_nearer(text, metadata->event_kinds.items[i], &best_distance))
            nearest = metadata->event_kinds.items[i];
    if (nearest)
        return rrs_error_create(RRS_ERROR_USAGE,
                                "%s: no kind '%s' in this trace; did you mean '%s'?", command, text,
                                nearest);
    return rrs_error_create(RRS_ERROR_USAGE, "%s: no kind '%s' in this trace; see 'rrsoft info'",
                            command, text);
}

static struct rrs_error *parse_kind(const char *command, const struct rrs_metadata *metadata,
                                    const char *text, uint16_t *event_kind)
{
    for (size_t i = 0; i < metadata->event_kinds.n_items && i <= UINT16_MAX; i++) {
        if (*text && strcmp(metadata->event_kinds.items[i], text) == 0) {
            *event_kind = i;
            return NULL;
        }
    }
    uint64_t number;
    if (!options_parse_number(text, &number) || number > UINT16_MAX)
        return unknown_kind(command, metadata, text);
    *event_kind = number;
    return NULL;
}

struct rrs_error *selection_open(const char *command, const struct selection *selection,
                                 const struct opened_trace *trace, struct rrs_event_cursor **cursor)
{
    struct rrs_event_filter filter = {0};
    if (selection->task.given) {
        if (selection->task.value > INT32_MAX)
            return rrs_error_create(RRS_ERROR_USAGE, "%s: --task %" PRIu64 " is no task id",
                                    command, selection->task.value);
        filter.has_task = true;
        filter.task = selection->task.value;
    }
    if (selection->kind) {
        RRS_TRY(parse_kind(command, &trace->metadata, selection->kind, &filter.event_kind));
        filter.has_kind = true;
    }
    return rrs_event_cursor_create(trace->log, &filter, cursor);
}

/* The event itself, or NULL if it lies behind the last one that was asked for. */
static const struct rrs_event *within(const struct selection *selection,
                                      const struct rrs_event *event)
{
    bool behind = event && selection->to.given && event->number > selection->to.value;
    return behind ? NULL : event;
}

struct rrs_error *selection_first(const struct selection *selection,
                                  struct rrs_event_cursor *cursor, const struct rrs_event **event)
{
    const struct rrs_event *found = NULL;
    uint64_t from = selection->from.value;
    if (selection->tick.given)
        RRS_TRY(rrs_event_cursor_seek_tick(cursor, selection->tick.value, &found));
    if (!selection->tick.given || (found && found->number < from))
        RRS_TRY(rrs_event_cursor_seek_number(cursor, from, &found));
    *event = within(selection, found);
    return NULL;
}

struct rrs_error *selection_next(const struct selection *selection, struct rrs_event_cursor *cursor,
                                 const struct rrs_event **event)
{
    RRS_TRY(rrs_event_cursor_next(cursor, event));
    *event = within(selection, *event);
    return NULL;
}
