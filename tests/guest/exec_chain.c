/* SPDX-License-Identifier: MIT */
/* Test that exec in all its forms (ELF, scripts, descriptors, memfd) keeps what it must and fails
 * as documented. */
#include "tests/guest/guest.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

extern char **environ;
static char self[PATH_MAX];
static char **volatile nowhere = (char **)8;

static void stage(int argc, char **argv)
{
    char number[16];
    int left = atoi(argv[2]);
    if (!left) {
        printf("end of chain: argc %d, last '%s', CHAIN '%s'\n", argc, argv[argc - 1],
               getenv("CHAIN"));
        exit(17);
    }
    snprintf(number, sizeof number, "%d", left - 1);
    char *next[] = {argv[0], argv[1], number, "an argument with spaces", "", NULL};
    char *environment[] = {"CHAIN=kept", NULL};
    int fd;
    switch (left % 4) {
    case 0:
        execve(self, next, environment);
        break;
    case 1:
        execveat(AT_FDCWD, self, next, environment, 0);
        break;
    case 2:
        fd = open(self, O_RDONLY | O_CLOEXEC);
        fexecve(fd, next, environment);
        break;
    default:
        fd = open(self, O_PATH);
        execveat(fd, "", next, environment, AT_EMPTY_PATH);
    }
    CHECK(!"exec");
}

static int run(void (*body)(void))
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        body();
        _exit(111);
    }
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    return status;
}

static void chain(void)
{
    execl(self, "chain-name", "stage", "8", (char *)NULL);
}

static char directory[] = "/tmp/guest-exec-XXXXXX";
static char script[64], outer[64], plain[64], missing[64];

static void write_file(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    CHECK(!fchmod(fd, mode));
    close(fd);
}

static void run_script(void)
{
    execl(script, script, "first", (char *)NULL);
}

static void run_outer_script(void)
{
    execl(outer, outer, "second", (char *)NULL);
}

static void shell_fallback(void)
{
    execlp(plain, plain, (char *)NULL);
}

static void from_memfd(void)
{
    static char buffer[65536];
    int in = open("/bin/true", O_RDONLY), out = memfd_create("true", MFD_CLOEXEC);
    ssize_t part;
    while ((part = read(in, buffer, sizeof buffer)) > 0)
        CHECK(write(out, buffer, (size_t)part) == part);
    char *argv[] = {"true", NULL};
    fexecve(out, argv, environ);
}

static int exec_error(const char *path)
{
    char *argv[] = {(char *)path, NULL};
    CHECK_EQUAL(execve(path, argv, environ), -1);
    return errno;
}

static void failures(void)
{
    CHECK_EQUAL(exec_error("/nonexistent/program"), ENOENT);
    CHECK_EQUAL(exec_error("/tmp"), EACCES);
    CHECK_EQUAL(exec_error(""), ENOENT);
    CHECK_EQUAL(exec_error(plain), ENOEXEC);
    CHECK_EQUAL(exec_error(missing), ENOENT);
    CHECK_EQUAL(exec_error("/etc/passwd/x"), ENOTDIR);
    char *huge = malloc(200000);
    memset(huge, 'x', 199999);
    huge[199999] = 0;
    char *argv[] = {"true", huge, NULL};
    CHECK_EQUAL(execve("/bin/true", argv, environ), -1);
    CHECK_EQUAL(errno, E2BIG);
    CHECK_EQUAL(execve("/bin/true", nowhere, environ), -1);
    CHECK_EQUAL(errno, EFAULT);
    CHECK_EQUAL(exec_error((char *)8), EFAULT);
    puts("failures leave the program as it was");
}

int main(int argc, char **argv)
{
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    CHECK(length > 0);
    if (argc > 1 && !strcmp(argv[1], "stage"))
        stage(argc, argv);
    setvbuf(stdout, NULL, _IOLBF, 0);
    CHECK_EQUAL(run(chain), 17 << 8);
    CHECK(mkdtemp(directory));
    snprintf(script, sizeof script, "%s/script", directory);
    snprintf(outer, sizeof outer, "%s/outer", directory);
    snprintf(plain, sizeof plain, "%s/plain", directory);
    snprintf(missing, sizeof missing, "%s/missing", directory);
    char text[128];
    write_file(script, "#!/bin/sh -e\necho \"script: $# $1 ${0##*/}\"\nexit 6\n", 0700);
    snprintf(text, sizeof text, "#!%s one argument\n", script);
    write_file(outer, text, 0700);
    write_file(plain, "echo no interpreter line\nexit 5\n", 0700);
    write_file(missing, "#!/nonexistent/interpreter\n", 0700);
    CHECK_EQUAL(run(run_script), 6 << 8);
    CHECK_EQUAL(run(run_outer_script), 6 << 8);
    CHECK_EQUAL(run(shell_fallback), 5 << 8);
    CHECK_EQUAL(run(from_memfd), 0);
    failures();
    unlink(script);
    unlink(outer);
    unlink(plain);
    unlink(missing);
    rmdir(directory);
    return 0;
}
