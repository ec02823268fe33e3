/* SPDX-License-Identifier: MIT */
/* Homes of traces: where they are, the names in them, `latest`. */
#include "lmdb-store/trace_dir.h"

#include "lmdb-store/environment.h"
#include "lmdb-store/scope.h"
#include "lmdb-store/trace_dir_internal.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>

enum { PROGRAM_NAME_MAX_BYTES = 100 };

struct rrs_error *rrs_path_join(const char *directory, const char *name, char **path)
{
    if (asprintf(path, "%s/%s", directory, name) < 0)
        return rrs_error_no_memory();
    return NULL;
}

bool rrs_is_trace(const char *path, uint64_t *modified_ns)
{
    _cleanup_free_ char *data = NULL;
    struct stat directory, file;
    if (lstat(path, &directory) < 0 || !S_ISDIR(directory.st_mode) ||
        asprintf(&data, "%s/%s", path, RRS_DATA_FILE) < 0)
        return false;
    if (lstat(data, &file) < 0 || !S_ISREG(file.st_mode))
        return false;
    if (modified_ns)
        *modified_ns = (uint64_t)file.st_mtim.tv_sec * 1000000000 + (uint64_t)file.st_mtim.tv_nsec;
    return true;
}

/* ---- where ---- */

static const char *find_home_directory(void)
{
    const char *home = getenv("HOME");
    if (home && home[0])
        return home;
    const struct passwd *entry = getpwuid(getuid());
    return entry && entry->pw_dir && entry->pw_dir[0] ? entry->pw_dir : NULL;
}

struct rrs_error *rrs_trace_home(char **home)
{
    const char *own = getenv("RRSOFT_TRACE_DIR");
    const char *data_home = getenv("XDG_DATA_HOME");
    if (own && own[0]) {
        *home = strdup(own);
        return *home ? NULL : rrs_error_no_memory();
    }
    if (data_home && data_home[0] == '/')
        return rrs_path_join(data_home, "rrsoft", home);
    const char *directory = find_home_directory();
    if (!directory)
        return rrs_error_create(RRS_ERROR_USAGE,
                                "there is no home directory; set RRSOFT_TRACE_DIR");
    return rrs_path_join(directory, ".local/share/rrsoft", home);
}

struct rrs_error *rrs_cache_home(char **home)
{
    const char *own = getenv("RRSOFT_CACHE_DIR"), *cache_home = getenv("XDG_CACHE_HOME");
    *home = NULL;
    if (own) {
        *home = own[0] ? strdup(own) : NULL;
        return *home || !own[0] ? NULL : rrs_error_no_memory();
    }
    if (cache_home && cache_home[0] == '/')
        return rrs_path_join(cache_home, "rrsoft", home);
    const char *directory = find_home_directory();
    return directory ? rrs_path_join(directory, ".cache/rrsoft", home) : NULL;
}

static struct rrs_error *choose_home(const char *given, char **home)
{
    if (!given)
        return rrs_trace_home(home);
    *home = strdup(given);
    return *home ? NULL : rrs_error_no_memory();
}

/* ---- latest ---- */

struct rrs_error *rrs_latest_set(const char *home, const char *name)
{
    _cleanup_free_ char *link = NULL, *new_link = NULL;
    RRS_TRY(rrs_path_join(home, RRS_LATEST, &link));
    if (asprintf(&new_link, "%s/.latest-%d", home, (int)getpid()) < 0)
        return rrs_error_no_memory();
    unlink(new_link);
    if (symlink(name, new_link) < 0)
        return rrs_file_error(errno, new_link, "cannot make a symbolic link");
    if (rename(new_link, link) < 0) {
        int code = errno;
        unlink(new_link);
        return rrs_file_error(code, link, "cannot replace the symbolic link");
    }
    return NULL;
}

bool rrs_latest_is(const char *home, const char *name)
{
    _cleanup_free_ char *link = NULL;
    char target[PATH_MAX];
    if (asprintf(&link, "%s/%s", home, RRS_LATEST) < 0)
        return false;
    ssize_t n = readlink(link, target, sizeof target - 1);
    if (n < 0)
        return false;
    target[n] = '\0';
    return strcmp(target, name) == 0;
}

struct rrs_error *rrs_latest_reset(const char *home)
{
    struct rrs_trace_dir_list list;
    _cleanup_free_ char *link = NULL;
    RRS_TRY(rrs_path_join(home, RRS_LATEST, &link));
    RRS_TRY(rrs_trace_dir_list(home, &list));
    struct rrs_error *error = NULL;
    if (list.n_entries > 0)
        error = rrs_latest_set(home, list.entries[list.n_entries - 1].name);
    else if (unlink(link) < 0 && errno != ENOENT)
        error = rrs_error_os(errno, link, "cannot remove the symbolic link");
    rrs_trace_dir_list_deinit(&list);
    return error;
}

