/* SPDX-License-Identifier: MIT */
/* Breakpoints and watchpoints, under the numbers that a person knows them by. */
#include "cli/console/symbols.h"
#include "cli/console/words.h"
#include "lmdb-store/scope.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WATCH_MAX_BYTES = 1 << 20, SHOWN_BYTES = 16 };

static void withdraw(struct console *console, const struct console_stop *stop)
{
    if (stop->bytes)
        rrs_timeline_remove_watchpoint(console->timeline, stop->address, stop->bytes,
                                       RRS_WATCH_WRITE);
    else
        rrs_timeline_remove_breakpoint(console->timeline, stop->address);
}

static void release(struct console_stop *stop)
{
    free(stop->contents);
    free(stop->text);
}

void console_stops_deinit(struct console *console)
{
    for (size_t i = 0; i < console->n_stops; i++)
        release(&console->stops[i]);
    free(console->stops);
    console->stops = NULL;
    console->n_stops = 0;
}

static struct rrs_error *place(struct console *console, const struct console_stop *stop)
{
    if (stop->bytes)
        return rrs_timeline_add_watchpoint(console->timeline, stop->address, stop->bytes,
                                           RRS_WATCH_WRITE);
    return rrs_timeline_add_breakpoint(console->timeline, stop->address, NULL, NULL);
}

static void print_stop(struct console *console, const struct console_stop *stop)
{
    char text[SYMBOL_TEXT_BYTES];
    if (stop->bytes)
        printf("watchpoint %u: %s, %" PRIu64 " bytes at 0x%" PRIx64 "\n", stop->number, stop->text,
               stop->bytes, stop->address);
    else
        printf("breakpoint %u: %s, at 0x%" PRIx64 " %s\n", stop->number, stop->text, stop->address,
               symbols_line(console, stop->address, text) ? text : "");
}

/* Takes over stop->text and stop->contents, also on failure. */
static struct rrs_error *add(struct console *console, struct console_stop stop)
{
    struct console_stop *stops =
        realloc(console->stops, (console->n_stops + 1) * sizeof *console->stops);
    if (stops)
        console->stops = stops;
    bool complete = stops && stop.text && (!stop.bytes || stop.contents);
    struct rrs_error *error = complete ? place(console, &stop) : rrs_error_no_memory();
    if (error) {
        release(&stop);
        return error;
    }
    stop.number = ++console->last_number;
    console->stops[console->n_stops++] = stop;
    print_stop(console, &stop);
    return NULL;
}

struct rrs_error *console_break(struct console *console, const char *rest)
{
    struct user_regs_struct regs = {0};
    const char *text = *rest ? rest : "$pc";
    struct console_stop stop = {0};
    uint8_t byte;
    if (!*rest)
        RRS_TRY(rrs_timeline_get_regs(console->timeline, console->tid, &regs));
    stop.address = regs.rip;
    RRS_TRY(expression_take(console, &rest, regs.rip, &stop.address));
    RRS_TRY(words_end(rest));
    if (rrs_timeline_read(console->timeline, console->tid, stop.address, &byte, 1) != 1)
        return rrs_error_create(RRS_ERROR_NOT_FOUND, "no memory at 0x%" PRIx64, stop.address);
    stop.text = strdup(text);
    return add(console, stop);
}

/* Of what a symbol names as many bytes as it has, unless a number says how many. */
struct rrs_error *console_watch(struct console *console, const char *rest)
{
    char word[WORD_BYTES];
    uint64_t symbol_bytes;
    struct console_stop stop = {0};
    if (!word_take(&rest, word))
        return rrs_error_create(RRS_ERROR_USAGE, "say what: a symbol, or an address and how many "
                                                 "bytes");
    RRS_TRY(expression_evaluate(console, word, &stop.address, &symbol_bytes));
    RRS_TRY(expression_take(console, &rest, symbol_bytes ? symbol_bytes : 8, &stop.bytes));
    RRS_TRY(words_end(rest));
    if (stop.bytes == 0 || stop.bytes > WATCH_MAX_BYTES)
        return rrs_error_create(RRS_ERROR_USAGE, "1 to %d bytes can be watched", WATCH_MAX_BYTES);
    stop.text = strdup(word);
    stop.contents = calloc(1, stop.bytes);
    return add(console, stop);
}

