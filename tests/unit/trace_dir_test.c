/* SPDX-License-Identifier: MIT */
/* Test that traces get names, are found, listed, renamed and removed, and that `latest` follows. */
#include "lmdb-store/trace_dir.h"

#include "tests/unit/test.h"

#include <fcntl.h>
#include <sys/stat.h>

static char home[PATH_MAX];

static void check_home(void)
{
    char *path;
    CHECK(setenv("HOME", "/h", 1) == 0 && setenv("XDG_DATA_HOME", "/x", 1) == 0 &&
          setenv("RRSOFT_TRACE_DIR", "/r", 1) == 0);
    CHECK_OK(rrs_trace_home(&path));
    CHECK_STRING(path, "/r");
    free(path);
    CHECK(setenv("RRSOFT_TRACE_DIR", "", 1) == 0);
    CHECK_OK(rrs_trace_home(&path));
    CHECK_STRING(path, "/x/rrsoft");
    free(path);
    CHECK(setenv("XDG_DATA_HOME", "relative", 1) == 0);
    CHECK_OK(rrs_trace_home(&path));
    CHECK_STRING(path, "/h/.local/share/rrsoft");
    free(path);
}

static void put_file(const char *directory, const char *name)
{
    char path[PATH_MAX];
    int fd = open(test_path(path, directory, name), O_CREAT | O_WRONLY, 0600);
    CHECK(fd >= 0);
    close(fd);
}

static void create(const char *program, const char *expected_name)
{
    char *path, expected[PATH_MAX];
    struct stat status;
    CHECK_OK(rrs_trace_dir_create(home, program, &path));
    CHECK_STRING(path, test_path(expected, home, expected_name));
    CHECK(stat(path, &status) == 0);
    CHECK_EQUAL(status.st_mode & 07777, 0700);
    put_file(path, "data.mdb");
    free(path);
}

static void check_found(const char *argument, const char *expected_name)
{
    char *path, expected[PATH_MAX];
    CHECK_OK(rrs_trace_dir_resolve(home, argument, &path));
    CHECK_STRING(path, test_path(expected, home, expected_name));
    free(path);
}

static void check_creation(void)
{
    struct stat status;
    char *path;
    CHECK_FAILS(rrs_trace_dir_resolve(home, NULL, &path), NOT_FOUND);
    create("/usr/bin/prog", "prog-1");
    CHECK(stat(home, &status) == 0);
    CHECK_EQUAL(status.st_mode & 07777, 0700);
    create("prog", "prog-2");
    check_found(NULL, "prog-2");
    create("a b\nc'", "a_b_c_-1");
    create("-x", "_x-1");
    create("", "trace-1");
    create("prog-7", "prog-7-1");
    create("prog", "prog-3");
    check_found("", "prog-3");
    check_found("latest", "prog-3");
    check_found("prog-1", "prog-1");
}

static void check_resolution(void)
{
    char path[PATH_MAX], *found;
    check_found(test_path(path, home, "prog-1"), "prog-1");
    check_found(test_path(path, home, "prog-1/"), "prog-1");
    CHECK(chdir(home) == 0);
    check_found("./prog-2", "prog-2");
    CHECK(chdir("prog-2") == 0);
    check_found(".", "prog-2");
    CHECK(chdir("/") == 0);
    CHECK_FAILS(rrs_trace_dir_resolve(home, "prog-99", &found), NOT_FOUND);
    CHECK_FAILS(rrs_trace_dir_resolve(home, "/nowhere/at/all", &found), NOT_FOUND);
    CHECK_FAILS(rrs_trace_dir_resolve(home, home, &found), BAD_TRACE);
    CHECK_FAILS(rrs_trace_dir_resolve(home, test_path(path, home, "prog-1/data.mdb"), &found),
                BAD_TRACE);
}

