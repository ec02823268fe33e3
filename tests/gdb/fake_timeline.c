/* SPDX-License-Identifier: MIT */
/*
 * A stand-in for engine/replay: the interface of timeline.h over a program recorded by single steps
 * (fake_program.h). One task, no trace, no signals; exact and simple, so that a test which fails
 * tells about the server. FAKE_DELAY_US makes every step slow, for what has to survive that.
 */
#include "tests/gdb/fake_program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_STOPPERS = 256, PROGRESS_STEPS = 256 };

struct stopper {
    rrs_addr address;
    uint64_t bytes; /* 0: a breakpoint */
    enum rrs_watch_kind kind;
    rrs_accept_fn accept;
    void *context;
};

struct rrs_timeline {
    struct fake_program program;
    struct rrs_timeline_options options;
    size_t at; /* index of a step */
    struct stopper stoppers[MAX_STOPPERS];
    size_t n_stoppers;
    volatile bool interrupted;
    bool in_trial;
    long delay_us;
};

int rrs_position_compare(const struct rrs_position *a, const struct rrs_position *b)
{
    if (a->event != b->event)
        return a->event < b->event ? -1 : 1;
    if (a->tick != b->tick)
        return a->tick < b->tick ? -1 : 1;
    return a->pc < b->pc ? -1 : a->pc > b->pc;
}

static struct rrs_position position_at(const struct rrs_timeline *timeline, size_t at)
{
    const struct fake_step *step = &timeline->program.steps[at];
    bool ended = at == timeline->program.n_steps;
    return (struct rrs_position){step->event, step->tick, ended ? 0 : step->regs.rip};
}

static bool ended(const struct rrs_timeline *timeline)
{
    return timeline->at == timeline->program.n_steps;
}

static pid_t current(const struct rrs_timeline *timeline)
{
    return ended(timeline) ? 0 : timeline->program.pid;
}

static void apply(struct rrs_timeline *timeline, size_t step, bool forward)
{
    const struct fake_step *steps = timeline->program.steps;
    size_t first = steps[step].first_change, end = steps[step + 1].first_change;
    for (size_t i = first; i < end; i++) {
        const struct fake_change *change = &timeline->program.changes[i];
        memcpy(fake_program_memory(&timeline->program, change->address, 8),
               forward ? &change->after : &change->before, 8);
    }
}

static void go(struct rrs_timeline *timeline, size_t to)
{
    while (timeline->at < to)
        apply(timeline, timeline->at++, true);
    while (timeline->at > to)
        apply(timeline, --timeline->at, false);
}

struct rrs_error *rrs_timeline_open(const char *path, const struct rrs_timeline_options *options,
                                    struct rrs_timeline **opened)
{
    struct rrs_timeline *timeline = calloc(1, sizeof *timeline);
    if (!timeline)
        return rrs_error_no_memory();
    timeline->options = *options;
    const char *delay = getenv("FAKE_DELAY_US");
    timeline->delay_us = delay ? atol(delay) : 0;
    struct rrs_error *error = fake_program_record(path, &timeline->program);
    if (error) {
        rrs_timeline_destroy(timeline);
        return error;
    }
    timeline->at = timeline->program.n_steps;
    go(timeline, 0);
    *opened = timeline;
    return NULL;
}

void rrs_timeline_destroy(struct rrs_timeline *timeline)
{
    if (timeline)
        fake_program_deinit(&timeline->program);
    free(timeline);
}

struct rrs_trace_reader *rrs_timeline_trace(struct rrs_timeline *timeline)
{
    (void)timeline;
    return NULL;
}

void rrs_timeline_position(const struct rrs_timeline *timeline, struct rrs_position *position,
                           pid_t *tid)
{
    *position = position_at(timeline, timeline->at);
    *tid = current(timeline);
}

void rrs_timeline_end(const struct rrs_timeline *timeline, struct rrs_position *end)
{
    *end = position_at(timeline, timeline->program.n_steps);
}

void rrs_timeline_interrupt(struct rrs_timeline *timeline)
{
    timeline->interrupted = true;
}

/* --- what stops a run --- */

static struct stopper *find_stopper(struct rrs_timeline *timeline, rrs_addr address, uint64_t bytes,
                                    enum rrs_watch_kind kind)
{
    for (size_t i = 0; i < timeline->n_stoppers; i++) {
        struct stopper *stopper = &timeline->stoppers[i];
        if (stopper->address == address && stopper->bytes == bytes && stopper->kind == kind)
            return stopper;
    }
    return NULL;
}

