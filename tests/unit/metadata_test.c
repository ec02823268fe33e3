/* SPDX-License-Identifier: MIT */
/* Test that what a trace says about itself is what the recorder put there. */
#include "lmdb-store/metadata.h"

#include "lmdb-store/trace_reader.h"
#include "lmdb-store/trace_writer.h"
#include "tests/unit/test.h"

static const char *const command_line[] = {"prog", "", "an argument\nof two lines", "\xff\xfe"};

static void fill(struct rrs_metadata *metadata)
{
    rrs_metadata_init(metadata);
    CHECK_OK(rrs_metadata_describe_machine(metadata));
    CHECK_OK(rrs_metadata_set(&metadata->program, "/bin/prog"));
    CHECK_OK(rrs_metadata_set(&metadata->program, "/usr/bin/prog"));
    CHECK_OK(rrs_string_list_set(&metadata->command_line, command_line, 2));
    CHECK_OK(rrs_string_list_set(&metadata->command_line, command_line, 4));
    metadata->start_wall_ns = UINT64_C(1700000000123456789);
}

static void check_metadata(struct rrs_trace_reader *reader, const struct rrs_metadata *expected)
{
    struct rrs_metadata metadata;
    CHECK_OK(rrs_trace_reader_metadata(reader, &metadata));
    CHECK_EQUAL(metadata.format_version, 1);
    CHECK_EQUAL(metadata.start_wall_ns, expected->start_wall_ns);
#define X(name, text) CHECK_STRING(metadata.name, expected->name);
    RRS_METADATA_STRINGS(X)
#undef X
    CHECK_EQUAL(metadata.environment.n_items, 0);
    CHECK_EQUAL(metadata.command_line.n_items, 4);
    for (int i = 0; i < 4; i++)
        CHECK_STRING(metadata.command_line.items[i], command_line[i]);
    rrs_metadata_deinit(&metadata);
}

static void check_end(const char *path, const struct rrs_trace_end *expected)
{
    struct rrs_trace_reader *reader;
    struct rrs_trace_end end;
    CHECK_OK(rrs_trace_reader_open(path, &reader));
    CHECK_OK(rrs_trace_reader_end(reader, &end));
    CHECK_EQUAL(end.end_kind, expected->end_kind);
    CHECK_EQUAL(end.code, expected->code);
    CHECK_EQUAL(end.wall_ns, expected->wall_ns);
    CHECK_STRING(end.detail, expected->detail);
    rrs_trace_reader_destroy(reader);
}

static void check_extra(struct rrs_trace_writer *writer, struct rrs_trace_reader *reader)
{
    char long_name[202];
    const void *data;
    size_t size_bytes;
    memset(long_name, 'n', 201);
    long_name[201] = '\0';
    CHECK_FAILS(rrs_trace_writer_put_extra(writer, long_name, "", 0), USAGE);
    CHECK_FAILS(rrs_trace_writer_put_extra(writer, "", "", 0), USAGE);
    CHECK_FAILS(rrs_trace_reader_extra(reader, long_name, &data, &size_bytes), NOT_FOUND);
    CHECK_OK(rrs_trace_writer_put_extra(writer, long_name + 1, "long", 4));
    CHECK_OK(rrs_trace_writer_put_extra(writer, "program", "one", 3));
    CHECK_OK(rrs_trace_writer_put_extra(writer, "program", "three", 5));
    CHECK_OK(rrs_trace_writer_put_extra(writer, "nothing", NULL, 0));
    CHECK_OK(rrs_trace_writer_flush(writer));
    CHECK_FAILS(rrs_trace_reader_extra(reader, "program", &data, &size_bytes), NOT_FOUND);
    CHECK_OK(rrs_trace_reader_refresh(reader));
    CHECK_OK(rrs_trace_reader_extra(reader, "program", &data, &size_bytes));
    CHECK_EQUAL(size_bytes, 5);
    CHECK(memcmp(data, "three", 5) == 0);
    CHECK_OK(rrs_trace_reader_extra(reader, "nothing", &data, &size_bytes));
    CHECK_EQUAL(size_bytes, 0);
    CHECK_OK(rrs_trace_reader_extra(reader, long_name + 1, &data, &size_bytes));
    CHECK_EQUAL(size_bytes, 4);
}

int main(void)
{
    char path[PATH_MAX];
    struct rrs_metadata metadata;
    struct rrs_trace_writer *writer;
    struct rrs_trace_reader *reader;
    struct rrs_trace_end end;
    fill(&metadata);
    test_make_directory(path);
    CHECK_OK(rrs_trace_writer_create(path, &metadata, &writer));
    CHECK_OK(rrs_trace_writer_reader(writer, &reader));
    check_metadata(reader, &metadata);
    CHECK_OK(rrs_trace_reader_end(reader, &end));
    CHECK_EQUAL(end.end_kind, RRS_TRACE_END_RECORDING);
    check_extra(writer, reader);
    check_metadata(reader, &metadata);
    rrs_trace_reader_destroy(reader);
    end = (struct rrs_trace_end){
        .end_kind = RRS_TRACE_END_SIGNALED, .code = -11, .wall_ns = 5, .detail = "a word"};
    CHECK_OK(rrs_trace_writer_finish(writer, &end));
    rrs_trace_writer_destroy(writer);
    check_end(path, &end);
    /* To add to a trace does not change how its recording ended. */
    CHECK_OK(rrs_trace_writer_open(path, &writer));
    rrs_trace_writer_destroy(writer);
    check_end(path, &end);
    CHECK_STRING(rrs_trace_end_kind_name(RRS_TRACE_END_DISK_FULL), "disk full");
    rrs_metadata_deinit(&metadata);
    test_remove_tree(path);
    return 0;
}
