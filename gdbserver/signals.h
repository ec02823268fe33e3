/* SPDX-License-Identifier: MIT */
/* gdb's own numbers for signals (gdb/include/gdb/signals.def), which are the same on every system.
 */
#ifndef RRS_GDBSERVER_SIGNALS_H
#define RRS_GDBSERVER_SIGNALS_H

enum { GDB_SIGNAL_INT = 2, GDB_SIGNAL_TRAP = 5, GDB_SIGNAL_KILL = 9, GDB_SIGNAL_UNKNOWN = 143 };

/** gdb's number for a signal of Linux on x86-64; GDB_SIGNAL_UNKNOWN if it has none. */
int gdb_signal(int signal);

#endif
