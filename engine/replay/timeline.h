/* SPDX-License-Identifier: MIT */
/*
 * The timeline of a recording: where one stands in it, and every way to go somewhere else.
 *
 * A timeline stands at one position at a time. A position is the place in front of one instruction
 * execution, or of one event: (event, tick, PC), totally ordered by the first, then the second,
 * then the third. Its `event` is the number of the next event that has not happened yet.
 *
 * Everything here belongs to one thread, the one that opened the timeline (ptrace is bound to it);
 * only rrs_timeline_interrupt() may be called from elsewhere, a signal handler included.
 */
#ifndef RRS_ENGINE_REPLAY_TIMELINE_H
#define RRS_ENGINE_REPLAY_TIMELINE_H

#include "engine/tracee/ptrace.h"
#include "lmdb-store/error.h"
#include "lmdb-store/trace_reader.h"

#include <stdbool.h>
#include <stdint.h>

struct rrs_timeline;

struct rrs_position {
    uint64_t event; /* the next one */
    uint64_t tick;  /* retired so far */
    rrs_addr pc;    /* app PC of the current task */
};

/** Below 0, 0 or above 0, as `a` lies before, at or behind `b`. */
int rrs_position_compare(const struct rrs_position *a, const struct rrs_position *b);

struct rrs_timeline_options {
    bool echo;     /* what the program wrote to stdout and stderr goes there again, going forward */
    bool checksum; /* compare the recorded hashes of registers and memory */
    uint64_t checkpoint_bytes; /* memory for automatic checkpoints; 0: a default */
    void (*warn)(void *context, const char *message);
    /* A long operation is at `done` of `total` ticks. Called several times a second. */
    void (*progress)(void *context, uint64_t done, uint64_t total);
    void *context;
};

/**
 * Opens the recording in directory `path`, standing at its beginning: in front of the first
 * instruction of the first program. Errors: those of rrs_trace_reader_open(); UNSUPPORTED if this
 * machine cannot run it (the message names what is missing).
 */
RRS_MUST_CHECK struct rrs_error *rrs_timeline_open(const char *path,
                                                   const struct rrs_timeline_options *options,
                                                   struct rrs_timeline **timeline);
/** Ends the processes that replay. NULL is fine. */
void rrs_timeline_destroy(struct rrs_timeline *timeline);

/** The trace, for its metadata, blobs and events. Borrowed. */
struct rrs_trace_reader *rrs_timeline_trace(struct rrs_timeline *timeline);

/** Where the timeline stands, and which task is about to run there (0: none, at the end). */
void rrs_timeline_position(const struct rrs_timeline *timeline, struct rrs_position *position,
                           pid_t *tid);

/** The last event's number and tick: the end of the history. */
void rrs_timeline_end(const struct rrs_timeline *timeline, struct rrs_position *end);

/* --- moving --- */

enum rrs_direction { RRS_FORWARD, RRS_BACKWARD };

/* Why a movement ended: X(NAME, "what a person reads"). */
#define RRS_STOP_REASONS(X)                    \
    X(REACHED, "the place asked for")          \
    X(STEPPED, "one instruction further")      \
    X(BREAKPOINT, "a breakpoint")              \
    X(WATCHPOINT, "a watchpoint")              \
    X(EVENT, "an event that was asked for")    \
    X(BEGIN, "the beginning of the recording") \
    X(END, "the end of the recording")         \
    X(INTERRUPTED, "interrupted")

enum rrs_stop_reason {
#define X(name, text) RRS_STOP_##name,
    RRS_STOP_REASONS(X)
#undef X
};

enum rrs_watch_kind { RRS_WATCH_WRITE = 1, RRS_WATCH_READ = 2, RRS_WATCH_ACCESS = 3 };

struct rrs_stop {
    enum rrs_stop_reason reason;
    pid_t tid;                      /* the task it is about; 0: none */
    rrs_addr watch_address;         /* WATCHPOINT: of the watched range */
    enum rrs_watch_kind watch_kind; /* WATCHPOINT: as it was asked for */
    uint16_t event_kind;            /* EVENT: see engine/events/kinds.h */
    uint64_t event;                 /* EVENT: its number */
};

