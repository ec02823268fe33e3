/* SPDX-License-Identifier: MIT */
/*
 * A session: one tree of tasks that runs in shadow code, its address spaces, and the clock.
 *
 * At most one task, the runner, is in user code at a time. Every other task is stopped in an app
 * state (READY), or inside a system call (IN_SYSCALL), from which it can only come back to a stop.
 */
#ifndef RRS_ENGINE_RUN_SESSION_H
#define RRS_ENGINE_RUN_SESSION_H

#include "engine/run/clock.h"
#include "engine/run/lookup_table.h"
#include "engine/run/observer.h"
#include "engine/run/scratch.h"
#include "engine/run/virtual.h"
#include "engine/runtime/layout.h"
#include "engine/tracee/ptrace.h"
#include "engine/tracee/shared_pool.h"
#include "engine/translate/translate.h"

#include <stdbool.h>

/* Why the tracee stopped, and what the translator did: X(name, "what a person reads"). */
#define RRS_COUNTERS(X)                                    \
    X(stops, "stops, whatever for")                        \
    X(stops_link, "stops: direct target not translated")   \
    X(stops_miss, "stops: indirect target not translated") \
    X(stops_tick, "stops: tick slice ended")               \
    X(stops_syscall, "stops: system call")                 \
    X(stops_insn, "stops: instruction done by the engine") \
    X(stops_signal, "stops: signal")                       \
    X(stops_event, "stops: fork, exec, exit and the like") \
    X(remote_calls, "system calls injected")               \
    X(blocks, "blocks translated")                         \
    X(insns, "instructions translated")                    \
    X(traces, "traces laid out")                           \
    X(cache_bytes, "code cache bytes")                     \
    X(modules, "modules")                                  \
    X(invalidations, "blocks dropped")                     \
    X(flushes, "caches flushed")                           \
    X(guard_faults, "writes to guarded code")              \
    X(executed_alone, "instructions executed alone")       \
    X(task_switches, "task switches")

struct rrs_counters {
#define X(name, text) uint64_t name;
    RRS_COUNTERS(X)
#undef X
};

enum { RRS_SLICE_TICKS_DEFAULT = 4000000 }; /* some milliseconds */

struct rrs_session_options {
    uint64_t slice_ticks; /* a task runs for so many before another may */
    bool keep_aslr;       /* do not switch address space randomisation off */
    bool pin;             /* tracer and tracees on one CPU */
    bool trace_all_calls; /* no system call passes without a stop */
    bool chaos;           /* slices and turns by chance */
    uint64_t chaos_seed;
    uint32_t cpu_level;   /* 0: the machine's; 1..3: x86-64 baseline, v2, v3 */
    struct rrs_translate_options translate;
};

enum rrs_task_state {
    RRS_TASK_NEW,        /* its creator has reported it, or it has stopped; the other is to come */
    RRS_TASK_READY,      /* stopped in the app state `regs` */
    RRS_TASK_RUNNING,    /* the runner */
    RRS_TASK_IN_SYSCALL, /* in the kernel; its exit stops */
    RRS_TASK_FROZEN,     /* was stopped by job control in shadow code; goes on as it stands */
};

/* A signal that was reported and waits for a safe point. */
struct rrs_held_signal {
    siginfo_t info;
    struct rrs_held_signal *next;
};

/* As the kernel has it: Linux v6.1 include/linux/signal_types.h struct sigaction. */
struct rrs_disposition {
    rrs_addr handler; /* SIG_DFL, SIG_IGN or an app address */
    uint64_t flags;   /* SA_* */
    rrs_addr restorer;
    uint64_t mask;
};

/* How far a call has come that signals cut short: cut_calls.h. */
struct rrs_cut_call {
    bool made_again;
    uint64_t started_ns;  /* CLOCK_MONOTONIC, for calls with a limit */
    uint64_t done;        /* bytes, before the present try */
    uint64_t piece_bytes; /* of the present try */
};

/* What signal frames say of the last fault. */
struct rrs_trap {
    uint64_t number, error, address;
};

/* A thread group. */
struct rrs_process {
    pid_t tgid;
    pid_t parent;
    uint32_t tasks;
    uint64_t ticks;
    int status; /* wait status once it ended */
    bool ended;
    char name[64];                      /* last component of the program's path */
    struct rrs_disposition signals[65]; /* by number */
    struct rrs_process *next;
};

