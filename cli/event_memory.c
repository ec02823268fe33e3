/* SPDX-License-Identifier: MIT */
#include "cli/event_memory.h"

#include "lmdb-store/blob.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

/* Looks at items, per event: far more than any printed line needs. */
static const uint64_t work_max = 1 << 24;

void event_memory_init(struct event_memory *memory, struct rrs_trace_reader *reader,
                       const struct rrs_event *event)
{
    *memory = (struct event_memory){reader, event, work_max, NULL};
}

void event_memory_deinit(struct event_memory *memory)
{
    rrs_error_destroy(memory->error);
    memory->error = NULL;
}

/* A range of the event that holds an address, cut where a later one begins. */
struct piece {
    struct rrs_item item;
    rrs_addr end;
    bool found;
};

static bool has_range(const struct rrs_item *item)
{
    return (item->kind == RRS_ITEM_WRITE || item->kind == RRS_ITEM_BLOB ||
            item->kind == RRS_ITEM_INPUT) &&
           item->write.size <= UINT64_MAX - item->write.address;
}

/* What was written last stands there. */
static struct piece find_piece(struct event_memory *memory, rrs_addr address)
{
    struct piece piece = {.end = UINT64_MAX};
    struct rrs_item item;
    struct rrs_item_reader items =
        rrs_item_reader_begin(memory->event->data, memory->event->size_bytes);
    while (memory->work_left && rrs_item_next(&items, &item)) {
        memory->work_left--;
        if (item.kind == RRS_ITEM_TARGET)
            break; /* the rest is about another task's memory */
        if (!has_range(&item))
            continue;
        rrs_addr end = item.write.address + item.write.size;
        if (address >= item.write.address && address < end)
            piece = (struct piece){item, end, true};
        else if (item.write.address > address && item.write.address < piece.end)
            piece.end = item.write.address;
    }
    return piece;
}

static bool copy_piece(struct event_memory *memory, const struct rrs_item *item, uint64_t offset,
                       void *buffer, size_t bytes)
{
    if (item->kind != RRS_ITEM_BLOB) {
        memcpy(buffer, item->write.bytes + offset, bytes);
        return true;
    }
    struct rrs_error *error =
        rrs_blob_read(memory->reader, &item->write.hash, offset, buffer, bytes);
    if (error && !memory->error)
        memory->error = error;
    else
        rrs_error_destroy(error);
    return !error;
}

size_t event_memory_read(void *context, rrs_addr address, void *buffer, size_t bytes)
{
    struct event_memory *memory = context;
    size_t done = 0;
    while (done < bytes && address + done >= address) {
        struct piece piece = find_piece(memory, address + done);
        if (!piece.found)
            break;
        uint64_t known = piece.end - (address + done);
        size_t count = known < bytes - done ? known : bytes - done;
        uint64_t offset = address + done - piece.item.write.address;
        if (!copy_piece(memory, &piece.item, offset, (char *)buffer + done, count))
            break;
        done += count;
    }
    return done;
}

/* --- an exec's stack: arguments, environment, auxiliary vector; System V ABI, AMD64, 3.4.1 --- */

/* A kernel allows 6 MiB of strings (man 2 execve), and a string 128 KiB. */
enum { STRINGS_MAX_BYTES = 6 << 20, STRING_MAX_BYTES = 128 << 10 };

struct stack {
    struct event_memory memory;
    rrs_addr at;
    size_t bytes_left; /* of strings */
};

static bool pop(struct stack *stack, uint64_t *word)
{
    if (event_memory_read(&stack->memory, stack->at, word, sizeof *word) != sizeof *word)
        return false;
    stack->at += sizeof *word;
    return true;
}

/* NULL if it is not there as a whole. */
static char *read_string(struct stack *stack, rrs_addr address)
{
    enum { FIRST = 128 };
    char *text = NULL;
    for (size_t room = FIRST; room <= STRING_MAX_BYTES && room <= stack->bytes_left; room *= 8) {
        char *larger = realloc(text, room);
        if (!larger)
            break;
        text = larger;
        size_t count = event_memory_read(&stack->memory, address, text, room);
        size_t length = strnlen(text, count);
        if (length < count) {
            stack->bytes_left -= length + 1;
            return text;
        }
        if (count < room)
            break;
    }
    free(text);
    return NULL;
}

static bool append_string(char ***list, size_t *count, char *text)
{
    char **larger = *list;
    if ((*count & (*count - 1)) == 0) /* 0 or a power of two: full */
        larger = reallocarray(*list, *count ? *count * 2 : 1, sizeof *larger);
    if (!larger)
        return false;
    *list = larger;
    larger[(*count)++] = text;
    return true;
}

/* A list of pointers that ends with a NULL. False: it does not. */
static bool read_list(struct stack *stack, char ***list, size_t *count)
{
    uint64_t pointer;
    while (pop(stack, &pointer)) {
        if (!pointer)
            return true;
        char *text = read_string(stack, pointer);
        if (!text || !append_string(list, count, text)) {
            free(text);
            return false;
        }
    }
    return false;
}

static char *read_file_name(struct stack *stack)
{
    uint64_t key, value;
    while (pop(stack, &key) && pop(stack, &value) && key != AT_NULL)
        if (key == AT_EXECFN)
            return read_string(stack, value);
    return NULL;
}

static void read_stack(struct stack *stack, struct exec_strings *strings)
{
    uint64_t count;
    if (pop(stack, &count) && read_list(stack, &strings->arguments, &strings->n_arguments) &&
        read_list(stack, &strings->environment, &strings->n_environment))
        strings->file = read_file_name(stack);
}

struct rrs_error *exec_strings_read(struct rrs_trace_reader *reader, const struct rrs_event *event,
                                    struct exec_strings *strings)
{
    struct rrs_item program, regs;
    struct stack stack = {.bytes_left = STRINGS_MAX_BYTES};
    *strings = (struct exec_strings){0};
    bool named = rrs_item_find(event->data, event->size_bytes, RRS_ITEM_PROGRAM, &program);
    strings->program =
        strndup(named ? (const char *)program.bytes.bytes : "", named ? program.bytes.size : 0);
    if (!strings->program)
        return rrs_error_no_memory();
    if (!rrs_item_find(event->data, event->size_bytes, RRS_ITEM_REGS, &regs))
        return NULL;
    event_memory_init(&stack.memory, reader, event);
    stack.at = regs.regs.values.rsp;
    read_stack(&stack, strings);
    return stack.memory.error;
}

static void free_strings(char **strings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(strings[i]);
    free(strings);
}

void exec_strings_deinit(struct exec_strings *strings)
{
    free(strings->program);
    free(strings->file);
    free_strings(strings->arguments, strings->n_arguments);
    free_strings(strings->environment, strings->n_environment);
    *strings = (struct exec_strings){0};
}
