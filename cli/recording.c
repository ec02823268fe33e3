/* SPDX-License-Identifier: MIT */
#include "cli/recording.h"

#include "cli/command.h"
#include "cli/output.h"
#include "cli/program.h"
#include "engine/record/recorder.h"
#include "engine/run/own_signals.h"
#include "lmdb-store/clock.h"
#include "lmdb-store/scope.h"
#include "lmdb-store/trace_dir.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct recording {
    const struct recording_plan *plan;
    char *path;
    struct rrs_trace_writer *writer; /* NULL: the trace is finished */
    struct rrs_session session;
    struct rrs_recorder recorder;
    struct rrs_error *unwritten; /* the trace could not be written to its end */
    uint64_t start_ns, end_ns;   /* CLOCK_MONOTONIC; end 0: it goes on */
    uint64_t ticks;              /* when it ended */
    uint64_t next_look_ns;       /* at the size of the trace */
    bool over;                   /* before its program */
    bool stopped;                /* by a signal */
};

static size_t count_strings(char *const *strings)
{
    size_t count = 0;
    while (strings[count])
        count++;
    return count;
}

/* --- the trace --- */

static struct rrs_error *describe(struct rrs_metadata *metadata, char *const argv[])
{
    extern char **environ;
    char directory[PATH_MAX];
    RRS_TRY(rrs_metadata_describe_machine(metadata));
    RRS_TRY(rrs_metadata_set(&metadata->program, argv[0]));
    RRS_TRY(rrs_metadata_set(&metadata->working_directory,
                             getcwd(directory, sizeof directory) ? directory : ""));
    RRS_TRY(rrs_metadata_set(&metadata->clock, "translated"));
    RRS_TRY(rrs_string_list_set(&metadata->command_line, (const char *const *)argv,
                                count_strings(argv)));
    RRS_TRY(rrs_string_list_set(&metadata->environment, (const char *const *)environ,
                                count_strings(environ)));
    RRS_TRY(rrs_recorder_name_kinds(metadata));
    metadata->start_wall_ns = rrs_clock_ns(CLOCK_REALTIME);
    return NULL;
}

static struct rrs_error *make_directory(struct recording *recording)
{
    const struct recording_plan *plan = recording->plan;
    if (!plan->output)
        return rrs_trace_dir_create(NULL, plan->argv[0], &recording->path);
    RRS_TRY(rrs_trace_dir_create_at(plan->output));
    recording->path = realpath(plan->output, NULL);
    return recording->path ? NULL : rrs_error_os(errno, plan->output, "cannot find it again");
}

/* What is for the program must not change where the trace goes. */
static struct rrs_error *enter_program_world(const struct recording_plan *plan)
{
    for (size_t i = 0; i < plan->n_variables; i++)
        if (putenv((char *)(uintptr_t)plan->variables[i]) != 0)
            return rrs_error_no_memory();
    if (plan->directory_fd >= 0 && fchdir(plan->directory_fd) < 0)
        return rrs_error_os(errno, NULL, "record: --chdir");
    return NULL;
}

static struct rrs_error *create_trace(struct recording *recording)
{
    struct rrs_metadata metadata;
    _cleanup_free_ char *cache = NULL;
    RRS_TRY(make_directory(recording));
    RRS_TRY(rrs_cache_home(&cache));
    RRS_TRY(enter_program_world(recording->plan));
    rrs_metadata_init(&metadata);
    struct rrs_error *error = describe(&metadata, recording->plan->argv);
    if (!error)
        error = rrs_trace_writer_create(recording->path, &metadata, &recording->writer);
    if (!error && cache)
        rrs_trace_writer_use_cache(recording->writer, cache);
    rrs_metadata_deinit(&metadata);
    return error;
}

static void finish_trace(struct recording *recording, const struct rrs_trace_end *end)
{
    if (!recording->writer)
        return;
    recording->end_ns = rrs_clock_ns(CLOCK_MONOTONIC);
    recording->ticks = recording->session.clock.ticks;
    recording->unwritten = rrs_trace_writer_finish(recording->writer, end);
    rrs_trace_writer_destroy(recording->writer);
    recording->writer = NULL;
}

/* --- the end before the program's --- */

static void end_program(struct rrs_session *session, int signal_number)
{
    for (struct rrs_task *task = session->tasks; task; task = task->next)
        if (!task->dead)
            kill(task->tid, signal_number);
}

