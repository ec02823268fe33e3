/* SPDX-License-Identifier: MIT */
/*
 * Makes a trace of made-up events, for the tests of the command line and for ./demo: what a
 * recorder would write about a program that reads its input in two tasks. Nothing is recorded here.
 *
 *     make_trace PROGRAM EVENTS START_SECONDS END [ARGUMENT]...
 *
 * START_SECONDS is the wall-clock time of the start (0: now). END is "exited", "signaled",
 * "failed", or "recording": then everything is flushed, the path printed, and the trace finished
 * when standard input ends. ARGUMENTs are the program's own. Prints the path of the trace.
 */
#include "lmdb-store/blob.h"
#include "lmdb-store/checkpoint.h"
#include "lmdb-store/event_log_writer.h"
#include "lmdb-store/scope.h"
#include "lmdb-store/trace_dir.h"
#include "lmdb-store/trace_writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    FIRST_TASK = 4000,
    TICKS_PER_EVENT = 1000,
    NS_PER_EVENT = 1000000,
    EVENTS_PER_CHECKPOINT = 1000,
    PAGES = 8, /* of each checkpoint */
};

enum kind { KIND_NONE, KIND_SYSCALL, KIND_SIGNAL, KIND_SWITCH, KIND_UNNAMED };

static const char *const kind_names[] = {"", "syscall", "signal", "switch"};
static const char *const environment[] = {"HOME=/home/user", "LANG=C.UTF-8"};

struct plan {
    const char *program;
    uint64_t n_events;
    uint64_t start_wall_ns;
    const char *end;
    const char *const *command_line;
    size_t n_words;
};

static struct rrs_error *describe(const struct plan *plan, struct rrs_metadata *metadata)
{
    RRS_TRY(rrs_metadata_describe_machine(metadata));
    RRS_TRY(rrs_metadata_set(&metadata->program, plan->program));
    RRS_TRY(rrs_metadata_set(&metadata->working_directory, "/home/user"));
    RRS_TRY(rrs_metadata_set(&metadata->clock, "made up"));
    RRS_TRY(rrs_string_list_set(&metadata->command_line, plan->command_line, plan->n_words));
    RRS_TRY(rrs_string_list_set(&metadata->environment, environment, 2));
    RRS_TRY(rrs_string_list_set(&metadata->event_kinds, kind_names, 4));
    metadata->start_wall_ns = plan->start_wall_ns;
    return NULL;
}

/* Every tenth event is a switch of tasks, the hundredth a signal; one has a kind without a name. */
static enum kind kind_of(uint64_t number)
{
    return number % 100 == 0  ? KIND_SIGNAL
           : number % 10 == 0 ? KIND_SWITCH
           : number == 5      ? KIND_UNNAMED
                              : KIND_SYSCALL;
}

static struct rrs_error *append(struct rrs_trace_writer *writer, const struct plan *plan,
                                uint64_t number)
{
    char data[64];
    int length = snprintf(data, sizeof data, "read(0, \"line %" PRIu64 "\\n\", 4096)", number);
    struct rrs_event event = {
        .tick = number * TICKS_PER_EVENT,
        .wall_ns = plan->start_wall_ns + number * NS_PER_EVENT,
        .task = FIRST_TASK + (int32_t)(number / 10 % 2),
        .event_kind = kind_of(number),
        .size_bytes = (uint32_t)length,
        .data = data,
    };
    return rrs_event_log_append(writer, &event);
}

static struct rrs_error *put_pages(struct rrs_checkpoint_builder *builder,
                                   const struct rrs_checkpoint_place *place)
{
    uint8_t content[RRS_CHECKPOINT_PAGE_BYTES];
    for (unsigned page = 0; page < PAGES; page++) {
        /* Only the last page differs from checkpoint to checkpoint. */
        memset(content, page + 1 < PAGES ? (int)page : (int)(place->event & 0xff), sizeof content);
        RRS_TRY(
            rrs_checkpoint_builder_put_page(builder, 1, 0x400000 + page * sizeof content, content));
    }
    return rrs_checkpoint_builder_finish(builder, place, "registers", 9);
}

