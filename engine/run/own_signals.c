/* SPDX-License-Identifier: MIT */
#include "engine/run/own_signals.h"

#include <errno.h>
#include <stddef.h>
#include <sys/types.h>
#include <unistd.h>

static volatile sig_atomic_t passed_to, stop_asked;

static const int signals[RRS_OWN_SIGNALS] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
                                             SIGTSTP, SIGTTIN, SIGTTOU};

static void act_as_ever(int signal_number)
{
    struct sigaction usual = {.sa_handler = SIG_DFL};
    sigaction(signal_number, &usual, NULL);
    raise(signal_number); /* pending until the handler is done */
}

static void on_signal(int signal_number, siginfo_t *info, void *context)
{
    int saved = errno;
    (void)context;
    if (signal_number == SIGTSTP)
        stop_asked = 1;
    else if (info->si_code <= 0 && kill((pid_t)passed_to, signal_number) < 0)
        act_as_ever(signal_number);
    errno = saved;
}

void rrs_own_signals_begin(struct rrs_own_signals *own, pid_t root)
{
    passed_to = root;
    for (size_t i = 0; i < RRS_OWN_SIGNALS; i++) {
        struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
        if (signals[i] == SIGTTIN || signals[i] == SIGTTOU)
            action = (struct sigaction){.sa_handler = SIG_IGN};
        sigaction(signals[i], NULL, &own->before[i]);
        if (own->before[i].sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
    }
}

void rrs_own_signals_end(const struct rrs_own_signals *own)
{
    for (size_t i = 0; i < RRS_OWN_SIGNALS; i++)
        sigaction(signals[i], &own->before[i], NULL);
}

void rrs_own_signals_root_stopped(void)
{
    if (!stop_asked)
        return;
    stop_asked = 0;
    raise(SIGSTOP); /* until somebody continues the group */
}