static void check_creation_at(void)
{
    char path[PATH_MAX];
    CHECK_OK(rrs_trace_dir_create_at(test_path(path, home, "mine")));
    CHECK_FAILS(rrs_trace_dir_create_at(path), EXISTS);
    CHECK_FAILS(rrs_trace_dir_create_at(test_path(path, home, "mine/a/b")), OS);
    CHECK(rmdir(test_path(path, home, "mine")) == 0);
}

static void check_list(void)
{
    struct rrs_trace_dir_list list;
    char path[PATH_MAX];
    int n_latest = 0;
    CHECK_OK(rrs_trace_dir_list("/nowhere/at/all", &list));
    CHECK_EQUAL(list.n_entries, 0);
    rrs_trace_dir_list_deinit(&list);
    CHECK(mkdir(test_path(path, home, "no-trace"), 0700) == 0);
    CHECK_OK(rrs_trace_dir_list(home, &list));
    CHECK_EQUAL(list.n_entries, 7);
    for (size_t i = 0; i < list.n_entries; i++)
        n_latest += list.entries[i].is_latest;
    CHECK_EQUAL(n_latest, 1);
    rrs_trace_dir_list_deinit(&list);
}

static void check_rename(void)
{
    char path[PATH_MAX], target[PATH_MAX], *new_path;
    test_path(path, home, "prog-3");
    CHECK_FAILS(rrs_trace_dir_rename(path, "prog-1", NULL), EXISTS);
    CHECK_FAILS(rrs_trace_dir_rename(path, "latest", NULL), USAGE);
    CHECK_FAILS(rrs_trace_dir_rename(path, "", NULL), USAGE);
    CHECK_FAILS(rrs_trace_dir_rename(test_path(target, home, "none"), "other", NULL), NOT_FOUND);
    CHECK_OK(rrs_trace_dir_rename(path, "renamed", &new_path));
    CHECK_STRING(new_path, test_path(target, home, "renamed"));
    free(new_path);
    check_found(NULL, "renamed");
    /* Into a directory, out of its home: `latest` goes to another one. */
    CHECK_OK(rrs_trace_dir_rename(test_path(path, home, "renamed"),
                                  test_path(target, home, "no-trace"), &new_path));
    CHECK_STRING(new_path, test_path(target, home, "no-trace/renamed"));
    CHECK_OK(rrs_trace_dir_remove(new_path));
    free(new_path);
    CHECK_OK(rrs_trace_dir_resolve(home, NULL, &new_path));
    free(new_path);
}

static void check_removal(void)
{
    struct rrs_trace_dir_list list;
    char path[PATH_MAX], *found;
    test_path(path, home, "prog-1");
    put_file(path, "lock.mdb");
    put_file(path, "notes.txt");
    CHECK_FAILS(rrs_trace_dir_remove(path), USAGE);
    check_found("prog-1", "prog-1");
    CHECK(unlink(test_path(path, home, "prog-1/notes.txt")) == 0);
    CHECK_OK(rrs_trace_dir_remove(test_path(path, home, "prog-1")));
    CHECK_FAILS(rrs_trace_dir_remove(path), NOT_FOUND);
    CHECK_OK(rrs_trace_dir_list(home, &list));
    for (size_t i = 0; i < list.n_entries; i++) {
        CHECK_OK(rrs_trace_dir_resolve(home, NULL, &found)); /* as long as there is any */
        free(found);
        CHECK_OK(rrs_trace_dir_remove(list.entries[i].path));
    }
    rrs_trace_dir_list_deinit(&list);
    CHECK_FAILS(rrs_trace_dir_resolve(home, NULL, &found), NOT_FOUND);
}

int main(void)
{
    char path[PATH_MAX], real[PATH_MAX];
    CHECK(realpath(test_make_directory(path), real));
    test_path(home, real, "some/home");
    check_home();
    check_creation();
    check_resolution();
    check_creation_at();
    check_list();
    check_rename();
    check_removal();
    test_remove_tree(path);
    return 0;
}