static struct rrs_trace_end describe_end(const struct rrs_session *session,
                                         const struct rrs_error *error)
{
    struct rrs_trace_end end = {.wall_ns = rrs_clock_ns(CLOCK_REALTIME)};
    int status = session->root_status;
    if (error) {
        end.end_kind = RRS_TRACE_END_FAILED;
        snprintf(end.detail, sizeof end.detail, "%s", error->message);
    } else if (WIFSIGNALED(status)) {
        end.end_kind = RRS_TRACE_END_SIGNALED;
        end.code = WTERMSIG(status);
    } else {
        end.end_kind = RRS_TRACE_END_EXITED;
        end.code = WEXITSTATUS(status);
    }
    return end;
}

/* Whatever still runs goes on unrecorded, or is killed. */
static void end_with(struct recording *recording, const struct rrs_trace_end *end)
{
    recording->over = true;
    /* An error of the trace shows again when it is finished. */
    rrs_error_destroy(rrs_recorder_stop(&recording->recorder));
    finish_trace(recording, end);
    rrs_own_signals_let_sleep();
    if (recording->plan->kill_at_limit)
        end_program(&recording->session, SIGKILL);
}

static void end_early(struct recording *recording, enum rrs_trace_end_kind kind, const char *why)
{
    const struct recording_plan *plan = recording->plan;
    struct rrs_trace_end end = {.end_kind = kind, .wall_ns = rrs_clock_ns(CLOCK_REALTIME)};
    snprintf(end.detail, sizeof end.detail, "%s", why);
    if (!plan->quiet)
        print_error("%s: the recording ends; the program %s", why,
                    plan->kill_at_limit ? "is killed" : "goes on");
    end_with(recording, &end);
}

static void end_with_main(struct recording *recording)
{
    const struct recording_plan *plan = recording->plan;
    struct rrs_trace_end end = describe_end(&recording->session, NULL);
    if (recording->session.tasks && !plan->quiet)
        print_error("the first process has ended: the recording ends; what it has left behind %s",
                    plan->kill_at_limit ? "is killed" : "goes on");
    end_with(recording, &end);
}

/* The program goes on, and gets what was sent to us. */
static void end_by_signal(struct recording *recording, int signal_number)
{
    char why[64];
    const char *name = sigabbrev_np(signal_number);
    snprintf(why, sizeof why, "SIG%s", name ? name : "?");
    recording->stopped = true;
    end_early(recording, RRS_TRACE_END_STOPPED, why);
    if (!recording->plan->kill_at_limit)
        kill(recording->session.root, signal_number);
}

/* Asked some times a second only: what is queued is not counted anyway. */
static bool is_too_large(struct recording *recording, uint64_t now)
{
    enum { LOOK_EVERY_NS = 20000000 };
    struct rrs_trace_dir_usage usage = {0};
    if (!recording->plan->max_bytes || now < recording->next_look_ns)
        return false;
    recording->next_look_ns = now + LOOK_EVERY_NS;
    rrs_error_destroy(rrs_trace_dir_measure(recording->path, &usage));
    return usage.disk_bytes >= recording->plan->max_bytes;
}

static void attend(void *context)
{
    struct recording *recording = context;
    const struct recording_plan *plan = recording->plan;
    if (recording->over || !recording->session.started)
        return;
    int signal_number = rrs_own_signals_take();
    uint64_t now = plan->max_bytes || plan->max_ns ? rrs_clock_ns(CLOCK_MONOTONIC) : 0;
    if (recording->recorder.failure)
        end_early(recording, RRS_TRACE_END_DISK_FULL, "the disk is full");
    else if (signal_number)
        end_by_signal(recording, signal_number);
    else if (plan->max_ns && now - recording->start_ns >= plan->max_ns)
        end_early(recording, RRS_TRACE_END_LIMIT, "the time limit is reached");
    else if (plan->main_only && recording->session.root_ended)
        end_with_main(recording);
    else if (is_too_large(recording, now))
        end_early(recording, RRS_TRACE_END_LIMIT, "the size limit is reached");
}

/* --- the end of the program --- */

