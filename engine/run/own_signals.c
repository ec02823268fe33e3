/* SPDX-License-Identifier: MIT */
#include "engine/run/own_signals.h"

#include <errno.h>
#include <stddef.h>
#include <sys/time.h>
#include <sys/types.h>
#include <unistd.h>

static volatile sig_atomic_t passed_to, stop_asked, keeps, kept;

static const int signals[RRS_OWN_SIGNALS] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
                                             SIGTSTP, SIGTTIN, SIGTTOU, SIGALRM};

/* Again and again: a signal that comes just before a wait begins would not cut it short. */
static void wake_after(uint64_t ns)
{
    enum { AGAIN_US = 50000 };
    const struct itimerval timer = {
        .it_interval.tv_usec = ns ? AGAIN_US : 0,
        .it_value = {(time_t)(ns / 1000000000), (suseconds_t)(ns % 1000000000 / 1000)},
    };
    setitimer(ITIMER_REAL, &timer, NULL);
}

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
    if (signal_number == SIGTSTP) {
        stop_asked = 1;
    } else if (signal_number == SIGALRM && info->si_code > 0) {
        /* our own timer: the wait is cut short */
    } else if (keeps && info->si_code <= 0 &&
               (signal_number == SIGINT || signal_number == SIGTERM)) {
        keeps = 0;
        kept = signal_number;
        wake_after(1000);
    } else if (info->si_code <= 0 && kill((pid_t)passed_to, signal_number) < 0)
        act_as_ever(signal_number);
    errno = saved;
}

/* Only a wait that a timer is to end may be cut short. */
static struct sigaction action_for(int signal_number)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    if (signal_number == SIGTTIN || signal_number == SIGTTOU)
        action = (struct sigaction){.sa_handler = SIG_IGN};
    if (signal_number == SIGALRM)
        action.sa_flags = SA_SIGINFO;
    return action;
}

void rrs_own_signals_begin(struct rrs_own_signals *own, pid_t root, bool keep_first,
                           uint64_t wake_after_ns)
{
    passed_to = root;
    keeps = keep_first;
    kept = 0;
    for (size_t i = 0; i < RRS_OWN_SIGNALS; i++) {
        struct sigaction action = action_for(signals[i]);
        bool needed = signals[i] != SIGALRM || keep_first || wake_after_ns;
        sigaction(signals[i], NULL, &own->before[i]);
        if (needed && (own->before[i].sa_handler != SIG_IGN || signals[i] == SIGALRM))
            sigaction(signals[i], &action, NULL);
    }
    if (wake_after_ns)
        wake_after(wake_after_ns);
}

void rrs_own_signals_end(const struct rrs_own_signals *own)
{
    rrs_own_signals_let_sleep();
    for (size_t i = 0; i < RRS_OWN_SIGNALS; i++)
        sigaction(signals[i], &own->before[i], NULL);
}

int rrs_own_signals_take(void)
{
    int signal_number = (int)kept;
    kept = 0;
    return signal_number;
}

void rrs_own_signals_let_sleep(void)
{
    keeps = 0;
    wake_after(0);
}

void rrs_own_signals_root_stopped(void)
{
    if (!stop_asked)
        return;
    stop_asked = 0;
    raise(SIGSTOP); /* until somebody continues the group */
}
