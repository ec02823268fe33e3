/* SPDX-License-Identifier: MIT */
/*
 * Copies a good trace and changes what is in it, as a stranger might:
 *
 *     rewrite_trace FROM show          prints the first instruction and the runtime's place
 *     rewrite_trace FROM TO CHANGE...
 *
 *     vendor=NAME          the CPU that recorded it was of this vendor
 *     feature=LEAF,BIT     and had this feature: the number of a leaf in the record, a bit of EDX
 *     data=ADDRESS,HEX     the program's memory holds these bytes when it is loaded
 *     map=START,END        it has this mapping from the beginning
 *     zeros=START,BYTES    and this one, of a file that is in the trace
 *     call=N,A1..A6,RESULT the first event behind the exec becomes this system call
 *     callmap=START,END    which made this mapping
 *     noise=SEED           some bytes of some events are others
 *
 * Numbers are as strtoull() reads them.
 */
#include "engine/arch/x86_64/features.h"
#include "engine/events/body.h"
#include "engine/runtime/layout.h"
#include "lmdb-store/blob.h"
#include "lmdb-store/event_log_reader.h"
#include "lmdb-store/event_log_writer.h"
#include "lmdb-store/scope.h"
#include "lmdb-store/trace_dir.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { NUMBERS_MAX = 8 };

struct rewrite {
    struct rrs_trace_reader *reader;
    struct rrs_trace_writer *writer;
    char **changes;
    int change_count;
    uint64_t noise;
};

/* The numbers behind NAME= in a change of that name; 0: it is another one. */
static int parse(const char *change, const char *name, uint64_t numbers[NUMBERS_MAX])
{
    size_t length = strlen(name);
    char *at = (char *)change + length;
    int count = 0;
    if (strncmp(change, name, length) != 0 || *at != '=')
        return 0;
    do
        numbers[count++] = strtoull(at + 1, &at, 0);
    while (*at == ',' && count < NUMBERS_MAX);
    return count;
}

static uint64_t any(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1d;
}

/* --- the CPU --- */

static struct rrs_error *copy_cpu(struct rewrite *rewrite)
{
    const void *bytes;
    size_t size;
    struct rrs_cpu cpu;
    uint8_t changed[RRS_CPU_BYTES];
    uint64_t n[NUMBERS_MAX];
    RRS_TRY(rrs_trace_reader_extra(rewrite->reader, rrs_cpu_record, &bytes, &size));
    RRS_TRY(rrs_cpu_decode(bytes, size, &cpu));
    for (int i = 0; i < rewrite->change_count; i++) {
        const char *change = rewrite->changes[i];
        if (strncmp(change, "vendor=", 7) == 0)
            snprintf(cpu.vendor, sizeof cpu.vendor, "%-12.12s", change + 7);
        if (parse(change, "feature", n) == 2)
            cpu.leaves[n[0]].out[RRS_CPUID_EDX] |= 1u << n[1];
    }
    rrs_cpu_encode(&cpu, changed);
    return rrs_trace_writer_put_extra(rewrite->writer, rrs_cpu_record, changed, sizeof changed);
}

/* --- blobs --- */

static struct rrs_error *copy_blob(struct rewrite *rewrite, const struct rrs_hash *hash)
{
    static const struct rrs_hash none;
    struct rrs_hash copied;
    uint64_t size;
    if (memcmp(hash, &none, sizeof none) == 0)
        return NULL;
    RRS_TRY(rrs_blob_size(rewrite->reader, hash, &size));
    _cleanup_free_ void *bytes = malloc(size + 1);
    if (!bytes)
        return rrs_error_no_memory();
    RRS_TRY(rrs_blob_read(rewrite->reader, hash, 0, bytes, size));
    return rrs_blob_put(rewrite->writer, bytes, size, &copied);
}

