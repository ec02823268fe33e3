/* SPDX-License-Identifier: MIT */
/*
 * Places between two tick instructions, which a tick alone does not name: where a signal was
 * raised. That it is raised again is not relied on: the kernel may have refused what it now gives
 * (a stack that grows further, a page behind the end of a file).
 */
#include "engine/replay/step.h"
#include "engine/run/address_space.h"
#include "engine/run/state.h"

#include <stdlib.h>
#include <string.h>

/* The session's breaks and one more, in order. */
static rrs_addr *add_break(const struct rrs_session *session, rrs_addr pc)
{
    size_t count = session->break_count, at = 0;
    rrs_addr *breaks = malloc((count + 1) * sizeof *breaks);
    while (breaks && at < count && session->breaks[at] < pc)
        at++;
    if (!breaks)
        return NULL;
    if (count)
        memcpy(breaks, session->breaks, at * sizeof *breaks);
    breaks[at] = pc;
    if (count)
        memcpy(breaks + at + 1, session->breaks + at, (count - at) * sizeof *breaks);
    return breaks;
}

/* Runs on until `pc`, with no tick in between. */
static struct rrs_error *run_to_pc(struct rrs_replayer *replayer, struct rrs_replay_task *task,
                                   rrs_addr pc)
{
    struct rrs_session *session = &replayer->session;
    const rrs_addr *before = session->breaks;
    rrs_addr *breaks = add_break(session, pc);
    if (!breaks)
        return rrs_error_no_memory();
    session->breaks = breaks;
    session->break_count++;
    rrs_space_drop_code_at(task->task->space, pc); /* with the break it is other code */
    struct rrs_error *error = rrs_replay_run(replayer, task, 0);
    session->breaks = before;
    session->break_count--;
    rrs_space_drop_code_at(task->task->space, pc);
    free(breaks);
    return error;
}

struct rrs_error *rrs_replay_run_to_place(struct rrs_replayer *replayer,
                                          struct rrs_replay_task *task, uint64_t tick, rrs_addr pc)
{
    const uint64_t *now = &replayer->session.clock.ticks;
    if (tick < *now)
        return rrs_replay_diverged(replayer, "it is past by %lu ticks",
                                   (unsigned long)(*now - tick));
    if (tick > *now) {
        RRS_TRY(rrs_replay_run(replayer, task, tick - 1 - *now));
        if (replayer->stop.stop_kind != RRS_RUN_TICK || *now != tick - 1)
            return NULL;
        RRS_TRY(rrs_replay_step_insn(replayer));
    }
    if (replayer->stopped && replayer->stop.stop_kind != RRS_RUN_TICK && *now != tick)
        return NULL;
    replayer->stop = (struct rrs_run_stop){.stop_kind = RRS_RUN_BREAK};
    replayer->stopped = true;
    return task->task->regs.rip == pc ? NULL : run_to_pc(replayer, task, pc);
}

/* --- where a signal was raised --- */

static bool repeats(struct rrs_replayer *replayer, const struct rrs_replay_task *task)
{
    struct rrs_insn insn;
    enum { REPNE = 0xf2, REP = 0xf3, FIRST_STRING = 0xa4, LAST_STRING = 0xaf };
    if (!rrs_fetch_insn(&replayer->session, task->task, task->task->regs.rip, &insn))
        return false;
    uint8_t opcode = insn.bytes[insn.opcode_offset];
    bool string = (opcode >= FIRST_STRING && opcode <= LAST_STRING) ||
                  (opcode >= 0x6c && opcode <= 0x6f); /* ins, outs */
    return string && (memchr(insn.bytes, REP, insn.opcode_offset) ||
                      memchr(insn.bytes, REPNE, insn.opcode_offset));
}

static struct rrs_error *check_stop(struct rrs_replayer *replayer,
                                    const struct rrs_replay_task *task, const siginfo_t *info,
                                    rrs_addr pc)
{
    const struct rrs_run_stop *stop = &replayer->stop;
    rrs_addr at = task->task->regs.rip;
    uint64_t now = replayer->session.clock.ticks;
    bool behind_call = stop->stop_kind == RRS_RUN_CALL && task->task->call_regs.rip == pc;
    if (now != replayer->next->tick || (at != pc && !behind_call))
        return rrs_replay_diverged(replayer, "expected %s at %#lx, it stands at %#lx, tick %lu",
                                   strsignal(info->si_signo), (unsigned long)pc, (unsigned long)at,
                                   (unsigned long)now);
    if (stop->stop_kind == RRS_RUN_RAISED && stop->info.si_signo != info->si_signo)
        return rrs_replay_diverged(replayer, "expected %s, %s came", strsignal(info->si_signo),
                                   strsignal(stop->info.si_signo));
    return NULL;
}

struct rrs_error *rrs_replay_reach_raised(struct rrs_replayer *replayer,
                                          struct rrs_replay_task *task, const siginfo_t *info,
                                          rrs_addr pc)
{
    struct rrs_session *session = &replayer->session;
    const rrs_addr *breaks = session->breaks;
    size_t break_count = session->break_count;
    session->breaks = NULL;
    session->break_count = 0;
    struct rrs_error *error = rrs_replay_run_to_place(replayer, task, replayer->next->tick, pc);
    /* A repeated instruction has done a part of its work: only the CPU knows how much. */
    if (!error && replayer->stop.stop_kind == RRS_RUN_BREAK && repeats(replayer, task))
        error = rrs_replay_run(replayer, task, 0);
    session->breaks = breaks;
    session->break_count = break_count;
    return error ? error : check_stop(replayer, task, info, pc);
}
