/* SPDX-License-Identifier: MIT */
#include "engine/events/body.h"

#include "lmdb-store/varint.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { REGS_WORDS = sizeof(struct user_regs_struct) / 8 };

/* --- writing --- */

void rrs_body_deinit(struct rrs_body *body)
{
    free(body->bytes);
    *body = (struct rrs_body){0};
}

void rrs_body_clear(struct rrs_body *body)
{
    body->size = 0;
}

static uint8_t *reserve(struct rrs_body *body, size_t more)
{
    if (body->size + more > body->room) {
        size_t room = body->room ? body->room * 2 : 1024;
        while (room < body->size + more)
            room *= 2;
        body->bytes = realloc(body->bytes, room);
        assert(body->bytes && "out of memory for an event");
        body->room = room;
    }
    return body->bytes + body->size;
}

static void put_number(struct rrs_body *body, uint64_t value)
{
    uint8_t *at = reserve(body, RRS_VARINT_MAX_BYTES);
    body->size += (size_t)(rrs_varint_write(at, value) - at);
}

static void put_raw(struct rrs_body *body, const void *bytes, size_t size)
{
    if (size)
        memcpy(reserve(body, size), bytes, size);
    body->size += size;
}

/* Items of numbers alone are short: their length is one byte, filled in at the end. */
static size_t begin_short(struct rrs_body *body, enum rrs_item_kind kind)
{
    put_number(body, kind);
    put_raw(body, "", 1);
    return body->size;
}

static void end_short(struct rrs_body *body, size_t start)
{
    assert(body->size - start < 128 && "an item of numbers is short");
    body->bytes[start - 1] = (uint8_t)(body->size - start);
}

static void put_one(struct rrs_body *body, enum rrs_item_kind kind, uint64_t value)
{
    size_t start = begin_short(body, kind);
    put_number(body, value);
    end_short(body, start);
}

void rrs_body_put_pc(struct rrs_body *body, rrs_addr pc)
{
    put_one(body, RRS_ITEM_PC, pc);
}

void rrs_body_put_call(struct rrs_body *body, int number, const uint64_t args[6])
{
    size_t start = begin_short(body, RRS_ITEM_CALL);
    put_number(body, rrs_zigzag_fold(number));
    for (int i = 0; i < 6; i++)
        put_number(body, args[i]);
    end_short(body, start);
}

void rrs_body_put_result(struct rrs_body *body, int64_t result)
{
    put_one(body, RRS_ITEM_RESULT, rrs_zigzag_fold(result));
}

void rrs_body_put_regs(struct rrs_body *body, const struct user_regs_struct *regs,
                       const struct user_regs_struct *expected)
{
    uint64_t words[REGS_WORDS], before[REGS_WORDS];
    uint32_t mask = 0;
    uint8_t packed[REGS_WORDS * RRS_VARINT_MAX_BYTES], *at = packed;
    memcpy(words, regs, sizeof words);
    if (expected)
        memcpy(before, expected, sizeof before);
    for (int i = 0; i < REGS_WORDS; i++)
        if (!expected || words[i] != before[i]) {
            mask |= 1u << i;
            at = rrs_varint_write(at, words[i]);
        }
    if (!mask)
        return;
    uint8_t head[RRS_VARINT_MAX_BYTES];
    size_t head_bytes = (size_t)(rrs_varint_write(head, mask) - head);
    put_number(body, RRS_ITEM_REGS);
    put_number(body, head_bytes + (size_t)(at - packed));
    put_raw(body, head, head_bytes);
    put_raw(body, packed, (size_t)(at - packed));
}

void rrs_body_put_bytes(struct rrs_body *body, enum rrs_item_kind kind, const void *bytes,
                        size_t size)
{
    put_number(body, kind);
    put_number(body, size);
    put_raw(body, bytes, size);
}

void rrs_body_put_pair(struct rrs_body *body, enum rrs_item_kind kind, const void *first,
                       size_t first_bytes, const void *second, size_t second_bytes)
{
    put_number(body, kind);
    put_number(body, first_bytes + second_bytes);
    put_raw(body, first, first_bytes);
    if (second_bytes)
        put_raw(body, second, second_bytes);
}

static void put_memory(struct rrs_body *body, enum rrs_item_kind kind, rrs_addr address,
                       const void *bytes, size_t size)
{
    uint8_t head[RRS_VARINT_MAX_BYTES];
    size_t head_bytes = (size_t)(rrs_varint_write(head, address) - head);
    rrs_body_put_pair(body, kind, head, head_bytes, bytes, size);
}

void rrs_body_put_write(struct rrs_body *body, rrs_addr address, const void *bytes, size_t size)
{
    put_memory(body, RRS_ITEM_WRITE, address, bytes, size);
}

