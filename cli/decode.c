/* SPDX-License-Identifier: MIT */
#include "cli/decode.h"

#include "cli/event_memory.h"
#include "cli/text.h"
#include "engine/syscalls/print.h"
#include "engine/syscalls/table.h"
#include "lmdb-store/scope.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { LINE_FIRST_ROOM = 1024, LINE_MAX_BYTES = 1 << 20 };

/* The items without which an event of a kind says nothing: bits by enum rrs_item_kind. */
#define NEEDS(item) (1u << RRS_ITEM_##item)
static const uint32_t needed[RRS_EVENT_KIND_COUNT] = {
    [RRS_EVENT_EXEC] = NEEDS(PC) | NEEDS(TASK) | NEEDS(REGS),
    [RRS_EVENT_CALL] = NEEDS(PC) | NEEDS(CALL) | NEEDS(RESULT),
    [RRS_EVENT_CALL_ENTER] = NEEDS(PC) | NEEDS(CALL),
    [RRS_EVENT_CALL_EXIT] = NEEDS(PC) | NEEDS(CALL) | NEEDS(RESULT),
    [RRS_EVENT_INSN] = NEEDS(PC),
    [RRS_EVENT_SIGNAL] = NEEDS(PC) | NEEDS(SIGINFO) | NEEDS(ACTION),
    [RRS_EVENT_PREEMPT] = NEEDS(PC),
    [RRS_EVENT_TASK_NEW] = NEEDS(TASK),
    [RRS_EVENT_TASK_END] = NEEDS(STATUS),
};

void decoder_init(struct decoder *decoder, const struct opened_trace *trace)
{
    *decoder = (struct decoder){.reader = trace->reader, .metadata = &trace->metadata};
}

void decoder_deinit(struct decoder *decoder)
{
    free(decoder->line);
    decoder->line = NULL;
}

enum rrs_event_kind decode_kind(const struct decoder *decoder, const struct rrs_event *event)
{
    static const char *const names[] = {
#define X(name, text, meaning) text,
        RRS_EVENT_KINDS(X)
#undef X
    };
    const char *name = trace_kind_name(decoder->metadata, event->event_kind);
    bool same = name && event->event_kind < RRS_EVENT_KIND_COUNT &&
                strcmp(name, names[event->event_kind]) == 0;
    return same ? (enum rrs_event_kind)event->event_kind : RRS_EVENT_NONE;
}

bool decode_is_sound(enum rrs_event_kind kind, const struct rrs_event *event)
{
    struct rrs_item_reader items = rrs_item_reader_begin(event->data, event->size_bytes);
    struct rrs_item item;
    uint32_t found = 0;
    while (rrs_item_next(&items, &item))
        found |= 1u << item.kind;
    return !items.malformed && (found & needed[kind]) == needed[kind];
}

/* The first item of a kind; zeros if there is none. */
static struct rrs_item item_of(const struct rrs_event *event, enum rrs_item_kind kind)
{
    struct rrs_item item;
    bool found = rrs_item_find(event->data, event->size_bytes, kind, &item);
    return found ? item : (struct rrs_item){0};
}

/* --- calls --- */

static struct rrs_syscall call_of(const struct rrs_event *event)
{
    struct rrs_item call = item_of(event, RRS_ITEM_CALL);
    struct rrs_item result = item_of(event, RRS_ITEM_RESULT);
    struct rrs_syscall made = {.number = call.call.number, .result = result.result};
    memcpy(made.args, call.call.args, sizeof made.args);
    return made;
}

static bool grow_line(struct decoder *decoder, size_t bytes)
{
    size_t room = bytes < LINE_FIRST_ROOM ? LINE_FIRST_ROOM : bytes;
    room = room < LINE_MAX_BYTES ? room : LINE_MAX_BYTES;
    if (room <= decoder->line_room)
        return true;
    char *larger = realloc(decoder->line, room);
    if (!larger)
        return false;
    decoder->line = larger;
    decoder->line_room = room;
    return true;
}

/* Fills decoder->line; "" if memory is out. */
static struct rrs_error *format_call(struct decoder *decoder, const struct rrs_event *event,
                                     bool at_entry)
{
    struct rrs_syscall call = call_of(event);
    struct event_memory memory;
    const struct rrs_memory_reader reader = {.read = event_memory_read, .context = &memory};
    const struct rrs_print_options options = {
        .max_string = decoder->max_string, .at_entry = at_entry, .in_part = true};
    event_memory_init(&memory, decoder->reader, event);
    if (!grow_line(decoder, LINE_FIRST_ROOM))
        return rrs_error_no_memory();
    size_t length = rrs_syscall_print(&call, &reader, &options, decoder->line, decoder->line_room);
    if (length >= decoder->line_room && grow_line(decoder, length + 1))
        rrs_syscall_print(&call, &reader, &options, decoder->line, decoder->line_room);
    return memory.error;
}