static struct rrs_error *add_stopper(struct rrs_timeline *timeline, struct stopper added)
{
    struct stopper *stopper = find_stopper(timeline, added.address, added.bytes, added.kind);
    if (!stopper && timeline->n_stoppers == MAX_STOPPERS)
        return rrs_error_no_memory();
    if (!stopper)
        stopper = &timeline->stoppers[timeline->n_stoppers++];
    *stopper = added;
    return NULL;
}

static void remove_stopper(struct rrs_timeline *timeline, struct stopper *stopper)
{
    if (stopper)
        *stopper = timeline->stoppers[--timeline->n_stoppers];
}

struct rrs_error *rrs_timeline_add_breakpoint(struct rrs_timeline *timeline, rrs_addr pc,
                                              rrs_accept_fn accept, void *context)
{
    return add_stopper(timeline,
                       (struct stopper){.address = pc, .accept = accept, .context = context});
}

void rrs_timeline_remove_breakpoint(struct rrs_timeline *timeline, rrs_addr pc)
{
    remove_stopper(timeline, find_stopper(timeline, pc, 0, 0));
}

struct rrs_error *rrs_timeline_add_watchpoint(struct rrs_timeline *timeline, rrs_addr address,
                                              uint64_t bytes, enum rrs_watch_kind kind)
{
    return add_stopper(timeline,
                       (struct stopper){.address = address, .bytes = bytes, .kind = kind});
}

void rrs_timeline_remove_watchpoint(struct rrs_timeline *timeline, rrs_addr address, uint64_t bytes,
                                    enum rrs_watch_kind kind)
{
    remove_stopper(timeline, find_stopper(timeline, address, bytes, kind));
}

void rrs_timeline_catch_events(struct rrs_timeline *timeline, uint64_t kinds,
                               bool (*accept_event)(void *context, struct rrs_timeline *timeline,
                                                    uint64_t event),
                               void *context)
{
    (void)timeline, (void)kinds, (void)accept_event, (void)context;
}

static bool stops_at_breakpoint(struct rrs_timeline *timeline, rrs_addr pc)
{
    struct stopper *stopper = find_stopper(timeline, pc, 0, 0);
    return stopper &&
           (!stopper->accept || stopper->accept(stopper->context, timeline, timeline->program.pid));
}

/* Whether a change of eight bytes reaches into a watched range with a byte that differs. */
static bool touches(const struct fake_change *change, const struct stopper *stopper)
{
    for (unsigned i = 0; i < 8; i++) {
        rrs_addr byte = change->address + i;
        if (byte - stopper->address < stopper->bytes &&
            (change->before >> 8 * i & 255) != (change->after >> 8 * i & 255))
            return true;
    }
    return false;
}

static const struct stopper *watch_hit(const struct rrs_timeline *timeline, size_t step)
{
    const struct fake_step *steps = timeline->program.steps;
    for (size_t c = steps[step].first_change; c < steps[step + 1].first_change; c++)
        for (size_t i = 0; i < timeline->n_stoppers; i++)
            if (touches(&timeline->program.changes[c], &timeline->stoppers[i]))
                return &timeline->stoppers[i];
    return NULL;
}

/* --- moving --- */

static struct rrs_error *finish(struct rrs_timeline *timeline, enum rrs_stop_reason reason,
                                struct rrs_stop *stop)
{
    *stop = (struct rrs_stop){.reason = reason, .tid = current(timeline)};
    return NULL;
}

static bool stop_for_watch(struct rrs_timeline *timeline, const struct stopper *watch,
                           struct rrs_stop *stop)
{
    if (!watch)
        return false;
    *stop = (struct rrs_stop){
        .reason = RRS_STOP_WATCHPOINT,
        .tid = current(timeline),
        .watch_address = watch->address,
        .watch_kind = watch->kind,
    };
    return true;
}

static bool take_interrupt(struct rrs_timeline *timeline)
{
    bool interrupted = timeline->interrupted;
    timeline->interrupted = false;
    return interrupted;
}

static void spend_time(struct rrs_timeline *timeline, size_t steps)
{
    if (timeline->delay_us)
        usleep((useconds_t)timeline->delay_us);
    if (timeline->options.progress && (timeline->delay_us || steps % PROGRESS_STEPS == 0))
        timeline->options.progress(timeline->options.context, timeline->at,
                                   timeline->program.n_steps);
}

