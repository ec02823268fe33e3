/* SPDX-License-Identifier: MIT */
/*
 * Measures the store and prints a Markdown table: rates, CPU time, disk room, latencies, memory.
 *
 *     store_bench [--quick] [--directory=DIR]
 *
 * --quick takes small sizes: to show that it works, not to measure. DIR (default: $TMPDIR or /tmp)
 * should be on the disk to be measured. Nothing here passes or fails by a time.
 */
#include "lmdb-store/blob.h"
#include "lmdb-store/checkpoint.h"
#include "lmdb-store/event_log_reader.h"
#include "lmdb-store/event_log_writer.h"
#include "lmdb-store/trace_dir.h"
#include "tests/unit/test.h"

#include <sys/wait.h>

struct sizes {
    uint64_t n_small_events, n_large_events, n_reads, n_long_events;
    uint64_t blob_bytes;
    uint64_t n_pages, n_checkpoints;
};

static const struct sizes full_sizes = {
    .n_small_events = 10000000,
    .n_large_events = 200000,
    .n_reads = 50000,
    .n_long_events = 40000000,
    .blob_bytes = UINT64_C(256) << 20,
    .n_pages = 16384,
    .n_checkpoints = 10,
};

static const struct sizes quick_sizes = {
    .n_small_events = 50000,
    .n_large_events = 1000,
    .n_reads = 500,
    .n_long_events = 100000,
    .blob_bytes = 2 << 20,
    .n_pages = 256,
    .n_checkpoints = 3,
};

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static uint64_t read_status_kib(const char *field)
{
    char line[256];
    uint64_t kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    CHECK(file);
    while (fgets(line, sizeof line, file))
        if (strncmp(line, field, strlen(field)) == 0)
            kib = strtoull(line + strlen(field) + 1, NULL, 10);
    fclose(file);
    return kib;
}

static void print_row(const char *what, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void print_row(const char *what, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("| %s | ", what);
    vprintf(format, arguments);
    printf(" |\n");
    va_end(arguments);
    fflush(stdout);
}

/* ---- events ---- */

/*
 * Events as a recording has them: mostly one task and a few kinds, times a microsecond apart, and
 * data like that of a syscall record (a number, registers that hardly change, a result), or for
 * large ones text-like content.
 */
struct event_source {
    uint64_t state, tick, wall_ns;
    uint32_t size_bytes;
    uint64_t fields[8];
    uint8_t *content; /* of large events */
};

enum { CONTENT_BYTES = 1 << 20 };

static void source_init(struct event_source *source, uint32_t size_bytes)
{
    *source = (struct event_source){
        .state = 42,
        .wall_ns = UINT64_C(1700000000000000000),
        .size_bytes = size_bytes,
        .content = malloc(CONTENT_BYTES),
    };
    CHECK(source->content);
    test_fill(&source->state, source->content, CONTENT_BYTES);
}

/* Made before the clock starts: the cost of making events is not the store's. */
enum { N_PREPARED = 4096 };

static void prepare_event(struct event_source *source, struct rrs_event *event, uint8_t *data)
{
    uint64_t random = test_random(&source->state);
    source->tick += random % 400;
    source->wall_ns += 200 + (random >> 32) % 2000;
    source->fields[0] = random % 40;
    source->fields[1] = source->tick;
    source->fields[2] = UINT64_C(0x7ffdc0001000) + (random >> 20) % 16 * 64;
    source->fields[3] = (random >> 40) % 4096;
    *event = (struct rrs_event){
        .tick = source->tick,
        .wall_ns = source->wall_ns,
        .task = 1000 + (int32_t)(random >> 60),
        .event_kind = (uint16_t)((random >> 8) % 6),
        .size_bytes = source->size_bytes,
        .data = data,
    };
    if (source->size_bytes <= sizeof source->fields)
        memcpy(data, source->fields, source->size_bytes);
    else
        memcpy(data, source->content + random % (CONTENT_BYTES - source->size_bytes),
               source->size_bytes);
}

struct append_result {
    double wall_s, cpu_s;
};

/* Appends the prepared events over and over, with ticks and times that go on rising. */
static struct append_result append_events(struct rrs_trace_writer *writer, uint32_t size_bytes,
                                          uint64_t n_events)
{
    struct event_source source;
    struct rrs_event *events = calloc(N_PREPARED, sizeof *events);
    uint8_t *data = malloc((size_t)N_PREPARED * size_bytes);
    CHECK(events && data);
    source_init(&source, size_bytes);
    for (uint32_t i = 0; i < N_PREPARED; i++)
        prepare_event(&source, &events[i], data + (size_t)i * size_bytes);
    uint64_t tick_span = source.tick, wall_span = source.wall_ns - events[0].wall_ns;
    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_THREAD_CPUTIME_ID);
    for (uint64_t i = 0; i < n_events; i++) {
        struct rrs_event *event = &events[i % N_PREPARED];
        CHECK_OK(rrs_event_log_append(writer, event));
        event->tick += tick_span;
        event->wall_ns += wall_span;
    }
    struct append_result result = {.cpu_s = seconds(CLOCK_THREAD_CPUTIME_ID) - cpu};
    CHECK_OK(rrs_trace_writer_flush(writer));
    result.wall_s = seconds(CLOCK_MONOTONIC) - wall;
    free(source.content);
    free(events);
    free(data);
    return result;
}

