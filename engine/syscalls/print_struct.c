/* SPDX-License-Identifier: MIT */
/* Structs by the fields of structs.def. */
#include "engine/syscalls/print_internal.h"

#include <string.h>

enum { STRUCT_BYTES_MAX = 512 };

enum format {
    D16,
    D32,
    D64,
    U8,
    U16,
    U32,
    U64,
    X32,
    X64,
    MODE16,
    MODE32,
    MODE_IF,
    OCTAL,
    POINTER,
    ID,
    LIMIT,
    SIGNAL,
    NAMES16,
    NAMES32,
    NAMES64,
    TEXT,
    KIND
};

struct field {
    const char *name; /* NULL: "..." */
    uint16_t offset;
    uint8_t format;
    uint8_t extra; /* a set, a size, a kind */
};

/* Each STRUCT line ends the array in front of it and begins its own. */
#define STRUCT(kind) \
    }                \
    ;                \
    static const struct field kind##_fields[] = {
#define FIELD(at, how, more, text) {#text, at, how, more},
#define MORE                       {NULL, 0, 0, 0},
static const struct field no_fields[] __attribute__((unused)) = {
#include "engine/syscalls/structs.def"
};
#undef STRUCT
#undef FIELD
#undef MORE

static const struct {
    const struct field *fields;
    size_t count;
} structs[RRS_KIND_COUNT] = {
#define STRUCT(kind) \
    [RRS_KIND_##kind] = {kind##_fields, sizeof kind##_fields / sizeof *kind##_fields},
#define FIELD(...)
#define MORE
#include "engine/syscalls/structs.def"
};

static uint64_t load(const uint8_t *from, size_t bytes)
{
    uint64_t value = 0;
    memcpy(&value, from, bytes);
    return value;
}

static void print_number(struct rrs_printer *p, enum format format, const uint8_t *from)
{
    uint64_t wide = load(from, 8);
    uint32_t word = (uint32_t)wide;
    switch (format) {
    case D16:
        return rrs_print_text(p, "%d", (int16_t)word);
    case D32:
        return rrs_print_text(p, "%d", (int32_t)word);
    case D64:
        return rrs_print_text(p, "%ld", (int64_t)wide);
    case U8:
        return rrs_print_text(p, "%u", word & 0xff);
    case U16:
        return rrs_print_text(p, "%u", word & 0xffff);
    case U32:
        return rrs_print_text(p, "%u", word);
    case U64:
        return rrs_print_text(p, "%lu", wide);
    case X32:
        return rrs_print_text(p, "%#x", word);
    case OCTAL:
        return rrs_print_mode(p, word & 07777, false);
    case POINTER:
        return rrs_print_address(p, wide);
    case ID:
        return rrs_print_id(p, word);
    case LIMIT:
        return rrs_print_limit(p, wide);
    case SIGNAL:
        return rrs_print_signal(p, word);
    case MODE16:
        return rrs_print_mode(p, word & 0xffff, true);
    case MODE32:
        return rrs_print_mode(p, word, true);
    default:
        return rrs_print_text(p, "%#lx", wide);
    }
}

static void print_field(struct rrs_printer *p, const struct field *field, const uint8_t *from,
                        rrs_addr addr)
{
    switch ((enum format)field->format) {
    case NAMES16:
        return rrs_print_names(p, field->extra, load(from, 2));
    case NAMES32:
        return rrs_print_names(p, field->extra, load(from, 4));
    case NAMES64:
        return rrs_print_names(p, field->extra, load(from, 8));
    case TEXT:
        return rrs_print_bytes(p, from, strnlen((const char *)from, field->extra));
    case MODE_IF:
        return rrs_print_mode(p, (uint32_t)load(from, 8), false);
    case KIND:
        if (!rrs_print_element(p, field->extra, addr))
            rrs_print_address(p, addr);
        return;
    default:
        return print_number(p, field->format, from);
    }
}

/* Fields that say nothing when they are 0. */
static bool is_left_out(const struct field *field, const uint8_t *from)
{
    return field->format == MODE_IF && !load(from, 8);
}

bool rrs_print_struct(struct rrs_printer *p, enum rrs_argument_kind kind, rrs_addr addr)
{
    uint8_t bytes[STRUCT_BYTES_MAX + 8] = {0};
    size_t wanted = 0;
    const char *separator = "";
    for (size_t i = 0; i < structs[kind].count; i++) /* what is shown is what has to be there */
        if (structs[kind].fields[i].offset >= wanted)
            wanted = structs[kind].fields[i].offset + 1u;
    uint32_t size = rrs_kind_bytes(kind);
    if (size > wanted && size <= STRUCT_BYTES_MAX)
        wanted = size;
    if (!structs[kind].fields || !rrs_outputs_read(&p->outputs, addr, bytes, wanted))
        return false;
    rrs_print_text(p, "{");
    for (size_t i = 0; i < structs[kind].count; i++, separator = ", ") {
        const struct field *field = &structs[kind].fields[i];
        if (!field->name)
            rrs_print_text(p, "%s...", separator);
        else if (!is_left_out(field, bytes + field->offset)) {
            rrs_print_text(p, "%s%s=", separator, field->name);
            print_field(p, field, bytes + field->offset, addr + field->offset);
        }
    }
    rrs_print_text(p, "}");
    return true;
}
