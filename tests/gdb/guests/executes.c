/* SPDX-License-Identifier: MIT */
/* A process that loads another program, the one that its argument names. */
#include <unistd.h>

static volatile int stage;

int main(int argc, char **argv)
{
    stage = 1; /* mark: before */
    if (argc > 1)
        execl(argv[1], argv[1], (char *)NULL);
    return 1;
}
