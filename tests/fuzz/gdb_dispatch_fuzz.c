/* SPDX-License-Identifier: MIT */
/*
 * Fuzzer: the server takes any sequence of packets over a small recording without a crash, and with
 * a reply of bounded size. Input: packets separated by newlines. The recording is made once, by the
 * fake timeline, of the program in $FUZZ_PROGRAM.
 */
#include "gdbserver/gdbserver.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { MAX_PACKETS = 64 };

static struct rrs_timeline *timeline;

static void die(struct rrs_error *error)
{
    if (!error)
        return;
    fprintf(stderr, "%s\n", error->message);
    exit(1);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct rrs_timeline_options options = {0};
    const char *program = getenv("FUZZ_PROGRAM");
    (void)argc, (void)argv;
    die(rrs_timeline_open(program ? program : "freestanding", &options, &timeline));
    return 0;
}

static void go_to_start(void)
{
    struct rrs_stop stop;
    rrs_timeline_end_trial(timeline);
    die(rrs_timeline_seek_tick(timeline, 0, &stop));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rrs_gdbserver_options options = {0};
    struct rrs_gdbserver *server;
    go_to_start();
    die(rrs_gdbserver_create(timeline, &options, &server));
    for (int i = 0; i < MAX_PACKETS && size > 0; i++) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t length = end ? (size_t)(end - data) : size, reply_size;
        /* As from the link: with a NUL behind it, in memory of its own. */
        char *packet = malloc(length + 1);
        assert(packet);
        memcpy(packet, data, length);
        packet[length] = '\0';
        rrs_gdbserver_handle(server, packet, length, &reply_size);
        assert(reply_size < 1 << 20);
        free(packet);
        data += length + (end != NULL);
        size -= length + (end != NULL);
    }
    rrs_gdbserver_destroy(server);
    return 0;
}