/*
 * The movements. Each ends at a position where the timeline then stands, says why in `*stop`, and
 * can be interrupted. Errors: DIVERGED if the replay does not do what was recorded (the timeline
 * stays usable: it can be moved to places before); BAD_TRACE; OS.
 *
 * Going forward, a breakpoint at the position where the movement begins does not count; a stop at
 * a breakpoint is in front of its instruction. Going backward, a stop at a breakpoint is in front
 * of its instruction too. A watchpoint stops forward behind the instruction that changed the bytes,
 * and backward in front of it.
 */

/** Runs until something stops it. */
RRS_MUST_CHECK struct rrs_error *rrs_timeline_run(struct rrs_timeline *timeline,
                                                  enum rrs_direction direction,
                                                  struct rrs_stop *stop);

/**
 * One instruction of task `tid` (0: of whichever is current) forward or backward. Other tasks may
 * run meanwhile, where the recording had them do so; breakpoints and watchpoints that they meet
 * stop the movement.
 */
RRS_MUST_CHECK struct rrs_error *rrs_timeline_step(struct rrs_timeline *timeline,
                                                   enum rrs_direction direction, pid_t tid,
                                                   struct rrs_stop *stop);

/** Forward by instructions of `tid` while its PC is within [low, high). As gdb's range step. */
RRS_MUST_CHECK struct rrs_error *rrs_timeline_step_range(struct rrs_timeline *timeline, pid_t tid,
                                                         rrs_addr low, rrs_addr high,
                                                         struct rrs_stop *stop);

/** Goes to the first place with that tick (beyond the end: to the end), to the place in front of
 * that event, or exactly there. Breakpoints and watchpoints do not count. */
RRS_MUST_CHECK struct rrs_error *rrs_timeline_seek_tick(struct rrs_timeline *timeline,
                                                        uint64_t tick, struct rrs_stop *stop);
RRS_MUST_CHECK struct rrs_error *rrs_timeline_seek_event(struct rrs_timeline *timeline,
                                                         uint64_t event, struct rrs_stop *stop);
RRS_MUST_CHECK struct rrs_error *rrs_timeline_seek(struct rrs_timeline *timeline,
                                                   const struct rrs_position *position,
                                                   struct rrs_stop *stop);

/** Makes the movement under way, or else the next one, end as INTERRUPTED. Async-signal-safe. */
void rrs_timeline_interrupt(struct rrs_timeline *timeline);

/* --- what stops a run --- */

/*
 * Breakpoints and watchpoints hold in every address space. `accept` (NULL: always) is asked at each
 * hit, with the task that hit it, and may read registers and memory; false: the run goes on.
 */
typedef bool (*rrs_accept_fn)(void *context, struct rrs_timeline *timeline, pid_t tid);

/** Adding what is there replaces its `accept`; removing what is not there does nothing. */
RRS_MUST_CHECK struct rrs_error *rrs_timeline_add_breakpoint(struct rrs_timeline *timeline,
                                                             rrs_addr pc, rrs_accept_fn accept,
                                                             void *context);
void rrs_timeline_remove_breakpoint(struct rrs_timeline *timeline, rrs_addr pc);

/** Any number, of any size. */
RRS_MUST_CHECK struct rrs_error *rrs_timeline_add_watchpoint(struct rrs_timeline *timeline,
                                                             rrs_addr address, uint64_t bytes,
                                                             enum rrs_watch_kind kind);
void rrs_timeline_remove_watchpoint(struct rrs_timeline *timeline, rrs_addr address, uint64_t bytes,
                                    enum rrs_watch_kind kind);

/**
 * Events of the kinds in `kinds` (bit i: kind i of engine/events/kinds.h) stop a run in front of
 * them. `accept_event` (NULL: always) says whether this one does.
 */
void rrs_timeline_catch_events(struct rrs_timeline *timeline, uint64_t kinds,
                               bool (*accept_event)(void *context, struct rrs_timeline *timeline,
                                                    uint64_t event),
                               void *context);

/* --- looking --- */

struct rrs_timeline_task {
    pid_t tid, tgid, parent; /* as they were in the recording */
    bool running;            /* the one that the position is about */
    char name[64];           /* last component of the program's path */
};

