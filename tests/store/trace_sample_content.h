/* SPDX-License-Identifier: MIT */
/* What is in a sample trace, by number: shared by the half that writes it and the half that reads
 * and compares. */
#ifndef RRS_TESTS_STORE_TRACE_SAMPLE_CONTENT_H
#define RRS_TESTS_STORE_TRACE_SAMPLE_CONTENT_H

#include "tests/store/trace_sample.h"

enum {
    SAMPLE_PAYLOAD_BYTES = 700,
    SAMPLE_EXTRA_BYTES = 9000, /* too large for a leaf page */
    SAMPLE_EXTRA_SEED = 31337,
};

#define SAMPLE_EXTRA_NAME "sample"

#define SAMPLE_PROGRAM       "/usr/bin/sample"
#define SAMPLE_START_WALL_NS UINT64_C(1699999999123456789)

void sample_fill(uint64_t seed, void *buffer, uint64_t size_bytes);

uint64_t sample_tick(uint64_t number);
uint64_t sample_wall_ns(uint64_t number);
int32_t sample_task(uint64_t number);
uint16_t sample_kind(uint64_t number);
bool sample_names_blob(const struct sample *sample, uint64_t number);

/** `blob` is the hash that the event begins with, NULL if it names none. */
void sample_event_data(const struct sample *sample, uint64_t number, const struct rrs_hash *blob,
                       void *buffer);

uint64_t sample_blob_bytes(uint64_t blob);
void sample_blob_data(uint64_t blob, void *buffer);

struct rrs_checkpoint_place sample_checkpoint_place(uint64_t checkpoint);
uint64_t sample_page_version(uint64_t checkpoint, unsigned page);
void sample_page_place(unsigned page, uint32_t *space, uint64_t *address);
void sample_page_data(uint64_t checkpoint, unsigned page, void *buffer);

#endif
