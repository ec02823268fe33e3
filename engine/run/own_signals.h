/* SPDX-License-Identifier: MIT */
/*
 * Signals that the tracer itself gets. A terminal sends its own to the whole foreground group: the
 * program has got them, too, and what they do is its business. What a process sends to the tracer
 * is passed on to the program's first process.
 *
 * A signal handler has no argument for the session: its two words are the only state outside of it.
 */
#ifndef RRS_ENGINE_RUN_OWN_SIGNALS_H
#define RRS_ENGINE_RUN_OWN_SIGNALS_H

#include <signal.h>
#include <sys/types.h>

enum { RRS_OWN_SIGNALS = 7 };

struct rrs_own_signals {
    struct sigaction before[RRS_OWN_SIGNALS];
};

/** From now on signals go to `root`; when it has ended, they act as ever. */
void rrs_own_signals_begin(struct rrs_own_signals *own, pid_t root);
void rrs_own_signals_end(const struct rrs_own_signals *own);

/** The root process has been stopped: if a SIGTSTP came here as well, the tracer stops with it. */
void rrs_own_signals_root_stopped(void);

#endif
