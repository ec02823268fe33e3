/* SPDX-License-Identifier: MIT */
#include "engine/tracee/shared_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

struct rrs_error *rrs_shared_pool_init(struct rrs_shared_pool *pool)
{
    *pool = (struct rrs_shared_pool){.fd = memfd_create("rrsoft", MFD_CLOEXEC)};
    return pool->fd < 0 ? rrs_error_os(errno, NULL, "memfd_create") : NULL;
}

void rrs_shared_pool_deinit(struct rrs_shared_pool *pool)
{
    if (pool->fd >= 0)
        close(pool->fd);
    pool->fd = -1;
}

static uint64_t take_offset(struct rrs_shared_pool *pool, uint64_t size)
{
    for (uint32_t i = 0; i < pool->free_count; i++)
        if (pool->free[i].size == size) {
            uint64_t offset = pool->free[i].offset;
            pool->free[i] = pool->free[--pool->free_count];
            return offset;
        }
    uint64_t offset = pool->used;
    pool->used += size;
    return offset;
}

struct rrs_error *rrs_shared_pool_take(struct rrs_shared_pool *pool, uint64_t size,
                                       struct rrs_shared_piece *piece)
{
    size = (size + 4095) & ~(uint64_t)4095;
    uint64_t offset = take_offset(pool, size);
    if (ftruncate(pool->fd, (off_t)pool->used) < 0)
        return rrs_error_os(errno, NULL, "cannot enlarge the shared memory");
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, pool->fd, (off_t)offset);
    if (memory == MAP_FAILED)
        return rrs_error_os(errno, NULL, "cannot map %lu shared bytes", (unsigned long)size);
    *piece = (struct rrs_shared_piece){offset, size, memory};
    return NULL;
}

void rrs_shared_pool_clear(struct rrs_shared_pool *pool, const struct rrs_shared_piece *piece)
{
    fallocate(pool->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)piece->offset,
              (off_t)piece->size);
}

void rrs_shared_pool_give(struct rrs_shared_pool *pool, struct rrs_shared_piece *piece)
{
    if (!piece->memory)
        return;
    rrs_shared_pool_clear(pool, piece);
    munmap(piece->memory, piece->size);
    piece->memory = NULL;
    if (pool->free_count < RRS_POOL_FREE_MAX)
        pool->free[pool->free_count++] = *piece;
}