static struct rrs_error *copy_blobs(struct rewrite *rewrite, const struct rrs_event *event)
{
    struct rrs_item_reader items = rrs_item_reader_begin(event->data, event->size_bytes);
    struct rrs_item item;
    while (rrs_item_next(&items, &item)) {
        if (item.kind == RRS_ITEM_BLOB || item.kind == RRS_ITEM_COPIED)
            RRS_TRY(copy_blob(rewrite, &item.write.hash));
        if (item.kind == RRS_ITEM_MAP && item.map.blob_bytes)
            RRS_TRY(copy_blob(rewrite, &item.map.blob));
    }
    return NULL;
}

/* --- the program as it is loaded --- */

static void put_map(struct rrs_body *body, uint64_t start, uint64_t end)
{
    const struct rrs_map_item map = {
        .start = start, .end = end, .prot = PROT_READ | PROT_WRITE, .path = ""};
    rrs_body_put_map(body, &map);
}

static struct rrs_error *put_zeros(struct rewrite *rewrite, struct rrs_body *body, uint64_t start,
                                   uint64_t bytes)
{
    struct rrs_map_item map = {
        .start = start,
        .end = start + bytes,
        .prot = PROT_READ | PROT_WRITE,
        .source = RRS_MAP_FILE,
        .blob_bytes = bytes,
        .path = "/zeros",
        .path_bytes = 6,
    };
    void *zeros = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    RRS_TRY(rrs_blob_put(rewrite->writer, zeros, bytes, &map.blob));
    munmap(zeros, bytes);
    rrs_body_put_map(body, &map);
    return NULL;
}

static void put_data(struct rrs_body *body, const char *change, uint64_t address)
{
    uint8_t bytes[1024];
    size_t size = 0;
    unsigned byte;
    const char *hex = strchr(change, ',') + 1;
    for (; size < sizeof bytes && sscanf(hex, "%2x", &byte) == 1; hex += 2)
        bytes[size++] = (uint8_t)byte;
    rrs_body_put_write(body, address, bytes, size);
}

static struct rrs_error *change_exec(struct rewrite *rewrite, struct rrs_body *body)
{
    uint64_t n[NUMBERS_MAX];
    for (int i = 0; i < rewrite->change_count; i++) {
        const char *change = rewrite->changes[i];
        if (parse(change, "map", n) == 2)
            put_map(body, n[0], n[1]);
        if (parse(change, "zeros", n) == 2)
            RRS_TRY(put_zeros(rewrite, body, n[0], n[1]));
        if (parse(change, "data", n))
            put_data(body, change, n[0]);
    }
    return NULL;
}

/* --- events --- */

static void copy_bytes(struct rrs_body *body, const struct rrs_event *event)
{
    body->bytes = realloc(body->bytes, event->size_bytes + 1);
    memcpy(body->bytes, event->data, event->size_bytes);
    body->size = event->size_bytes;
    body->room = event->size_bytes + 1;
}

static bool change_call(const struct rewrite *rewrite, struct rrs_event *event,
                        struct rrs_body *body, rrs_addr pc)
{
    uint64_t n[NUMBERS_MAX];
    bool found = false;
    for (int i = 0; i < rewrite->change_count; i++) {
        const char *change = rewrite->changes[i];
        if (parse(change, "call", n) == NUMBERS_MAX) {
            rrs_body_clear(body);
            rrs_body_put_pc(body, pc);
            rrs_body_put_call(body, (int)n[0], n + 1);
            rrs_body_put_result(body, (int64_t)n[7]);
            event->event_kind = RRS_EVENT_CALL;
            found = true;
        }
        if (parse(change, "callmap", n) == 2)
            put_map(body, n[0], n[1]);
    }
    return found;
}

static void add_noise(struct rewrite *rewrite, struct rrs_body *body)
{
    if (!rewrite->noise || any(&rewrite->noise) % 4 || !body->size)
        return;
    for (uint64_t i = any(&rewrite->noise) % 3 + 1; i; i--) {
        uint64_t most = any(&rewrite->noise) % 2 && body->size > 200 ? 200 : body->size;
        body->bytes[any(&rewrite->noise) % most] = (uint8_t)any(&rewrite->noise);
    }
}

