/* SPDX-License-Identifier: MIT */
/* Test that the list of a program's mappings follows mmap, munmap, mprotect and mremap: compared
 * with a plain array of pages over random changes. */
#include "engine/replay/map_list.h"

#include "tests/unit/test.h"

enum { PAGE = 4096, PAGES = 64 };

/* What a page of the model is mapped to; number 0: nothing. */
struct page {
    uint64_t identity, file_offset;
    int prot;
};

static void model_set(struct page *pages, size_t from, size_t to, uint64_t identity, int prot)
{
    for (size_t i = from; i < to; i++)
        pages[i] = (struct page){identity, (i - from) * PAGE, prot};
}

static void check_order(const struct rrs_map_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        CHECK(list->entries[i].start < list->entries[i].end);
        CHECK(i == 0 || list->entries[i - 1].end <= list->entries[i].start);
        CHECK(list->entries[i].path);
    }
}

static void check_equal(const struct rrs_map_list *list, const struct page *pages)
{
    check_order(list);
    for (size_t i = 0; i < PAGES; i++) {
        const struct rrs_map_entry *entry = rrs_map_list_at(list, i * PAGE + 7);
        CHECK(!entry == !pages[i].identity);
        if (!entry)
            continue;
        CHECK_EQUAL(entry->identity, pages[i].identity);
        CHECK_EQUAL(entry->prot, pages[i].prot);
        CHECK_EQUAL(entry->file_offset + (i * PAGE - entry->start), pages[i].file_offset);
    }
}

struct range {
    size_t from, to;
};

static struct range any_range(uint64_t *state)
{
    size_t a = test_random_below(state, PAGES), b = test_random_below(state, PAGES);
    return a < b ? (struct range){a, b + 1} : (struct range){b, a + 1};
}

static void set(struct rrs_map_list *list, struct page *pages, uint64_t identity, uint64_t *state)
{
    struct range r = any_range(state);
    int prot = (int)(test_random_below(state, 8));
    model_set(pages, r.from, r.to, identity, prot);
    rrs_map_list_set(list, &(struct rrs_map_entry){.start = r.from * PAGE,
                                                   .end = r.to * PAGE,
                                                   .prot = prot,
                                                   .identity = identity,
                                                   .path = "file"});
}

/* The kernel moves what is one mapping, to where it does not overlap. */
static void move(struct rrs_map_list *list, struct page *pages, uint64_t *state)
{
    struct page moved[PAGES];
    struct range r = any_range(state);
    size_t count = r.to - r.from, to = test_random_below(state, PAGES);
    bool keep = test_random_below(state, 2);
    for (size_t i = r.from; i < r.to; i++)
        if (pages[i].identity != pages[r.from].identity || pages[i].prot != pages[r.from].prot ||
            pages[i].file_offset != pages[r.from].file_offset + (i - r.from) * PAGE)
            return;
    if (!pages[r.from].identity || to + count > PAGES || (to < r.to && r.from < to + count))
        return;
    memcpy(moved, pages + r.from, count * sizeof *pages);
    if (!keep)
        memset(pages + r.from, 0, count * sizeof *pages);
    memcpy(pages + to, moved, count * sizeof *pages);
    rrs_map_list_move(list, r.from * PAGE, count * PAGE, to * PAGE, count * PAGE, keep);
}

static void change(struct rrs_map_list *list, struct page *pages, uint64_t round, uint64_t *state)
{
    struct range r = any_range(state);
    int prot = (int)(test_random_below(state, 8));
    switch (test_random_below(state, 4)) {
    case 0:
        set(list, pages, round, state);
        break;
    case 1:
        memset(pages + r.from, 0, (r.to - r.from) * sizeof *pages);
        rrs_map_list_remove(list, r.from * PAGE, r.to * PAGE);
        break;
    case 2:
        for (size_t i = r.from; i < r.to; i++)
            pages[i].prot = prot;
        rrs_map_list_protect(list, r.from * PAGE, r.to * PAGE, prot);
        break;
    default:
        move(list, pages, state);
        break;
    }
}

int main(int argc, char **argv)
{
    uint64_t state = test_seed(argc, argv);
    struct rrs_map_list list = {0}, copy = {0};
    struct page pages[PAGES] = {0};
    for (uint64_t round = 1; round < 20000; round++) {
        change(&list, pages, round, &state);
        check_equal(&list, pages);
    }
    rrs_map_list_copy(&copy, &list);
    rrs_map_list_remove(&list, 0, PAGES * PAGE);
    CHECK_EQUAL(list.count, 0);
    check_equal(&copy, pages);
    rrs_map_list_deinit(&list);
    rrs_map_list_deinit(&copy);
    return 0;
}
