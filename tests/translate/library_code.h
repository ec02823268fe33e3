/* SPDX-License-Identifier: MIT */
/* Machine code of the system's own libraries and programs, as the tests' material. */
#ifndef RRS_TESTS_TRANSLATE_LIBRARY_CODE_H
#define RRS_TESTS_TRANSLATE_LIBRARY_CODE_H

#include "engine/arch/x86_64/decode.h"
#include "tests/translate/generate.h"

struct library_function {
    uint64_t start, bytes;
};

/* A mapped ELF file. */
struct library {
    const char *path;
    const uint8_t *bytes;
    size_t size;
    uint64_t text, text_bytes, text_offset; /* .text: address, size, place in the file */
    struct library_function *functions;     /* within .text, rising */
    uint32_t function_count;
};

/** Maps a file and finds .text, and its functions from the unwind table's index. False if not. */
bool library_open(struct library *library, const char *path);
void library_close(struct library *library);

/** The function that `address` belongs to, or NULL. */
const struct library_function *library_function_of(const struct library *library, uint64_t address);

/** Up to `room` plain instructions of the libraries; they leave rsp, rbp and r12 to r15 alone. */
uint32_t library_plain_insns(const struct rrs_decoder *decoder, struct plain_insn *insns,
                             uint32_t room, struct random *r);

/** The path of a file that tests look for under several names, or NULL. Static. */
const char *library_path(const char *name);

#endif
