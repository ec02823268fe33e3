/* SPDX-License-Identifier: MIT */
/* Benchmark: argv[1] system calls, of pread, fstat and clock_gettime in turn. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    long calls = argc > 1 ? atol(argv[1]) : 200000, failed = 0;
    int fd = open(argv[0], O_RDONLY);
    for (long i = 0; i < calls; i += 3) {
        char bytes[64];
        struct stat st;
        struct timespec now;
        failed += pread(fd, bytes, sizeof bytes, i % 1000) != sizeof bytes;
        failed += fstat(fd, &st) != 0;
        failed += syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) != 0; /* not by the vDSO */
    }
    printf("%ld calls, %ld failed\n", calls, failed);
    return failed != 0;
}
