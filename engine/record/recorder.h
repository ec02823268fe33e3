/* SPDX-License-Identifier: MIT */
/*
 * The recorder: an observer of a session that writes all it is told into a trace.
 *
 * One event is held back: a system call that was entered. If its end comes next, both are one
 * event; if anything else comes first, the beginning is written by itself.
 */
#ifndef RRS_ENGINE_RECORD_RECORDER_H
#define RRS_ENGINE_RECORD_RECORDER_H

#include "engine/events/body.h"
#include "engine/run/session.h"
#include "lmdb-store/event.h"
#include "lmdb-store/trace_writer.h"

#include <sys/stat.h>

struct rrs_recorded_files;
struct rrs_recorded_sums;

/* A robust futex that a task holds which is about to end. */
struct rrs_held_word {
    pid_t tid;
    rrs_addr address;
    uint32_t value;
};

struct rrs_recorder {
    struct rrs_observer observer; /* what the session is given: guard.c */
    struct rrs_observer inner;    /* what records */
    struct rrs_error *failure;    /* the trace cannot be written any more; or NULL */
    bool stopped;                 /* nothing is recorded any more */
    struct rrs_session *session;
    struct rrs_trace_writer *writer;
    struct rrs_recorded_files *files;
    struct rrs_recorded_sums *sums; /* NULL: no checksums are wanted */
    bool guessed; /* what the call of the event wrote is not known for sure */
    struct rrs_body body;    /* of the event that is being made */
    struct rrs_task *opened; /* whose call's beginning is held back */
    struct rrs_event opened_event;
    struct rrs_body opened_body;
    uint64_t next_identity;      /* of shared mappings */
    struct stat outputs[2];      /* the tracer's standard output and error: */
    bool output_open[2];         /*   those that there are */
    struct rrs_held_word *words; /* the latest for each task */
    size_t word_count, word_room;
    uint64_t guesses[64]; /* ioctls that were warned of */
    size_t guess_count;
    uint64_t events;
    pid_t last_task; /* of the last event, and its tick */
    uint64_t last_tick;
};

/**
 * Makes `session` record into `writer` (borrowed). To be called before the session runs.
 * `checksums`: with hashes of registers and memory at every event.
 */
RRS_MUST_CHECK struct rrs_error *rrs_recorder_init(struct rrs_recorder *recorder,
                                                   struct rrs_session *session,
                                                   struct rrs_trace_writer *writer, bool checksums);
void rrs_recorder_deinit(struct rrs_recorder *recorder);

/**
 * Records nothing more: what is held back is written, and the session goes on unobserved. Error:
 * what made writing fail.
 */
RRS_MUST_CHECK struct rrs_error *rrs_recorder_stop(struct rrs_recorder *recorder);

/** The names of the kinds of events, for the trace's metadata. Error: NO_MEMORY. */
RRS_MUST_CHECK struct rrs_error *rrs_recorder_name_kinds(struct rrs_metadata *metadata);

/* --- between the files of record/ --- */

/** Makes `observer` of `inner`. */
void rrs_recorder_guard(struct rrs_recorder *recorder);

/** Begins an event of `task`, with its PC; what is held back is written first. */
RRS_MUST_CHECK struct rrs_error *rrs_recorder_begin(struct rrs_recorder *recorder,
                                                    const struct rrs_task *task, rrs_addr pc);
RRS_MUST_CHECK struct rrs_error *rrs_recorder_end(struct rrs_recorder *recorder,
                                                  const struct rrs_task *task,
                                                  enum rrs_event_kind kind);

/** Makes what was begun the beginning of the task's call, and holds it back. */
void rrs_recorder_hold_back(struct rrs_recorder *recorder, struct rrs_task *task);

/** Adds what is now in the task's memory at [address, address + size), as far as it is readable. */
RRS_MUST_CHECK struct rrs_error *rrs_recorder_add_memory(struct rrs_recorder *recorder,
                                                         const struct rrs_task *task,
                                                         rrs_addr address, uint64_t size);
RRS_MUST_CHECK struct rrs_error *rrs_recorder_add_bytes(struct rrs_recorder *recorder,
                                                        rrs_addr address, const void *bytes,
                                                        uint64_t size);
RRS_MUST_CHECK struct rrs_error *rrs_recorder_add_xstate(struct rrs_recorder *recorder,
                                                         const struct rrs_task *task);

/** Adds the memory image of a program that was just loaded. */
RRS_MUST_CHECK struct rrs_error *rrs_recorder_add_image(struct rrs_recorder *recorder,
                                                        const struct rrs_task *task);

/** Adds the mapping that the task's mmap or shmat has made at `start`. */
RRS_MUST_CHECK struct rrs_error *rrs_recorder_add_mapping(struct rrs_recorder *recorder,
                                                          const struct rrs_task *task,
                                                          rrs_addr start);

/** Adds what the kernel has written when the task ended, and another task still shows. */
RRS_MUST_CHECK struct rrs_error *rrs_recorder_add_exit_writes(struct rrs_recorder *recorder,
                                                              const struct rrs_task *task);

/** Notes the robust futexes of a process (NULL: of all) that may end now, with its memory. */
RRS_MUST_CHECK struct rrs_error *rrs_recorder_note_words(struct rrs_recorder *recorder,
                                                         const struct rrs_process *process);

/** Adds the task's call, as it was made. */
void rrs_recorder_add_call(struct rrs_recorder *recorder, const struct rrs_task *task);

/** Adds what the task's call, which returned `result`, has written. */
RRS_MUST_CHECK struct rrs_error *rrs_recorder_add_outputs(struct rrs_recorder *recorder,
                                                          const struct rrs_task *task,
                                                          int64_t result);

/** Adds what the task's call has written to memory by way of files: written.c. */
RRS_MUST_CHECK struct rrs_error *rrs_recorder_add_written(struct rrs_recorder *recorder,
                                                          struct rrs_task *task, int64_t result);

/* The observer's functions about calls: calls.c, ends.c. */
struct rrs_error *rrs_record_call_may_end(void *context, struct rrs_task *task);
struct rrs_error *rrs_record_call_begins(void *context, struct rrs_task *task);
struct rrs_error *rrs_record_call_ends(void *context, struct rrs_task *task,
                                       const struct user_regs_struct *after);

#endif
