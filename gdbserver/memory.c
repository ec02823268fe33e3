/* SPDX-License-Identifier: MIT */
/* m, M, X, qSearch:memory and qCRC. Reading never shows a breakpoint; writing begins a trial. */
#include "gdbserver/handlers.h"
#include "gdbserver/moving.h"
#include "gdbserver/server.h"
#include "lmdb-store/scope.h"

#include <stdlib.h>
#include <string.h>

enum { READ_MAX_BYTES = PACKET_MAX_BYTES / 2, PIECE_BYTES = 1 << 16 };

struct rrs_error *handle_read_memory(server *server, const struct arguments *arguments)
{
    uint64_t wanted = arguments->at[1].number;
    if (wanted > READ_MAX_BYTES)
        wanted = READ_MAX_BYTES;
    _cleanup_free_ uint8_t *data = malloc(wanted + 1);
    if (!data)
        return rrs_error_no_memory();
    size_t read =
        rrs_timeline_read(server->timeline, server->tid, arguments->at[0].number, data, wanted);
    if (read == 0 && wanted > 0)
        reply_refuse(server);
    buffer_add_hex(&server->reply, data, read);
    return NULL;
}

/* A write of nothing is gdb's way of asking whether X is known. */
struct rrs_error *handle_write_memory(server *server, const struct arguments *arguments)
{
    uint64_t size = arguments->at[1].number;
    const struct argument *data = &arguments->at[2];
    if (data->size != size) {
        reply_refuse(server);
        return NULL;
    }
    if (size > 0) {
        RRS_TRY(trial_need(server));
        RRS_TRY(rrs_timeline_write(server->timeline, server->tid, arguments->at[0].number,
                                   data->data, size));
    }
    reply_ok(server);
    return NULL;
}

/* Searches piece by piece; pieces overlap by what the pattern could straddle. */
static struct rrs_error *search(server *server, rrs_addr address, uint64_t length,
                                const uint8_t *pattern, size_t size, bool *found, rrs_addr *at)
{
    _cleanup_free_ uint8_t *piece = malloc(PIECE_BYTES + size);
    if (!piece)
        return rrs_error_no_memory();
    *found = false;
    while (length >= size && !*found) {
        size_t want = length < PIECE_BYTES + size ? length : PIECE_BYTES + size;
        size_t got = rrs_timeline_read(server->timeline, server->tid, address, piece, want);
        const uint8_t *hit = got >= size ? memmem(piece, got, pattern, size) : NULL;
        if (hit) {
            *found = true;
            *at = address + (rrs_addr)(hit - piece);
        }
        size_t step = want - size + 1;
        if (got < want || step > length)
            break;
        address += step;
        length -= step;
        breathe(server);
    }
    return NULL;
}

struct rrs_error *handle_search_memory(server *server, const struct arguments *arguments)
{
    bool found;
    rrs_addr at = 0;
    if (arguments->at[2].size == 0) {
        reply_refuse(server);
        return NULL;
    }
    RRS_TRY(search(server, arguments->at[0].number, arguments->at[1].number, arguments->at[2].data,
                   arguments->at[2].size, &found, &at));
    if (found)
        buffer_printf(&server->reply, "1,%llx", (unsigned long long)at);
    else
        buffer_add_byte(&server->reply, '0');
    return NULL;
}

/* The polynomial of gdb's `compare-sections`: 0x04c11db7, most significant bit first, begun with
 * all ones (gdb manual, packet qCRC). */
static uint32_t crc_add(uint32_t crc, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        crc ^= (uint32_t)data[i] << 24;
        for (int bit = 0; bit < 8; bit++)
            crc = crc << 1 ^ (crc >> 31 ? 0x04c11db7 : 0);
    }
    return crc;
}

struct rrs_error *handle_checksum_memory(server *server, const struct arguments *arguments)
{
    rrs_addr address = arguments->at[0].number;
    uint64_t left = arguments->at[1].number;
    uint32_t crc = UINT32_MAX;
    _cleanup_free_ uint8_t *piece = malloc(PIECE_BYTES);
    if (!piece)
        return rrs_error_no_memory();
    while (left > 0) {
        size_t want = left < PIECE_BYTES ? left : PIECE_BYTES;
        if (rrs_timeline_read(server->timeline, server->tid, address, piece, want) != want) {
            reply_refuse(server);
            return NULL;
        }
        crc = crc_add(crc, piece, want);
        address += want;
        left -= want;
        breathe(server);
    }
    buffer_printf(&server->reply, "C%x", crc);
    return NULL;
}
