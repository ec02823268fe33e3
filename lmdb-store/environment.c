/* SPDX-License-Identifier: MIT */
/*
 * Opening LMDB. Three things shape this file: liblmdb crashes on damaged files, so a file is
 * checked before it is mapped; its lock file needs a directory that can be written; and it knows no
 * "second writer is refused", so an OFD lock on data.mdb says who writes (it ends with the process,
 * however that ends, and can be asked for without being taken).
 */
#include "lmdb-store/environment.h"

#include "lmdb-store/file_system.h"
#include "lmdb-store/integrity.h"
#include "lmdb-store/metadata_format.h"
#include "lmdb-store/record_survey.h"
#include "lmdb-store/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* 1 TiB of address space, which costs nothing; halved where RLIMIT_AS refuses, down to the least.
 */
static const uint64_t map_bytes_wanted = UINT64_C(1) << 40;
static const uint64_t map_bytes_least = UINT64_C(1) << 20;

struct rrs_environment {
    MDB_env *lmdb;
    MDB_dbi databases[RRS_DATABASE_COUNT];
    char *path;
    char *data_path;
    int data_fd;
    pid_t pid;
    atomic_int n_users;
    struct rrs_record_survey survey; /* nothing, if just created */
};

struct rrs_error *rrs_file_error(int os_errno, const char *path, const char *what)
{
    switch (os_errno) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG: /* RLIMIT_FSIZE */
        return rrs_error_path(RRS_ERROR_DISK_FULL, path, "%s: %s", what, strerror(os_errno));
    case ENOMEM:
        return rrs_error_no_memory();
    default:
        return rrs_error_os(os_errno, path, "%s", what);
    }
}

/* liblmdb calls a write that was cut short EIO, whatever cut it: a full disk mostly, or a limit on
 * the size of files. */
static int explain_short_write(int code, const char *data_path)
{
    enum { LITTLE_ROOM_BYTES = 64 << 20 }; /* a transaction is smaller */
    struct statvfs file_system;
    struct stat file;
    struct rlimit limit;
    if (code != EIO)
        return code;
    if (statvfs(data_path, &file_system) == 0 &&
        (uint64_t)file_system.f_bavail * file_system.f_frsize < LITTLE_ROOM_BYTES)
        return ENOSPC;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        stat(data_path, &file) == 0 && (uint64_t)file.st_size + LITTLE_ROOM_BYTES > limit.rlim_cur)
        return EFBIG;
    return code;
}

struct rrs_error *rrs_lmdb_error(int code, const char *data_path, const char *what)
{
    switch (code) {
    case MDB_MAP_FULL:
        return rrs_error_path(RRS_ERROR_DISK_FULL, data_path,
                              "%s: the memory map that liblmdb could get is full", what);
    case MDB_MAP_RESIZED:
        return rrs_error_path(RRS_ERROR_UNSUPPORTED, data_path,
                              "%s: the trace has outgrown the memory map; is RLIMIT_AS low?", what);
    case MDB_NOTFOUND:
        return rrs_error_path(RRS_ERROR_NOT_FOUND, data_path, "%s: no such record", what);
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_INCOMPATIBLE:
    case MDB_BAD_VALSIZE:
    case MDB_CURSOR_FULL:
        return rrs_error_path(RRS_ERROR_BAD_TRACE, data_path, "%s: %s", what, mdb_strerror(code));
    case MDB_VERSION_MISMATCH:
        return rrs_error_path(RRS_ERROR_UNSUPPORTED, data_path,
                              "%s: another version of liblmdb has it open", what);
    case MDB_READERS_FULL:
        return rrs_error_path(RRS_ERROR_UNSUPPORTED, data_path, "%s: too many readers", what);
    default:
        break;
    }
    if (code > 0)
        return rrs_file_error(explain_short_write(code, data_path), data_path, what);
    return rrs_error_path(RRS_ERROR_BAD_TRACE, data_path, "%s: %s", what, mdb_strerror(code));
}

