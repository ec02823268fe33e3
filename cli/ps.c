/* SPDX-License-Identifier: MIT */
/* `rrsoft ps`: the tree of processes of a recording. */
#include "cli/command.h"
#include "cli/decode.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/process_list.h"
#include "cli/text.h"
#include "cli/trace.h"
#include "lmdb-store/scope.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* --- the tree --- */

/* Where each process has its place among the lines, and how far it is indented. */
struct line {
    size_t process; /* index */
    uint32_t depth;
};

struct tree {
    struct line *lines;
    size_t n_lines;
    size_t *first_child, *next_sibling; /* by index; plus 1, 0: none */
};

/* Without recursion: a stranger's tree may be as deep as it has processes. */
static void put_lines(const struct process_list *list, struct tree *tree, size_t root)
{
    uint32_t depth = 0;
    size_t at = root;
    for (;;) {
        tree->lines[tree->n_lines++] = (struct line){at, depth};
        if (tree->first_child[at]) {
            at = tree->first_child[at] - 1;
            depth++;
            continue;
        }
        while (at != root && !tree->next_sibling[at]) {
            at = list->processes[at].parent_place - 1;
            depth--;
        }
        if (at == root)
            return;
        at = tree->next_sibling[at] - 1;
    }
}

static void lay_out(const struct process_list *list, struct tree *tree)
{
    for (size_t i = list->n_processes; i-- > 0;) {
        size_t place = list->processes[i].parent_place;
        if (!place)
            continue;
        tree->next_sibling[i] = tree->first_child[place - 1];
        tree->first_child[place - 1] = i + 1;
    }
    for (size_t i = 0; i < list->n_processes; i++)
        if (!list->processes[i].parent_place)
            put_lines(list, tree, i);
}

static void tree_deinit(struct tree *tree)
{
    free(tree->lines);
    free(tree->first_child);
    free(tree->next_sibling);
}

static struct rrs_error *tree_init(struct tree *tree, const struct process_list *list)
{
    size_t count = list->n_processes + 1;
    tree->n_lines = 0;
    tree->lines = calloc(count, sizeof *tree->lines);
    tree->first_child = calloc(count, sizeof *tree->first_child);
    tree->next_sibling = calloc(count, sizeof *tree->next_sibling);
    if (!tree->lines || !tree->first_child || !tree->next_sibling)
        return rrs_error_no_memory();
    lay_out(list, tree);
    return NULL;
}

/* --- printing --- */

static const char *format_end(const struct process *process, char text[64])
{
    const char *name;
    if (!process->ended)
        return "-";
    if (WIFEXITED(process->status)) {
        snprintf(text, 64, "%d", WEXITSTATUS(process->status));
        return text;
    }
    name = WIFSIGNALED(process->status) ? sigabbrev_np(WTERMSIG(process->status)) : NULL;
    if (name)
        snprintf(text, 64, "SIG%s", name);
    else
        snprintf(text, 64, "%#x", (unsigned)process->status);
    return text;
}

static char *format_command(const struct process *process, uint32_t depth)
{
    enum { DEPTH_MAX = 40 };
    char *line = NULL;
    _cleanup_free_ char *words = text_quote_arguments(process->command_line, process->n_words);
    _cleanup_free_ char *program =
        process->program ? text_escape(process->program, strlen(process->program)) : NULL;
    const char *text = process->n_words ? words : program;
    int indent = (int)(depth < DEPTH_MAX ? depth : DEPTH_MAX) * 2;
    if (process->parent && !process->n_execs)
        text = "(forked without exec)";
    return asprintf(&line, "%*s%s", indent, "", text ? text : "") < 0 ? NULL : line;
}

static void add_number(struct table *table, uint64_t number)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, number);
    table_add(table, text);
}

/* The first four columns are those of `rr ps`, for front ends that read them. */
static void add_row(struct table *table, const struct process *process, uint32_t depth)
{
    char text[64];
    add_number(table, (uint32_t)process->pid);
    if (process->parent)
        add_number(table, (uint32_t)process->parent);
    else
        table_add(table, "--");
    table_add(table, format_end(process, text));
    _cleanup_free_ char *command = format_command(process, depth);
    table_add_verbatim(table, command ? command : "");
    add_number(table, process->n_tasks);
    add_number(table, process->ticks);
    add_number(table, process->first_event);
}

static struct rrs_error *print_table(const struct process_list *list, const struct tree *tree)
{
    static const char *const heads[] = {"PID", "PPID", "EXIT", "CMD", "TASKS", "TICKS", "EVENT"};
    struct table *table = table_create("rrllrrr");
    if (!table)
        return rrs_error_no_memory();
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        table_add(table, heads[i]);
    for (size_t i = 0; i < tree->n_lines; i++)
        add_row(table, &list->processes[tree->lines[i].process], tree->lines[i].depth);
    bool printed = table_print(table);
    table_destroy(table);
    return printed ? NULL : rrs_error_no_memory();
}

static void print_json_process(struct json *json, const struct process *process)
{
    json_open_object(json, NULL);
    json_signed(json, "process", process->pid);
    if (process->parent)
        json_signed(json, "parent", process->parent);
    json_number(json, "tasks", process->n_tasks);
    json_number(json, "ticks", process->ticks);
    json_number(json, "execs", process->n_execs);
    json_number(json, "first_event", process->first_event);
    if (process->last_event)
        json_number(json, "last_event", process->last_event);
    if (process->ended && WIFEXITED(process->status))
        json_signed(json, "exit_status", WEXITSTATUS(process->status));
    if (process->ended && WIFSIGNALED(process->status))
        json_signed(json, "signal", WTERMSIG(process->status));
    if (process->program)
        json_string(json, "program", process->program);
    json_open_array(json, "command_line");
    for (size_t i = 0; i < process->n_words; i++)
        json_string(json, NULL, process->command_line[i]);
    json_close_array(json);
    json_close_object(json);
}

static struct rrs_error *print(const struct process_list *list, bool as_json)
{
    struct tree tree;
    struct json json = {.stream = stdout};
    struct rrs_error *error = tree_init(&tree, list);
    if (!error && as_json) {
        json_open_array(&json, NULL);
        for (size_t i = 0; i < tree.n_lines; i++)
            print_json_process(&json, &list->processes[tree.lines[i].process]);
        json_close_array(&json);
    } else if (!error) {
        error = print_table(list, &tree);
    }
    tree_deinit(&tree);
    return error;
}

static struct rrs_error *run(const char *argument, bool as_json)
{
    _cleanup_trace_ struct opened_trace trace;
    RRS_TRY(trace_open(argument, &trace));
    struct process_list list;
    struct rrs_error *error = process_list_read(&trace, &list);
    if (!error)
        error = print(&list, as_json);
    process_list_deinit(&list);
    return error;
}

int command_ps(int argc, char **argv)
{
    bool as_json = false;
    const struct option_row options[] = {
        {"json", 0, OPTION_FLAG, NULL, "print a JSON array, one object per process", &as_json},
        {0},
    };
    const struct usage usage = {
        .command = "ps",
        .arguments = "[TRACE]",
        .description =
            "Prints the processes of a recording as a tree: number, parent, exit status or\n"
            "signal, command line, tasks, ticks, first event.\n" TRACE_HELP,
        .arguments_max = 1,
        .options = options,
    };
    int exit_code;
    if (!options_parse(&usage, &argc, argv, &exit_code))
        return exit_code;
    struct rrs_error *error = run(argc > 0 ? argv[0] : NULL, as_json);
    return error ? print_rrs_error(error) : EXIT_OK;
}