/* One instruction; true if that ends the movement. */
static bool move_one(struct rrs_timeline *timeline, bool forward, struct rrs_stop *stop)
{
    if (forward && ended(timeline))
        return finish(timeline, RRS_STOP_END, stop) == NULL;
    if (!forward && timeline->at == 0)
        return finish(timeline, RRS_STOP_BEGIN, stop) == NULL;
    size_t executed = forward ? timeline->at : timeline->at - 1;
    const struct stopper *watch = watch_hit(timeline, executed);
    go(timeline, forward ? timeline->at + 1 : timeline->at - 1);
    if (stop_for_watch(timeline, watch, stop))
        return true;
    if (ended(timeline))
        return finish(timeline, RRS_STOP_END, stop) == NULL;
    if (stops_at_breakpoint(timeline, timeline->program.steps[timeline->at].regs.rip))
        return finish(timeline, RRS_STOP_BREAKPOINT, stop) == NULL;
    return false;
}

static struct rrs_error *trial_run(struct rrs_timeline *timeline, bool one, struct rrs_stop *stop);

static struct rrs_error *refuse_in_trial(const struct rrs_timeline *timeline)
{
    return timeline->in_trial ? rrs_error_create(RRS_ERROR_USAGE, "not in a trial") : NULL;
}

struct rrs_error *rrs_timeline_run(struct rrs_timeline *timeline, enum rrs_direction direction,
                                   struct rrs_stop *stop)
{
    if (timeline->in_trial && direction == RRS_FORWARD)
        return trial_run(timeline, false, stop);
    RRS_TRY(refuse_in_trial(timeline));
    for (size_t steps = 1; !take_interrupt(timeline); steps++) {
        if (move_one(timeline, direction == RRS_FORWARD, stop))
            return NULL;
        spend_time(timeline, steps);
    }
    return finish(timeline, RRS_STOP_INTERRUPTED, stop);
}

struct rrs_error *rrs_timeline_step(struct rrs_timeline *timeline, enum rrs_direction direction,
                                    pid_t tid, struct rrs_stop *stop)
{
    (void)tid;
    if (timeline->in_trial && direction == RRS_FORWARD)
        return trial_run(timeline, true, stop);
    RRS_TRY(refuse_in_trial(timeline));
    if (take_interrupt(timeline))
        return finish(timeline, RRS_STOP_INTERRUPTED, stop);
    spend_time(timeline, 1);
    if (move_one(timeline, direction == RRS_FORWARD, stop))
        return NULL;
    return finish(timeline, RRS_STOP_STEPPED, stop);
}

struct rrs_error *rrs_timeline_step_range(struct rrs_timeline *timeline, pid_t tid, rrs_addr low,
                                          rrs_addr high, struct rrs_stop *stop)
{
    do {
        RRS_TRY(rrs_timeline_step(timeline, RRS_FORWARD, tid, stop));
        if (stop->reason != RRS_STOP_STEPPED || timeline->in_trial)
            return NULL;
    } while (timeline->program.steps[timeline->at].regs.rip - low < high - low);
    return NULL;
}

static struct rrs_error *seek_index(struct rrs_timeline *timeline, size_t at, struct rrs_stop *stop)
{
    RRS_TRY(refuse_in_trial(timeline));
    for (size_t steps = 1; timeline->delay_us && timeline->at != at; steps++) {
        if (take_interrupt(timeline))
            return finish(timeline, RRS_STOP_INTERRUPTED, stop);
        go(timeline, timeline->at < at ? timeline->at + 1 : timeline->at - 1);
        spend_time(timeline, steps);
    }
    go(timeline, at);
    return finish(timeline, ended(timeline) ? RRS_STOP_END : RRS_STOP_REACHED, stop);
}

struct rrs_error *rrs_timeline_seek_tick(struct rrs_timeline *timeline, uint64_t tick,
                                         struct rrs_stop *stop)
{
    size_t at = 0;
    while (at < timeline->program.n_steps && timeline->program.steps[at].tick < tick)
        at++;
    return seek_index(timeline, at, stop);
}

struct rrs_error *rrs_timeline_seek_event(struct rrs_timeline *timeline, uint64_t event,
                                          struct rrs_stop *stop)
{
    size_t at = 0;
    while (at < timeline->program.n_steps && timeline->program.steps[at + 1].event <= event)
        at++;
    return seek_index(timeline, at, stop);
}