static void destroy(struct rrs_environment *environment)
{
    if (!environment)
        return;
    if (environment->lmdb && environment->pid == getpid())
        mdb_env_close(environment->lmdb);
    if (environment->data_fd >= 0)
        close(environment->data_fd);
    free(environment->data_path);
    free(environment->path);
    free(environment);
}

static void destroy_scoped(struct rrs_environment **environment)
{
    destroy(*environment);
}

#define _cleanup_environment_ __attribute__((cleanup(destroy_scoped)))

static struct rrs_error *make(const char *path, struct rrs_environment **environment)
{
    struct rrs_environment *made = calloc(1, sizeof *made);
    if (!made)
        return rrs_error_no_memory();
    made->data_fd = -1;
    made->pid = getpid();
    atomic_init(&made->n_users, 1);
    made->path = strdup(path);
    if (asprintf(&made->data_path, "%s/data.mdb", path) < 0)
        made->data_path = NULL;
    if (!made->path || !made->data_path) {
        destroy(made);
        return rrs_error_no_memory();
    }
    *environment = made;
    return NULL;
}

/* Sets, clears or asks for the lock on the whole data file that its writer holds. */
static int writer_lock(int data_fd, int command, struct flock *lock)
{
    lock->l_whence = SEEK_SET;
    lock->l_start = 0;
    lock->l_len = 0;
    lock->l_pid = 0;
    return fcntl(data_fd, command, lock);
}

static struct rrs_error *become_writer(struct rrs_environment *environment)
{
    struct flock lock = {.l_type = F_WRLCK};
    if (writer_lock(environment->data_fd, F_OFD_SETLK, &lock) == 0)
        return NULL;
    if (errno == EAGAIN || errno == EACCES)
        return rrs_error_path(RRS_ERROR_USAGE, environment->path,
                              "the trace is already open for writing");
    return rrs_error_path(RRS_ERROR_UNSUPPORTED, environment->data_path,
                          "the file system gives no file locks: %s", strerror(errno));
}

bool rrs_environment_has_writer(const struct rrs_environment *environment)
{
    /* A lock never conflicts with one of the same open file, so ask through another. */
    _cleanup_close_ int fd = open(environment->data_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return fd >= 0 && rrs_file_has_writer(fd);
}

void rrs_environment_release_writer(struct rrs_environment *environment)
{
    struct flock lock = {.l_type = F_UNLCK};
    writer_lock(environment->data_fd, F_OFD_SETLK, &lock);
}

/* One attempt to open with a map of `map_bytes`. */
static int open_lmdb_once(struct rrs_environment *environment, unsigned flags, uint64_t map_bytes)
{
    MDB_env *lmdb;
    int code = mdb_env_create(&lmdb);
    if (code)
        return code;
    code = mdb_env_set_mapsize(lmdb, map_bytes);
    if (!code)
        code = mdb_env_set_maxdbs(lmdb, RRS_DATABASE_COUNT);
    if (!code)
        code = mdb_env_open(lmdb, environment->path, flags, 0600);
    if (code) {
        mdb_env_close(lmdb);
        return code;
    }
    mdb_filehandle_t fd; /* liblmdb lets a program that is executed inherit it */
    if (!mdb_env_get_fd(lmdb, &fd))
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    environment->lmdb = lmdb;
    return 0;
}

static struct rrs_error *open_lmdb(struct rrs_environment *environment, unsigned flags)
{
    /* MDB_NOTLS: a read transaction belongs to its reader, not to a thread. */
    flags |= MDB_NOTLS;
    int code = ENOMEM;
    for (uint64_t map = map_bytes_wanted; code == ENOMEM && map >= map_bytes_least; map /= 2)
        code = open_lmdb_once(environment, flags, map);
    if (code == ENOMEM)
        return rrs_error_path(RRS_ERROR_UNSUPPORTED, environment->data_path,
                              "cannot map the file; is RLIMIT_AS too low?");
    if (code)
        return rrs_lmdb_error(code, environment->data_path, "cannot open the trace");
    return NULL;
}

/*
 * Looks after the lock file before liblmdb writes to it. It must be a plain file: a link in a
 * stranger's trace could lead to a file of the user, which liblmdb would overwrite. And it must
 * have its blocks: writing to a mapped hole on a full disk is SIGBUS. What is in the file stays,
 * since other processes may use it. Comes before mdb_env_open(), as closing the file drops this
 * process's locks.
 */
static struct rrs_error *prepare_lock_file(struct rrs_environment *environment)
{
    enum { LOCK_FILE_BYTES = 8192 }; /* 126 readers: liblmdb's DEFAULT_READERS */
    _cleanup_free_ char *path = NULL;
    if (asprintf(&path, "%s/lock.mdb", environment->path) < 0) {
        path = NULL;
        return rrs_error_no_memory();
    }
    _cleanup_close_ int fd =
        open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0600);
    struct stat status;
    if (fd < 0 && errno != ELOOP && errno != EISDIR && errno != ENXIO)
        return rrs_file_error(errno, path, "cannot open the trace's lock file");
    if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
        return rrs_error_path(RRS_ERROR_BAD_TRACE, path, "this is not a regular file");
    if (fallocate(fd, 0, 0, LOCK_FILE_BYTES) < 0 && errno != EOPNOTSUPP)
        return rrs_file_error(errno, path, "cannot make room for the trace's lock file");
    return NULL;
}

