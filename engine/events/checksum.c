/* SPDX-License-Identifier: MIT */
#include "engine/events/checksum.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

void rrs_page_sums_deinit(struct rrs_page_sums *sums)
{
    free(sums->items);
    *sums = (struct rrs_page_sums){0};
}

static struct rrs_error *make_room(struct rrs_page_sums *sums, size_t count)
{
    if (count <= sums->room)
        return NULL;
    size_t room = count + count / 2 + 64;
    void *moved = realloc(sums->items, room * sizeof *sums->items);
    if (!moved)
        return rrs_error_no_memory();
    sums->items = moved;
    sums->room = room;
    return NULL;
}

struct rrs_error *rrs_page_sums_append(struct rrs_page_sums *sums, rrs_addr address, uint64_t hash)
{
    RRS_TRY(make_room(sums, sums->count + 1));
    sums->items[sums->count++] = (struct rrs_page_sum){address, hash};
    return NULL;
}

struct rrs_error *rrs_page_sums_compare(const struct rrs_page_sums *before,
                                        const struct rrs_page_sums *now,
                                        struct rrs_page_sums *changes)
{
    size_t b = 0, n = 0;
    while (b < before->count || n < now->count) {
        const struct rrs_page_sum *old = b < before->count ? &before->items[b] : NULL;
        const struct rrs_page_sum *new = n < now->count ? &now->items[n] : NULL;
        if (old && (!new || old->address < new->address)) {
            RRS_TRY(rrs_page_sums_append(changes, old->address, 0));
            b++;
            continue;
        }
        bool same = old && old->address == new->address && old->hash == new->hash;
        if (!same)
            RRS_TRY(rrs_page_sums_append(changes, new->address, new->hash));
        b += old && old->address == new->address;
        n++;
    }
    return NULL;
}

/* From the end on, in place. */
static void merge(struct rrs_page_sums *sums, const struct rrs_page_sums *changes)
{
    size_t s = sums->count, c = changes->count, to = s + c;
    while (c) {
        const struct rrs_page_sum *change = &changes->items[c - 1];
        if (s && sums->items[s - 1].address > change->address) {
            sums->items[--to] = sums->items[--s];
            continue;
        }
        s -= s && sums->items[s - 1].address == change->address;
        sums->items[--to] = *change;
        c--;
    }
    size_t end = sums->count + changes->count, kept = s;
    for (size_t i = to; i < end; i++)
        if (sums->items[i].hash)
            sums->items[kept++] = sums->items[i];
    sums->count = kept;
}

struct rrs_error *rrs_page_sums_apply(struct rrs_page_sums *sums,
                                      const struct rrs_page_sums *changes)
{
    RRS_TRY(make_room(sums, sums->count + changes->count));
    merge(sums, changes);
    return NULL;
}

uint64_t rrs_page_hash(const void *page)
{
    uint64_t hash = XXH3_64bits(page, RRS_PAGE_BYTES);
    return hash ? hash : 1;
}

void rrs_checksum_fill(struct rrs_checksum_head *head, const struct user_regs_struct *regs,
                       const void *xstate, size_t xstate_bytes)
{
    enum { XMM = 160, XMM_BYTES = 256 }; /* SDM 1, table 10-2 */
    const uint64_t registers[RRS_CHECKSUM_REGISTERS] = {
        regs->rax, regs->rbx, regs->rcx, regs->rdx, regs->rsi,    regs->rdi,     regs->rbp,
        regs->rsp, regs->r8,  regs->r9,  regs->r10, regs->r11,    regs->r12,     regs->r13,
        regs->r14, regs->r15, regs->rip, regs->eflags, regs->fs_base, regs->gs_base,
    };
    memcpy(head->registers, registers, sizeof registers);
    head->vectors = 0;
    if (xstate_bytes >= XMM + XMM_BYTES)
        head->vectors = XXH3_64bits((const char *)xstate + XMM, XMM_BYTES);
}

const char *rrs_checksum_register_name(int index)
{
    static const char *const names[RRS_CHECKSUM_REGISTERS] = {
        "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp",    "r8",      "r9",
        "r10", "r11", "r12", "r13", "r14", "r15", "rip", "eflags", "fs_base", "gs_base",
    };
    return names[index];
}

void rrs_body_put_checksum(struct rrs_body *body, const struct rrs_checksum_head *head,
                           const struct rrs_page_sums *pages)
{
    rrs_body_put_pair(body, RRS_ITEM_CHECKSUM, head, sizeof *head, pages->items,
                      pages->count * sizeof *pages->items);
}

bool rrs_checksum_read(const struct rrs_item *item, struct rrs_checksum_head *head,
                       struct rrs_page_sums *pages)
{
    if (item->bytes.size < sizeof *head)
        return false;
    memcpy(head, item->bytes.bytes, sizeof *head);
    for (size_t at = sizeof *head; at + sizeof *pages->items <= item->bytes.size;
         at += sizeof *pages->items) {
        struct rrs_page_sum sum;
        memcpy(&sum, item->bytes.bytes + at, sizeof sum);
        bool ascends = !pages->count || pages->items[pages->count - 1].address < sum.address;
        struct rrs_error *error =
            ascends ? rrs_page_sums_append(pages, sum.address, sum.hash) : NULL;
        rrs_error_destroy(error);
        if (!ascends || error)
            return false;
    }
    return true;
}
