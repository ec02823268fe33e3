/* SPDX-License-Identifier: MIT */
/* Test that items are applied in order whoever prepares them, and that a full queue holds the
 * pusher. */
#include "lmdb-store/work_queue.h"

#include "tests/unit/test.h"

#include <stdatomic.h>

enum { N_ITEMS = 5000, N_WORKERS = 3, LIMIT_BYTES = 1000 };

struct number_item {
    struct rrs_work_item item;
    int number;
    bool is_prepared;
};

static atomic_int n_destroyed;
static atomic_size_t used_bytes, most_used_bytes;

static struct rrs_error *prepare(struct rrs_work_item *item, struct rrs_worker *worker)
{
    (void)worker;
    ((struct number_item *)item)->is_prepared = true;
    return NULL;
}

static void destroy(struct rrs_work_item *item)
{
    n_destroyed++;
    used_bytes -= item->cost_bytes;
    free(item);
}

static const struct rrs_work_operations prepared_operations = {.prepare = prepare,
                                                               .destroy = destroy};
static const struct rrs_work_operations plain_operations = {.destroy = destroy};

static void *work(void *queue)
{
    for (struct rrs_work_item *item; (item = rrs_work_queue_take(queue));) {
        item->error = item->operations->prepare(item, NULL);
        rrs_work_queue_give_back(queue, item);
    }
    return NULL;
}

static void *apply(void *queue)
{
    for (int i = 0; i < N_ITEMS;) {
        struct rrs_work_item *item = rrs_work_queue_wait(queue, 1);
        if (!item) /* the deadline is long past, so this asks without waiting */
            continue;
        struct number_item *number = (struct number_item *)item;
        uint64_t sequence = item->sequence;
        CHECK_EQUAL(number->number, i);
        CHECK_EQUAL(sequence, i + 1);
        CHECK(number->is_prepared || !item->operations->prepare);
        rrs_work_queue_pop(queue);
        rrs_work_queue_complete(queue, sequence);
        i++;
    }
    return NULL;
}

static uint64_t push(struct rrs_work_queue *queue, int number, size_t cost_bytes)
{
    struct number_item *item = calloc(1, sizeof *item);
    item->item.operations = number % 3 ? &prepared_operations : &plain_operations;
    item->item.cost_bytes = cost_bytes;
    item->number = number;
    rrs_work_queue_lock(queue);
    uint64_t sequence = rrs_work_queue_push_locked(queue, &item->item);
    used_bytes += cost_bytes;
    if (used_bytes > most_used_bytes)
        most_used_bytes = (size_t)used_bytes;
    rrs_work_queue_unlock(queue);
    return sequence;
}

int main(int argc, char **argv)
{
    uint64_t state = test_seed(argc, argv), sequence = 0;
    struct rrs_work_queue queue;
    pthread_t workers[N_WORKERS], committer;
    rrs_work_queue_init(&queue, LIMIT_BYTES);
    for (int i = 0; i < N_WORKERS; i++)
        CHECK(pthread_create(&workers[i], NULL, work, &queue) == 0);
    CHECK(pthread_create(&committer, NULL, apply, &queue) == 0);
    for (int i = 0; i < N_ITEMS; i++)
        sequence =
            push(&queue, i,
                 i % 1000 == 999 ? 3 * LIMIT_BYTES : test_random_below(&state, LIMIT_BYTES / 4));
    rrs_work_queue_wait_completed(&queue, sequence);
    CHECK(pthread_join(committer, NULL) == 0);
    /* Item and destruction are not one step, so one item may count twice. */
    CHECK(most_used_bytes <= 3 * LIMIT_BYTES + LIMIT_BYTES);
    push(&queue, 1, 10);
    push(&queue, 3, 10);
    rrs_work_queue_stop(&queue);
    for (int i = 0; i < N_WORKERS; i++)
        CHECK(pthread_join(workers[i], NULL) == 0);
    rrs_work_queue_deinit(&queue);
    CHECK_EQUAL(n_destroyed, N_ITEMS + 2);
    return 0;
}
