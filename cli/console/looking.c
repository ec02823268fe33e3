/* SPDX-License-Identifier: MIT */
/* `events`, `ps`, `task`, `maps`: what is in the recording, here. */
#include "cli/console/words.h"
#include "cli/decode.h"
#include "cli/output.h"
#include "cli/text.h"
#include "lmdb-store/scope.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

bool console_is_interrupted(const struct console *console)
{
    return console->interrupted || output_failed();
}

static struct rrs_error *print_event(struct decoder *decoder, const struct rrs_event *event,
                                     bool is_next)
{
    printf("%s %" PRIu64 "  %" PRIu64 "  %7" PRId32 "  ", is_next ? "=>" : "  ", event->number,
           event->tick, event->task);
    struct rrs_error *error = decode_text(decoder, event, stdout);
    putchar('\n');
    return error;
}

static struct rrs_error *print_events(struct console *console, uint64_t first, uint64_t count,
                                      uint64_t next)
{
    struct rrs_event_cursor *cursor;
    const struct rrs_event *event;
    struct decoder decoder;
    RRS_TRY(rrs_event_cursor_create(console->trace->log, NULL, &cursor));
    decoder_init(&decoder, console->trace);
    struct rrs_error *error = rrs_event_cursor_seek_number(cursor, first, &event);
    for (uint64_t i = 0; !error && event && i < count && !console_is_interrupted(console); i++) {
        error = print_event(&decoder, event, event->number == next);
        if (!error)
            error = rrs_event_cursor_next(cursor, &event);
    }
    decoder_deinit(&decoder);
    rrs_event_cursor_destroy(cursor);
    return error;
}

struct rrs_error *console_events(struct console *console, const char *rest)
{
    enum { COUNT = 20 };
    struct rrs_position here;
    uint64_t first, count;
    pid_t running;
    rrs_timeline_position(console->timeline, &here, &running);
    RRS_TRY(expression_take(console, &rest, here.event > COUNT / 2 ? here.event - COUNT / 2 : 1,
                            &first));
    RRS_TRY(expression_take(console, &rest, COUNT, &count));
    RRS_TRY(words_end(rest));
    return print_events(console, first, count, here.event);
}

struct rrs_error *console_ps(struct console *console, const char *rest)
{
    _cleanup_free_ struct rrs_timeline_task *tasks = NULL;
    size_t n_tasks;
    RRS_TRY(words_end(rest));
    RRS_TRY(rrs_timeline_tasks(console->timeline, &tasks, &n_tasks));
    printf("     task  process   parent  program\n");
    for (size_t i = 0; i < n_tasks; i++) {
        _cleanup_free_ char *name = text_escape(tasks[i].name, strnlen(tasks[i].name, 64));
        printf("%c %7d  %7d  %7d  %s%s\n", tasks[i].tid == console->tid ? '*' : ' ', tasks[i].tid,
               tasks[i].tgid, tasks[i].parent, name ? name : "",
               tasks[i].running ? "  (running)" : "");
    }
    return NULL;
}

struct rrs_error *console_choose_task(struct console *console, pid_t tid)
{
    _cleanup_free_ struct rrs_timeline_task *tasks = NULL;
    size_t n_tasks;
    pid_t running = 0, first = 0, wanted = 0;
    RRS_TRY(rrs_timeline_tasks(console->timeline, &tasks, &n_tasks));
    for (size_t i = n_tasks; i-- > 0;) {
        first = tasks[i].tid;
        running = tasks[i].running ? tasks[i].tid : running;
        wanted = tasks[i].tid == tid ? tid : wanted;
    }
    console->tid = wanted ? wanted : running ? running : first;
    return NULL;
}

struct rrs_error *console_task(struct console *console, const char *rest)
{
    uint64_t tid;
    pid_t before = console->tid;
    RRS_TRY(expression_take(console, &rest, 0, &tid));
    RRS_TRY(words_end(rest));
    RRS_TRY(console_choose_task(console, tid <= INT32_MAX ? (pid_t)tid : 0));
    if (tid && console->tid != (pid_t)tid) {
        console->tid = before;
        return rrs_error_create(RRS_ERROR_NOT_FOUND, "task %" PRIu64 " is not alive here", tid);
    }
    return console_print_place(console);
}

struct rrs_error *console_maps(struct console *console, const char *rest)
{
    struct rrs_timeline_mapping *mappings;
    size_t n_mappings;
    RRS_TRY(words_end(rest));
    RRS_TRY(rrs_timeline_mappings(console->timeline, console->tid, &mappings, &n_mappings));
    for (size_t i = 0; i < n_mappings && !console_is_interrupted(console); i++) {
        const struct rrs_timeline_mapping *map = &mappings[i];
        _cleanup_free_ char *path = text_escape(map->path, strlen(map->path));
        printf("0x%012" PRIx64 "-0x%012" PRIx64 " %c%c%c%c %8" PRIx64 " %s\n", map->start, map->end,
               map->prot & PROT_READ ? 'r' : '-', map->prot & PROT_WRITE ? 'w' : '-',
               map->prot & PROT_EXEC ? 'x' : '-', map->shared ? 's' : 'p',
               map->path[0] == '/' ? map->file_offset : 0, path ? path : "");
    }
    rrs_timeline_free_mappings(mappings, n_mappings);
    return NULL;
}
