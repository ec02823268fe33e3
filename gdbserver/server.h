/* SPDX-License-Identifier: MIT */
/*
 * The state of the server, and what its files ask of each other. One server serves one timeline to
 * one gdb at a time; what belongs to the recording outlives a connection, what belongs to the
 * conversation does not.
 *
 * gdb sees one process of the recording at a time, the one in `pid`; `attach PID`, `rrsoft switch`
 * and following a fork choose another. Only that process is stopped for; others that gdb is
 * attached to can be looked at.
 */
#ifndef RRS_GDBSERVER_SERVER_H
#define RRS_GDBSERVER_SERVER_H

#include "engine/replay/timeline.h"
#include "gdbserver/arguments.h"
#include "gdbserver/attached.h"
#include "gdbserver/breakpoints.h"
#include "gdbserver/buffer.h"
#include "gdbserver/errand.h"
#include "gdbserver/gdbserver.h"
#include "gdbserver/lineage.h"
#include "gdbserver/link.h"
#include "gdbserver/registers.h"
#include "gdbserver/task_names.h"

#include <stdbool.h>
#include <stdint.h>

enum { OPEN_FILES_MAX = 32, SIGNALS_MAX = 192, SYSCALLS_MAX = 1024 };

/* What this gdb has said about itself (qSupported). */
struct client {
    bool multiprocess;
    bool fork_events, vfork_events, exec_events;
    bool error_messages; /* E.TEXT is understood */
};

struct trial {
    bool on;
    bool has_run;   /* since the registers were last those of the beginning */
    bool is_over;   /* unless gdb goes on writing: it puts strings for a call into memory */
    bool announced; /* its beginning was said, so its end is, too */
    pid_t tid;
    struct user_regs_struct regs; /* at the beginning */
};

/* The event that gdb was stopped for: going on from there does not stop for it again. */
struct event_stop {
    uint64_t event; /* 0: none */
    struct rrs_position position;
    bool behind;         /* gdb was stopped behind it, where it is not met again going on */
    bool returns;        /* of a system call: its return is reported, not its entry */
    bool return_is_next; /* its entry was reported, its return is still to be */
};

struct rrs_gdbserver {
    struct rrs_gdbserver_options options;
    struct rrs_timeline *timeline;
    struct link link;
    struct buffer reply;
    struct client client;
    pid_t pid; /* the process that gdb sees; 0: none is left */
    struct attached attached;
    pid_t tid;        /* what g, m and so on are about: gdb's Hg */
    pid_t resume_tid; /* gdb's Hc; 0: any */
    pid_t resume_pid; /* its process, which gdb does not repeat for each bc and bs; 0: not said */
    struct rrs_stop stop;
    enum rrs_direction direction; /* of the last movement */
    struct breakpoints breakpoints;
    struct errand errand;
    struct trial trial;
    struct register_layout registers; /* of this recording's CPU; .known once one was read */
    struct buffer messages;           /* to be said when gdb can be told */
    int files[OPEN_FILES_MAX];        /* -1: free */
    bool passes_signal[SIGNALS_MAX];  /* by gdb's number: do not stop for it */
    bool thread_events;               /* stop for new threads */
    bool catches_syscalls, catches_some_syscalls;
    bool catches_syscall[SYSCALLS_MAX];
    struct rrs_event_log *log; /* of the trace, made when first needed */
    struct rrs_event_cursor *cursor;
    struct lineage lineage;
    struct task_names task_names;
    struct event_stop event_stop;
    bool program_changed; /* the stop reply is about that; `held` is told at the next resume */
    bool holds_stop;
    struct rrs_stop held;
    pid_t vfork_parent; /* gdb knows that it waits for its child; 0: none */
    bool vfork_is_over; /* the next stop reply tells */
    bool moving;        /* a movement is under way, in answer to a resume packet */
    bool call_begins;   /* the last object read was all of the signal information: gdb calls a
                           function */
    bool talking;       /* a monitor command is being answered */
    bool leaving;       /* the conversation is over */
    struct rrs_position stuck_at; /* see soften_end() in moving.c */
    bool stopped_softly;
    bool finished; /* the server is to end, not to wait for another gdb */
    uint64_t moving_since_ns, said_ns;
};

typedef struct rrs_gdbserver server;

typedef struct rrs_error *(*packet_handler)(server *server, const struct arguments *arguments);

/* --- replies: what a handler leaves in server->reply is sent when it returns --- */

void reply_ok(server *server);

/** "E01": refused, for a reason that gdb has words of its own for. */
void reply_refuse(server *server);

/** Prints a line on gdb's console: now, if gdb waits for a resume or a `monitor` packet; else when
 * it does so the next time. */
void say(server *server, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Prints what waits to be said; gdb must be able to take it. */
void say_waiting(server *server);

/** Says it, as a one-line message, and frees it. */
void say_error(server *server, struct rrs_error *error);

/* --- threads (threads.c) --- */

/** Whether `tid` is a task of the process that gdb sees, here and now. */
bool thread_exists(server *server, pid_t tid);

/** The name of a task that is alive here. Borrowed until the next call. */
const char *thread_name(server *server, const struct rrs_timeline_task *task);

/** A task of that process: the one that runs, else the last one given, else the first; 0: none. */
pid_t thread_choose(server *server, pid_t preferred);

/** Whether the process that gdb sees exists here. */
bool process_is_here(server *server);

/** Shows gdb another process, one that is alive here; 0: the one that is about to run. */
RRS_MUST_CHECK struct rrs_error *process_choose(server *server, pid_t pid);

/** As process_choose(), and goes to where the process begins if it is not alive here. */
RRS_MUST_CHECK struct rrs_error *process_find(server *server, pid_t pid);

void reply_thread_id(server *server, pid_t tid);
void add_thread_id(const server *server, struct buffer *buffer, pid_t pid, pid_t tid);

/* --- stopping (stop_reply.c, resume.c) --- */

/** Puts the T packet for server->stop into the reply. */
RRS_MUST_CHECK struct rrs_error *reply_stop(server *server);

/** As reply_stop(), but says nothing of another program. */
RRS_MUST_CHECK struct rrs_error *reply_stop_only(server *server);

/** Whether the process that gdb is stopped for executes another program than gdb knows of: then the
 * next stop reply says that, and gdb knows. */
bool stop_reply_changes_program(server *server);

/** Ends a trial, if one is under way, and says so. */
void trial_drop(server *server, const char *why);

/** Begins a trial, if none is under way; for what is about to be written. */
RRS_MUST_CHECK struct rrs_error *trial_need(server *server);

/** To be called behind each write of registers: a trial that is back where it began is over. */
void trial_check(server *server);

/** Ends what is over; to be called in front of each packet but those that gdb sends between a call
 * and the writes that belong to the next one. */
void trial_settle(server *server);

/** To be called in front of a movement: ends a trial for a call that gdb never made, because there
 * was an error in its other arguments. */
void trial_abandon(server *server);

#endif