static struct rrs_error *print_call(struct decoder *decoder, const struct rrs_event *event,
                                    FILE *stream)
{
    struct rrs_error *error = format_call(decoder, event, false);
    if (decoder->line)
        fputs(decoder->line, stream);
    return error;
}

static struct rrs_error *print_call_enter(struct decoder *decoder, const struct rrs_event *event,
                                          FILE *stream)
{
    struct rrs_error *error = format_call(decoder, event, true);
    size_t length = decoder->line ? strlen(decoder->line) : 0;
    bool closed = length && decoder->line[length - 1] == ')';
    if (length)
        fprintf(stream, "%.*s <unfinished ...>", (int)(closed ? length - 1 : length),
                decoder->line);
    return error;
}

static struct rrs_error *print_call_exit(struct decoder *decoder, const struct rrs_event *event,
                                         FILE *stream)
{
    fputs("<... resumed> ", stream);
    return print_call(decoder, event, stream);
}

/* --- signals --- */

static siginfo_t siginfo_of(const struct rrs_event *event)
{
    struct rrs_item item = item_of(event, RRS_ITEM_SIGINFO);
    siginfo_t info = {0};
    memcpy(&info, item.bytes.bytes, item.bytes.size < sizeof info ? item.bytes.size : sizeof info);
    return info;
}

static struct rrs_error *print_signal(struct decoder *decoder, const struct rrs_event *event,
                                      FILE *stream)
{
    char text[512];
    (void)decoder;
    siginfo_t info = siginfo_of(event);
    uint32_t action = item_of(event, RRS_ITEM_ACTION).action;
    const char *name = rrs_signal_name(info.si_signo);
    rrs_siginfo_print(&info, text, sizeof text);
    fprintf(stream, "--- %s %s ---", name ? name : "signal", text);
    if (action & RRS_SIGNAL_RAISED)
        fprintf(stream, " raised at %#" PRIx64 ";", item_of(event, RRS_ITEM_PC).pc);
    if (action & RRS_SIGNAL_ENDS)
        fputs(" ends or stops the process", stream);
    else
        fprintf(stream, " handled at %#llx", item_of(event, RRS_ITEM_REGS).regs.values.rip);
    return NULL;
}

/* --- tasks --- */

static void print_quoted(const char *string, FILE *stream)
{
    _cleanup_free_ char *text = text_escape(string, strlen(string));
    putc('"', stream);
    for (const char *at = text ? text : ""; *at; at++) {
        if (*at == '"')
            putc('\\', stream);
        putc(*at, stream);
    }
    putc('"', stream);
}

static void print_list(char *const *strings, size_t count, FILE *stream)
{
    putc('[', stream);
    for (size_t i = 0; i < count; i++) {
        fputs(i ? ", " : "", stream);
        print_quoted(strings[i], stream);
    }
    putc(']', stream);
}

static struct rrs_error *print_exec(struct decoder *decoder, const struct rrs_event *event,
                                    FILE *stream)
{
    struct exec_strings strings;
    struct rrs_error *error = exec_strings_read(decoder->reader, event, &strings);
    const char *file = strings.file ? strings.file : strings.program;
    fputs("execve(", stream);
    print_quoted(file ? file : "", stream);
    fputs(", ", stream);
    print_list(strings.arguments, strings.n_arguments, stream);
    fprintf(stream, ", [/* %zu vars */]) = 0", strings.n_environment);
    exec_strings_deinit(&strings);
    return error;
}

static void format_clone_flags(uint64_t flags, char *text, size_t bytes)
{
    static const struct {
        uint64_t flag;
        const char *name;
    } names[] = {
        {0x100, "CLONE_VM"},       {0x200, "CLONE_FS"},     {0x400, "CLONE_FILES"},
        {0x800, "CLONE_SIGHAND"},  {0x4000, "CLONE_VFORK"}, {0x8000, "CLONE_PARENT"},
        {0x10000, "CLONE_THREAD"},
    };
    size_t length = 0;
    *text = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (flags & names[i].flag && length < bytes)
            length += (size_t)snprintf(text + length, bytes - length, "%s%s", length ? "|" : ", ",
                                       names[i].name);
}

static struct rrs_error *print_task_new(struct decoder *decoder, const struct rrs_event *event,
                                        FILE *stream)
{
    char flags[128];
    (void)decoder;
    struct rrs_item task = item_of(event, RRS_ITEM_TASK);
    format_clone_flags(task.task.flags, flags, sizeof flags);
    if (task.task.tgid == event->task)
        fprintf(stream, "+++ new process, made by %d%s +++", task.task.creator, flags);
    else
        fprintf(stream, "+++ new thread of process %d, made by %d%s +++", task.task.tgid,
                task.task.creator, flags);
    return NULL;
}

