/* SPDX-License-Identifier: MIT */
/* `rrsoft diff`: where two recordings of one program part. */
#include "cli/command.h"
#include "cli/compare.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/trace.h"
#include "lmdb-store/scope.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_DIFFERENT = 3 };

struct side {
    struct opened_trace trace;
    struct decoder decoder;
    struct births births;
    struct rrs_event_cursor *cursor; /* of the walk under way */
    const struct rrs_event *event;   /* NULL: behind the last one */
};

struct request {
    bool exact, json;
    struct option_number strings;
};

/* An event of each side by its number; 0: none. */
struct pair {
    uint64_t numbers[2];
};

struct result {
    uint64_t same;          /* steps */
    uint64_t inputs;        /* of them, those with other inputs */
    const char *difference; /* NULL: none */
    struct pair parted, last_input;
};

/* --- sides --- */

static struct rrs_error *side_open(struct side *side, const char *argument)
{
    RRS_TRY(trace_open(argument, &side->trace));
    decoder_init(&side->decoder, &side->trace);
    return births_read(&side->births, &side->trace);
}

static void side_close(struct side *side)
{
    decoder_deinit(&side->decoder);
    births_deinit(&side->births);
    trace_close(&side->trace);
}

static struct compared_side compared(const struct side *side)
{
    return (struct compared_side){&side->decoder, &side->births, side->event};
}

/* --- steps --- */

static enum rrs_event_kind kind_at(const struct side *side)
{
    return side->event ? decode_kind(&side->decoder, side->event) : RRS_EVENT_NONE;
}

/* Of a call during which others ran, the end stands for the whole, if it has one. */
static struct rrs_error *skip_to_exit(struct side *side)
{
    RRS_TRY(rrs_event_cursor_next(side->cursor, &side->event));
    if (kind_at(side) == RRS_EVENT_CALL_EXIT)
        return NULL;
    return rrs_event_cursor_previous(side->cursor, &side->event);
}

/* Unless it is to be exact, who ran when is not looked at. */
static struct rrs_error *next_step(struct side *side, bool exact)
{
    do {
        RRS_TRY(rrs_event_cursor_next(side->cursor, &side->event));
    } while (!exact && kind_at(side) == RRS_EVENT_PREEMPT);
    if (!exact && kind_at(side) == RRS_EVENT_CALL_ENTER)
        return skip_to_exit(side);
    return NULL;
}

static struct pair pair_of(const struct side *sides)
{
    struct pair pair = {{0}};
    for (int i = 0; i < 2; i++)
        if (sides[i].event)
            pair.numbers[i] = sides[i].event->number;
    return pair;
}

/* What parts the steps at which both sides stand. */
static const char *compare_pair(const struct side *sides, const struct request *request,
                                struct result *result)
{
    struct compared_side a = compared(&sides[0]), b = compared(&sides[1]);
    if (!a.event || !b.event)
        return "only one goes on";
    const char *difference = compare_steps(&a, &b, request->exact);
    if (difference)
        return difference;
    if (!compare_inputs(&a, &b)) {
        result->inputs++;
        result->last_input = pair_of(sides);
    }
    result->same++;
    return NULL;
}

static struct rrs_error *walk_steps(struct side *sides, const struct request *request,
                                    struct result *result)
{
    for (;;) {
        for (int i = 0; i < 2; i++)
            RRS_TRY(next_step(&sides[i], request->exact));
        if (!sides[0].event && !sides[1].event)
            return NULL;
        result->difference = compare_pair(sides, request, result);
        result->parted = pair_of(sides);
        if (result->difference)
            return NULL;
    }
}

/* `tasks`: of either side; NULL: all. */
static struct rrs_error *compare_walks(struct side *sides, const int32_t *tasks,
                                       const struct request *request, struct result *result)
{
    struct rrs_error *error = NULL;
    for (int i = 0; i < 2 && !error; i++) {
        const struct rrs_event_filter filter = {.has_task = tasks != NULL,
                                                .task = tasks ? tasks[i] : 0};
        error = rrs_event_cursor_create(sides[i].trace.log, &filter, &sides[i].cursor);
    }
    if (!error)
        error = walk_steps(sides, request, result);
    for (int i = 0; i < 2; i++) {
        rrs_event_cursor_destroy(sides[i].cursor);
        sides[i].cursor = NULL;
    }
    return error;
}

/* --- task by task --- */

/* Mostly at the same place in both lists. */
static const struct birth *find_same(const struct births *births, size_t hint, uint64_t id)
{
    for (size_t i = 0; i < births->count; i++) {
        const struct birth *birth = births->list[(hint + i) % births->count];
        if (birth->id == id)
            return birth;
    }
    return NULL;
}

static struct rrs_error *compare_task(struct side *sides, size_t place,
                                      const struct request *request, struct result *result)
{
    const struct birth *own = sides[0].births.list[place];
    const struct birth *other = find_same(&sides[1].births, place, own->id);
    if (!other) {
        result->difference = "a task that the other one lacks";
        result->parted.numbers[0] = own->first_event;
        return NULL;
    }
    const int32_t tasks[] = {own->tid, other->tid};
    return compare_walks(sides, tasks, request, result);
}

static uint64_t place_of(const struct result *result)
{
    const uint64_t *numbers = result->parted.numbers;
    return numbers[0] ? numbers[0] : numbers[1];
}

/* The task that parts first is the one to look at: the others may follow from it. */
static struct rrs_error *compare_tasks(struct side *sides, const struct request *request,
                                       struct result *result)
{
    uint64_t same = 0, inputs = 0;
    for (size_t i = 0; i < sides[0].births.count; i++) {
        struct result one = {0};
        RRS_TRY(compare_task(sides, i, request, &one));
        same += one.same;
        inputs += one.inputs;
        if (one.difference && (!result->difference || place_of(&one) < place_of(result)))
            *result = one;
    }
    if (!result->difference) {
        result->same = same;
        result->inputs = inputs;
    }
    return NULL;
}