struct rrs_error *rrs_timeline_seek(struct rrs_timeline *timeline,
                                    const struct rrs_position *position, struct rrs_stop *stop)
{
    for (size_t at = 0; at <= timeline->program.n_steps; at++) {
        struct rrs_position here = position_at(timeline, at);
        if (rrs_position_compare(&here, position) == 0)
            return seek_index(timeline, at, stop);
    }
    return rrs_error_create(RRS_ERROR_NOT_FOUND, "no such position");
}

/* --- looking --- */

struct rrs_error *rrs_timeline_tasks(struct rrs_timeline *timeline,
                                     struct rrs_timeline_task **tasks, size_t *n_tasks)
{
    struct rrs_timeline_task *task = calloc(1, sizeof *task);
    if (!task)
        return rrs_error_no_memory();
    task->tid = task->tgid = timeline->program.pid;
    task->parent = 1;
    task->running = true;
    strncpy(task->name, basename(timeline->program.path), sizeof task->name - 1);
    *tasks = task;
    *n_tasks = !ended(timeline);
    return NULL;
}

static struct rrs_error *check_task(const struct rrs_timeline *timeline, pid_t tid)
{
    return tid && tid == current(timeline)
               ? NULL
               : rrs_error_create(RRS_ERROR_NOT_FOUND, "no task %d here", tid);
}

struct rrs_error *rrs_timeline_get_regs(struct rrs_timeline *timeline, pid_t tid,
                                        struct user_regs_struct *regs)
{
    RRS_TRY(check_task(timeline, tid));
    if (timeline->in_trial)
        return rrs_ptrace_get_regs(tid, regs);
    *regs = timeline->program.steps[timeline->at].regs;
    return NULL;
}

struct rrs_error *rrs_timeline_get_xstate(struct rrs_timeline *timeline, pid_t tid,
                                          uint8_t image[RRS_XSTATE_MAX_BYTES], size_t *bytes)
{
    RRS_TRY(check_task(timeline, tid));
    *bytes = timeline->program.xstate_bytes;
    memcpy(image, timeline->program.xstate, *bytes);
    return NULL;
}

struct rrs_error *rrs_timeline_get_siginfo(struct rrs_timeline *timeline, pid_t tid,
                                           siginfo_t *info)
{
    RRS_TRY(check_task(timeline, tid));
    memset(info, 0, sizeof *info);
    return NULL;
}

size_t rrs_timeline_read(struct rrs_timeline *timeline, pid_t tid, rrs_addr address, void *buffer,
                         size_t bytes)
{
    (void)tid;
    if (timeline->in_trial)
        return rrs_tracee_read(timeline->program.pid, address, buffer, bytes);
    size_t done = 0;
    for (const uint8_t *from;
         done < bytes && (from = fake_program_memory(&timeline->program, address + done, 1));
         done++)
        ((uint8_t *)buffer)[done] = *from;
    return done;
}

struct rrs_error *rrs_timeline_mappings(struct rrs_timeline *timeline, pid_t tid,
                                        struct rrs_timeline_mapping **mappings, size_t *n_mappings)
{
    RRS_TRY(check_task(timeline, tid));
    *n_mappings = timeline->program.n_segments;
    *mappings = calloc(*n_mappings, sizeof **mappings);
    for (size_t i = 0; *mappings && i < *n_mappings; i++) {
        (*mappings)[i] = timeline->program.segments[i].mapping;
        (*mappings)[i].path = strdup((*mappings)[i].path);
    }
    return *mappings ? NULL : rrs_error_no_memory();
}

void rrs_timeline_free_mappings(struct rrs_timeline_mapping *mappings, size_t n_mappings)
{
    for (size_t i = 0; i < n_mappings; i++)
        free(mappings[i].path);
    free(mappings);
}

struct rrs_error *rrs_timeline_program(struct rrs_timeline *timeline, pid_t tid, const char **path)
{
    RRS_TRY(check_task(timeline, tid));
    *path = timeline->program.path;
    return NULL;
}

struct rrs_error *rrs_timeline_auxv(struct rrs_timeline *timeline, pid_t tid,
                                    uint8_t auxv[RRS_AUXV_MAX_BYTES], size_t *bytes)
{
    RRS_TRY(check_task(timeline, tid));
    *bytes = timeline->program.auxv_bytes;
    memcpy(auxv, timeline->program.auxv, *bytes);
    return NULL;
}

