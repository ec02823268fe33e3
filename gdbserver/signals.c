/* SPDX-License-Identifier: MIT */
/* See the header. The real-time signals are in order, except the first and the last of them. */
#include "gdbserver/signals.h"

#include <signal.h>

static const unsigned char standard[] = {
    [SIGHUP] = 1,   [SIGINT] = 2,    [SIGQUIT] = 3,  [SIGILL] = 4,   [SIGTRAP] = 5,
    [SIGABRT] = 6,  [SIGFPE] = 8,    [SIGKILL] = 9,  [SIGBUS] = 10,  [SIGSEGV] = 11,
    [SIGSYS] = 12,  [SIGPIPE] = 13,  [SIGALRM] = 14, [SIGTERM] = 15, [SIGURG] = 16,
    [SIGSTOP] = 17, [SIGTSTP] = 18,  [SIGCONT] = 19, [SIGCHLD] = 20, [SIGTTIN] = 21,
    [SIGTTOU] = 22, [SIGIO] = 23,    [SIGXCPU] = 24, [SIGXFSZ] = 25, [SIGVTALRM] = 26,
    [SIGPROF] = 27, [SIGWINCH] = 28, [SIGUSR1] = 30, [SIGUSR2] = 31, [SIGPWR] = 32,
};

int gdb_signal(int signal)
{
    enum { FIRST_RT = 32, LAST_RT = 64, GDB_RT32 = 77, GDB_RT33 = 45, GDB_RT64 = 78 };
    if (signal == FIRST_RT)
        return GDB_RT32;
    if (signal == LAST_RT)
        return GDB_RT64;
    if (signal > FIRST_RT && signal < LAST_RT)
        return GDB_RT33 + signal - FIRST_RT - 1;
    if (signal <= 0 || signal >= (int)sizeof standard || !standard[signal])
        return GDB_SIGNAL_UNKNOWN;
    return standard[signal];
}
