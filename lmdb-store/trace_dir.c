/* SPDX-License-Identifier: MIT */
/* What is done to one trace directory as a whole. Homes, names and lists: trace_home.c. */
#include "lmdb-store/trace_dir.h"

#include "lmdb-store/environment.h"
#include "lmdb-store/file_system.h"
#include "lmdb-store/scope.h"
#include "lmdb-store/trace_dir_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static bool is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

struct rrs_error *rrs_trace_dir_measure(const char *path, struct rrs_trace_dir_usage *usage)
{
    struct rrs_trace_dir_usage sum = {0};
    _cleanup_closedir_ DIR *directory = opendir(path);
    if (!directory)
        return rrs_error_os(errno, path, "cannot read the directory");
    for (const struct dirent *entry; (entry = readdir(directory));) {
        struct stat status;
        if (is_dot(entry->d_name))
            continue;
        if (fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
            return rrs_error_os(errno, path, "cannot examine '%s'", entry->d_name);
        sum.file_bytes += S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0;
        sum.disk_bytes += (uint64_t)status.st_blocks * 512; /* man 2 stat: always 512 */
    }
    *usage = sum;
    return NULL;
}

bool rrs_trace_dir_has_writer(const char *path)
{
    _cleanup_free_ char *data = NULL;
    if (asprintf(&data, "%s/%s", path, RRS_DATA_FILE) < 0)
        return false;
    _cleanup_close_ int fd = open(data, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    return fd >= 0 && rrs_file_has_writer(fd);
}

static struct rrs_error *check_not_written(const char *path)
{
    if (rrs_trace_dir_has_writer(path))
        return rrs_error_path(RRS_ERROR_USAGE, path, "the trace is being written");
    return NULL;
}

/* Splits an absolute path without a '/' at its end into home and name, both borrowed. */
static struct rrs_error *split(char *path, const char **home, const char **name)
{
    char *slash = strrchr(path, '/');
    if (!slash || !slash[1])
        return rrs_error_path(RRS_ERROR_USAGE, path, "this cannot be a trace");
    *slash = '\0';
    *home = path[0] ? path : "/";
    *name = slash + 1;
    return NULL;
}

/* ---- removing ---- */

static bool is_trace_file(const char *name)
{
    return strcmp(name, RRS_DATA_FILE) == 0 || strcmp(name, "lock.mdb") == 0;
}

/* What we have not made may be dear to somebody. */
static struct rrs_error *check_only_trace_files(DIR *directory, const char *path)
{
    for (const struct dirent *entry; (entry = readdir(directory));)
        if (!is_dot(entry->d_name) && !is_trace_file(entry->d_name))
            return rrs_error_path(RRS_ERROR_USAGE, path,
                                  "'%s' is no part of a trace; nothing was removed", entry->d_name);
    return NULL;
}

static struct rrs_error *remove_files(const char *path)
{
    _cleanup_closedir_ DIR *directory = opendir(path);
    if (!directory && errno == ENOENT)
        return rrs_error_path(RRS_ERROR_NOT_FOUND, path, "there is no trace here");
    if (!directory)
        return rrs_error_os(errno, path, "cannot read the directory");
    RRS_TRY(check_only_trace_files(directory, path));
    if (unlinkat(dirfd(directory), RRS_DATA_FILE, 0) < 0 && errno != ENOENT)
        return rrs_error_os(errno, path, "cannot remove the trace's data file");
    if (unlinkat(dirfd(directory), "lock.mdb", 0) < 0 && errno != ENOENT)
        return rrs_error_os(errno, path, "cannot remove the trace's lock file");
    return NULL;
}

struct rrs_error *rrs_trace_dir_remove(const char *path)
{
    _cleanup_free_ char *copy = strdup(path);
    const char *home, *name;
    if (!copy)
        return rrs_error_no_memory();
    RRS_TRY(split(copy, &home, &name));
    RRS_TRY(check_not_written(path));
    RRS_TRY(remove_files(path));
    if (rmdir(path) < 0)
        return rrs_error_os(errno, path, "cannot remove the trace's directory");
    return rrs_latest_is(home, name) ? rrs_latest_reset(home) : NULL;
}

/* ---- renaming ---- */

static bool is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* Where the trace `name` in `home` goes if the user says `new_name`. */
static struct rrs_error *choose_target(const char *home, const char *name, const char *new_name,
                                       char **target)
{
    size_t length = strlen(new_name);
    if (length == 0 || is_dot(new_name) || strcmp(new_name, RRS_LATEST) == 0)
        return rrs_error_create(RRS_ERROR_USAGE, "a trace cannot be called '%s'", new_name);
    if (!strchr(new_name, '/'))
        return rrs_path_join(home, new_name, target);
    bool is_into =
        new_name[length - 1] == '/' || (is_directory(new_name) && !rrs_is_trace(new_name, NULL));
    if (is_into)
        return rrs_path_join(new_name, name, target);
    *target = strdup(new_name);
    return *target ? NULL : rrs_error_no_memory();
}

static struct rrs_error *rename_to(const char *path, const char *target)
{
    struct stat status;
    if (renameat2(AT_FDCWD, path, AT_FDCWD, target, RENAME_NOREPLACE) == 0)
        return NULL;
    if (errno == EINVAL && lstat(target, &status) < 0 && rename(path, target) == 0)
        return NULL; /* a file system that cannot refuse to replace */
    if (errno == EEXIST || errno == ENOTEMPTY || errno == EINVAL)
        return rrs_error_path(RRS_ERROR_EXISTS, target, "there is something here already");
    if (errno == ENOENT && lstat(path, &status) < 0)
        return rrs_error_path(RRS_ERROR_NOT_FOUND, path, "there is no trace here");
    if (errno == EXDEV)
        return rrs_error_os(EXDEV, target, "cannot move a trace to another file system");
    return rrs_error_os(errno, target, "cannot rename the trace");
}

/* `latest` stays with a trace that stays in its home, under its new name. */
static struct rrs_error *update_latest(const char *home, const char *old_name, const char *target)
{
    _cleanup_free_ char *copy = realpath(target, NULL), *real_home = realpath(home, NULL);
    const char *new_home, *new_name;
    if (!rrs_latest_is(home, old_name))
        return NULL;
    if (!copy || !real_home)
        return rrs_error_os(errno, target, "cannot find the renamed trace");
    RRS_TRY(split(copy, &new_home, &new_name));
    return strcmp(new_home, real_home) == 0 ? rrs_latest_set(home, new_name)
                                            : rrs_latest_reset(home);
}

struct rrs_error *rrs_trace_dir_rename(const char *path, const char *new_name, char **new_path)
{
    _cleanup_free_ char *copy = strdup(path), *target = NULL;
    const char *home, *name;
    if (!copy)
        return rrs_error_no_memory();
    RRS_TRY(split(copy, &home, &name));
    RRS_TRY(choose_target(home, name, new_name, &target));
    RRS_TRY(check_not_written(path));
    RRS_TRY(rename_to(path, target));
    RRS_TRY(update_latest(home, name, target));
    if (new_path)
        *new_path = rrs_steal_pointer(&target);
    return NULL;
}
