/* SPDX-License-Identifier: MIT */
/* The connection; see the header. */
#include "gdbserver/link.h"

#include "lmdb-store/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MAX_WAITING_BYTES = 1 << 20, /* gdb has one packet under way at a time */
    ALIVE_AFTER_NS = 900000000,  /* gdb asks again after 2 s */
};

struct link_packet {
    struct link_packet *next;
    size_t size;
    uint8_t data[];
};

void link_init(struct link *link, int in, int out)
{
    *link = (struct link){.in = in, .out = out, .last_sent_ns = rrs_clock_ns(CLOCK_MONOTONIC)};
}

void link_deinit(struct link *link)
{
    free(link->current);
    while (link->first) {
        struct link_packet *packet = link->first;
        link->first = packet->next;
        free(packet);
    }
    packet_reader_deinit(&link->reader);
    buffer_deinit(&link->sent);
}

static void write_all(struct link *link, const uint8_t *data, size_t size)
{
    while (size > 0 && !link->closed) {
        ssize_t written = write(link->out, data, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            link->closed = true;
            return;
        }
        data += written;
        size -= (size_t)written;
    }
    link->last_sent_ns = rrs_clock_ns(CLOCK_MONOTONIC);
}

static void log_packet(struct link *link, const char *direction, const void *data, size_t size)
{
    if (link->log)
        link->log(link->log_context, direction, data, size);
}

static void send_framed(struct link *link, char lead, const void *data, size_t size)
{
    log_packet(link, lead == '%' ? "%" : "<", data, size);
    buffer_clear(&link->sent);
    packet_encode(&link->sent, lead, data, size);
    if (link->sent.failed)
        link->closed = true; /* half a reply would be taken for another one */
    else
        write_all(link, link->sent.data, link->sent.size);
}

void link_send(struct link *link, const void *data, size_t size)
{
    send_framed(link, '$', data, size);
}

/* Notifications are not acknowledged, so the packet before stays the one to send again. */
void link_notify(struct link *link, const char *text)
{
    struct buffer kept = link->sent;
    link->sent = (struct buffer){0};
    send_framed(link, '%', text, strlen(text));
    buffer_deinit(&link->sent);
    link->sent = kept;
}

static void acknowledge(struct link *link, char answer)
{
    if (!link->no_ack)
        write_all(link, (const uint8_t *)&answer, 1);
}

static void queue_packet(struct link *link)
{
    const struct buffer *data = &link->reader.data;
    struct link_packet *packet = malloc(sizeof *packet + data->size + 1);
    if (!packet) {
        acknowledge(link, '-');
        return;
    }
    acknowledge(link, '+');
    packet->next = NULL;
    packet->size = data->size;
    if (data->size)
        memcpy(packet->data, data->data, data->size);
    packet->data[data->size] = 0; /* a handler that reads too far ends here */
    link->waiting_bytes += data->size;
    if (link->first)
        link->last->next = packet;
    else
        link->first = packet;
    link->last = packet;
}

static void take_byte(struct link *link, uint8_t byte)
{
    switch (packet_reader_take(&link->reader, byte)) {
    case PACKET_TOKEN_PACKET:
        queue_packet(link);
        break;
    case PACKET_TOKEN_BAD:
        acknowledge(link, '-');
        break;
    case PACKET_TOKEN_INTERRUPT:
        link->interrupted = true;
        break;
    case PACKET_TOKEN_NACK: /* without acknowledgements gdb writes '-' after a time-out: noise */
        if (!link->no_ack && link->sent.size)
            write_all(link, link->sent.data, link->sent.size);
        break;
    case PACKET_TOKEN_ACK:
    case PACKET_TOKEN_MORE:
        break;
    }
}

/* Reads once. With `wait` until there is something, else only what is there. */
static bool read_some(struct link *link, bool wait)
{
    uint8_t bytes[4096];
    struct pollfd poll_in = {.fd = link->in, .events = POLLIN};
    int ready = poll(&poll_in, 1, wait ? -1 : 0);
    if (ready < 0 && errno == EINTR)
        return wait;
    if (ready <= 0)
        return false;
    ssize_t size = read(link->in, bytes, sizeof bytes);
    if (size < 0 && errno == EINTR)
        return true;
    if (size <= 0) {
        link->closed = true;
        return false;
    }
    for (ssize_t i = 0; i < size; i++)
        take_byte(link, bytes[i]);
    return true;
}

bool link_receive(struct link *link, const uint8_t **data, size_t *size)
{
    while (!link->first && !link->closed)
        read_some(link, true);
    if (!link->first)
        return false;
    free(link->current);
    link->current = link->first;
    link->first = link->current->next;
    link->waiting_bytes -= link->current->size;
    *data = link->current->data;
    *size = link->current->size;
    log_packet(link, ">", *data, *size);
    return true;
}

void link_poll(struct link *link)
{
    while (!link->closed && link->waiting_bytes < MAX_WAITING_BYTES && read_some(link, false))
        ;
    if (!link->closed && rrs_clock_ns(CLOCK_MONOTONIC) - link->last_sent_ns > ALIVE_AFTER_NS)
        link_notify(link, "Alive:1");
}

bool link_take_interrupt(struct link *link)
{
    bool interrupted = link->interrupted;
    link->interrupted = false;
    return interrupted;
}