struct rrs_task {
    struct rrs_session *session;
    pid_t tid;
    uint64_t ordinal; /* the session's n-th; from 0 on */
    enum rrs_task_state state;
    struct rrs_process *process;
    struct rrs_address_space *space;
    struct user_regs_struct regs; /* the app state, if READY */
    uint64_t ticks;
    bool at_call;       /* stands at a call's seccomp stop: an injected call may take its place */
    bool natural;       /* was resumed at its app PC, to meet the fault that is there */
    bool dead;          /* its end was seen out of turn: */
    int dead_status;    /*   its wait status */
    bool reported;      /* a wait for another task brought this one's status: */
    int report;         /*   to be handled in its turn */
    bool born, stopped; /* NEW: creator's report seen; own first stop seen */
    bool in_call;       /* a system call of the program is under way: the next fields hold */
    int call;           /* its number */
    bool opens_view;    /* it may open a file of /proc that is to be exchanged */
    bool call_watched;  /* its end is to be seen, see run/code_calls.h */
    struct user_regs_struct call_regs; /* app registers at the call; rip behind it */
    rrs_addr call_pc;                  /* app PC of its instruction */
    rrs_addr call_shadow;              /* shadow PC behind the call */
    rrs_addr alternate_stack;          /* as the task last set it; bytes 0: none */
    uint64_t alternate_stack_bytes;
    struct rrs_cut_call cut;
    bool arguments_replaced; /* the kernel got others than the program gave: clone_flags.h */
    struct rrs_redirected *redirected; /* the call's outputs go to scratch memory; or NULL */
    uint64_t mask_before; /* signals blocked when it was last resumed, if guards are set */
    struct rrs_trap trap; /* the program's own last fault, as far as frames told */
    bool trap_is_ours;    /* the kernel remembers another one */
    rrs_addr natural_pc;  /* the app PC that is at fault, if `natural` */
    rrs_addr alone_pc;    /* app PC of the instruction in the scratch slot */
    bool at_safe_point;   /* READY where signals may be delivered and tasks may take turns */
    rrs_addr entered;     /* shadow PC where it was last resumed at a safe point, or 0 */
    bool stop_owed;       /* a job control stop was passed over while the engine worked */
    bool job_stopped;     /* in a job control stop */
    struct rrs_cells frozen_cells;
    struct rrs_held_signal *held, **held_end;
    struct rrs_virtual virtual;
    bool replaced;       /* another thread has loaded a program: only its report is to come */
    bool begin_recorded; /* the observer was told that its call began */
    pid_t creator;       /* NEW: who made it, and how */
    uint64_t clone_flags;
    rrs_addr clear_child_tid; /* the kernel writes 0 there when the task ends; 0: nowhere */
    rrs_addr robust_list;     /* head of its list of robust futexes; 0: none */
    struct rrs_task *next;
};

/* What a task did, once it has ended. */
struct rrs_task_report {
    pid_t tid, tgid;
    uint64_t ticks;
};

/* Addresses that no code cache may take. */
struct rrs_avoided_range {
    rrs_addr start, end; /* end is exclusive */
};

struct rrs_session {
    struct rrs_session_options options;
    struct rrs_counters counters;
    struct rrs_cpus cpus;
    struct rrs_shared_pool pool;
    struct rrs_shared_piece common; /* session page, code page, call classes */
    struct rrs_scratch scratch;     /* for outputs of calls; only if there is an observer */
    uint64_t slice_left;            /* ticks until the runner has to give way */
    uint64_t turn_tick;             /* when its slice began */
    struct rrs_clock clock;
    struct rrs_translator translator;
    struct rrs_module *modules;
    struct rrs_task *tasks;
    struct rrs_process *processes; /* newest first; ended ones stay for the report */
    struct rrs_task *runner;
    struct rrs_task *last_runner; /* whose slice it is */
    bool explained_ptrace;        /* that programs cannot use it */
    uint32_t reported_count;      /* tasks with a report */
    struct rrs_task_report *ended;
    uint32_t ended_count, ended_room;
    pid_t root;
    int root_status;
    bool root_ended;
    uint64_t tasks_made, spaces_made;
    bool writes_memory;                  /* a /proc/PID/mem was opened for writing */
    bool started;                        /* the program's first execve succeeded */
    const struct rrs_observer *observer; /* NULL: nobody looks on */
    const struct rrs_oracle *oracle;     /* NULL: the machine answers */
    const rrs_addr *breaks; /* app PCs in front of which shadow code stops; ascending */
    size_t break_count;
    const struct rrs_avoided_range *avoided; /* ascending, disjoint */
    size_t avoided_count;
    bool pool_inherited; /* every task has the pool's descriptor, under the tracer's number */
    void (*attend)(void *context); /* NULL, or called again and again while the session runs */
    void *attend_context;
    bool keeps_signal;      /* own_signals.h: the first that is sent to the tracer is kept */
    uint64_t wake_after_ns; /* `attend` is called after that time at the latest; 0: never */
    void (*warn)(void *context, const char *message);
    void *warn_context;
};

RRS_MUST_CHECK struct rrs_error *rrs_session_init(struct rrs_session *session,
                                                  const struct rrs_session_options *options);
void rrs_session_deinit(struct rrs_session *session);

/**
 * Runs `argv` until every task has ended; session->root_status is then the program's wait status.
 * Errors: NOT_FOUND and OS (os_errno as execve gave it), UNSUPPORTED.
 */
RRS_MUST_CHECK struct rrs_error *rrs_session_run(struct rrs_session *session, char *const argv[]);

/** Brings the counters up to date. */
void rrs_session_collect(struct rrs_session *session);

/* --- between the files of run/ --- */

struct rrs_attachment;

struct rrs_task *rrs_task_find(struct rrs_session *session, pid_t tid);
struct rrs_task *rrs_task_create(struct rrs_session *session, pid_t tid);
void rrs_task_remove(struct rrs_session *session, struct rrs_task *task);
/** Moves what `from` holds for its whole process to `to`, and drops the rest. */
void rrs_task_pass_signals_on(struct rrs_task *from, struct rrs_task *to);
/** Whether a signal stops a process by default. man 7 signal. */
bool rrs_is_stop_signal(int signal);
void rrs_task_hold_signal(struct rrs_task *task, const siginfo_t *info);
struct rrs_process *rrs_process_create(struct rrs_session *session, pid_t tgid);

/**
 * A call under observation that must be over before anybody else runs: it makes a task, loads a
 * program, or ends its task.
 */
RRS_MUST_CHECK struct rrs_error *rrs_session_finish_call(struct rrs_session *session,
                                                         struct rrs_task *task);

/** The first break at or above `pc`; all ones if there is none. */
rrs_addr rrs_session_next_break(const struct rrs_session *session, rrs_addr pc);

/** Moves what has ticked since the last call to the clock, less a tick that is still pending. */
void rrs_session_settle(struct rrs_session *session, bool tick_pending);

void rrs_session_warn(struct rrs_session *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
