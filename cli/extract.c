/* SPDX-License-Identifier: MIT */
/* `rrsoft extract`: the bytes of a file that a recorded program mapped. */
#include "cli/command.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/source_list.h"
#include "cli/trace.h"
#include "lmdb-store/blob.h"
#include "lmdb-store/scope.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { HASH_DIGITS_MIN = 8 };

/* --- which file --- */

static bool is_hash_of(const char *name, const struct source *source)
{
    char text[RRS_HASH_TEXT_BYTES];
    size_t length = strlen(name);
    return length >= HASH_DIGITS_MIN && length < sizeof text &&
           strncmp(rrs_hash_format(&source->hash, text), name, length) == 0;
}

/* The path itself, or whole parts at its end: libc.so.6, x86_64-linux-gnu/libc.so.6. */
static bool is_path_of(const char *name, const struct source *source)
{
    size_t length = strlen(name), path_length = strlen(source->path);
    if (!length || length > path_length || strcmp(source->path + path_length - length, name) != 0)
        return false;
    return length == path_length || source->path[path_length - length - 1] == '/';
}

/* Contents are what counts: a file under two paths is one. */
static bool is_same_content(const struct source *a, const struct source *b)
{
    return memcmp(&a->hash, &b->hash, sizeof a->hash) == 0 && a->offset == b->offset;
}

/* Of a large file each mapping is recorded for itself; the one of its code is all of it. */
static bool is_part_of(const struct source *part, const struct source *whole)
{
    enum { PAGE_BYTES = 4096 };
    return strcmp(part->path, whole->path) == 0 && part->offset >= whole->offset &&
           part->offset + part->bytes < whole->offset + whole->bytes &&
           part->bytes % PAGE_BYTES == 0;
}

typedef bool matcher(const char *name, const struct source *source);

static struct rrs_error *find(const struct source_list *list, const char *name, matcher *matches,
                              const struct source **found)
{
    const struct source *first = NULL;
    for (size_t i = 0; i < list->n_sources; i++) {
        const struct source *source = list->sources[i];
        char one[RRS_HASH_TEXT_BYTES], other[RRS_HASH_TEXT_BYTES];
        if (!matches(name, source))
            continue;
        if (first && is_part_of(source, first))
            continue;
        if (first && !is_same_content(first, source) && !is_part_of(first, source))
            return rrs_error_create(
                RRS_ERROR_USAGE,
                "extract: '%s' can mean several files: name one by path or hash (%.16s, %.16s...)",
                name, rrs_hash_format(&first->hash, one), rrs_hash_format(&source->hash, other));
        if (!first || is_part_of(first, source))
            first = source;
    }
    *found = first;
    return NULL;
}

static bool is_exactly(const char *name, const struct source *source)
{
    return strcmp(name, source->path) == 0;
}

static struct rrs_error *choose(const struct source_list *list, const char *name,
                                const struct source **chosen)
{
    static matcher *const matchers[] = {is_exactly, is_path_of, is_hash_of};
    *chosen = NULL;
    for (size_t i = 0; i < sizeof matchers / sizeof *matchers && !*chosen; i++)
        RRS_TRY(find(list, name, matchers[i], chosen));
    if (*chosen)
        return NULL;
    return rrs_error_create(RRS_ERROR_NOT_FOUND,
                            "the program mapped no file '%s'; see 'rrsoft sources'", name);
}

/* --- its bytes --- */

static struct rrs_error *write_piece(void *context, uint64_t offset, const uint8_t *piece,
                                     size_t size)
{
    (void)offset;
    fwrite(piece, 1, size, context); /* whoever has the stream looks for errors in the end */
    return NULL;
}

static struct rrs_error *copy(struct rrs_trace_reader *reader, const struct source *source,
                              FILE *stream)
{
    return rrs_blob_for_each_piece(reader, &source->hash, UINT64_MAX, write_piece, stream);
}

static struct rrs_error *copy_to_file(struct rrs_trace_reader *reader, const struct source *source,
                                      const char *path)
{
    FILE *stream = fopen(path, "we");
    if (!stream)
        return rrs_error_os(errno, path, "cannot write");
    struct rrs_error *error = copy(reader, source, stream);
    int failure = ferror(stream) ? errno : 0;
    if (fclose(stream) != 0 && !failure)
        failure = errno;
    if (!error && failure)
        error = rrs_error_os(failure, path, "cannot write");
    return error;
}

static struct rrs_error *run(const char *argument, const char *name, const char *output)
{
    _cleanup_trace_ struct opened_trace trace;
    RRS_TRY(trace_open(argument, &trace));
    struct source_list list;
    const struct source *source;
    struct rrs_error *error = source_list_read(&trace, &list);
    if (!error)
        error = choose(&list, name, &source);
    if (!error && source->offset)
        print_error("extract: only a part of the file is in the trace: from byte %" PRIu64,
                    source->offset);
    if (!error)
        error = output ? copy_to_file(trace.reader, source, output)
                       : copy(trace.reader, source, stdout);
    source_list_deinit(&list);
    return error;
}

int command_extract(int argc, char **argv)
{
    const char *output = NULL;
    const struct option_row options[] = {
        {"output", 'o', OPTION_TEXT, "PATH", "write to this file instead of standard output",
         &output},
        {0},
    };
    const struct usage usage = {
        .command = "extract",
        .arguments = "[TRACE] FILE",
        .description =
            "Writes the bytes that a mapped file had in the recording. FILE is a path as 'rrsoft\n"
            "sources' shows it, the end of one (libc.so.6), or a hash (8 digits or "
            "more).\n" TRACE_HELP,
        .arguments_min = 1,
        .arguments_max = 2,
        .options = options,
    };
    int exit_code;
    if (!options_parse(&usage, &argc, argv, &exit_code))
        return exit_code;
    struct rrs_error *error = run(argc > 1 ? argv[0] : NULL, argv[argc - 1], output);
    return error ? print_rrs_error(error) : EXIT_OK;
}
