/* SPDX-License-Identifier: MIT */
/*
 * Signals that the tracer itself gets. A terminal sends its own to the whole foreground group: the
 * program has got them, too, and what they do is its business. What a process sends to the tracer
 * is passed on to the program's first process.
 *
 * A recorder keeps the first SIGINT or SIGTERM for itself: it ends the recording.
 *
 * A signal handler has no argument for the session: its words are the only state outside of it.
 */
#ifndef RRS_ENGINE_RUN_OWN_SIGNALS_H
#define RRS_ENGINE_RUN_OWN_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { RRS_OWN_SIGNALS = 8 };

struct rrs_own_signals {
    struct sigaction before[RRS_OWN_SIGNALS];
};

/**
 * From now on signals go to `root`; when it has ended, they act as ever. With `keep_first` the
 * first SIGINT or SIGTERM is kept instead. After that, and `wake_after_ns` (0: never) from now, a
 * wait of the tracer's is cut short (EINTR) several times a second.
 */
void rrs_own_signals_begin(struct rrs_own_signals *own, pid_t root, bool keep_first,
                           uint64_t wake_after_ns);
void rrs_own_signals_end(const struct rrs_own_signals *own);

/** The signal that was kept, or 0; it is given once. */
int rrs_own_signals_take(void);

/** No wait is to be cut short any more. */
void rrs_own_signals_let_sleep(void);

/** The root process has been stopped: if a SIGTSTP came here as well, the tracer stops with it. */
void rrs_own_signals_root_stopped(void);

#endif
