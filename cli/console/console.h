/* SPDX-License-Identifier: MIT */
/*
 * `rrsoft console`: looking at a recording by typed commands, without gdb. What stands here is what
 * its files share: the state, and the commands, which are rows of the table in commands.c.
 */
#ifndef RRS_CLI_CONSOLE_CONSOLE_H
#define RRS_CLI_CONSOLE_CONSOLE_H

#include "cli/trace.h"
#include "engine/replay/timeline.h"
#include "lmdb-store/error.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct symbols;

/* A breakpoint or a watchpoint, by the number that a person deletes it by. */
struct console_stop {
    unsigned number;
    rrs_addr address;
    uint64_t bytes;    /* 0: a breakpoint */
    uint8_t *contents; /* of a watchpoint, as they were when the last movement began */
    char *text;        /* as it was typed */
};

/* How `x` shows memory, which stays for the next one. */
struct console_format {
    char letter; /* x d u o t c f a s i */
    unsigned bytes;
    rrs_addr next;
};

struct console {
    struct rrs_timeline *timeline;
    struct opened_trace *trace; /* without a reader of its own: that of the timeline */
    pid_t tid;                  /* the task that is looked at */
    struct symbols *symbols;
    struct console_stop *stops;
    size_t n_stops;
    unsigned last_number;
    struct console_format format;
    uint64_t moving_since_ns;
    bool shows_progress; /* there is a terminal to show it on */
    bool has_progress;   /* something is shown there now */
    bool finished;
    volatile sig_atomic_t interrupted;
};

/* What a command's argument is completed with. */
enum completion { COMPLETE_NOTHING, COMPLETE_SYMBOL, COMPLETE_COMMAND, COMPLETE_PLACE };

struct console_command {
    const char *name, *short_name; /* the latter may be NULL */
    const char *arguments, *help;
    enum completion completion;
    /* `rest` is what stands behind the name, without blanks around it. */
    struct rrs_error *(*run)(struct console *console, const char *rest);
};

/** The table, ended by a row without a name. */
const struct console_command *console_commands(void);

/** Carries out a line; an empty one and a comment ("# ...") are nothing. Errors: USAGE if it cannot
 * be understood, and those of what it does. */
RRS_MUST_CHECK struct rrs_error *console_run_line(struct console *console, const char *line);

/** Reads commands until there are no more: at a prompt if standard input is a terminal. Returns how
 * many of them failed. */
unsigned console_read_commands(struct console *console);

/** Whether a long listing or search is to end, because of Ctrl-C or because nobody reads it. */
bool console_is_interrupted(const struct console *console);

/** For struct rrs_timeline_options; `context` is the console. */
void console_progress(void *context, uint64_t done, uint64_t total);

/** Chooses the task to look at: `tid` if it is alive here, else the one that runs, else the first.
 */
RRS_MUST_CHECK struct rrs_error *console_choose_task(struct console *console, pid_t tid);

/* Forgets all breakpoints and watchpoints. */
void console_stops_deinit(struct console *console);

/** Keeps the contents of watched memory, as a movement begins. */
void console_stops_remember(struct console *console);

/** Says which breakpoint or watchpoint it was, and what changed. */
void console_stops_print(struct console *console, const struct rrs_stop *stop,
                         enum rrs_direction direction);

/** Prints the position and the instruction there. */
RRS_MUST_CHECK struct rrs_error *console_print_place(struct console *console);

/** Prints `count` instructions from `address` on, the current one marked; *next is behind them.
 * Errors: NOT_FOUND: no memory there. */
RRS_MUST_CHECK struct rrs_error *console_print_instructions(struct console *console,
                                                            rrs_addr address, uint64_t count,
                                                            rrs_addr *next);

/* Every command: moving.c, stops.c, looking.c, memory.c, find.c, disassembly.c, backtrace.c. */
#define CONSOLE_COMMANDS(X) \
    X(when)                 \
    X(seek)                 \
    X(step)                 \
    X(back)                 \
    X(continue)             \
    X(continue_back)        \
    X(break)                \
    X(watch)                \
    X(delete)               \
    X(stops)                \
    X(events)               \
    X(ps)                   \
    X(task)                 \
    X(regs)                 \
    X(maps)                 \
    X(examine)              \
    X(find)                 \
    X(disassemble)          \
    X(backtrace)

#define X(name) struct rrs_error *console_##name(struct console *console, const char *rest);
CONSOLE_COMMANDS(X)
#undef X

#endif
