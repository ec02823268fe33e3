/* SPDX-License-Identifier: MIT */
/*
 * vFile: gdb reads the program, its libraries and some of /proc from here. Files come from the
 * recording, never from this machine, and nothing can be written (gdb manual, "Host I/O Packets").
 */
#include "gdbserver/handlers.h"
#include "gdbserver/mapped_files.h"
#include "gdbserver/proc_files.h"
#include "gdbserver/server.h"
#include "lmdb-store/bytes.h"
#include "lmdb-store/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The protocol's own numbers of errors (gdb manual, "Errno Values"). */
enum {
    FILE_ENOENT = 2,
    FILE_EBADF = 9,
    FILE_EACCES = 13,
    FILE_EINVAL = 22,
    FILE_EMFILE = 24,
    FILE_EIO = 9999,
};

static struct rrs_error *reply_failure(server *server, int number)
{
    buffer_printf(&server->reply, "F-1,%x", (unsigned)number);
    return NULL;
}

struct rrs_error *handle_file_root(server *server, const struct arguments *arguments)
{
    (void)arguments;
    buffer_add_text(&server->reply, "F0");
    return NULL;
}

static struct rrs_error *open_path(server *server, const char *path, int *fd)
{
    if (strncmp(path, "/proc/", 6) == 0)
        return proc_file_open(server, path, fd);
    return mapped_file_open(server, path, fd);
}

struct rrs_error *handle_file_open(server *server, const struct arguments *arguments)
{
    const char *path = (const char *)arguments->at[0].data;
    if ((arguments->at[1].number & O_ACCMODE) != O_RDONLY)
        return reply_failure(server, FILE_EACCES);
    int slot = 0, fd;
    while (slot < OPEN_FILES_MAX && server->files[slot] >= 0)
        slot++;
    if (slot == OPEN_FILES_MAX)
        return reply_failure(server, FILE_EMFILE);
    struct rrs_error *error = open_path(server, path, &fd);
    if (error) {
        rrs_error_destroy(error);
        return reply_failure(server, FILE_ENOENT);
    }
    server->files[slot] = fd;
    buffer_printf(&server->reply, "F%x", (unsigned)slot);
    return NULL;
}

static int file_of(const server *server, uint64_t slot)
{
    return slot < OPEN_FILES_MAX ? server->files[slot] : -1;
}

struct rrs_error *handle_file_read(server *server, const struct arguments *arguments)
{
    int fd = file_of(server, arguments->at[0].number);
    uint64_t wanted = arguments->at[1].number;
    if (fd < 0)
        return reply_failure(server, FILE_EBADF);
    if (wanted > PACKET_MAX_BYTES / 2)
        wanted = PACKET_MAX_BYTES / 2;
    if (arguments->at[2].number > INT64_MAX)
        return reply_failure(server, FILE_EINVAL);
    _cleanup_free_ uint8_t *data = malloc(wanted + 1);
    if (!data)
        return rrs_error_no_memory();
    ssize_t read = pread(fd, data, wanted, (off_t)arguments->at[2].number);
    if (read < 0)
        return reply_failure(server, FILE_EIO);
    buffer_printf(&server->reply, "F%zx;", (size_t)read);
    buffer_add(&server->reply, data, (size_t)read);
    return NULL;
}

struct rrs_error *handle_file_close(server *server, const struct arguments *arguments)
{
    int fd = file_of(server, arguments->at[0].number);
    if (fd < 0)
        return reply_failure(server, FILE_EBADF);
    close(fd);
    server->files[arguments->at[0].number] = -1;
    buffer_add_text(&server->reply, "F0");
    return NULL;
}

/* The protocol's struct stat: big-endian, without padding. */
static void encode_status(const struct stat *status, uint8_t bytes[64])
{
    memset(bytes, 0, 64);
    rrs_store_be32(bytes + 4, (uint32_t)status->st_ino);
    rrs_store_be32(bytes + 8, S_IFREG | 0755);
    rrs_store_be32(bytes + 12, 1);
    rrs_store_be64(bytes + 28, (uint64_t)status->st_size);
    rrs_store_be64(bytes + 36, 4096);
    rrs_store_be64(bytes + 44, ((uint64_t)status->st_size + 511) / 512);
}

struct rrs_error *handle_file_status(server *server, const struct arguments *arguments)
{
    struct stat status;
    uint8_t bytes[64];
    int fd = file_of(server, arguments->at[0].number);
    if (fd < 0 || fstat(fd, &status) < 0)
        return reply_failure(server, FILE_EBADF);
    encode_status(&status, bytes);
    buffer_add_text(&server->reply, "F40;");
    buffer_add(&server->reply, bytes, sizeof bytes);
    return NULL;
}

/* The recording knows files by the paths that they were opened by; only /proc has links. */
struct rrs_error *handle_file_link(server *server, const struct arguments *arguments)
{
    const char *target;
    struct rrs_error *error = proc_file_link(server, (const char *)arguments->at[0].data, &target);
    if (error) {
        rrs_error_destroy(error);
        return reply_failure(server, FILE_EINVAL);
    }
    buffer_printf(&server->reply, "F%zx;", strlen(target));
    buffer_add_text(&server->reply, target);
    return NULL;
}