/* --- showing --- */

/* Decodes an event; `*text` stays NULL if there is none. The caller frees it. */
static struct rrs_error *decode_at(struct side *side, uint64_t number, struct rrs_event *event,
                                   char **text)
{
    const struct rrs_event *found;
    struct rrs_event_cursor *cursor;
    if (!number)
        return NULL;
    RRS_TRY(rrs_event_cursor_create(side->trace.log, NULL, &cursor));
    struct rrs_error *error = rrs_event_cursor_seek_number(cursor, number, &found);
    if (!error && found) {
        *event = *found;
        error = decode_string(&side->decoder, found, text);
    }
    rrs_event_cursor_destroy(cursor);
    return error;
}

/* --- printing --- */

static struct rrs_error *print_pair(struct side *sides, const struct pair *pair)
{
    for (int i = 0; i < 2; i++) {
        struct rrs_event event;
        _cleanup_free_ char *text = NULL;
        RRS_TRY(decode_at(&sides[i], pair->numbers[i], &event, &text));
        if (text)
            printf("  %d  %" PRIu64 "  %" PRIu64 "  %" PRId32 "  %s\n", i + 1, event.number,
                   event.tick, event.task, text);
        else
            printf("  %d  no event\n", i + 1);
    }
    return NULL;
}

static struct rrs_error *print_text(struct side *sides, const struct result *result)
{
    if (!result->difference) {
        printf("the same %" PRIu64 " steps, %" PRIu64 " of them with other inputs\n", result->same,
               result->inputs);
        return NULL;
    }
    printf("%s, after %" PRIu64 " steps that are the same:\n", result->difference, result->same);
    RRS_TRY(print_pair(sides, &result->parted));
    if (!result->inputs)
        return NULL;
    printf("before that, %" PRIu64 " steps had other inputs, the last of them:\n", result->inputs);
    return print_pair(sides, &result->last_input);
}

static struct rrs_error *print_json_pair(struct json *json, const char *name, struct side *sides,
                                         const struct pair *pair)
{
    struct rrs_error *error = NULL;
    json_open_array(json, name);
    for (int i = 0; i < 2 && !error; i++) {
        struct rrs_event event;
        _cleanup_free_ char *text = NULL;
        error = decode_at(&sides[i], pair->numbers[i], &event, &text);
        json_open_object(json, NULL);
        if (text) {
            json_number(json, "event", event.number);
            json_number(json, "tick", event.tick);
            json_signed(json, "task", event.task);
            json_string(json, "text", text);
        }
        json_close_object(json);
    }
    json_close_array(json);
    return error;
}

static struct rrs_error *print_json(struct side *sides, const struct result *result)
{
    struct rrs_error *error = NULL;
    struct json json = {.stream = stdout};
    json_open_object(&json, NULL);
    json_number(&json, "same_steps", result->same);
    json_number(&json, "other_inputs", result->inputs);
    if (result->difference) {
        json_string(&json, "difference", result->difference);
        error = print_json_pair(&json, "parted", sides, &result->parted);
    }
    if (result->difference && result->inputs && !error)
        error = print_json_pair(&json, "last_input", sides, &result->last_input);
    json_close_object(&json);
    return error;
}

static struct rrs_error *run(char **arguments, const struct request *request, bool *different)
{
    struct side sides[2] = {0};
    struct result result = {0};
    struct rrs_error *error = NULL;
    for (int i = 0; i < 2 && !error; i++) {
        error = side_open(&sides[i], arguments[i]);
        sides[i].decoder.max_string = (uint32_t)request->strings.value;
    }
    if (!error)
        error = request->exact ? compare_walks(sides, NULL, request, &result)
                               : compare_tasks(sides, request, &result);
    if (!error)
        error = request->json ? print_json(sides, &result) : print_text(sides, &result);
    *different = result.difference != NULL;
    for (int i = 0; i < 2; i++)
        side_close(&sides[i]);
    return error;
}

int command_diff(int argc, char **argv)
{
    struct request request = {0};
    const struct option_row options[] = {
        {"exact", 'x', OPTION_FLAG, NULL, "compare who ran when, and each tick", &request.exact},
        {"strings", 's', OPTION_NUMBER, "N", "show N bytes of each string (1 to 4096); default 32",
         &request.strings},
        {"json", 0, OPTION_FLAG, NULL, "print a JSON object", &request.json},
        {0},
    };
    const struct usage usage = {
        .command = "diff",
        .arguments = "TRACE1 TRACE2",
        .description =
            "Shows where two recordings of one program part: the first event at which a task did\n"
            "one thing here and another there. Exits with 3 if they do. What only came from "
            "outside as another value (an input: the time, a number\n"
            "of a process, bytes read) is no parting by itself.\n",
        .arguments_min = 2,
        .arguments_max = 2,
        .options = options,
    };
    int exit_code;
    if (!options_parse(&usage, &argc, argv, &exit_code))
        return exit_code;
    if (request.strings.given &&
        (request.strings.value < 1 || request.strings.value > DECODE_STRING_MAX)) {
        print_error("diff: --strings: give a number from 1 to %d", DECODE_STRING_MAX);
        return EXIT_USAGE;
    }
    bool different = false;
    struct rrs_error *error = run(argv, &request, &different);
    if (error)
        return print_rrs_error(error);
    return different ? EXIT_DIFFERENT : EXIT_OK;
}
