/* SPDX-License-Identifier: MIT */
#include "cli/event_items.h"

#include "cli/text.h"
#include "engine/events/body.h"
#include "engine/syscalls/print.h"
#include "lmdb-store/scope.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* --- system calls, with the memory that the event has --- */

static size_t read_written(void *context, rrs_addr address, void *buffer, size_t bytes)
{
    const struct rrs_event *event = context;
    struct rrs_item_reader items = rrs_item_reader_begin(event->data, event->size_bytes);
    struct rrs_item item;
    while (rrs_item_next(&items, &item)) {
        uint64_t offset = address - item.write.address;
        if (item.kind != RRS_ITEM_WRITE || offset >= item.write.size)
            continue;
        size_t count = item.write.size - offset < bytes ? item.write.size - offset : bytes;
        memcpy(buffer, item.write.bytes + offset, count);
        return count;
    }
    return 0;
}

static void print_call(const struct rrs_event *event, const struct rrs_item *item)
{
    char line[2048];
    struct rrs_item result;
    const struct rrs_memory_reader memory = {.read = read_written,
                                             .context = (void *)(uintptr_t)event};
    bool ended = rrs_item_find(event->data, event->size_bytes, RRS_ITEM_RESULT, &result);
    struct rrs_syscall call = {.number = item->call.number, .result = ended ? result.result : 0};
    memcpy(call.args, item->call.args, sizeof call.args);
    rrs_syscall_print(&call, &memory, &(struct rrs_print_options){.at_entry = !ended}, line,
                      sizeof line);
    printf("%s\n", line);
}

/* --- the others --- */

static void print_regs(const struct rrs_item *item)
{
    static const char *const names[] = {"r15",     "r14",     "r13", "r12", "rbp",    "rbx", "r11",
                                        "r10",     "r9",      "r8",  "rax", "rcx",    "rdx", "rsi",
                                        "rdi",     "",        "rip", "cs",  "eflags", "rsp", "ss",
                                        "fs_base", "gs_base", "ds",  "es",  "fs",     "gs"};
    uint64_t values[sizeof names / sizeof names[0]];
    memcpy(values, &item->regs.values, sizeof values);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (item->regs.mask >> i & 1 && *names[i])
            printf(" %s=%" PRIx64, names[i], values[i]);
    putchar('\n');
}

static void print_map(const struct rrs_map_item *map)
{
    _cleanup_free_ char *path = text_escape(map->path, map->path_bytes);
    printf("map %" PRIx64 "-%" PRIx64 " %c%c%c%c", map->start, map->end,
           map->prot & PROT_READ ? 'r' : '-', map->prot & PROT_WRITE ? 'w' : '-',
           map->prot & PROT_EXEC ? 'x' : '-', map->shared ? 's' : 'p');
    if (map->shared)
        printf(" memory %" PRIu64, map->identity);
    printf(" %s+%" PRIx64 "\n", path && *path ? path : "anonymous", map->file_offset);
}

static void print_signal(const struct rrs_item *item)
{
    siginfo_t info = {0};
    memcpy(&info, item->bytes.bytes,
           item->bytes.size < sizeof info ? item->bytes.size : sizeof info);
    const char *name = rrs_signal_name(info.si_signo);
    printf("signal %s code %d address %#" PRIxPTR "\n", name ? name : "of no name", info.si_code,
           (uintptr_t)info.si_addr);
}

static void print_action(uint32_t action)
{
    printf("%s%s\n", (action & ~(uint32_t)RRS_SIGNAL_RAISED) ? "ends" : "handled",
           action & RRS_SIGNAL_RAISED ? ", raised by the instruction" : "");
}

static void print_program(const struct rrs_item *item)
{
    _cleanup_free_ char *path = text_escape((const char *)item->bytes.bytes, item->bytes.size);
    printf("program %s\n", path ? path : "");
}

static void print_item(const struct rrs_event *event, const struct rrs_item *item)
{
    fputs("    ", stdout);
    switch (item->kind) {
    case RRS_ITEM_PC:
        printf("at %#" PRIx64 "\n", item->pc);
        return;
    case RRS_ITEM_CALL:
        print_call(event, item);
        return;
    case RRS_ITEM_RESULT:
        printf("result %" PRId64 "\n", item->result);
        return;
    case RRS_ITEM_REGS:
        fputs("registers", stdout);
        print_regs(item);
        return;
    case RRS_ITEM_XSTATE:
        printf("vector state, %zu bytes\n", item->bytes.size);
        return;
    case RRS_ITEM_CHECKSUM:
        printf("checksum, %zu bytes\n", item->bytes.size);
        return;
    case RRS_ITEM_WRITE:
    case RRS_ITEM_BLOB:
        printf("memory %#" PRIx64 ", %" PRIu64 " bytes\n", item->write.address, item->write.size);
        return;
    case RRS_ITEM_INPUT:
        printf("reads %#" PRIx64 ", %" PRIu64 " bytes\n", item->write.address, item->write.size);
        return;
    case RRS_ITEM_MAP:
        print_map(&item->map);
        return;
    case RRS_ITEM_SIGINFO:
        print_signal(item);
        return;
    case RRS_ITEM_ACTION:
        print_action(item->action);
        return;
    case RRS_ITEM_TASK:
        printf("process %d, made by %d, clone flags %#" PRIx64 "\n", item->task.tgid,
               item->task.creator, item->task.flags);
        return;
    case RRS_ITEM_STATUS:
        printf("wait status %#x\n", (unsigned)item->status);
        return;
    case RRS_ITEM_PROGRAM:
        print_program(item);
        return;
    case RRS_ITEM_RUNTIME:
        printf("runtime %u, break %#" PRIx64 "\n", item->runtime.base_index, item->runtime.brk);
        return;
    case RRS_ITEM_SHOWN:
        printf("shown on descriptor %d\n", item->shown_on);
        return;
    case RRS_ITEM_COPIED:
        printf("moved by the kernel, %" PRIu64 " bytes\n", item->write.size);
        return;
    case RRS_ITEM_TARGET:
        printf("in the memory of task %d:\n", item->target);
        return;
    default:
        printf("item of kind %d\n", item->kind);
        return;
    }
}

void print_event_items(const struct rrs_event *event)
{
    struct rrs_item_reader items = rrs_item_reader_begin(event->data, event->size_bytes);
    struct rrs_item item;
    while (rrs_item_next(&items, &item))
        print_item(event, &item);
    if (items.malformed)
        puts("    (the rest is malformed)");
}