void rrs_body_put_input(struct rrs_body *body, rrs_addr address, const void *bytes, size_t size)
{
    put_memory(body, RRS_ITEM_INPUT, address, bytes, size);
}

void rrs_body_put_blob(struct rrs_body *body, rrs_addr address, uint64_t size,
                       const struct rrs_hash *hash)
{
    size_t start = begin_short(body, RRS_ITEM_BLOB);
    put_number(body, address);
    put_number(body, size);
    put_raw(body, hash->bytes, sizeof hash->bytes);
    end_short(body, start);
}

enum { MAP_BIT_SHARED = 1, MAP_BIT_GROWS_DOWN = 2 };

void rrs_body_put_map(struct rrs_body *body, const struct rrs_map_item *map)
{
    struct rrs_body inner = {0};
    put_number(&inner, map->start);
    put_number(&inner, map->end - map->start);
    put_number(&inner, (uint64_t)map->prot);
    put_number(&inner, (uint64_t)(map->shared ? MAP_BIT_SHARED : 0) |
                           (uint64_t)(map->grows_down ? MAP_BIT_GROWS_DOWN : 0));
    put_number(&inner, map->source);
    put_number(&inner, map->identity);
    put_number(&inner, map->file_offset);
    put_number(&inner, map->blob_offset);
    put_number(&inner, map->blob_bytes);
    put_raw(&inner, map->blob.bytes, sizeof map->blob.bytes);
    put_raw(&inner, map->path, map->path_bytes);
    rrs_body_put_bytes(body, RRS_ITEM_MAP, inner.bytes, inner.size);
    rrs_body_deinit(&inner);
}

void rrs_body_put_action(struct rrs_body *body, uint32_t action)
{
    put_one(body, RRS_ITEM_ACTION, action);
}

void rrs_body_put_task(struct rrs_body *body, pid_t tgid, pid_t creator, uint64_t flags)
{
    size_t start = begin_short(body, RRS_ITEM_TASK);
    put_number(body, (uint64_t)tgid);
    put_number(body, (uint64_t)creator);
    put_number(body, flags);
    end_short(body, start);
}

void rrs_body_put_status(struct rrs_body *body, int status)
{
    put_one(body, RRS_ITEM_STATUS, (uint32_t)status);
}

void rrs_body_put_shown(struct rrs_body *body, int descriptor)
{
    put_one(body, RRS_ITEM_SHOWN, (uint64_t)descriptor);
}

void rrs_body_put_copied(struct rrs_body *body, uint64_t size, const struct rrs_hash *hash)
{
    size_t start = begin_short(body, RRS_ITEM_COPIED);
    put_number(body, size);
    put_raw(body, hash->bytes, sizeof hash->bytes);
    end_short(body, start);
}

void rrs_body_put_target(struct rrs_body *body, pid_t tid)
{
    put_one(body, RRS_ITEM_TARGET, (uint64_t)tid);
}

void rrs_body_put_runtime(struct rrs_body *body, uint32_t base_index, rrs_addr brk)
{
    size_t start = begin_short(body, RRS_ITEM_RUNTIME);
    put_number(body, base_index);
    put_number(body, brk);
    end_short(body, start);
}

/* --- reading --- */

struct input {
    const uint8_t *at, *end;
    bool bad;
};

static uint64_t take_number(struct input *in)
{
    uint64_t value = 0;
    if (!in->bad && !rrs_varint_read(&in->at, in->end, &value))
        in->bad = true;
    return in->bad ? 0 : value;
}

static void take_raw(struct input *in, void *to, size_t size)
{
    if (in->bad || (size_t)(in->end - in->at) < size) {
        in->bad = true;
        memset(to, 0, size);
        return;
    }
    memcpy(to, in->at, size);
    in->at += size;
}

static void take_regs(struct input *in, struct rrs_item *item)
{
    uint64_t words[REGS_WORDS] = {0};
    uint64_t mask = take_number(in);
    in->bad |= mask >> REGS_WORDS != 0;
    for (int i = 0; i < REGS_WORDS; i++)
        if (mask >> i & 1)
            words[i] = take_number(in);
    item->regs.mask = (uint32_t)mask;
    memcpy(&item->regs.values, words, sizeof words);
}

static void take_map(struct input *in, struct rrs_map_item *map)
{
    map->start = take_number(in);
    map->end = map->start + take_number(in);
    map->prot = (int)(take_number(in) & 7);
    uint64_t bits = take_number(in);
    map->shared = bits & MAP_BIT_SHARED;
    map->grows_down = bits & MAP_BIT_GROWS_DOWN;
    uint64_t source = take_number(in);
    map->source = (enum rrs_map_source)source;
    map->identity = take_number(in);
    map->file_offset = take_number(in);
    map->blob_offset = take_number(in);
    map->blob_bytes = take_number(in);
    take_raw(in, map->blob.bytes, sizeof map->blob.bytes);
    map->path = (const char *)in->at;
    map->path_bytes = (size_t)(in->end - in->at);
    const rrs_addr odd = 4095, end_of_user_space = 0x800000000000;
    in->bad |= source > RRS_MAP_FILE || map->end <= map->start || map->end > end_of_user_space ||
               ((map->start | map->end | map->file_offset) & odd);
}

