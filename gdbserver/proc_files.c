/* SPDX-License-Identifier: MIT */
/* Files of /proc for gdb; see the header, and proc(5) for their forms. */
#include "gdbserver/proc_files.h"

#include "lmdb-store/scope.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

static void add_mapping(struct buffer *text, const struct rrs_timeline_mapping *mapping)
{
    buffer_printf(text, "%08" PRIx64 "-%08" PRIx64 " %c%c%c%c %08" PRIx64 " 00:00 %d",
                  mapping->start, mapping->end, mapping->prot & PROT_READ ? 'r' : '-',
                  mapping->prot & PROT_WRITE ? 'w' : '-', mapping->prot & PROT_EXEC ? 'x' : '-',
                  mapping->shared ? 's' : 'p', mapping->file_offset, mapping->path[0] == '/');
    if (mapping->path[0])
        buffer_printf(text, "%*s%s", 26, "", mapping->path);
    buffer_add_byte(text, '\n');
}

/* What gcore asks of a mapping: private memory is worth saving. */
static void add_usage(struct buffer *text, const struct rrs_timeline_mapping *mapping)
{
    uint64_t size_kib = (mapping->end - mapping->start) / 1024;
    buffer_printf(text,
                  "Size: %8" PRIu64 " kB\nRss: %8" PRIu64 " kB\nPrivate_Dirty: %8" PRIu64
                  " kB\nAnonymous: %8" PRIu64 " kB\nVmFlags: %s%s%smr mw me ac \n",
                  size_kib, size_kib, mapping->shared ? 0 : size_kib,
                  mapping->path[0] == '/' ? 0 : size_kib, mapping->prot & PROT_READ ? "rd " : "",
                  mapping->prot & PROT_WRITE ? "wr " : "", mapping->prot & PROT_EXEC ? "ex " : "");
}

static struct rrs_error *write_mappings(server *server, struct buffer *text, bool usage)
{
    struct rrs_timeline_mapping *mappings;
    size_t n_mappings;
    RRS_TRY(rrs_timeline_mappings(server->timeline, server->tid, &mappings, &n_mappings));
    for (size_t i = 0; i < n_mappings; i++) {
        add_mapping(text, &mappings[i]);
        if (usage)
            add_usage(text, &mappings[i]);
    }
    rrs_timeline_free_mappings(mappings, n_mappings);
    return NULL;
}

static struct rrs_error *write_maps(server *server, struct buffer *text)
{
    return write_mappings(server, text, false);
}

static struct rrs_error *write_smaps(server *server, struct buffer *text)
{
    return write_mappings(server, text, true);
}

/* The command line of the recorded program, if gdb's process is that; else its path. */
static struct rrs_error *write_command_line(server *server, struct buffer *text)
{
    const char *path;
    RRS_TRY(rrs_timeline_program(server->timeline, server->tid, &path));
    buffer_add(text, path, strlen(path) + 1);
    return NULL;
}

static struct rrs_error *write_status(server *server, struct buffer *text)
{
    _cleanup_free_ struct rrs_timeline_task *tasks = NULL;
    size_t n_tasks;
    RRS_TRY(rrs_timeline_tasks(server->timeline, &tasks, &n_tasks));
    for (size_t i = 0; i < n_tasks; i++)
        if (tasks[i].tid == server->tid)
            buffer_printf(
                text, "Name:\t%s\nState:\tt (tracing stop)\nTgid:\t%d\nPid:\t%d\nPPid:\t%d\n",
                thread_name(server, &tasks[i]), tasks[i].tgid, tasks[i].tid, tasks[i].parent);
    return NULL;
}

static const struct {
    const char *name;
    struct rrs_error *(*write)(server *server, struct buffer *text);
} files[] = {
    {"maps", write_maps},
    {"smaps", write_smaps},
    {"cmdline", write_command_line},
    {"status", write_status},
};

static struct rrs_error *not_found(const char *path)
{
    return rrs_error_path(RRS_ERROR_NOT_FOUND, path, "not in the recording");
}

/* The last component of /proc/PID/NAME or /proc/PID/task/TID/NAME, if it is gdb's process. */
static const char *name_in_process(const server *server, const char *path)
{
    char own[32];
    int length = snprintf(own, sizeof own, "/proc/%d/", server->pid);
    if (strncmp(path, own, (size_t)length) != 0)
        return NULL;
    const char *name = path + length;
    if (strncmp(name, "task/", 5) == 0) {
        name = strchr(name + 5, '/');
        return name ? name + 1 : NULL;
    }
    return name;
}

static struct rrs_error *to_file(const struct buffer *text, int *fd)
{
    _cleanup_close_ int made = memfd_create("rrsoft-proc-file", MFD_CLOEXEC);
    if (made < 0)
        return rrs_error_os(errno, NULL, "cannot create a file in memory");
    size_t done = 0;
    while (done < text->size) {
        ssize_t written = write(made, text->data + done, text->size - done);
        if (written < 0)
            return rrs_error_os(errno, NULL, "cannot write a file in memory");
        done += (size_t)written;
    }
    *fd = rrs_steal_fd(&made);
    return NULL;
}

struct rrs_error *proc_file_open(server *server, const char *path, int *fd)
{
    const char *name = name_in_process(server, path);
    for (size_t i = 0; name && i < sizeof files / sizeof files[0]; i++) {
        if (strcmp(files[i].name, name) != 0)
            continue;
        _cleanup_buffer_ struct buffer text = {0};
        RRS_TRY(files[i].write(server, &text));
        return text.failed ? rrs_error_no_memory() : to_file(&text, fd);
    }
    return not_found(path);
}

struct rrs_error *proc_file_link(server *server, const char *path, const char **target)
{
    const char *name = name_in_process(server, path);
    if (!name || strcmp(name, "exe") != 0)
        return not_found(path);
    return rrs_timeline_program(server->timeline, server->tid, target);
}
