/* SPDX-License-Identifier: MIT */
/*
 * What a task believes of itself where the kernel's answer would be about the engine: the CPUs that
 * it may use (it is pinned to one), no_new_privs and seccomp (the engine's filter needs both),
 * address space randomisation, who traces it.
 */
#ifndef RRS_ENGINE_RUN_VIRTUAL_H
#define RRS_ENGINE_RUN_VIRTUAL_H

#include "lmdb-store/error.h"

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/user.h>

struct rrs_filter;
struct rrs_session;
struct rrs_task;

/* Inherited by new tasks, kept over exec. */
struct rrs_virtual {
    cpu_set_t cpus;
    bool no_new_privs;
    bool not_randomised; /* ADDR_NO_RANDOMIZE in its personality */
    bool strict;         /* seccomp's strict mode */
    struct rrs_filter *filters;
};

/* The machine before the engine pinned itself. */
struct rrs_cpus {
    bool pinned;        /* else nothing below holds, and affinity is the kernel's business */
    cpu_set_t usual;    /* what the program begins with */
    cpu_set_t possible; /* what it may ask for */
    uint32_t bytes;     /* of the kernel's masks */
    uint32_t bytes_min; /* the smallest mask that it would fill */
};

/** Pins the calling thread to one CPU if it can, and notes what was before. */
void rrs_cpus_pin(struct rrs_cpus *cpus);

/* What the engine answers in the kernel's place. */
struct rrs_answer {
    bool given;
    int64_t result;
};

/** The first task's view: the tracer's own. */
void rrs_virtual_init(struct rrs_virtual *virtual, const struct rrs_cpus *cpus);
void rrs_virtual_inherit(struct rrs_virtual *virtual, const struct rrs_virtual *creator);
void rrs_virtual_deinit(struct rrs_virtual *virtual);

/*
 * One function for each VIRTUAL and EXEC row of classes.def. The task stands at the call's seccomp
 * stop with `regs`, and task->at_call is set: a call may be injected if an answer is given.
 */
#define RRS_VIRTUAL_CALLS(X) \
    X(prctl)                 \
    X(seccomp)               \
    X(ptrace)                \
    X(personality)           \
    X(sched_getaffinity)     \
    X(sched_setaffinity)     \
    X(execve)                \
    X(execveat)

#define X(name)                                                                                  \
    RRS_MUST_CHECK struct rrs_error *rrs_virtual_##name(                                         \
        struct rrs_session *session, struct rrs_task *task, const struct user_regs_struct *regs, \
        struct rrs_answer *answer);
RRS_VIRTUAL_CALLS(X)
#undef X

enum rrs_verdict {
    RRS_VERDICT_PASS,    /* the call is made */
    RRS_VERDICT_ANSWER,  /* it is answered */
    RRS_VERDICT_HANDLED, /* the task has a signal, or is on its way to its end */
};

/** Lets the task's seccomp filters judge the call that it is about to make. */
RRS_MUST_CHECK struct rrs_error *rrs_virtual_filter(struct rrs_session *session,
                                                    struct rrs_task *task,
                                                    const struct user_regs_struct *regs,
                                                    enum rrs_verdict *verdict,
                                                    struct rrs_answer *answer);

/** prctl(PR_SET_SECCOMP, mode, program). */
RRS_MUST_CHECK struct rrs_error *rrs_virtual_set_seccomp(struct rrs_session *session,
                                                         struct rrs_task *task, uint64_t mode,
                                                         uint64_t program,
                                                         struct rrs_answer *answer);

/** 0, 1 or 2: the task's seccomp mode. */
int rrs_virtual_seccomp_mode(const struct rrs_virtual *virtual);

/** To be called once the task has a new address space: filters want to see every call. */
RRS_MUST_CHECK struct rrs_error *rrs_virtual_after_exec(struct rrs_session *session,
                                                        struct rrs_task *task);

#endif
