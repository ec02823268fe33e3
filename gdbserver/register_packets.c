/* SPDX-License-Identifier: MIT */
/* g, G, p and P. A write that changes nothing needs no trial: gdb restores what it has saved. */
#include "gdbserver/handlers.h"
#include "gdbserver/server.h"
#include "lmdb-store/scope.h"

#include <stdlib.h>
#include <string.h>

static struct rrs_error *load(server *server, struct register_values **values)
{
    *values = calloc(1, sizeof **values);
    if (!*values)
        return rrs_error_no_memory();
    RRS_TRY(rrs_timeline_get_regs(server->timeline, server->tid, &(*values)->regs));
    return rrs_timeline_get_xstate(server->timeline, server->tid, (*values)->xstate,
                                   &(*values)->xstate_bytes);
}

static struct rrs_error *store(server *server, const struct register_values *values)
{
    RRS_TRY(rrs_timeline_set_regs(server->timeline, server->tid, &values->regs));
    return rrs_timeline_set_xstate(server->timeline, server->tid, values->xstate,
                                   values->xstate_bytes);
}

/* Without values they are unavailable: gdb looks at a process that is gone here. */
static void add_value(server *server, const struct register_values *values, unsigned number)
{
    uint8_t value[REGISTER_MAX_BYTES];
    if (values && register_get(&server->registers, values, number, value))
        buffer_add_hex(&server->reply, value, register_bytes(number));
    else
        for (size_t i = 0; i < register_bytes(number); i++)
            buffer_add_text(&server->reply, "xx");
}

struct rrs_error *handle_read_registers(server *server, const struct arguments *arguments)
{
    (void)arguments;
    _cleanup_free_ struct register_values *values = NULL;
    if (process_is_here(server))
        RRS_TRY(load(server, &values));
    for (unsigned i = 0; i < REGISTER_COUNT; i++)
        if (register_exists(&server->registers, i))
            add_value(server, values, i);
    return NULL;
}

struct rrs_error *handle_read_register(server *server, const struct arguments *arguments)
{
    uint64_t number = arguments->at[0].number;
    _cleanup_free_ struct register_values *values = NULL;
    if (number >= REGISTER_COUNT || !register_exists(&server->registers, (unsigned)number)) {
        reply_refuse(server);
        return NULL;
    }
    if (process_is_here(server))
        RRS_TRY(load(server, &values));
    add_value(server, values, (unsigned)number);
    return NULL;
}

/* Copies `values` to the program if they differ from what it has. */
static struct rrs_error *commit(server *server, const struct register_values *values,
                                const struct register_values *before)
{
    bool same = memcmp(&values->regs, &before->regs, sizeof values->regs) == 0 &&
                memcmp(values->xstate, before->xstate, values->xstate_bytes) == 0;
    if (!same) {
        RRS_TRY(trial_need(server));
        RRS_TRY(store(server, values));
    }
    trial_check(server);
    reply_ok(server);
    return NULL;
}

/* gdb writes -1 to orig_rax whenever it sets the instruction pointer, also behind `run`, so that no
 * system call is restarted. In the recording none is. */
struct rrs_error *handle_write_register(server *server, const struct arguments *arguments)
{
    uint64_t number = arguments->at[0].number;
    _cleanup_free_ struct register_values *values = NULL, *before = NULL;
    uint8_t current[REGISTER_MAX_BYTES];
    if (number == REGISTER_orig_rax) {
        reply_ok(server);
        return NULL;
    }
    if (number >= REGISTER_COUNT || !register_exists(&server->registers, (unsigned)number) ||
        arguments->at[1].size != register_bytes((unsigned)number)) {
        reply_refuse(server);
        return NULL;
    }
    RRS_TRY(load(server, &values));
    RRS_TRY(load(server, &before));
    if (!register_get(&server->registers, values, (unsigned)number, current) ||
        memcmp(current, arguments->at[1].data, arguments->at[1].size) != 0)
        register_set(&server->registers, values, (unsigned)number, arguments->at[1].data);
    return commit(server, values, before);
}

struct rrs_error *handle_write_registers(server *server, const struct arguments *arguments)
{
    const uint8_t *data = arguments->at[0].data, *end = data + arguments->at[0].size;
    _cleanup_free_ struct register_values *values = NULL, *before = NULL;
    RRS_TRY(load(server, &values));
    RRS_TRY(load(server, &before));
    for (unsigned i = 0; i < REGISTER_COUNT; i++) {
        if (!register_exists(&server->registers, i))
            continue;
        if ((size_t)(end - data) < register_bytes(i))
            return rrs_error_create(RRS_ERROR_USAGE, "too few registers in a G packet");
        register_set(&server->registers, values, i, data);
        data += register_bytes(i);
    }
    return commit(server, values, before);
}