static double cpu_seconds(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Program and recorder take turns: the program waits for as long as the recorder works. */
static void print_summary(const struct recording *recording)
{
    struct rrs_trace_dir_usage usage = {0};
    double program = cpu_seconds(RUSAGE_CHILDREN);
    rrs_error_destroy(rrs_trace_dir_measure(recording->path, &usage));
    fprintf(stderr, "rrsoft: recorded %" PRIu64 " events, %" PRIu64 " ticks, %.1f MB in %.2f s",
            recording->recorder.events, recording->ticks, (double)usage.disk_bytes / 1e6,
            (double)(recording->end_ns - recording->start_ns) / 1e9);
    if (program > 0)
        fprintf(stderr, "; the recorder made it %.1f times as slow",
                (program + cpu_seconds(RUSAGE_SELF)) / program);
    fputc('\n', stderr);
}

static void report_stats(struct recording *recording)
{
    if (!recording->plan->stats || !recording->session.started)
        return;
    rrs_session_collect(&recording->session);
    program_print_stats(&recording->session);
}

/* Only the directory of a program that never began is of no use to anybody. While it has a writer
 * it cannot be removed. */
static int give_up(struct recording *recording, struct rrs_error *error)
{
    rrs_trace_writer_destroy(recording->writer);
    recording->writer = NULL;
    rrs_error_destroy(rrs_trace_dir_remove(recording->path));
    return program_report_exec_failure(error, recording->plan->argv[0]);
}

/* Without a trace worth keeping there is nothing to say about it. */
static void keep_or_remove(struct recording *recording, const struct recording_result *result)
{
    const struct recording_plan *plan = recording->plan;
    bool keep = !plan->keep_failed_only || result->failed;
    if (keep && !plan->quiet)
        print_summary(recording);
    if (keep)
        return;
    if (!plan->quiet)
        fprintf(stderr, "rrsoft: the program exited with 0: its trace is removed\n");
    struct rrs_error *error = rrs_trace_dir_remove(recording->path);
    if (error)
        print_rrs_error(error);
}

/* `error`: what ended the session before its time, or NULL. */
static struct recording_result conclude(struct recording *recording, struct rrs_error *error)
{
    const struct rrs_session *session = &recording->session;
    struct rrs_trace_end end = describe_end(session, error);
    struct recording_result result = {
        .exit_code = program_exit_code(session->root_status),
        .failed = error || session->root_status != 0,
        .stopped = recording->stopped,
    };
    if (session->started)
        finish_trace(recording, &end);
    if (error)
        result.exit_code = session->started ? print_rrs_error(error) : give_up(recording, error);
    result.ran = session->started && !error && !recording->unwritten;
    if (recording->unwritten)
        result.exit_code = print_rrs_error(recording->unwritten);
    else if (session->started)
        keep_or_remove(recording, &result);
    return result;
}

static struct rrs_error *run_session(struct recording *recording)
{
    struct rrs_session *session = &recording->session;
    const struct recording_plan *plan = recording->plan;
    RRS_TRY(rrs_session_init(session, &plan->session));
    session->warn = program_warn;
    session->attend = attend;
    session->attend_context = recording;
    session->keeps_signal = true;
    session->wake_after_ns = plan->max_ns;
    RRS_TRY(rrs_recorder_init(&recording->recorder, session, recording->writer, plan->checksums));
    recording->start_ns = rrs_clock_ns(CLOCK_MONOTONIC);
    return rrs_session_run(session, plan->argv);
}

static void announce(const struct recording *recording)
{
    const struct rrs_session_options *options = &recording->plan->session;
    fprintf(stderr, "rrsoft: recording to %s\n", recording->path);
    if (options->chaos)
        fprintf(stderr, "rrsoft: --chaos=%" PRIu64 " repeats the order of this run\n",
                options->chaos_seed);
}

struct recording_result recording_run(const struct recording_plan *plan)
{
    struct recording recording = {.plan = plan};
    struct rrs_error *error = create_trace(&recording);
    if (error) {
        if (recording.path && !recording.writer) /* nothing is in it */
            rrs_error_destroy(rrs_trace_dir_remove(recording.path));
        free(recording.path);
        return (struct recording_result){.exit_code = print_rrs_error(error), .failed = true};
    }
    if (!plan->quiet)
        announce(&recording);
    struct recording_result result = conclude(&recording, run_session(&recording));
    report_stats(&recording);
    rrs_trace_writer_destroy(recording.writer);
    rrs_session_deinit(&recording.session);
    rrs_recorder_deinit(&recording.recorder);
    free(recording.path);
    return result;
}