static struct rrs_trace_writer *create_trace(const char *path)
{
    struct rrs_metadata metadata;
    struct rrs_trace_writer *writer;
    rrs_metadata_init(&metadata);
    CHECK_OK(rrs_trace_dir_create_at(path));
    CHECK_OK(rrs_trace_writer_create(path, &metadata, &writer));
    rrs_metadata_deinit(&metadata);
    return writer;
}

static void finish_trace(struct rrs_trace_writer *writer)
{
    CHECK_OK(rrs_trace_writer_finish(writer, NULL));
    rrs_trace_writer_destroy(writer);
}

static void measure_append(const char *path, uint32_t size_bytes, uint64_t n_events)
{
    struct rrs_trace_writer *writer = create_trace(path);
    struct rrs_trace_dir_usage usage;
    char label[100];
    struct append_result result = append_events(writer, size_bytes, n_events);
    finish_trace(writer);
    CHECK_OK(rrs_trace_dir_measure(path, &usage));
    double n = (double)n_events;
    snprintf(label, sizeof label, "append %u-byte events", size_bytes);
    print_row(label, "%.2f million/s, %.0f MB/s", n / result.wall_s / 1e6,
              n * size_bytes / result.wall_s / 1e6);
    snprintf(label, sizeof label, "appender's CPU time per %u-byte event", size_bytes);
    print_row(label, "%.3f µs", result.cpu_s / n * 1e6);
    snprintf(label, sizeof label, "disk room per %u-byte event", size_bytes);
    print_row(label, "%.1f bytes", (double)usage.disk_bytes / n);
}

/* ---- random reads ---- */

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

static void print_latencies(const char *what, double *samples, uint64_t n_samples)
{
    qsort(samples, n_samples, sizeof *samples, compare_doubles);
    print_row(what, "p50 %.1f µs, p99 %.1f µs", samples[n_samples / 2] * 1e6,
              samples[n_samples * 99 / 100] * 1e6);
}

static void measure_reads(const char *path, uint64_t n_events, uint64_t n_reads, bool by_tick)
{
    struct rrs_trace_reader *reader;
    struct rrs_event_log *log;
    struct rrs_event_log_bounds bounds;
    struct rrs_event_cursor *cursor;
    const struct rrs_event *event;
    uint64_t state = 7;
    char label[100];
    double *samples = calloc(n_reads, sizeof *samples);
    CHECK_OK(rrs_trace_reader_open(path, &reader));
    CHECK_OK(rrs_event_log_create(reader, &log));
    CHECK_OK(rrs_event_log_bounds(log, &bounds));
    CHECK_OK(rrs_event_cursor_create(log, NULL, &cursor));
    for (uint64_t round = 0; round < 2; round++) /* the first one warms up */
        for (uint64_t i = 0; i < n_reads; i++) {
            uint64_t tick = test_random_below(&state, bounds.last_tick);
            uint64_t number = 1 + test_random_below(&state, n_events);
            double start = seconds(CLOCK_MONOTONIC);
            CHECK_OK(by_tick ? rrs_event_cursor_seek_tick(cursor, tick, &event)
                             : rrs_event_cursor_seek_number(cursor, number, &event));
            samples[i] = seconds(CLOCK_MONOTONIC) - start;
            CHECK(by_tick ? event->tick >= tick : event->number == number);
        }
    snprintf(label, sizeof label, "random read by %s, log of %.2g million events",
             by_tick ? "tick" : "event number", (double)n_events / 1e6);
    print_latencies(label, samples, n_reads);
    rrs_event_cursor_destroy(cursor);
    rrs_event_log_destroy(log);
    rrs_trace_reader_destroy(reader);
    free(samples);
}

