/* SPDX-License-Identifier: MIT */
/*
 * The replayer: brings a recording to life, event by event, and always forward.
 *
 * There is one process of the host for each recorded address space. Threads are sets of registers
 * that take turns in it, so that a fork of the host's processes copies the whole state, however
 * many threads there are. No system call of the program reaches the kernel: the hosts' filter sends
 * every one to the tracer, which lets pass only what it has itself injected.
 */
#ifndef RRS_ENGINE_REPLAY_REPLAYER_H
#define RRS_ENGINE_REPLAY_REPLAYER_H

#include "engine/events/body.h"
#include "engine/replay/contents.h"
#include "engine/replay/map_list.h"
#include "engine/replay/memory_guard.h"
#include "engine/run/session.h"
#include "lmdb-store/event_log_reader.h"
#include "lmdb-store/trace_reader.h"

struct rrs_decoder;
struct rrs_replay_task;

/* An address space and its host. */
struct rrs_replay_space {
    uint32_t references; /* tasks, or a zygote's 1 */
    pid_t host;
    struct rrs_replay_task *loaded; /* whose x87, SSE and AVX registers the host holds; or NULL */
    struct rrs_map_list maps;
    rrs_addr brk_start, brk; /* the program's break */
    char *program;           /* path of the executable */
    rrs_addr auxv;           /* of the auxiliary vector on the initial stack; 0: none */
    size_t auxv_bytes;
    int memory_fd; /* /proc/PID/mem */
};

/* A recorded task. */
struct rrs_replay_task {
    pid_t tid, tgid, creator; /* as recorded */
    struct rrs_task *task;    /* task->tid is the host's */
    struct rrs_replay_space *space;
    bool at_call; /* in front of a system call that the recording has next */
    bool at_insn; /* the same for an instruction that the trace answers */
    bool ends;    /* a signal has ended it; its TASK_END is to come */
    bool in_call; /* its CALL_ENTER has happened, its end has not */
    size_t xstate_bytes;
    uint8_t *xstate; /* if it is not loaded */
    siginfo_t last_signal;
    struct rrs_replay_task *next; /* in order of creation */
};

enum rrs_run_stop_kind {
    RRS_RUN_CALL,   /* in front of a system call */
    RRS_RUN_INSN,   /* in front of an instruction that the trace answers */
    RRS_RUN_TICK,   /* the budget is used up: in front of a tick instruction */
    RRS_RUN_RAISED, /* in front of an instruction that raises a signal */
    RRS_RUN_BREAK,  /* at one of the session's breaks */
    RRS_RUN_WRITE,  /* somewhere behind a write that was trapped: at no position */
};

struct rrs_run_stop {
    enum rrs_run_stop_kind stop_kind;
    uint8_t trapped_op; /* INSN */
    siginfo_t info;     /* RAISED */
};

struct rrs_replayer {
    struct rrs_session session;
    struct rrs_memory_guard *guard;
    struct rrs_oracle oracle;
    struct rrs_trace_reader *reader;
    struct rrs_event_log *log;
    struct rrs_event_cursor *cursor;
    const struct rrs_event *next; /* the next event; NULL: the end */
    uint64_t last_event;          /* number of the last one of the trace */
    uint64_t last_tick;
    struct rrs_contents contents;
    struct rrs_replay_space *zygotes[RRS_RUNTIME_BASES];
    size_t xstate_bytes;        /* of this machine's XSAVE images */
    uint64_t xstate_components; /* that they have, as in XCR0 */
    struct rrs_replay_task *tasks;
    struct rrs_replay_task *current; /* the last one that ran */
    struct rrs_avoided_range *avoided;
    struct rrs_run_stop stop; /* why the current task stopped */
    bool stopped;             /* `stop` holds */
    /* Asked at each trap of a debug register; NULL: there are none. */
    bool (*stops_at_write)(void *context);
    void *stops_at_write_context;
    bool echo;
    int exit_status; /* wait status of the first process, once it ended */
    pid_t root;      /* recorded id of the first process */
};

