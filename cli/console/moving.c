/* SPDX-License-Identifier: MIT */
/* Commands that go somewhere. Each ends with where it has come to, and why. */
#include "cli/console/symbols.h"
#include "cli/console/words.h"
#include "cli/options.h"
#include "cli/text.h"
#include "lmdb-store/event_log_reader.h"
#include "lmdb-store/scope.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* --- while it goes --- */

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void console_progress(void *context, uint64_t done, uint64_t total)
{
    const uint64_t show_after_ns = 1000000000;
    struct console *console = context;
    if (!console->shows_progress || total == 0 || !console->moving_since_ns ||
        now_ns() - console->moving_since_ns < show_after_ns)
        return;
    fprintf(stderr, "\r%3u %% of the way (Ctrl-C stops)", (unsigned)(100.0 * done / total));
    console->has_progress = true;
}

static void begin(struct console *console)
{
    console->moving_since_ns = now_ns();
    console_stops_remember(console);
}

static void end(struct console *console)
{
    console->moving_since_ns = 0;
    if (console->has_progress)
        fprintf(stderr, "\r\033[K");
    console->has_progress = false;
}

/* --- where it stands --- */

static struct rrs_error *event_time(struct console *console, uint64_t number, uint64_t *wall_ns)
{
    struct rrs_event_cursor *cursor;
    const struct rrs_event *event;
    RRS_TRY(rrs_event_cursor_create(console->trace->log, NULL, &cursor));
    struct rrs_error *error = rrs_event_cursor_seek_number(cursor, number, &event);
    *wall_ns = !error && event ? event->wall_ns : 0;
    rrs_event_cursor_destroy(cursor);
    return error;
}

struct rrs_error *console_when(struct console *console, const char *rest)
{
    struct rrs_position here, end;
    uint64_t wall_ns;
    pid_t running;
    char clock[TEXT_SIZE];
    RRS_TRY(words_end(rest));
    rrs_timeline_position(console->timeline, &here, &running);
    rrs_timeline_end(console->timeline, &end);
    RRS_TRY(event_time(console, here.event, &wall_ns));
    printf("tick %" PRIu64 " of %" PRIu64 ", event %" PRIu64 " of %" PRIu64, here.tick, end.tick,
           here.event, end.event);
    if (console->tid)
        printf(", task %d", console->tid);
    if (wall_ns)
        printf(", %s", text_format_clock(wall_ns, clock));
    putchar('\n');
    return NULL;
}

struct rrs_error *console_print_place(struct console *console)
{
    struct user_regs_struct regs;
    char line[SYMBOL_TEXT_BYTES];
    rrs_addr next;
    RRS_TRY(console_when(console, ""));
    if (!console->tid)
        return NULL;
    RRS_TRY(rrs_timeline_get_regs(console->timeline, console->tid, &regs));
    if (symbols_line(console, regs.rip, line))
        printf("%s\n", line);
    struct rrs_error *error = console_print_instructions(console, regs.rip, 1, &next);
    if (error) { /* a jump to nowhere is a place too */
        rrs_error_destroy(error);
        printf("=> 0x%016llx:  no memory there\n", regs.rip);
    }
    return NULL;
}

/* --- going --- */

static const char *describe(enum rrs_stop_reason reason)
{
    static const char *const texts[] = {
#define X(name, text) [RRS_STOP_##name] = text,
        RRS_STOP_REASONS(X)
#undef X
    };
    return texts[reason];
}

/* What was asked for needs no word. */
static struct rrs_error *arrive(struct console *console, const struct rrs_stop *stop,
                                enum rrs_direction direction, struct rrs_error *error)
{
    end(console);
    if (error)
        return error;
    RRS_TRY(console_choose_task(console, stop->tid));
    if (stop->reason == RRS_STOP_BREAKPOINT || stop->reason == RRS_STOP_WATCHPOINT)
        console_stops_print(console, stop, direction);
    else if (stop->reason != RRS_STOP_REACHED && stop->reason != RRS_STOP_STEPPED)
        printf("%s\n", describe(stop->reason));
    return console_print_place(console);
}

