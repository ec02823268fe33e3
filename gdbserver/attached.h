/* SPDX-License-Identifier: MIT */
/*
 * The processes of the recording that gdb has attached to, as it sees it: the first one, and those
 * that fork events told it of, until it detaches. One of them is the current one (server->pid).
 */
#ifndef RRS_GDBSERVER_ATTACHED_H
#define RRS_GDBSERVER_ATTACHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct rrs_gdbserver;

enum { ATTACHED_MAX = 64 };

struct attached {
    pid_t pids[ATTACHED_MAX];
    uint64_t programs[ATTACHED_MAX]; /* the event that loaded the one that gdb knows; 0: unknown */
    size_t count;
};

/** Adds a process; the oldest is forgotten if there are too many. */
void attached_add(struct attached *attached, pid_t pid);
void attached_remove(struct attached *attached, pid_t pid);
bool attached_has(const struct attached *attached, pid_t pid);

/** Where the program is noted that gdb takes the process to execute; NULL if it is not attached. */
uint64_t *attached_program(struct attached *attached, pid_t pid);

/** gdb means this process from here on. False if it is not attached to it. */
bool attached_select(struct rrs_gdbserver *server, pid_t pid);

/** gdb is done with a process; if it was the current one, another one that is left becomes that. */
void attached_leave(struct rrs_gdbserver *server, pid_t pid);

#endif