const char *decode_wait_status(int status, char text[64])
{
    const char *name = WIFSIGNALED(status) ? rrs_signal_name(WTERMSIG(status)) : NULL;
    if (WIFEXITED(status))
        snprintf(text, 64, "exited with %d", WEXITSTATUS(status));
    else if (WIFSIGNALED(status) && name)
        snprintf(text, 64, "killed by %s%s", name, WCOREDUMP(status) ? " (core dumped)" : "");
    else
        snprintf(text, 64, "ended with wait status %#x", (unsigned)status);
    return text;
}

static struct rrs_error *print_task_end(struct decoder *decoder, const struct rrs_event *event,
                                        FILE *stream)
{
    char text[64];
    (void)decoder;
    fprintf(stream, "+++ %s +++", decode_wait_status(item_of(event, RRS_ITEM_STATUS).status, text));
    return NULL;
}

/* --- the rest --- */

static const char *const register_names[] = {
    "r15",    "r14", "r13", "r12",     "rbp",     "rbx", "r11",      "r10", "r9",
    "r8",     "rax", "rcx", "rdx",     "rsi",     "rdi", "orig_rax", "rip", "cs",
    "eflags", "rsp", "ss",  "fs_base", "gs_base", "ds",  "es",       "fs",  "gs",
};

static struct rrs_error *print_insn(struct decoder *decoder, const struct rrs_event *event,
                                    FILE *stream)
{
    enum { WORDS = sizeof register_names / sizeof *register_names };
    uint64_t words[WORDS];
    (void)decoder;
    struct rrs_item regs = item_of(event, RRS_ITEM_REGS);
    _Static_assert(sizeof words == sizeof regs.regs.values, "a name for each register");
    memcpy(words, &regs.regs.values, sizeof words);
    fprintf(stream, "instruction at %#" PRIx64 " gives", item_of(event, RRS_ITEM_PC).pc);
    const char *separator = " ";
    for (int i = 0; i < WORDS; i++)
        if (regs.regs.mask >> i & 1 && strcmp(register_names[i], "rip") != 0) {
            fprintf(stream, "%s%s=%#" PRIx64, separator, register_names[i], words[i]);
            separator = ", ";
        }
    return NULL;
}

static struct rrs_error *print_preempt(struct decoder *decoder, const struct rrs_event *event,
                                       FILE *stream)
{
    (void)decoder;
    fprintf(stream, "gives way at %#" PRIx64, item_of(event, RRS_ITEM_PC).pc);
    return NULL;
}

static struct rrs_error *print_unknown(struct decoder *decoder, const struct rrs_event *event,
                                       FILE *stream)
{
    const char *name = trace_kind_name(decoder->metadata, event->event_kind);
    _cleanup_free_ char *text = name ? text_escape(name, strlen(name)) : NULL;
    if (text)
        fprintf(stream, "%s: ", text);
    else
        fprintf(stream, "kind %u: ", event->event_kind);
    fprintf(stream, "%" PRIu32 " bytes", event->size_bytes);
    return NULL;
}

struct rrs_error *decode_text(struct decoder *decoder, const struct rrs_event *event, FILE *stream)
{
    typedef struct rrs_error *printer(struct decoder *, const struct rrs_event *, FILE *);
    static printer *const printers[RRS_EVENT_KIND_COUNT] = {
        [RRS_EVENT_NONE] = print_unknown,        [RRS_EVENT_EXEC] = print_exec,
        [RRS_EVENT_CALL] = print_call,           [RRS_EVENT_CALL_ENTER] = print_call_enter,
        [RRS_EVENT_CALL_EXIT] = print_call_exit, [RRS_EVENT_INSN] = print_insn,
        [RRS_EVENT_SIGNAL] = print_signal,       [RRS_EVENT_PREEMPT] = print_preempt,
        [RRS_EVENT_TASK_NEW] = print_task_new,   [RRS_EVENT_TASK_END] = print_task_end,
    };
    enum rrs_event_kind kind = decode_kind(decoder, event);
    if (decode_is_sound(kind, event) || kind == RRS_EVENT_NONE)
        return printers[kind](decoder, event, stream);
    fputs("malformed: ", stream);
    return print_unknown(decoder, event, stream);
}

struct rrs_error *decode_string(struct decoder *decoder, const struct rrs_event *event, char **text)
{
    char *made = NULL;
    size_t bytes;
    FILE *stream = open_memstream(&made, &bytes);
    if (!stream)
        return rrs_error_no_memory();
    struct rrs_error *error = decode_text(decoder, event, stream);
    if (fclose(stream) == 0) {
        *text = made;
        return error;
    }
    rrs_error_destroy(error);
    free(made);
    return rrs_error_no_memory();
}
