/* SPDX-License-Identifier: MIT */
/*
 * Moving the timeline on behalf of gdb. Each ends with server->stop telling how it went, and the
 * timeline at a place where gdb's process exists.
 */
#ifndef RRS_GDBSERVER_MOVING_H
#define RRS_GDBSERVER_MOVING_H

#include "engine/replay/timeline.h"
#include "gdbserver/server.h"

enum movement_kind { MOVEMENT_CONTINUE, MOVEMENT_STEP, MOVEMENT_RANGE };

struct movement {
    enum movement_kind kind;
    enum rrs_direction direction;
    pid_t pid;          /* whose tasks are meant; 0: of the current process */
    pid_t tid;          /* STEP and RANGE; 0: the current one */
    rrs_addr low, high; /* RANGE: [low, high) */
};

/** Runs until something stops it that concerns gdb's process. */
RRS_MUST_CHECK struct rrs_error *move_run(server *server, enum rrs_direction direction);

RRS_MUST_CHECK struct rrs_error *move_to(server *server, const struct rrs_position *position);
RRS_MUST_CHECK struct rrs_error *move_to_tick(server *server, uint64_t tick);
RRS_MUST_CHECK struct rrs_error *move_to_event(server *server, uint64_t event);

/** To the last place where gdb's process exists. */
RRS_MUST_CHECK struct rrs_error *move_to_end(server *server);

/** Does as a resume packet says (or the errand that waits, or nothing if an interrupt does), and
 * puts the stop reply into server->reply. */
RRS_MUST_CHECK struct rrs_error *move_and_reply(server *server, const struct movement *movement);

/** Lets the link take input and give signs of life; passes an interrupt on to the timeline. */
void breathe(server *server);

#endif
