/* SPDX-License-Identifier: MIT */
/*
 * Fuzzer: the packet reader gives any bytes back as tokens within its bounds, and what it says is a
 * packet is sent and read again as the same.
 */
#include "gdbserver/arguments.h"
#include "gdbserver/packet.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct packet_reader *read)
{
    struct buffer sent = {0};
    struct packet_reader again = {0};
    enum packet_token token = PACKET_TOKEN_MORE;
    packet_encode(&sent, '$', read->data.data, read->data.size);
    for (size_t i = 0; i < sent.size; i++) {
        assert(token == PACKET_TOKEN_MORE);
        token = packet_reader_take(&again, sent.data[i]);
    }
    assert(token == PACKET_TOKEN_PACKET);
    assert(again.data.size == read->data.size);
    assert(again.data.size == 0 || memcmp(again.data.data, read->data.data, read->data.size) == 0);
    packet_reader_deinit(&again);
    buffer_deinit(&sent);
}

static void parse_with_each_schema(const struct buffer *packet)
{
    static const char *const schemas[] = {"",        "x,x:b", "x,x,x?;b", "t",   "t,x,x",
                                          "w:w:x,x", "h,x,x", "x=h",      "?:x", "w?:w",
                                          "x?;b",    "x;x;b", "w:x:b",    "h"};
    for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++) {
        struct arguments arguments;
        arguments_parse(schemas[i], packet->data, packet->size, &arguments);
        assert(arguments.count <= ARGUMENTS_MAX);
        arguments_deinit(&arguments);
    }
}

/* The first byte says whether checksums are compared: else hardly any packet gets through. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct packet_reader reader = {.no_checksum = size > 0 && data[0] & 1};
    for (size_t i = 1; i < size; i++) {
        if (packet_reader_take(&reader, data[i]) != PACKET_TOKEN_PACKET)
            continue;
        assert(reader.data.size <= PACKET_MAX_BYTES);
        check_round_trip(&reader);
        if (reader.data.size)
            parse_with_each_schema(&reader.data);
    }
    packet_reader_deinit(&reader);
    return 0;
}