/** The tasks that are alive here, in order of creation. The caller frees `*tasks`. */
RRS_MUST_CHECK struct rrs_error *rrs_timeline_tasks(struct rrs_timeline *timeline,
                                                    struct rrs_timeline_task **tasks,
                                                    size_t *n_tasks);

/** App registers. Errors: NOT_FOUND: no such task here. */
RRS_MUST_CHECK struct rrs_error *rrs_timeline_get_regs(struct rrs_timeline *timeline, pid_t tid,
                                                       struct user_regs_struct *regs);

/** The XSAVE image (standard form); `*bytes` says how much of `image` is filled. */
RRS_MUST_CHECK struct rrs_error *rrs_timeline_get_xstate(struct rrs_timeline *timeline, pid_t tid,
                                                         uint8_t image[RRS_XSTATE_MAX_BYTES],
                                                         size_t *bytes);

/** The last signal that the task got before this position; si_signo 0: none. */
RRS_MUST_CHECK struct rrs_error *rrs_timeline_get_siginfo(struct rrs_timeline *timeline, pid_t tid,
                                                          siginfo_t *info);

/** Reads memory of the task's address space as the program would; returns how many bytes could be
 * read from the start on. Breakpoints never show. */
size_t rrs_timeline_read(struct rrs_timeline *timeline, pid_t tid, rrs_addr address, void *buffer,
                         size_t bytes);

struct rrs_timeline_mapping {
    rrs_addr start, end; /* end is exclusive */
    int prot;            /* as the program asked for */
    bool shared;
    uint64_t file_offset; /* of `start`, if `path` names a file */
    char *path;           /* "" for anonymous memory; "[stack]", "[heap]" */
};

/** The address space in rising order. The caller ends it with rrs_timeline_free_mappings(). */
RRS_MUST_CHECK struct rrs_error *rrs_timeline_mappings(struct rrs_timeline *timeline, pid_t tid,
                                                       struct rrs_timeline_mapping **mappings,
                                                       size_t *n_mappings);
void rrs_timeline_free_mappings(struct rrs_timeline_mapping *mappings, size_t n_mappings);

/** The path of the program that the task executes. Borrowed until the next movement. */
RRS_MUST_CHECK struct rrs_error *rrs_timeline_program(struct rrs_timeline *timeline, pid_t tid,
                                                      const char **path);

/** The auxiliary vector as the program got it; `*bytes` of `auxv` are filled. */
enum { RRS_AUXV_MAX_BYTES = 1024 };
RRS_MUST_CHECK struct rrs_error *rrs_timeline_auxv(struct rrs_timeline *timeline, pid_t tid,
                                                   uint8_t auxv[RRS_AUXV_MAX_BYTES], size_t *bytes);

/**
 * A file that was mapped at any time of the recording, by the path that it had: opens an unnamed
 * file of the host with what of it is in the trace (what was never mapped reads as zeros). If it
 * had several contents in turn, those that were mapped last before this position count. The caller
 * closes `*fd`. Errors: NOT_FOUND.
 */
RRS_MUST_CHECK struct rrs_error *rrs_timeline_open_file(struct rrs_timeline *timeline,
                                                        const char *path, int *fd);

/* --- trying things out --- */

/**
 * From here on writes to registers and memory, and steps and runs forward, happen in a throw-away
 * copy in which system calls do nothing outside (writes to stdout and stderr are shown). Movements
 * in the recording are refused (USAGE) until the trial ends; then all is as it was before.
 */
RRS_MUST_CHECK struct rrs_error *rrs_timeline_begin_trial(struct rrs_timeline *timeline);
void rrs_timeline_end_trial(struct rrs_timeline *timeline);
bool rrs_timeline_in_trial(const struct rrs_timeline *timeline);

/** Only in a trial (USAGE otherwise). */
RRS_MUST_CHECK struct rrs_error *rrs_timeline_set_regs(struct rrs_timeline *timeline, pid_t tid,
                                                       const struct user_regs_struct *regs);
RRS_MUST_CHECK struct rrs_error *rrs_timeline_set_xstate(struct rrs_timeline *timeline, pid_t tid,
                                                         const uint8_t *image, size_t bytes);
RRS_MUST_CHECK struct rrs_error *rrs_timeline_write(struct rrs_timeline *timeline, pid_t tid,
                                                    rrs_addr address, const void *data,
                                                    size_t bytes);

#endif
