/* SPDX-License-Identifier: MIT */
/*
 * The registers of a task as gdb sees them: numbered by the rows of registers.def, taken from the
 * general registers and the XSAVE image that the timeline gives. Which of them there are depends on
 * the CPU of the recording (XCR0), not on the table.
 */
#ifndef RRS_GDBSERVER_REGISTERS_H
#define RRS_GDBSERVER_REGISTERS_H

#include "engine/replay/timeline.h"
#include "gdbserver/buffer.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/user.h>

enum { REGISTER_MAX_BYTES = 32, XSAVE_COMPONENTS = 10 };

/* The features of the target description, in the order in which gdb numbers their registers. */
#define REGISTER_FEATURES(X)                                       \
    X(CORE, "org.gnu.gdb.i386.core", 0)                            \
    X(SSE, "org.gnu.gdb.i386.sse", 0)                              \
    X(LINUX, "org.gnu.gdb.i386.linux", 0)                          \
    X(SEGMENTS, "org.gnu.gdb.i386.segments", 0)                    \
    X(AVX, "org.gnu.gdb.i386.avx", 1 << 2)                         \
    X(AVX512, "org.gnu.gdb.i386.avx512", 1 << 5 | 1 << 6 | 1 << 7) \
    X(PKEYS, "org.gnu.gdb.i386.pkeys", 1 << 9)

enum register_feature {
#define X(name, text, xcr0) REGISTER_FEATURE_##name,
    REGISTER_FEATURES(X)
#undef X
};

enum register_number {
#define REGISTER(name, ...) REGISTER_##name,
#include "gdbserver/registers.def"
#undef REGISTER
    REGISTER_COUNT
};

struct register_row {
    const char *name;
    uint16_t bits;
    uint8_t feature, source;
    uint16_t offset;
    const char *value_kind; /* gdb's name of its type */
};

extern const struct register_row register_rows[REGISTER_COUNT];

/* Where the components stand in the XSAVE image of this CPU. */
struct register_layout {
    bool known;
    uint64_t xcr0;
    uint32_t offsets[XSAVE_COMPONENTS], sizes[XSAVE_COMPONENTS];
};

struct register_values {
    struct user_regs_struct regs;
    uint8_t xstate[RRS_XSTATE_MAX_BYTES];
    size_t xstate_bytes;
};

/** Learns the layout from an image (XCR0 is in its software-reserved bytes) and this CPU's CPUID.
 */
void register_layout_init(struct register_layout *layout, const uint8_t *xstate, size_t bytes);

/** Whether the recording's CPU has that register. */
bool register_exists(const struct register_layout *layout, unsigned number);

static inline size_t register_bytes(unsigned number)
{
    return register_rows[number].bits / 8;
}

/** Whether its value is in the general registers, so that no XSAVE image is needed. */
bool register_is_general(unsigned number);

/** Copies a register's value out, little-endian. False if the image does not hold it. */
bool register_get(const struct register_layout *layout, const struct register_values *values,
                  unsigned number, uint8_t value[REGISTER_MAX_BYTES]);

/** Copies a value in. False if it cannot be set (fiseg and the like are written as given; ftag only
 * as far as the image keeps it). */
bool register_set(const struct register_layout *layout, struct register_values *values,
                  unsigned number, const uint8_t *value);

/** Writes the target description. */
void target_xml_write(const struct register_layout *layout, struct buffer *xml);

#endif
