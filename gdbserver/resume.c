/* SPDX-License-Identifier: MIT */
/*
 * The packets that make the program go: vCont, its older relatives, and backwards bc and bs. Which
 * task runs is the recording's decision, so what gdb wants of the tasks that it does not step
 * is of no consequence, and neither is a signal that it would deliver.
 */
#include "gdbserver/handlers.h"
#include "gdbserver/moving.h"

/* One action of vCont, as ";s:p1.2", ";r<low>,<high>:p1.2", ";C05". */
static bool take_action(const uint8_t **text, const uint8_t *end, struct movement *movement)
{
    uint64_t signal;
    struct thread_id thread = {.tid = THREAD_ALL};
    if (end - *text < 2 || *(*text)++ != ';')
        return false;
    char letter = (char)*(*text)++;
    *movement = (struct movement){.kind = MOVEMENT_STEP};
    if (letter == 'c' || letter == 'C')
        movement->kind = MOVEMENT_CONTINUE;
    else if (letter == 'r')
        movement->kind = MOVEMENT_RANGE;
    else if (letter != 's' && letter != 'S')
        return false;
    if ((letter == 'C' || letter == 'S') && !take_hex(text, end, &signal))
        return false;
    if (letter == 'r' && (!take_hex(text, end, &movement->low) || *text == end ||
                          *(*text)++ != ',' || !take_hex(text, end, &movement->high)))
        return false;
    if (*text < end && **text == ':') {
        (*text)++;
        if (!take_thread(text, end, &thread))
            return false;
    }
    movement->pid = thread.has_pid && thread.pid > 0 ? (pid_t)thread.pid : 0;
    movement->tid = thread.tid > 0 ? (pid_t)thread.tid : 0;
    return true;
}

/* The first action that steps a task decides; without one, all go on. */
struct rrs_error *handle_resume(server *server, const struct arguments *arguments)
{
    const uint8_t *text = arguments->at[0].data, *end = text + arguments->at[0].size;
    struct movement chosen = {.kind = MOVEMENT_CONTINUE}, action = chosen;
    while (text < end) {
        if (!take_action(&text, end, &action))
            return rrs_error_create(RRS_ERROR_USAGE, "malformed vCont packet");
        if (chosen.kind == MOVEMENT_CONTINUE && action.kind != MOVEMENT_CONTINUE)
            chosen = action;
    }
    if (chosen.pid || action.pid)
        attached_select(server, chosen.pid ? chosen.pid : action.pid);
    if (chosen.tid && !thread_exists(server, chosen.tid))
        chosen.tid = 0;
    if (chosen.kind != MOVEMENT_CONTINUE && !chosen.tid)
        chosen.tid = thread_choose(server, server->tid);
    return move_and_reply(server, &chosen);
}

struct rrs_error *handle_resume_kinds(server *server, const struct arguments *arguments)
{
    (void)arguments;
    buffer_add_text(&server->reply, "vCont;c;C;s;S;t;r");
    return NULL;
}

/* Of the packets that name no task it is the last Hc that says which process is meant, whatever gdb
 * has looked at since. */
static void select_resumed(server *server)
{
    pid_t tid = server->resume_tid;
    if (server->resume_pid && attached_select(server, server->resume_pid))
        server->resume_tid = tid;
}

static struct rrs_error *step(server *server, enum rrs_direction direction)
{
    select_resumed(server);
    struct movement movement = {
        .kind = MOVEMENT_STEP,
        .direction = direction,
        .tid = thread_choose(server, server->resume_tid ? server->resume_tid : server->tid),
    };
    return move_and_reply(server, &movement);
}

struct rrs_error *handle_step(server *server, const struct arguments *arguments)
{
    (void)arguments;
    return step(server, RRS_FORWARD);
}

struct rrs_error *handle_step_back(server *server, const struct arguments *arguments)
{
    (void)arguments;
    return step(server, RRS_BACKWARD);
}

struct rrs_error *handle_continue(server *server, const struct arguments *arguments)
{
    (void)arguments;
    struct movement movement = {.kind = MOVEMENT_CONTINUE};
    select_resumed(server);
    return move_and_reply(server, &movement);
}

struct rrs_error *handle_continue_back(server *server, const struct arguments *arguments)
{
    (void)arguments;
    struct movement movement = {.kind = MOVEMENT_CONTINUE, .direction = RRS_BACKWARD};
    select_resumed(server);
    return move_and_reply(server, &movement);
}
