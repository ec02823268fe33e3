/* SPDX-License-Identifier: MIT */
/*
 * What the program wrote to its standard output and error is shown again. That it cannot be shown
 * (a reader that went away) is nothing that the replay is about.
 */
#include "engine/replay/replayer.h"
#include "lmdb-store/blob.h"

#include <limits.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static bool show(int fd, const void *bytes, size_t size)
{
    return write(fd, bytes, size) >= 0;
}

static void show_memory(pid_t host, rrs_addr from, uint64_t bytes, int fd)
{
    char buffer[1 << 16];
    for (uint64_t done = 0, size; done < bytes; done += size) {
        uint64_t piece = bytes - done < sizeof buffer ? bytes - done : sizeof buffer;
        size = rrs_tracee_read(host, from + done, buffer, piece);
        if (!size || !show(fd, buffer, size))
            return;
    }
}

static void show_vector(pid_t host, rrs_addr vector, uint64_t count, uint64_t bytes, int fd)
{
    struct iovec parts[IOV_MAX];
    if (count > IOV_MAX ||
        rrs_tracee_read(host, vector, parts, count * sizeof *parts) != count * sizeof *parts)
        return;
    for (uint64_t i = 0; i < count && bytes; i++) {
        uint64_t size = parts[i].iov_len < bytes ? parts[i].iov_len : bytes;
        show_memory(host, (rrs_addr)(uintptr_t)parts[i].iov_base, size, fd);
        bytes -= size;
    }
}

static struct rrs_error *show_piece(void *context, uint64_t offset, const uint8_t *piece,
                                    size_t size)
{
    (void)offset;
    show(*(const int *)context, piece, size);
    return NULL;
}

struct rrs_error *rrs_replay_echo(const struct rrs_replayer *replayer,
                                  const struct rrs_replay_task *task, const struct rrs_item *call,
                                  int64_t result)
{
    const struct rrs_event *event = replayer->next;
    struct rrs_item shown, copied;
    if (!rrs_item_find(event->data, event->size_bytes, RRS_ITEM_SHOWN, &shown) ||
        (shown.shown_on != STDOUT_FILENO && shown.shown_on != STDERR_FILENO))
        return NULL;
    pid_t host = task->space->host;
    const uint64_t *args = call->call.args;
    if (call->call.number == SYS_write && result > 0)
        show_memory(host, args[1], (uint64_t)result, shown.shown_on);
    if (call->call.number == SYS_writev && result > 0)
        show_vector(host, args[1], args[2], (uint64_t)result, shown.shown_on);
    if (!rrs_item_find(event->data, event->size_bytes, RRS_ITEM_COPIED, &copied))
        return NULL;
    return rrs_blob_for_each_piece(replayer->reader, &copied.write.hash, copied.write.size,
                                   show_piece, &shown.shown_on);
}
