/* SPDX-License-Identifier: MIT */
/*
 * The kinds of events. The numbers are in traces: new kinds go to the end.
 *
 * An event belongs to a task and happens at a position of it: at the session's tick, in front of
 * the instruction at the item PC. X(NAME, "name in lists", "what happened").
 */
#ifndef RRS_ENGINE_EVENTS_KINDS_H
#define RRS_ENGINE_EVENTS_KINDS_H

#define RRS_EVENT_KINDS(X)                                                           \
    X(NONE, "none", "nothing: never in a trace")                                     \
    X(EXEC, "exec", "a program was loaded; its first instruction is next")           \
    X(CALL, "syscall", "a system call was made and returned, and nobody else ran")   \
    X(CALL_ENTER, "syscall-enter", "a system call was entered; other tasks run")     \
    X(CALL_EXIT, "syscall-exit", "the call entered before returned")                 \
    X(INSN, "instruction", "an instruction gave what no program can compute")        \
    X(SIGNAL, "signal", "a signal was delivered to a handler, or ended the process") \
    X(PREEMPT, "preempt", "the task gave way to another one")                        \
    X(TASK_NEW, "task-new", "the task came into being")                              \
    X(TASK_END, "task-end", "the task ended")

enum rrs_event_kind {
#define X(name, text, meaning) RRS_EVENT_##name,
    RRS_EVENT_KINDS(X)
#undef X
        RRS_EVENT_KIND_COUNT,
};

#endif
