/* SPDX-License-Identifier: MIT */
/* The text of a call grows here: numbers, names and strings. */
#include "engine/syscalls/print_internal.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

void rrs_print_text(struct rrs_printer *p, const char *format, ...)
{
    if (p->reads_only)
        return;
    va_list arguments;
    size_t room = p->length < p->size ? p->size - p->length : 0;
    va_start(arguments, format);
    int bytes = vsnprintf(room ? p->buffer + p->length : NULL, room, format, arguments);
    va_end(arguments);
    if (bytes > 0)
        p->length += (size_t)bytes;
}

void rrs_print_address(struct rrs_printer *p, uint64_t value)
{
    if (value)
        rrs_print_text(p, "%#lx", value);
    else
        rrs_print_text(p, "NULL");
}

void rrs_print_signal(struct rrs_printer *p, uint32_t signal)
{
    const char *name = rrs_signal_name((int)signal);
    if (name)
        rrs_print_text(p, "%s", name);
    else
        rrs_print_text(p, "%u", signal);
}

void rrs_print_id(struct rrs_printer *p, uint32_t id)
{
    if (id == UINT32_MAX)
        rrs_print_text(p, "-1");
    else
        rrs_print_text(p, "%u", id);
}

void rrs_print_limit(struct rrs_printer *p, uint64_t limit)
{
    if (limit == UINT64_MAX)
        rrs_print_text(p, "RLIM64_INFINITY");
    else if (limit > 1024 && limit % 1024 == 0)
        rrs_print_text(p, "%lu*1024", limit / 1024);
    else
        rrs_print_text(p, "%lu", limit);
}

void rrs_print_mode(struct rrs_printer *p, uint32_t mode, bool with_kind)
{
    static const char *const kinds[16] = {
        [1] = "S_IFIFO|", [2] = "S_IFCHR|",  [4] = "S_IFDIR|",   [6] = "S_IFBLK|",
        [8] = "S_IFREG|", [10] = "S_IFLNK|", [12] = "S_IFSOCK|",
    };
    const char *kind = with_kind ? kinds[mode >> 12 & 15] : NULL;
    if (kind)
        mode &= 07777;
    rrs_print_text(p, "%s%#03o", kind ? kind : "", mode);
}

/* --- names --- */

static void print_unknown(struct rrs_printer *p, const char *comment, uint64_t value)
{
    if (strcmp(comment, "-i") == 0)
        rrs_print_text(p, "%d", (int)value);
    else if (*comment == '-' || !value)
        rrs_print_text(p, "%#lx", value);
    else
        rrs_print_text(p, "%#lx /* %s */", value, comment);
}

/* The flags that have a name; returns those that have none. */
static uint64_t print_flags(struct rrs_printer *p, const struct rrs_name_set *set, uint64_t flags,
                            const char **separator)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct rrs_name *name = &set->names[i];
        if (!name->value || (name->value & set->field) || (flags & name->value) != name->value)
            continue;
        rrs_print_text(p, "%s%s", *separator, name->name);
        *separator = "|";
        flags &= ~name->value;
    }
    return flags;
}

void rrs_print_names(struct rrs_printer *p, enum rrs_names which, uint64_t value)
{
    const struct rrs_name_set *set = rrs_name_set(which);
    uint64_t field = set->field == UINT32_MAX ? UINT64_MAX : set->field;
    const char *name = rrs_name_of(which, value & field), *separator = "";
    if (field == UINT64_MAX && !name)
        return print_unknown(p, set->unknown, value);
    if (name && (field || !value)) {
        rrs_print_text(p, "%s", name);
        separator = "|";
    } else if (value & field) {
        rrs_print_text(p, "%#lx", value & field);
        separator = "|";
    }
    uint64_t rest = print_flags(p, set, value & ~field, &separator);
    if (rest && *separator)
        rrs_print_text(p, "|%#lx", rest);
    else if (!*separator && !rest)
        rrs_print_text(p, "0");
    else if (rest)
        print_unknown(p, set->unknown, rest);
}

/* --- strings --- */

static void print_byte(struct rrs_printer *p, uint8_t byte, bool digit_follows)
{
    static const char plain[] = "\t\n\v\f\r\"\\", letter[] = "tnvfr\"\\";
    const char *found = byte ? strchr(plain, byte) : NULL;
    if (found)
        rrs_print_text(p, "\\%c", letter[found - plain]);
    else if (byte >= ' ' && byte < 127)
        rrs_print_text(p, "%c", byte);
    else
        rrs_print_text(p, digit_follows ? "\\%03o" : "\\%o", byte);
}

static void print_quoted(struct rrs_printer *p, const uint8_t *bytes, size_t count, bool cut)
{
    if (p->reads_only)
        return;
    rrs_print_text(p, "\"");
    for (size_t i = 0; i < count; i++)
        print_byte(p, bytes[i], i + 1 < count && isdigit(bytes[i + 1]));
    rrs_print_text(p, cut ? "\"..." : "\"");
}

void rrs_print_bytes(struct rrs_printer *p, const void *bytes, size_t count)
{
    size_t shown = count < p->max_string ? count : p->max_string;
    print_quoted(p, bytes, shown, shown < count);
}

void rrs_print_memory_bytes(struct rrs_printer *p, rrs_addr addr, uint64_t count)
{
    enum { MOST = 4096 };
    uint8_t bytes[MOST];
    uint64_t shown = count < p->max_string ? count : p->max_string;
    shown = shown < MOST ? shown : MOST;
    const struct rrs_memory_reader *memory = p->outputs.memory;
    if (p->in_part)
        shown = memory->read(memory->context, addr, bytes, shown);
    if ((!shown && count) || !rrs_outputs_read(&p->outputs, addr, bytes, shown))
        return rrs_print_address(p, addr);
    print_quoted(p, bytes, shown, shown < count);
}

void rrs_print_string(struct rrs_printer *p, rrs_addr addr, uint64_t most)
{
    enum { MOST_ARE_SHORTER = 256 };
    uint8_t bytes[4096];
    const struct rrs_memory_reader *memory = p->outputs.memory;
    size_t count = memory->read(memory->context, addr, bytes, MOST_ARE_SHORTER);
    if (count == MOST_ARE_SHORTER && !memchr(bytes, 0, count))
        count = memory->read(memory->context, addr, bytes, sizeof bytes);
    size_t length = strnlen((char *)bytes, count);
    if (length == count && count < sizeof bytes) /* it runs out of what can be read */
        return rrs_print_address(p, addr);
    if (memory->used)
        memory->used(memory->context, addr, bytes, length < count ? length + 1 : count);
    print_quoted(p, bytes, length < most ? length : most, length > most);
}