static struct rrs_error *go(struct console *console, enum rrs_direction direction, const char *rest)
{
    struct rrs_stop stop;
    RRS_TRY(words_end(rest));
    begin(console);
    struct rrs_error *error = rrs_timeline_run(console->timeline, direction, &stop);
    return arrive(console, &stop, direction, error);
}

struct rrs_error *console_continue(struct console *console, const char *rest)
{
    return go(console, RRS_FORWARD, rest);
}

struct rrs_error *console_continue_back(struct console *console, const char *rest)
{
    return go(console, RRS_BACKWARD, rest);
}

/* By instructions of the task that is looked at. */
static struct rrs_error *step(struct console *console, enum rrs_direction direction,
                              const char *rest)
{
    struct rrs_stop stop = {.reason = RRS_STOP_STEPPED};
    struct rrs_error *error = NULL;
    uint64_t count;
    RRS_TRY(expression_take(console, &rest, 1, &count));
    RRS_TRY(words_end(rest));
    begin(console);
    for (uint64_t i = 0; i < count && !error && stop.reason == RRS_STOP_STEPPED; i++)
        error = rrs_timeline_step(console->timeline, direction, console->tid, &stop);
    if (stop.reason == RRS_STOP_STEPPED)
        stop.tid = console->tid;
    return arrive(console, &stop, direction, error);
}

struct rrs_error *console_step(struct console *console, const char *rest)
{
    return step(console, RRS_FORWARD, rest);
}

struct rrs_error *console_back(struct console *console, const char *rest)
{
    return step(console, RRS_BACKWARD, rest);
}

/* "N%", "+N", "-N", "N". */
static struct rrs_error *parse_tick(struct console *console, const char *text, uint64_t *tick)
{
    struct rrs_position here, end;
    pid_t running;
    char digits[WORD_BYTES];
    uint64_t number;
    bool relative = *text == '+' || *text == '-';
    snprintf(digits, sizeof digits, "%s", text + relative);
    size_t length = strlen(digits);
    bool is_share = !relative && length > 1 && digits[length - 1] == '%';
    if (is_share)
        digits[length - 1] = '\0';
    if (!options_parse_number(digits, &number) || (is_share && number > 100))
        return rrs_error_create(RRS_ERROR_USAGE,
                                "%s%sgive a tick, 'event N', 'N%%', '+N', '-N', "
                                "'start' or 'end'",
                                text, *text ? " is no place: " : "");
    rrs_timeline_position(console->timeline, &here, &running);
    rrs_timeline_end(console->timeline, &end);
    if (is_share)
        *tick = (uint64_t)((double)end.tick / 100 * (double)number);
    else if (*text == '+')
        *tick = here.tick + number;
    else if (*text == '-')
        *tick = number < here.tick ? here.tick - number : 0;
    else
        *tick = number;
    return NULL;
}

static struct rrs_error *seek_event(struct console *console, const char *rest,
                                    struct rrs_stop *stop)
{
    uint64_t event;
    RRS_TRY(expression_evaluate(console, rest, &event, NULL));
    begin(console);
    return rrs_timeline_seek_event(console->timeline, event, stop);
}

static struct rrs_error *seek_tick(struct console *console, const char *rest, struct rrs_stop *stop)
{
    uint64_t tick;
    RRS_TRY(parse_tick(console, rest, &tick));
    begin(console);
    return rrs_timeline_seek_tick(console->timeline, tick, stop);
}

/* Behind the last event there is nobody to look at. */
static struct rrs_error *seek_end(struct console *console, struct rrs_stop *stop)
{
    struct rrs_position end;
    rrs_timeline_end(console->timeline, &end);
    begin(console);
    return rrs_timeline_seek_event(console->timeline, end.event, stop);
}

struct rrs_error *console_seek(struct console *console, const char *rest)
{
    struct rrs_stop stop;
    struct rrs_error *error;
    if (strcmp(rest, "start") == 0)
        error = seek_tick(console, "0", &stop);
    else if (strcmp(rest, "end") == 0)
        error = seek_end(console, &stop);
    else if (strncmp(rest, "event ", 6) == 0)
        error = seek_event(console, rest + 6 + strspn(rest + 6, " "), &stop);
    else
        error = seek_tick(console, rest, &stop);
    return arrive(console, &stop, RRS_FORWARD, error);
}