static bool take_item(struct input *in, struct rrs_item *item)
{
    switch (item->kind) {
    case RRS_ITEM_PC:
        item->pc = take_number(in);
        break;
    case RRS_ITEM_CALL:
        item->call.number = (int)rrs_zigzag_unfold(take_number(in));
        for (int i = 0; i < 6; i++)
            item->call.args[i] = take_number(in);
        break;
    case RRS_ITEM_RESULT:
        item->result = rrs_zigzag_unfold(take_number(in));
        break;
    case RRS_ITEM_REGS:
        take_regs(in, item);
        break;
    case RRS_ITEM_XSTATE:
    case RRS_ITEM_SIGINFO:
    case RRS_ITEM_PROGRAM:
    case RRS_ITEM_CHECKSUM:
        item->bytes.bytes = in->at;
        item->bytes.size = (size_t)(in->end - in->at);
        break;
    case RRS_ITEM_WRITE:
    case RRS_ITEM_INPUT:
        item->write.address = take_number(in);
        item->write.bytes = in->at;
        item->write.size = (size_t)(in->end - in->at);
        break;
    case RRS_ITEM_BLOB:
        item->write.address = take_number(in);
        item->write.size = take_number(in);
        take_raw(in, item->write.hash.bytes, sizeof item->write.hash.bytes);
        break;
    case RRS_ITEM_MAP:
        take_map(in, &item->map);
        break;
    case RRS_ITEM_ACTION:
        item->action = (uint32_t)take_number(in);
        break;
    case RRS_ITEM_TASK:
        item->task.tgid = (pid_t)take_number(in);
        item->task.creator = (pid_t)take_number(in);
        item->task.flags = take_number(in);
        break;
    case RRS_ITEM_STATUS:
        item->status = (int)take_number(in);
        break;
    case RRS_ITEM_SHOWN:
        item->shown_on = (int)take_number(in);
        break;
    case RRS_ITEM_COPIED:
        item->write.address = 0;
        item->write.size = take_number(in);
        take_raw(in, item->write.hash.bytes, sizeof item->write.hash.bytes);
        break;
    case RRS_ITEM_TARGET:
        item->target = (pid_t)take_number(in);
        break;
    case RRS_ITEM_RUNTIME:
        item->runtime.base_index = (uint32_t)take_number(in);
        item->runtime.brk = take_number(in);
        break;
    default:
        return false;
    }
    return true;
}

struct rrs_item_reader rrs_item_reader_begin(const void *bytes, size_t size)
{
    const uint8_t *start = bytes;
    return (struct rrs_item_reader){.at = start, .end = start + size};
}

bool rrs_item_next(struct rrs_item_reader *reader, struct rrs_item *item)
{
    while (reader->at < reader->end && !reader->malformed) {
        uint64_t kind, size;
        if (!rrs_varint_read(&reader->at, reader->end, &kind) ||
            !rrs_varint_read(&reader->at, reader->end, &size) ||
            size > (uint64_t)(reader->end - reader->at)) {
            reader->malformed = true;
            return false;
        }
        struct input in = {reader->at, reader->at + size, false};
        reader->at += size;
        item->kind = (enum rrs_item_kind)kind;
        bool known = kind <= RRS_ITEM_LAST && take_item(&in, item);
        reader->malformed = in.bad;
        if (known)
            return !in.bad;
    }
    return false;
}

bool rrs_item_find(const void *bytes, size_t size, enum rrs_item_kind kind, struct rrs_item *item)
{
    struct rrs_item_reader reader = rrs_item_reader_begin(bytes, size);
    while (rrs_item_next(&reader, item))
        if (item->kind == kind)
            return true;
    return false;
}

void rrs_item_apply_regs(const struct rrs_item *item, struct user_regs_struct *regs)
{
    uint64_t words[REGS_WORDS], values[REGS_WORDS];
    memcpy(words, regs, sizeof words);
    memcpy(values, &item->regs.values, sizeof values);
    for (int i = 0; i < REGS_WORDS; i++)
        if (item->regs.mask >> i & 1)
            words[i] = values[i];
    memcpy(regs, words, sizeof words);
}

struct user_regs_struct rrs_expected_after_call(const struct user_regs_struct *call_regs,
                                                int64_t result)
{
    struct user_regs_struct regs = *call_regs;
    regs.rax = (uint64_t)result;
    regs.rcx = regs.rip;
    regs.r11 = regs.eflags;
    regs.orig_rax = (uint64_t)-1;
    return regs;
}