static struct rrs_error *open_lmdb_with_lock(struct rrs_environment *environment, unsigned flags)
{
    RRS_TRY(prepare_lock_file(environment));
    return open_lmdb(environment, flags);
}

struct rrs_error *rrs_environment_create(const char *path, struct rrs_environment **environment)
{
    _cleanup_environment_ struct rrs_environment *made = NULL;
    RRS_TRY(make(path, &made));
    RRS_TRY(rrs_file_system_check(path));
    made->data_fd = open(made->data_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (made->data_fd < 0 && errno == EEXIST)
        return rrs_error_path(RRS_ERROR_EXISTS, made->data_path, "a trace exists here already");
    if (made->data_fd < 0)
        return rrs_file_error(errno, made->data_path, "cannot create the trace's data file");
    RRS_TRY(become_writer(made));
    RRS_TRY(open_lmdb_with_lock(made, MDB_NOSYNC));
    *environment = rrs_steal_pointer(&made);
    return NULL;
}

/* The file must be a plain one: opening or mapping anything else could block or worse. */
static struct rrs_error *open_data_file(struct rrs_environment *environment, bool writable)
{
    const char *path = environment->data_path;
    int flags = (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    environment->data_fd = open(path, flags);
    if (environment->data_fd < 0 && errno == ENOENT)
        return rrs_error_path(RRS_ERROR_NOT_FOUND, environment->path, "there is no trace here");
    if (environment->data_fd < 0)
        return rrs_error_os(errno, path, "cannot open the trace's data file");
    struct stat status;
    if (fstat(environment->data_fd, &status) < 0)
        return rrs_error_os(errno, path, "cannot examine the trace's data file");
    if (!S_ISREG(status.st_mode))
        return rrs_error_path(RRS_ERROR_BAD_TRACE, path, "this is not a regular file");
    return NULL;
}

static bool can_lock_here(const char *path)
{
    return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0;
}

static bool lock_file_is_denied(const struct rrs_error *error)
{
    return error->code == RRS_ERROR_DISK_FULL ||
           (error->code == RRS_ERROR_OS &&
            (error->os_errno == EACCES || error->os_errno == EROFS || error->os_errno == EPERM));
}

/* How to open for reading: with LMDB's lock file if it can be had, without if nobody writes. */
static struct rrs_error *open_lmdb_for_reading(struct rrs_environment *environment)
{
    if (can_lock_here(environment->path)) {
        struct rrs_error *error = open_lmdb_with_lock(environment, MDB_RDONLY);
        if (!error || !lock_file_is_denied(error))
            return error;
        rrs_error_destroy(error);
    }
    if (rrs_environment_has_writer(environment))
        return rrs_error_path(RRS_ERROR_UNSUPPORTED, environment->path,
                              "the trace is being written, and its lock file cannot be used to "
                              "read it meanwhile");
    return open_lmdb(environment, MDB_RDONLY | MDB_NOLOCK);
}

static struct rrs_error *open_database(struct rrs_environment *environment, MDB_txn *txn,
                                       enum rrs_database database, unsigned flags)
{
    static const char *const names[] = {
#define X(name, text) text,
        RRS_DATABASES(X)
#undef X
    };
    int code = mdb_dbi_open(txn, names[database], flags, &environment->databases[database]);
    if (code == MDB_NOTFOUND || code == MDB_INCOMPATIBLE)
        return rrs_error_with_key(rrs_error_path(RRS_ERROR_BAD_TRACE, environment->data_path,
                                                 "there is no database '%s'", names[database]),
                                  names[database]);
    if (code)
        return rrs_lmdb_error(code, environment->data_path, "cannot open a database");
    return NULL;
}

struct rrs_error *rrs_environment_create_databases(struct rrs_environment *environment,
                                                   MDB_txn *txn)
{
    for (int i = 0; i < RRS_DATABASE_COUNT; i++)
        RRS_TRY(open_database(environment, txn, (enum rrs_database)i, MDB_CREATE));
    return NULL;
}

/* The version comes first: other databases may be other ones in another version. */
static struct rrs_error *open_databases_in(struct rrs_environment *environment, MDB_txn *txn)
{
    struct rrs_error *error = open_database(environment, txn, RRS_DATABASE_META, 0);
    if (error && error->code == RRS_ERROR_BAD_TRACE) {
        rrs_error_destroy(error);
        return rrs_error_path(RRS_ERROR_BAD_TRACE, environment->data_path,
                              "this is an LMDB file but not a trace of rrsoft");
    }
    RRS_TRY(error);
    RRS_TRY(rrs_metadata_check_version(&(struct rrs_transaction){environment, txn}));
    for (int i = RRS_DATABASE_META + 1; i < RRS_DATABASE_COUNT; i++)
        RRS_TRY(open_database(environment, txn, (enum rrs_database)i, 0));
    return NULL;
}

static struct rrs_error *open_databases(struct rrs_environment *environment)
{
    MDB_txn *txn;
    RRS_TRY(rrs_environment_begin_read(environment, &txn));
    struct rrs_error *error = open_databases_in(environment, txn);
    if (error) {
        mdb_txn_abort(txn);
        return error;
    }
    int code = mdb_txn_commit(txn); /* keeps the database handles, which abort would not */
    return code ? rrs_lmdb_error(code, environment->data_path, "cannot open the trace") : NULL;
}

/* A reader can do with what is undamaged; a writer would take damage for a truth. */
static struct rrs_error *check_file(struct rrs_environment *environment, bool writable)
{
    struct rrs_integrity_visitor visitor = rrs_record_survey_visitor(&environment->survey);
    RRS_TRY(
        rrs_integrity_check_visiting(environment->data_fd, environment->data_path, &visitor, NULL));
    return writable ? rrs_record_survey_check_all(environment) : NULL;
}

/* A writer that commits often would change the pages under the check, which then takes them for
 * damaged. So the snapshot is pinned first, for which LMDB looks at the meta pages only. */
static struct rrs_error *open_beside_writer(struct rrs_environment *environment)
{
    MDB_txn *pin;
    RRS_TRY(rrs_integrity_check_metas(environment->data_fd, environment->data_path));
    RRS_TRY(open_lmdb_for_reading(environment));
    RRS_TRY(rrs_environment_begin_read(environment, &pin));
    struct rrs_error *error = check_file(environment, false);
    mdb_txn_abort(pin);
    return error;
}

struct rrs_error *rrs_environment_open(const char *path, bool writable,
                                       struct rrs_environment **environment)
{
    _cleanup_environment_ struct rrs_environment *made = NULL;
    RRS_TRY(make(path, &made));
    RRS_TRY(open_data_file(made, writable));
    RRS_TRY(rrs_file_system_check(path));
    if (writable)
        RRS_TRY(become_writer(made));
    if (!writable && rrs_environment_has_writer(made)) {
        RRS_TRY(open_beside_writer(made));
    } else {
        RRS_TRY(check_file(made, writable));
        RRS_TRY(writable ? open_lmdb_with_lock(made, MDB_NOSYNC) : open_lmdb_for_reading(made));
    }
    RRS_TRY(open_databases(made));
    *environment = rrs_steal_pointer(&made);
    return NULL;
}

struct rrs_environment *rrs_environment_ref(struct rrs_environment *environment)
{
    atomic_fetch_add(&environment->n_users, 1);
    return environment;
}

void rrs_environment_unref(struct rrs_environment *environment)
{
    if (environment && atomic_fetch_sub(&environment->n_users, 1) == 1)
        destroy(environment);
}

const char *rrs_environment_path(const struct rrs_environment *environment)
{
    return environment->path;
}

const char *rrs_environment_data_path(const struct rrs_environment *environment)
{
    return environment->data_path;
}

const struct rrs_record_survey *rrs_environment_survey(const struct rrs_environment *environment)
{
    return &environment->survey;
}

MDB_env *rrs_environment_lmdb(const struct rrs_environment *environment)
{
    return environment->lmdb;
}

MDB_dbi rrs_environment_dbi(const struct rrs_environment *environment, enum rrs_database database)
{
    return environment->databases[database];
}

struct rrs_error *rrs_environment_check_process(const struct rrs_environment *environment)
{
    if (environment->pid == getpid())
        return NULL;
    return rrs_error_path(RRS_ERROR_USAGE, environment->path,
                          "the trace was opened by process %d; its child %d cannot use it",
                          (int)environment->pid, (int)getpid());
}

struct rrs_error *rrs_environment_begin_read(struct rrs_environment *environment, MDB_txn **txn)
{
    RRS_TRY(rrs_environment_check_process(environment));
    int code = mdb_txn_begin(environment->lmdb, NULL, MDB_RDONLY, txn);
    return code ? rrs_lmdb_error(code, environment->data_path, "cannot read the trace") : NULL;
}

/* liblmdb does not tell where its map is (me_mapaddr is for fixed maps), the kernel does (man 5
 * proc). */
static void find_map(const struct rrs_environment *environment, uint64_t *start, uint64_t *end)
{
    _cleanup_free_ char *line = NULL;
    _cleanup_fclose_ FILE *maps = fopen("/proc/self/maps", "re");
    size_t capacity = 0;
    struct stat status;
    *start = *end = 0;
    if (!maps || fstat(environment->data_fd, &status) < 0)
        return;
    while (getline(&line, &capacity, maps) > 0) {
        unsigned long long from, to, offset, inode;
        if (sscanf(line, "%llx-%llx %*s %llx %*s %llu", &from, &to, &offset, &inode) != 4)
            continue;
        if (inode != status.st_ino || offset != 0 || !strstr(line, "/data.mdb"))
            continue;
        *start = from;
        *end = to;
        return;
    }
}

void rrs_environment_tidy(struct rrs_environment *environment)
{
    uint64_t start, end;
    int n_dead;
    mdb_reader_check(environment->lmdb, &n_dead); /* if it fails it works the next time */
    find_map(environment, &start, &end);
    if (start < end)
        madvise((void *)(uintptr_t)start, end - start, MADV_DONTNEED);
}

struct rrs_error *rrs_environment_sync(struct rrs_environment *environment)
{
    if (fdatasync(environment->data_fd) == 0)
        return NULL;
    return rrs_file_error(errno, environment->data_path, "cannot sync the trace to the disk");
}