/* ---- creating ---- */

static struct rrs_error *make_directory(const char *path)
{
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return rrs_file_error(errno, path, "cannot create the directory");
    return NULL;
}

static struct rrs_error *make_directories(const char *path)
{
    _cleanup_free_ char *copy = strdup(path);
    if (!copy)
        return rrs_error_no_memory();
    for (char *slash = copy; (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        RRS_TRY(make_directory(copy));
        *slash = '/';
    }
    return make_directory(copy);
}

/* The program's base name, fit to be the start of a file's name and easy to type. */
static void make_stem(const char *program, char stem[PROGRAM_NAME_MAX_BYTES + 1])
{
    const char *slash = strrchr(program, '/');
    const char *name = slash ? slash + 1 : program;
    size_t i = 0;
    for (; name[i] && i < PROGRAM_NAME_MAX_BYTES; i++) {
        unsigned char byte = (unsigned char)name[i];
        bool is_fine = isalnum(byte) || strchr("+_-.", byte) || byte >= 0x80;
        bool is_awkward_first = i == 0 && (byte == '-' || byte == '.');
        stem[i] = is_fine && !is_awkward_first ? name[i] : '_';
    }
    stem[i] = '\0';
    if (i == 0)
        strcpy(stem, "trace");
}

/* The N of a name STEM-N, or 0. */
static unsigned long parse_number(const char *name, const char *stem)
{
    size_t stem_bytes = strlen(stem);
    if (strncmp(name, stem, stem_bytes) != 0 || name[stem_bytes] != '-')
        return 0;
    const char *digits = name + stem_bytes + 1;
    if (digits[0] < '1' || digits[0] > '9' || strlen(digits) > 9 ||
        digits[strspn(digits, "0123456789")])
        return 0;
    return strtoul(digits, NULL, 10);
}

static struct rrs_error *find_highest_number(const char *home, const char *stem,
                                             unsigned long *highest)
{
    _cleanup_closedir_ DIR *directory = opendir(home);
    if (!directory)
        return rrs_error_os(errno, home, "cannot read the directory");
    *highest = 0;
    for (const struct dirent *entry; (entry = readdir(directory));) {
        unsigned long number = parse_number(entry->d_name, stem);
        if (number > *highest)
            *highest = number;
    }
    return NULL;
}

/* mkdir decides who gets a name if two recordings begin at once. */
static struct rrs_error *make_numbered(const char *home, const char *stem, char **path)
{
    unsigned long number;
    RRS_TRY(find_highest_number(home, stem, &number));
    for (;;) {
        _cleanup_free_ char *candidate = NULL;
        if (asprintf(&candidate, "%s/%s-%lu", home, stem, ++number) < 0)
            return rrs_error_no_memory();
        if (mkdir(candidate, 0700) == 0) {
            *path = rrs_steal_pointer(&candidate);
            return NULL;
        }
        if (errno != EEXIST)
            return rrs_file_error(errno, candidate, "cannot create the trace's directory");
    }
}

struct rrs_error *rrs_trace_dir_create(const char *given_home, const char *program, char **path)
{
    _cleanup_free_ char *home = NULL, *made = NULL;
    char stem[PROGRAM_NAME_MAX_BYTES + 1];
    RRS_TRY(choose_home(given_home, &home));
    RRS_TRY(make_directories(home));
    make_stem(program, stem);
    RRS_TRY(make_numbered(home, stem, &made));
    struct rrs_error *error = rrs_latest_set(home, strrchr(made, '/') + 1);
    if (error)
        rmdir(made);
    else
        *path = rrs_steal_pointer(&made);
    return error;
}

struct rrs_error *rrs_trace_dir_create_at(const char *path)
{
    if (mkdir(path, 0700) == 0)
        return NULL;
    if (errno == EEXIST)
        return rrs_error_path(RRS_ERROR_EXISTS, path, "there is something here already");
    return rrs_file_error(errno, path, "cannot create the trace's directory");
}

/* ---- finding ---- */

static struct rrs_error *not_found(const char *path, const char *argument)
{
    if (!argument)
        return rrs_error_path(RRS_ERROR_NOT_FOUND, path, "there is no trace yet");
    return rrs_error_path(RRS_ERROR_NOT_FOUND, path, "there is no trace '%s'", argument);
}

/* The absolute path of the directory at `path`, or NULL if there is none. */
static struct rrs_error *resolve_directory(const char *path, char **resolved)
{
    _cleanup_free_ char *real = realpath(path, NULL);
    struct stat status;
    *resolved = NULL;
    if (!real && errno != ENOENT && errno != ENOTDIR)
        return rrs_error_os(errno, path, "cannot find the trace");
    if (!real)
        return NULL;
    if (stat(real, &status) < 0)
        return rrs_error_os(errno, real, "cannot examine the trace");
    if (!S_ISDIR(status.st_mode))
        return rrs_error_path(RRS_ERROR_BAD_TRACE, real, "this is not a trace: no directory");
    *resolved = rrs_steal_pointer(&real);
    return NULL;
}

static bool is_path(const char *argument)
{
    return strchr(argument, '/') || strcmp(argument, ".") == 0 || strcmp(argument, "..") == 0;
}

struct rrs_error *rrs_trace_dir_resolve(const char *given_home, const char *argument, char **path)
{
    _cleanup_free_ char *home = NULL, *in_home = NULL, *resolved = NULL;
    bool is_named = argument && argument[0];
    if (is_named && is_path(argument)) {
        RRS_TRY(resolve_directory(argument, &resolved));
        in_home = strdup(argument);
        if (!in_home)
            return rrs_error_no_memory();
    } else {
        RRS_TRY(choose_home(given_home, &home));
        RRS_TRY(rrs_path_join(home, is_named ? argument : RRS_LATEST, &in_home));
        RRS_TRY(resolve_directory(in_home, &resolved));
        if (!resolved && is_named)
            RRS_TRY(resolve_directory(argument, &resolved));
    }
    if (!resolved)
        return not_found(in_home, is_named ? argument : NULL);
    if (!rrs_is_trace(resolved, NULL))
        return rrs_error_path(RRS_ERROR_BAD_TRACE, resolved, "this is not a trace: no %s in it",
                              RRS_DATA_FILE);
    *path = rrs_steal_pointer(&resolved);
    return NULL;
}

/* ---- listing ---- */

static struct rrs_error *append_entry(struct rrs_trace_dir_list *list,
                                      const struct rrs_trace_dir_entry *entry)
{
    void *larger = reallocarray(list->entries, list->n_entries + 1, sizeof *list->entries);
    if (!larger)
        return rrs_error_no_memory();
    list->entries = larger;
    list->entries[list->n_entries++] = *entry;
    return NULL;
}

/* Adds `name` if it is a trace. One that is removed meanwhile is none. */
static struct rrs_error *add_if_trace(struct rrs_trace_dir_list *list, const char *home,
                                      const char *name)
{
    _cleanup_free_ char *path = NULL, *name_copy = strdup(name);
    struct rrs_trace_dir_entry entry = {.is_latest = rrs_latest_is(home, name)};
    RRS_TRY(rrs_path_join(home, name, &path));
    if (!name_copy)
        return rrs_error_no_memory();
    if (!rrs_is_trace(path, &entry.modified_wall_ns))
        return NULL;
    struct rrs_error *error = rrs_trace_dir_measure(path, &entry.usage);
    if (error && error->os_errno == ENOENT) {
        rrs_error_destroy(error);
        return NULL;
    }
    RRS_TRY(error);
    entry.name = name_copy;
    entry.path = path;
    RRS_TRY(append_entry(list, &entry));
    rrs_steal_pointer(&name_copy);
    rrs_steal_pointer(&path);
    return NULL;
}

static int compare_entries(const void *a, const void *b)
{
    const struct rrs_trace_dir_entry *left = a, *right = b;
    if (left->modified_wall_ns != right->modified_wall_ns)
        return left->modified_wall_ns < right->modified_wall_ns ? -1 : 1;
    return strcmp(left->name, right->name);
}

static struct rrs_error *collect(struct rrs_trace_dir_list *list, const char *home)
{
    _cleanup_closedir_ DIR *directory = opendir(home);
    if (!directory && errno == ENOENT)
        return NULL;
    if (!directory)
        return rrs_error_os(errno, home, "cannot read the directory");
    for (const struct dirent *entry; (entry = readdir(directory));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            RRS_TRY(add_if_trace(list, home, entry->d_name));
    return NULL;
}

struct rrs_error *rrs_trace_dir_list(const char *given_home, struct rrs_trace_dir_list *list)
{
    _cleanup_free_ char *home = NULL;
    struct rrs_trace_dir_list made = {0};
    RRS_TRY(choose_home(given_home, &home));
    struct rrs_error *error = collect(&made, home);
    if (error) {
        rrs_trace_dir_list_deinit(&made);
        return error;
    }
    if (made.n_entries > 0)
        qsort(made.entries, made.n_entries, sizeof made.entries[0], compare_entries);
    *list = made;
    return NULL;
}

void rrs_trace_dir_list_deinit(struct rrs_trace_dir_list *list)
{
    for (size_t i = 0; i < list->n_entries; i++) {
        free(list->entries[i].name);
        free(list->entries[i].path);
    }
    free(list->entries);
    *list = (struct rrs_trace_dir_list){0};
}