struct rrs_error *rrs_timeline_open_file(struct rrs_timeline *timeline, const char *path, int *fd)
{
    if (strcmp(path, timeline->program.path) != 0)
        return rrs_error_path(RRS_ERROR_NOT_FOUND, path, "not in the recording");
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    return *fd >= 0 ? NULL : rrs_error_os(errno, path, "cannot open");
}

/* --- trials: in the process that stands in front of its exit --- */

static void copy_memory(struct rrs_timeline *timeline)
{
    for (size_t i = 0; i < timeline->program.n_segments; i++) {
        const struct fake_segment *segment = &timeline->program.segments[i];
        if (segment->mapping.prot & PROT_WRITE)
            rrs_error_destroy(rrs_tracee_write(timeline->program.pid, segment->mapping.start,
                                               segment->bytes,
                                               segment->mapping.end - segment->mapping.start));
    }
}

struct rrs_error *rrs_timeline_begin_trial(struct rrs_timeline *timeline)
{
    RRS_TRY(refuse_in_trial(timeline));
    RRS_TRY(check_task(timeline, timeline->program.pid));
    copy_memory(timeline);
    RRS_TRY(
        rrs_ptrace_set_regs(timeline->program.pid, &timeline->program.steps[timeline->at].regs));
    timeline->in_trial = true;
    return NULL;
}

void rrs_timeline_end_trial(struct rrs_timeline *timeline)
{
    timeline->in_trial = false;
}

bool rrs_timeline_in_trial(const struct rrs_timeline *timeline)
{
    return timeline->in_trial;
}

static struct rrs_error *only_in_trial(const struct rrs_timeline *timeline)
{
    return timeline->in_trial ? NULL : rrs_error_create(RRS_ERROR_USAGE, "only in a trial");
}

struct rrs_error *rrs_timeline_set_regs(struct rrs_timeline *timeline, pid_t tid,
                                        const struct user_regs_struct *regs)
{
    RRS_TRY(only_in_trial(timeline));
    return rrs_ptrace_set_regs(tid, regs);
}

struct rrs_error *rrs_timeline_set_xstate(struct rrs_timeline *timeline, pid_t tid,
                                          const uint8_t *image, size_t bytes)
{
    (void)tid, (void)image, (void)bytes;
    return only_in_trial(timeline);
}

struct rrs_error *rrs_timeline_write(struct rrs_timeline *timeline, pid_t tid, rrs_addr address,
                                     const void *data, size_t bytes)
{
    RRS_TRY(only_in_trial(timeline));
    return rrs_tracee_write(tid, address, data, bytes);
}

/* Nothing reaches the outside: what would enter the kernel is stepped over, and returns 0. */
static bool skip_kernel_entry(pid_t pid, struct user_regs_struct *regs)
{
    uint8_t code[2] = {0};
    rrs_tracee_read(pid, regs->rip, code, sizeof code);
    bool enters = (code[0] == 0x0f && (code[1] == 0x05 || code[1] == 0x34)) || code[0] == 0xcd;
    if (!enters)
        return false;
    regs->rip += 2;
    regs->rax = 0;
    rrs_error_destroy(rrs_ptrace_set_regs(pid, regs));
    return true;
}

static struct rrs_error *trial_step(struct rrs_timeline *timeline, struct user_regs_struct *regs)
{
    int status;
    pid_t pid = timeline->program.pid;
    RRS_TRY(rrs_ptrace_get_regs(pid, regs));
    if (!skip_kernel_entry(pid, regs) &&
        (ptrace(PTRACE_SINGLESTEP, pid, 0, 0) < 0 || waitpid(pid, &status, 0) < 0 ||
         !WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP))
        return rrs_error_create(RRS_ERROR_UNSUPPORTED, "the trial got a signal");
    return rrs_ptrace_get_regs(pid, regs);
}

static struct rrs_error *trial_run(struct rrs_timeline *timeline, bool one, struct rrs_stop *stop)
{
    enum { MAX_TRIAL_STEPS = 100000 };
    struct user_regs_struct regs;
    for (int i = 0; i < MAX_TRIAL_STEPS && !take_interrupt(timeline); i++) {
        RRS_TRY(trial_step(timeline, &regs));
        if (stops_at_breakpoint(timeline, regs.rip))
            return finish(timeline, RRS_STOP_BREAKPOINT, stop);
        if (one)
            return finish(timeline, RRS_STOP_STEPPED, stop);
    }
    return finish(timeline, RRS_STOP_INTERRUPTED, stop);
}