static void measure_scan(const char *path)
{
    struct rrs_trace_reader *reader;
    struct rrs_event_log *log;
    struct rrs_event_cursor *cursor;
    const struct rrs_event *event;
    uint64_t n_events = 0;
    double start = seconds(CLOCK_MONOTONIC);
    CHECK_OK(rrs_trace_reader_open(path, &reader));
    print_row("open a trace of that size (its page tree is checked)", "%.1f ms",
              (seconds(CLOCK_MONOTONIC) - start) * 1e3);
    CHECK_OK(rrs_event_log_create(reader, &log));
    CHECK_OK(rrs_event_cursor_create(log, NULL, &cursor));
    start = seconds(CLOCK_MONOTONIC);
    for (CHECK_OK(rrs_event_cursor_next(cursor, &event)); event;
         CHECK_OK(rrs_event_cursor_next(cursor, &event)))
        n_events++;
    print_row("read all events in order", "%.1f million/s",
              (double)n_events / (seconds(CLOCK_MONOTONIC) - start) / 1e6);
    rrs_event_cursor_destroy(cursor);
    rrs_event_log_destroy(log);
    rrs_trace_reader_destroy(reader);
}

/* ---- blobs ---- */

static void read_blobs(const char *path, const struct rrs_hash *hash, void *buffer,
                       uint64_t size_bytes, const char *what)
{
    struct rrs_trace_reader *reader;
    char label[100];
    CHECK_OK(rrs_trace_reader_open(path, &reader));
    double start = seconds(CLOCK_MONOTONIC);
    CHECK_OK(rrs_blob_read(reader, hash, 0, buffer, size_bytes));
    snprintf(label, sizeof label, "read a blob, %s", what);
    print_row(label, "%.0f MB/s", (double)size_bytes / (seconds(CLOCK_MONOTONIC) - start) / 1e6);
    rrs_trace_reader_destroy(reader);
}

static void measure_blobs(const char *path, uint64_t size_bytes, bool compressible)
{
    const char *what = compressible ? "compressible" : "random bytes";
    struct rrs_trace_writer *writer = create_trace(path);
    struct rrs_trace_dir_usage usage;
    struct rrs_hash hash;
    uint64_t state = 3;
    char label[100];
    uint64_t *data = malloc(size_bytes);
    CHECK(data);
    if (compressible)
        test_fill(&state, data, size_bytes);
    for (uint64_t i = 0; !compressible && i < size_bytes / 8; i++)
        data[i] = test_random(&state);
    double start = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_THREAD_CPUTIME_ID);
    CHECK_OK(rrs_blob_put(writer, data, size_bytes, &hash));
    cpu = seconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
    CHECK_OK(rrs_trace_writer_flush(writer));
    double wall = seconds(CLOCK_MONOTONIC) - start;
    snprintf(label, sizeof label, "write a blob, %s", what);
    print_row(label, "%.0f MB/s (appender's CPU: %.0f MB/s)", (double)size_bytes / wall / 1e6,
              (double)size_bytes / cpu / 1e6);
    finish_trace(writer);
    CHECK_OK(rrs_trace_dir_measure(path, &usage));
    snprintf(label, sizeof label, "disk room of a blob, %s", what);
    print_row(label, "%.1f %% of its size", 100.0 * (double)usage.disk_bytes / (double)size_bytes);
    read_blobs(path, &hash, data, size_bytes, what);
    free(data);
}

/* ---- checkpoints ---- */

static void put_pages(struct rrs_checkpoint_builder *builder, uint64_t *state, uint64_t n_pages,
                      uint64_t one_in)
{
    uint8_t page[RRS_CHECKPOINT_PAGE_BYTES];
    for (uint64_t i = 0; i < n_pages; i++) {
        if (test_random_below(state, one_in))
            continue;
        test_fill(state, page, sizeof page);
        CHECK_OK(rrs_checkpoint_builder_put_page(builder, 0, 4096 * i, page));
    }
}