static struct rrs_error *copy_events(struct rewrite *rewrite, struct rrs_event_cursor *cursor)
{
    const struct rrs_event *next;
    struct rrs_body body = {0};
    struct rrs_item pc = {0};
    uint64_t exec_tick = 0;
    struct rrs_error *error = rrs_event_cursor_next(cursor, &next);
    while (!error && next) {
        struct rrs_event event = *next;
        error = copy_blobs(rewrite, &event);
        copy_bytes(&body, &event);
        if (!error && event.number == 1) {
            exec_tick = event.tick;
            rrs_item_find(event.data, event.size_bytes, RRS_ITEM_PC, &pc);
            error = change_exec(rewrite, &body);
        }
        if (event.number == 2 && change_call(rewrite, &event, &body, pc.pc))
            event.tick = exec_tick;
        add_noise(rewrite, &body);
        event.data = body.bytes;
        event.size_bytes = (uint32_t)body.size;
        if (!error)
            error = rrs_event_log_append(rewrite->writer, &event);
        if (!error)
            error = rrs_event_cursor_next(cursor, &next);
    }
    rrs_body_deinit(&body);
    return error;
}

/* --- the trace --- */

static struct rrs_error *copy_trace(struct rewrite *rewrite, const char *to)
{
    struct rrs_metadata metadata;
    struct rrs_trace_end end;
    struct rrs_event_log *log;
    struct rrs_event_cursor *cursor;
    uint64_t n[NUMBERS_MAX];
    for (int i = 0; i < rewrite->change_count; i++)
        if (parse(rewrite->changes[i], "noise", n))
            rewrite->noise = n[0] * 2 + 1;
    RRS_TRY(rrs_trace_dir_create_at(to));
    RRS_TRY(rrs_trace_reader_metadata(rewrite->reader, &metadata));
    RRS_TRY(rrs_trace_reader_end(rewrite->reader, &end));
    RRS_TRY(rrs_trace_writer_create(to, &metadata, &rewrite->writer));
    rrs_metadata_deinit(&metadata);
    RRS_TRY(copy_cpu(rewrite));
    RRS_TRY(rrs_event_log_create(rewrite->reader, &log));
    RRS_TRY(rrs_event_cursor_create(log, NULL, &cursor));
    RRS_TRY(copy_events(rewrite, cursor));
    rrs_event_cursor_destroy(cursor);
    rrs_event_log_destroy(log);
    return rrs_trace_writer_finish(rewrite->writer, &end);
}

static struct rrs_error *show(struct rrs_trace_reader *reader)
{
    struct rrs_event_log *log;
    struct rrs_event_cursor *cursor;
    const struct rrs_event *event;
    struct rrs_item pc, runtime;
    RRS_TRY(rrs_event_log_create(reader, &log));
    RRS_TRY(rrs_event_cursor_create(log, NULL, &cursor));
    RRS_TRY(rrs_event_cursor_next(cursor, &event));
    if (event && rrs_item_find(event->data, event->size_bytes, RRS_ITEM_PC, &pc) &&
        rrs_item_find(event->data, event->size_bytes, RRS_ITEM_RUNTIME, &runtime))
        printf("%#" PRIx64 " %#x\n", (uint64_t)pc.pc,
               rrs_runtime_bases[runtime.runtime.base_index]);
    rrs_event_cursor_destroy(cursor);
    rrs_event_log_destroy(log);
    return NULL;
}

int main(int argc, char **argv)
{
    struct rewrite rewrite = {.changes = argv + 3, .change_count = argc - 3};
    char message[512];
    if (argc < 3)
        return 2;
    struct rrs_error *error = rrs_trace_reader_open(argv[1], &rewrite.reader);
    if (!error)
        error = strcmp(argv[2], "show") == 0 ? show(rewrite.reader) : copy_trace(&rewrite, argv[2]);
    rrs_trace_writer_destroy(rewrite.writer);
    rrs_trace_reader_destroy(rewrite.reader);
    if (error)
        fprintf(stderr, "rewrite_trace: %s\n", rrs_error_format(error, message, sizeof message));
    int status = error ? 1 : 0;
    rrs_error_destroy(error);
    return status;
}