struct rrs_replay_options {
    bool echo;
    uint64_t keep_free_bytes; /* of memory: memory_guard.h */
    void (*warn)(void *context, const char *message);
    void *warn_context;
};

/** Opens a recording, standing in front of its first event. `reader` is borrowed. */
RRS_MUST_CHECK struct rrs_error *rrs_replayer_create(struct rrs_trace_reader *reader,
                                                     const struct rrs_replay_options *options,
                                                     struct rrs_replayer **replayer);
/** Ends the hosts. NULL is fine. */
void rrs_replayer_destroy(struct rrs_replayer *replayer);

/** Brings the next event about: runs to where it happened and does what it did. Errors: DIVERGED,
 * BAD_TRACE, OS. */
RRS_MUST_CHECK struct rrs_error *rrs_replayer_step_event(struct rrs_replayer *replayer);

/* --- between the files of replay/ --- */

struct rrs_replay_task *rrs_replay_find_task(const struct rrs_replayer *replayer, pid_t tid);

/** A divergence at the next event; the message says what was expected and what came. */
RRS_MUST_CHECK RRS_NEVER_NULL struct rrs_error *rrs_replay_diverged(
    const struct rrs_replayer *replayer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* hosts.c */
RRS_MUST_CHECK struct rrs_error *rrs_replay_zygote(struct rrs_replayer *replayer, uint32_t base,
                                                   struct rrs_replay_space **zygote);
/** A copy of a space, in a host of its own; `tid` is to be the task whose registers it gets. */
RRS_MUST_CHECK struct rrs_error *rrs_replay_fork_space(
    struct rrs_replayer *replayer, struct rrs_replay_space *parent, struct rrs_task *in_parent,
    struct rrs_process *process, struct rrs_replay_space **child, struct rrs_task **task);
void rrs_replay_release_space(struct rrs_replay_space *space);

/** Makes the host hold the registers of `task` that rrs_task_resume() does not set. */
RRS_MUST_CHECK struct rrs_error *rrs_replay_load(struct rrs_replay_task *task);
/** The reverse: task->xstate holds them. */
RRS_MUST_CHECK struct rrs_error *rrs_replay_unload(struct rrs_replay_space *space);

/** Writes past all protections. */
RRS_MUST_CHECK struct rrs_error *rrs_replay_poke(struct rrs_replayer *replayer,
                                                 struct rrs_replay_task *task, rrs_addr address,
                                                 const void *bytes, uint64_t size);

/* sandbox.c */

/** Whether [start, start + bytes) may be mapped, changed or written at a trace's word. */
bool rrs_replay_range_is_programs(const struct rrs_replay_task *task, rrs_addr start,
                                  uint64_t bytes);
/** The same for the next event. Error: BAD_TRACE. */
RRS_MUST_CHECK struct rrs_error *rrs_replay_check_range(const struct rrs_replayer *replayer,
                                                        const struct rrs_replay_task *task,
                                                        rrs_addr start, uint64_t bytes);
/** The oracle's: a closed list of system calls. Error: BAD_TRACE. */
RRS_MUST_CHECK struct rrs_error *rrs_replay_permit(void *context, const struct rrs_task *task,
                                                   long number, const uint64_t args[6]);

/* echo.c: shows again what the next event, the end of `call`, wrote to standard output or error. */
RRS_MUST_CHECK struct rrs_error *rrs_replay_echo(const struct rrs_replayer *replayer,
                                                 const struct rrs_replay_task *task,
                                                 const struct rrs_item *call, int64_t result);

/* mappings.c: what calls do to an address space */
RRS_MUST_CHECK struct rrs_error *rrs_replay_map(struct rrs_replayer *replayer,
                                                struct rrs_replay_task *task,
                                                const struct rrs_map_item *map);
/** Does to a fork's child what the program asked for by madvise. */
RRS_MUST_CHECK struct rrs_error *rrs_replay_after_fork(struct rrs_replayer *replayer,
                                                       struct rrs_replay_task *child);
/** The effect on memory of a finished call other than what it wrote; `item`s of `event` help. */
RRS_MUST_CHECK struct rrs_error *rrs_replay_mapping_call(struct rrs_replayer *replayer,
                                                         struct rrs_replay_task *task, int number,
                                                         const uint64_t args[6], int64_t result);

/* tasks.c */
RRS_MUST_CHECK struct rrs_error *rrs_replay_exec(struct rrs_replayer *replayer);
RRS_MUST_CHECK struct rrs_error *rrs_replay_task_new(struct rrs_replayer *replayer);
RRS_MUST_CHECK struct rrs_error *rrs_replay_task_end(struct rrs_replayer *replayer);
void rrs_replay_remove_task(struct rrs_replayer *replayer, struct rrs_replay_task *task);

/** Adds a task at the end of the list. Error: NO_MEMORY. */
RRS_MUST_CHECK struct rrs_error *rrs_replay_add_task(struct rrs_replayer *replayer, pid_t tid,
                                                     pid_t tgid, pid_t creator,
                                                     struct rrs_replay_space *space,
                                                     struct rrs_task *task,
                                                     struct rrs_replay_task **added);
/** A second task of the address space of `creator`. */
RRS_MUST_CHECK struct rrs_error *rrs_replay_share_space(struct rrs_replayer *replayer,
                                                        const struct rrs_replay_task *creator,
                                                        struct rrs_process *process,
                                                        struct rrs_task **task);

/** Gives the task the x87, SSE and AVX registers that the next event has, if it has any. */
RRS_MUST_CHECK struct rrs_error *rrs_replay_set_xstate_item(struct rrs_replayer *replayer,
                                                            struct rrs_replay_task *task);

/** The same from an image, as a trace has it. */
RRS_MUST_CHECK struct rrs_error *rrs_replay_set_xstate(const struct rrs_replayer *replayer,
                                                       struct rrs_replay_task *task,
                                                       const uint8_t *bytes, size_t size);

/** Applies what the next event's items of memory say. */
RRS_MUST_CHECK struct rrs_error *rrs_replay_apply_writes(struct rrs_replayer *replayer,
                                                         struct rrs_replay_task *task);

/* run.c */

/** Lets the task run until it stops by itself, or `budget` ticks have retired and another would. */
RRS_MUST_CHECK struct rrs_error *rrs_replay_run(struct rrs_replayer *replayer,
                                                struct rrs_replay_task *task, uint64_t budget);
void rrs_replay_init_oracle(struct rrs_replayer *replayer);

/** The call that the task stands in front of, for people: getpid(). */
void rrs_replay_print_call(const struct rrs_task *task, char *buffer, size_t bytes);

/** Runs the task to the next event's tick, where it has to stop as expected; `what` is for people.
 */
RRS_MUST_CHECK struct rrs_error *rrs_replay_run_to_stop(struct rrs_replayer *replayer,
                                                        struct rrs_replay_task *task,
                                                        enum rrs_run_stop_kind expected,
                                                        const char *what);

/**
 * Runs the task to the instruction at `pc`, `tick` ticks having retired: the stop is a BREAK there,
 * or whatever comes before, one of the session's breaks included.
 */
RRS_MUST_CHECK struct rrs_error *rrs_replay_run_to_place(struct rrs_replayer *replayer,
                                                         struct rrs_replay_task *task,
                                                         uint64_t tick, rrs_addr pc);

/** Runs the task to where the next event, a signal that an instruction raised, happened. */
RRS_MUST_CHECK struct rrs_error *rrs_replay_reach_raised(struct rrs_replayer *replayer,
                                                         struct rrs_replay_task *task,
                                                         const siginfo_t *info, rrs_addr pc);

/** Runs the task to the system call that the next event is about. */
RRS_MUST_CHECK struct rrs_error *rrs_replay_reach_call(struct rrs_replayer *replayer,
                                                       struct rrs_replay_task *task);

#endif
