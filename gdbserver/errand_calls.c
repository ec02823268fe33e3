/* SPDX-License-Identifier: MIT */
/*
 * Lists the calls of a function: a breakpoint at its entry, and one at each place that it returns
 * to. A return belongs to the last call of the same task that has not returned and whose stack
 * pointer fits, so recursion and longjmp come out right. Arguments are the six integer registers of
 * the System V ABI; gdb's side knows how many of them mean something.
 */
#include "gdbserver/errand_calls.h"

#include "gdbserver/moving.h"
#include "gdbserver/server.h"
#include "lmdb-store/scope.h"

#include <inttypes.h>
#include <stdlib.h>

enum { ARGUMENT_REGISTERS = 6 };

struct call {
    struct rrs_position position;
    pid_t tid;
    rrs_addr caller, stack_pointer;
    uint64_t arguments[ARGUMENT_REGISTERS], result;
    bool returned;
};

struct calls {
    rrs_addr function;
    uint64_t most;
    struct call *rows;
    size_t count, capacity;
    rrs_addr *returns; /* where breakpoints are */
    size_t return_count;
};

static struct rrs_error *add_return(server *server, struct calls *calls, rrs_addr address)
{
    for (size_t i = 0; i < calls->return_count; i++)
        if (calls->returns[i] == address)
            return NULL;
    rrs_addr *grown = realloc(calls->returns, (calls->return_count + 1) * sizeof *grown);
    if (!grown)
        return rrs_error_no_memory();
    calls->returns = grown;
    RRS_TRY(rrs_timeline_add_breakpoint(server->timeline, address, NULL, NULL));
    calls->returns[calls->return_count++] = address;
    return NULL;
}

static struct rrs_error *add_call(server *server, struct calls *calls,
                                  const struct user_regs_struct *regs)
{
    if (calls->count == calls->capacity) {
        size_t capacity = calls->capacity ? 2 * calls->capacity : 64;
        struct call *grown = realloc(calls->rows, capacity * sizeof *grown);
        if (!grown)
            return rrs_error_no_memory();
        calls->rows = grown;
        calls->capacity = capacity;
    }
    struct call *call = &calls->rows[calls->count];
    pid_t tid;
    *call = (struct call){
        .tid = server->stop.tid,
        .stack_pointer = regs->rsp,
        .arguments = {regs->rdi, regs->rsi, regs->rdx, regs->rcx, regs->r8, regs->r9},
    };
    rrs_timeline_position(server->timeline, &call->position, &tid);
    if (rrs_timeline_read(server->timeline, call->tid, regs->rsp, &call->caller,
                          sizeof call->caller) != sizeof call->caller)
        return NULL; /* no stack, no call */
    calls->count++;
    return add_return(server, calls, call->caller);
}

static void note_return(struct calls *calls, pid_t tid, const struct user_regs_struct *regs)
{
    for (size_t i = calls->count; i-- > 0;) {
        struct call *call = &calls->rows[i];
        if (call->tid != tid || call->returned || call->caller != regs->rip ||
            call->stack_pointer + sizeof(rrs_addr) != regs->rsp)
            continue;
        call->result = regs->rax;
        call->returned = true;
        return;
    }
}

static struct rrs_error *collect(server *server, struct calls *calls)
{
    RRS_TRY(rrs_timeline_add_breakpoint(server->timeline, calls->function, NULL, NULL));
    RRS_TRY(move_to_tick(server, 0));
    while (calls->count < calls->most) {
        struct user_regs_struct regs;
        RRS_TRY(move_run(server, RRS_FORWARD));
        if (server->stop.reason != RRS_STOP_BREAKPOINT)
            return NULL;
        if (!thread_exists(server, server->stop.tid))
            continue;
        RRS_TRY(rrs_timeline_get_regs(server->timeline, server->stop.tid, &regs));
        note_return(calls, server->stop.tid, &regs);
        if (regs.rip == calls->function)
            RRS_TRY(add_call(server, calls, &regs));
    }
    return NULL;
}

/* event;tick;pc;task;caller;argument...;result, the last empty if it did not return. */
static void write_rows(const struct calls *calls, struct buffer *results)
{
    for (size_t i = 0; i < calls->count; i++) {
        const struct call *call = &calls->rows[i];
        buffer_printf(results, "%" PRIx64 ";%" PRIx64 ";%" PRIx64 ";%x;%" PRIx64,
                      call->position.event, call->position.tick, call->position.pc,
                      (unsigned)call->tid, call->caller);
        for (int a = 0; a < ARGUMENT_REGISTERS; a++)
            buffer_printf(results, ";%" PRIx64, call->arguments[a]);
        if (call->returned)
            buffer_printf(results, ";%" PRIx64 "\n", call->result);
        else
            buffer_add_text(results, ";\n");
    }
}

struct rrs_error *errand_collect_calls(server *server)
{
    struct calls calls = {.function = server->errand.numbers[0], .most = server->errand.numbers[1]};
    struct rrs_error *error = collect(server, &calls);
    rrs_timeline_remove_breakpoint(server->timeline, calls.function);
    for (size_t i = 0; i < calls.return_count; i++)
        rrs_timeline_remove_breakpoint(server->timeline, calls.returns[i]);
    write_rows(&calls, &server->errand.results);
    free(calls.rows);
    free(calls.returns);
    return error;
}