/* Checkpoints of which each has a tenth of its pages changed. */
static void measure_checkpoints(const char *path, const struct sizes *sizes)
{
    struct rrs_trace_writer *writer = create_trace(path);
    struct rrs_trace_dir_usage usage;
    uint64_t state = 5;
    double start = seconds(CLOCK_MONOTONIC);
    for (uint64_t i = 0; i < sizes->n_checkpoints; i++) {
        const struct rrs_checkpoint_place base = {.tick = i - 1, .event = i - 1};
        const struct rrs_checkpoint_place place = {.tick = i, .event = i};
        struct rrs_checkpoint_builder *builder;
        CHECK_OK(rrs_checkpoint_builder_create(writer, i ? &base : NULL, &builder));
        put_pages(builder, &state, sizes->n_pages, i ? 10 : 1);
        CHECK_OK(rrs_checkpoint_builder_finish(builder, &place, "registers", 9));
        rrs_checkpoint_builder_destroy(builder);
    }
    double wall = seconds(CLOCK_MONOTONIC) - start;
    finish_trace(writer);
    CHECK_OK(rrs_trace_dir_measure(path, &usage));
    double seen = (double)(sizes->n_pages * sizes->n_checkpoints * RRS_CHECKPOINT_PAGE_BYTES);
    print_row("store checkpoints, a tenth of the pages changed each", "%.1f ms each of %.0f MB",
              wall / (double)sizes->n_checkpoints * 1e3, seen / (double)sizes->n_checkpoints / 1e6);
    print_row("deduplication and compression of these checkpoints", "%.1f : 1",
              seen / (double)usage.disk_bytes);
}

/* The same content, from files that differ in a few places: what deduplication alone gives. */
static void measure_dedup(const char *path, uint64_t size_bytes)
{
    enum { N_COPIES = 10 };
    struct rrs_trace_writer *writer = create_trace(path);
    struct rrs_trace_dir_usage once, all;
    struct rrs_hash hash;
    uint64_t state = 11;
    uint64_t *data = malloc(size_bytes);
    CHECK(data);
    for (uint64_t i = 0; i < size_bytes / 8; i++)
        data[i] = test_random(&state);
    CHECK_OK(rrs_blob_put(writer, data, size_bytes, &hash));
    CHECK_OK(rrs_trace_writer_flush(writer));
    CHECK_OK(rrs_trace_dir_measure(path, &once));
    for (int i = 1; i < N_COPIES; i++) {
        data[test_random_below(&state, size_bytes / 8)]++;
        CHECK_OK(rrs_blob_put(writer, data, size_bytes, &hash));
    }
    finish_trace(writer);
    CHECK_OK(rrs_trace_dir_measure(path, &all));
    print_row("deduplication of 10 blobs, each with one changed byte", "%.1f : 1",
              N_COPIES * (double)once.disk_bytes / (double)all.disk_bytes);
    free(data);
}

/* ---- memory ---- */

/* In a process of its own, so that the peak is that of the writer. */
static void measure_memory(const char *path, uint64_t n_events, const char *label)
{
    int status;
    fflush(stdout);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        struct rrs_trace_writer *writer = create_trace(path);
        uint64_t before_kib = read_status_kib("VmRSS:");
        append_events(writer, 64, n_events);
        print_row(label, "%.1f MiB, of which %.1f MiB before",
                  (double)read_status_kib("VmHWM:") / 1024, (double)before_kib / 1024);
        finish_trace(writer);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void measure_all(const char *directory, const struct sizes *sizes)
{
    char path[PATH_MAX], label[100];
    test_path(path, directory, "trace");
    snprintf(label, sizeof label, "writer's peak memory, %.2g million 64-byte events",
             (double)sizes->n_small_events / 1e6);
    measure_memory(path, sizes->n_small_events, label);
    test_remove_tree(path);
    snprintf(label, sizeof label, "writer's peak memory, %.2g million 64-byte events",
             (double)sizes->n_long_events / 1e6);
    measure_memory(path, sizes->n_long_events, label);
    test_remove_tree(path);
    measure_append(path, 4096, sizes->n_large_events);
    test_remove_tree(path);
    measure_append(path, 64, sizes->n_small_events);
    measure_reads(path, sizes->n_small_events, sizes->n_reads, false);
    measure_reads(path, sizes->n_small_events, sizes->n_reads, true);
    measure_scan(path);
    test_remove_tree(path);
    measure_blobs(path, sizes->blob_bytes, true);
    test_remove_tree(path);
    measure_blobs(path, sizes->blob_bytes, false);
    test_remove_tree(path);
    measure_dedup(path, sizes->blob_bytes / 8);
    test_remove_tree(path);
    measure_checkpoints(path, sizes);
}

int main(int argc, char **argv)
{
    const struct sizes *sizes = &full_sizes;
    char directory[PATH_MAX];
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            sizes = &quick_sizes;
        } else if (strncmp(argv[i], "--directory=", 12) == 0) {
            CHECK(setenv("TMPDIR", argv[i] + 12, 1) == 0);
        } else {
            fprintf(stderr, "usage: %s [--quick] [--directory=DIR]\n", argv[0]);
            return 2;
        }
    }
    test_make_directory(directory);
    printf("| what | measured |\n|---|---|\n");
    measure_all(directory, sizes);
    test_remove_tree(directory);
    return 0;
}
