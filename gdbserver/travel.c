/* SPDX-License-Identifier: MIT */
/*
 * The packets of rrsoft's own gdb commands. All of them are read-only or arm an errand (errand.h);
 * numbers are hex. What is of any length is read as the object "rrsoft" of qXfer instead.
 */
#include "gdbserver/handlers.h"
#include "gdbserver/recording.h"
#include "gdbserver/server.h"

#include <string.h>

static const struct {
    const char *name;
    enum errand_kind kind;
    int numbers;
} kinds[] = {
#define X(name, text, numbers) {text, ERRAND_##name, numbers},
    ERRAND_KINDS(X)
#undef X
};

/* Whether there is an rrsoft at the other end, and what it understands. */
struct rrs_error *handle_hello(server *server, const struct arguments *arguments)
{
    (void)arguments;
    buffer_add_text(&server->reply, "rrsoft " RRS_VERSION ";packets=1");
    return NULL;
}

struct rrs_error *handle_when(server *server, const struct arguments *arguments)
{
    (void)arguments;
    return recording_write_position(server, &server->reply);
}

static bool take_numbers(const struct argument *list, int wanted, uint64_t *numbers)
{
    const uint8_t *at = list->data, *end = at + list->size;
    for (int i = 0; i < wanted; i++)
        if ((i > 0 && (at == end || *at++ != ',')) || !take_hex(&at, end, &numbers[i]))
            return false;
    return at == end;
}

struct rrs_error *handle_arm(server *server, const struct arguments *arguments)
{
    static const struct argument none = {.data = (const uint8_t *)""};
    const struct argument *name = &arguments->at[0];
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strlen(kinds[i].name) != name->size ||
            memcmp(kinds[i].name, name->data, name->size) != 0)
            continue;
        uint64_t numbers[ERRAND_NUMBERS_MAX] = {0};
        if (!take_numbers(arguments->count > 1 ? &arguments->at[1] : &none, kinds[i].numbers,
                          numbers))
            break;
        server->errand.kind = kinds[i].kind;
        memcpy(server->errand.numbers, numbers, sizeof numbers);
        reply_ok(server);
        return NULL;
    }
    reply_refuse(server);
    return NULL;
}