static struct rrs_error *take_checkpoint(struct rrs_trace_writer *writer, uint64_t number)
{
    struct rrs_checkpoint_place place = {.event = number + 1, .tick = number * TICKS_PER_EVENT};
    struct rrs_checkpoint_builder *builder;
    RRS_TRY(rrs_checkpoint_builder_create(writer, NULL, &builder));
    struct rrs_error *error = put_pages(builder, &place);
    rrs_checkpoint_builder_destroy(builder);
    return error;
}

static struct rrs_error *write_contents(struct rrs_trace_writer *writer, const struct plan *plan)
{
    static const char input[] = "the file that the program maps";
    struct rrs_hash hash;
    RRS_TRY(rrs_blob_put(writer, input, sizeof input, &hash));
    for (uint64_t number = 1; number <= plan->n_events; number++) {
        RRS_TRY(append(writer, plan, number));
        if (number % EVENTS_PER_CHECKPOINT == 0)
            RRS_TRY(take_checkpoint(writer, number));
    }
    return rrs_trace_writer_flush(writer);
}

static struct rrs_trace_end end_of(const struct plan *plan)
{
    struct rrs_trace_end end = {
        .end_kind = RRS_TRACE_END_EXITED,
        .code = 3,
        .wall_ns = plan->start_wall_ns + (plan->n_events + 1) * NS_PER_EVENT,
    };
    if (strcmp(plan->end, "signaled") == 0) {
        end.end_kind = RRS_TRACE_END_SIGNALED;
        end.code = 11;
    } else if (strcmp(plan->end, "failed") == 0) {
        end.end_kind = RRS_TRACE_END_FAILED;
        end.code = 0;
        strcpy(end.detail, "the recorder met a case it does not know");
    }
    return end;
}

static struct rrs_error *write_trace(struct rrs_trace_writer *writer, const struct plan *plan,
                                     const char *path)
{
    RRS_TRY(write_contents(writer, plan));
    printf("%s\n", path);
    fflush(stdout);
    if (strcmp(plan->end, "recording") == 0)
        while (getchar() != EOF)
            ;
    struct rrs_trace_end end = end_of(plan);
    return rrs_trace_writer_finish(writer, &end);
}

static struct rrs_error *make_trace(const struct plan *plan)
{
    _cleanup_free_ char *path = NULL;
    RRS_TRY(rrs_trace_dir_create(NULL, plan->program, &path));
    struct rrs_metadata metadata;
    rrs_metadata_init(&metadata);
    struct rrs_trace_writer *writer = NULL;
    struct rrs_error *error = describe(plan, &metadata);
    if (!error)
        error = rrs_trace_writer_create(path, &metadata, &writer);
    rrs_metadata_deinit(&metadata);
    if (!error)
        error = write_trace(writer, plan, path);
    rrs_trace_writer_destroy(writer);
    return error;
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: make_trace PROGRAM EVENTS START_SECONDS END [ARGUMENT]...\n");
        return 2;
    }
    uint64_t start_seconds = strtoull(argv[3], NULL, 10);
    struct plan plan = {
        .program = argv[1],
        .n_events = strtoull(argv[2], NULL, 10),
        .start_wall_ns = (start_seconds ? start_seconds : (uint64_t)time(NULL)) * 1000000000,
        .end = argv[4],
        .command_line = (const char *const *)argv + 4,
        .n_words = (size_t)argc - 4,
    };
    argv[4] = argv[1]; /* END stands where the command line's first word belongs */
    struct rrs_error *error = make_trace(&plan);
    if (!error)
        return 0;
    char message[512];
    fprintf(stderr, "make_trace: %s\n", rrs_error_format(error, message, sizeof message));
    rrs_error_destroy(error);
    return 1;
}