static void delete_at(struct console *console, size_t i)
{
    withdraw(console, &console->stops[i]);
    release(&console->stops[i]);
    memmove(&console->stops[i], &console->stops[i + 1],
            (--console->n_stops - i) * sizeof *console->stops);
}

/* Two stops may be of one place, which the timeline knows once. */
static struct rrs_error *place_all(struct console *console)
{
    for (size_t i = 0; i < console->n_stops; i++)
        RRS_TRY(place(console, &console->stops[i]));
    return NULL;
}

struct rrs_error *console_delete(struct console *console, const char *rest)
{
    uint64_t number;
    if (!*rest) {
        while (console->n_stops > 0)
            delete_at(console, console->n_stops - 1);
        return NULL;
    }
    RRS_TRY(expression_take(console, &rest, 0, &number));
    RRS_TRY(words_end(rest));
    for (size_t i = 0; i < console->n_stops; i++)
        if (console->stops[i].number == number) {
            delete_at(console, i);
            return place_all(console);
        }
    return rrs_error_create(RRS_ERROR_NOT_FOUND, "no breakpoint or watchpoint %" PRIu64, number);
}

struct rrs_error *console_stops(struct console *console, const char *rest)
{
    RRS_TRY(words_end(rest));
    for (size_t i = 0; i < console->n_stops; i++)
        print_stop(console, &console->stops[i]);
    return NULL;
}

void console_stops_remember(struct console *console)
{
    for (size_t i = 0; i < console->n_stops; i++) {
        struct console_stop *stop = &console->stops[i];
        if (stop->bytes)
            rrs_timeline_read(console->timeline, console->tid, stop->address, stop->contents,
                              stop->bytes);
    }
}

/* A number if it can be one, else the first bytes. */
static void print_contents(const uint8_t *contents, uint64_t bytes)
{
    uint64_t value = 0;
    if (bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8) {
        memcpy(&value, contents, bytes);
        printf("0x%" PRIx64 " (%" PRId64 ")", value,
               (int64_t)(value << (64 - 8 * bytes)) >> (64 - 8 * bytes));
        return;
    }
    for (uint64_t i = 0; i < bytes && i < SHOWN_BYTES; i++)
        printf("%s%02x", i ? " " : "", contents[i]);
    if (bytes > SHOWN_BYTES)
        printf(" ...");
}

/* Nothing but this write changed it since the movement began, so the other value is known. */
static void print_change(struct console *console, const struct console_stop *stop,
                         enum rrs_direction direction)
{
    _cleanup_free_ uint8_t *here = calloc(1, stop->bytes);
    if (!here)
        return;
    rrs_timeline_read(console->timeline, console->tid, stop->address, here, stop->bytes);
    bool forward = direction == RRS_FORWARD;
    printf("watchpoint %u: %s: ", stop->number, stop->text);
    print_contents(forward ? stop->contents : here, stop->bytes);
    printf(" -> ");
    print_contents(forward ? here : stop->contents, stop->bytes);
    putchar('\n');
}

void console_stops_print(struct console *console, const struct rrs_stop *stop,
                         enum rrs_direction direction)
{
    struct rrs_position here;
    pid_t running;
    rrs_timeline_position(console->timeline, &here, &running);
    for (size_t i = 0; i < console->n_stops; i++) {
        const struct console_stop *own = &console->stops[i];
        bool watches = own->bytes != 0;
        if (watches != (stop->reason == RRS_STOP_WATCHPOINT) ||
            own->address != (watches ? stop->watch_address : here.pc))
            continue;
        if (watches)
            print_change(console, own, direction);
        else
            printf("breakpoint %u: %s\n", own->number, own->text);
    }
}
