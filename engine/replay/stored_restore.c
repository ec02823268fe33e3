/* SPDX-License-Identifier: MIT */
/* A checkpoint in the trace becomes hosts again. What it says is trusted as little as an event. */
#include "engine/replay/stored.h"

#include "engine/run/address_space.h"
#include "engine/run/remote.h"
#include "engine/run/state.h"
#include "lmdb-store/scope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = RRS_CHECKPOINT_PAGE_BYTES };

/* --- numbers and bytes --- */

struct source {
    const uint8_t *at, *end;
    bool bad; /* it ended too early: what is taken is 0 */
};

static uint64_t take(struct source *from)
{
    uint64_t value = 0;
    from->bad |= from->end - from->at < 8;
    if (from->bad)
        return 0;
    for (int i = 0; i < 8; i++)
        value |= (uint64_t)from->at[i] << 8 * i;
    from->at += 8;
    return value;
}

static const uint8_t *take_bytes(struct source *from, size_t *size)
{
    uint64_t count = take(from);
    from->bad |= count > (uint64_t)(from->end - from->at);
    *size = from->bad ? 0 : count;
    const uint8_t *bytes = from->at;
    from->at += *size;
    return bytes;
}

/* Exactly `size` bytes. */
static void take_struct(struct source *from, void *to, size_t size)
{
    size_t found;
    const uint8_t *bytes = take_bytes(from, &found);
    from->bad |= found != size;
    memset(to, 0, size);
    if (!from->bad)
        memcpy(to, bytes, size);
}

static struct rrs_error *malformed(void)
{
    return rrs_error_create(RRS_ERROR_BAD_TRACE, "a stored checkpoint is malformed");
}

/* --- the head, and shared memory --- */

static struct rrs_error *take_head(struct rrs_replayer *replayer, struct source *from,
                                   pid_t *current)
{
    if (take(from) != RRS_STORED_VERSION)
        return rrs_error_create(RRS_ERROR_BAD_TRACE,
                                "a stored checkpoint is of another version of rrsoft");
    *current = (pid_t)take(from);
    replayer->root = (pid_t)take(from);
    replayer->exit_status = (int)take(from);
    replayer->stopped = take(from);
    replayer->stop.stop_kind = (enum rrs_run_stop_kind)take(from);
    replayer->stop.trapped_op = (uint8_t)take(from);
    take_struct(from, &replayer->stop.info, sizeof replayer->stop.info);
    return replayer->stop.stop_kind > RRS_RUN_WRITE ? malformed() : NULL;
}

static struct rrs_error *take_shared(struct rrs_replayer *replayer, struct source *from)
{
    uint64_t count = take(from);
    for (uint64_t i = 0; i < count && !from->bad; i++) {
        uint64_t identity = take(from), bytes = take(from);
        RRS_TRY(rrs_contents_add_shared(&replayer->contents, identity, bytes));
    }
    return NULL;
}

/* --- tasks --- */

struct stored_tasks {
    struct rrs_replay_task **first; /* by number of space */
    uint64_t spaces;
};

static struct rrs_process *find_process(struct rrs_replayer *replayer, pid_t tgid)
{
    for (struct rrs_replay_task *task = replayer->tasks; task; task = task->next)
        if (task->tgid == tgid)
            return task->task->process;
    return rrs_process_create(&replayer->session, tgid);
}

static struct rrs_error *make_host(struct rrs_replayer *replayer, struct stored_tasks *tasks,
                                   pid_t tgid, uint64_t space_number, uint64_t base,
                                   struct rrs_replay_space **space, struct rrs_task **host)
{
    struct rrs_replay_space *zygote;
    struct rrs_process *process = find_process(replayer, tgid);
    if (space_number < tasks->spaces) {
        const struct rrs_replay_task *first = tasks->first[space_number];
        *space = first->space;
        return rrs_replay_share_space(replayer, first, process, host);
    }
    RRS_TRY(rrs_replay_zygote(replayer, (uint32_t)base, &zygote));
    return rrs_replay_fork_space(replayer, zygote, rrs_task_find(&replayer->session, zygote->host),
                                 process, space, host);
}

static void take_flags(struct rrs_replay_task *task, uint64_t flags)
{
    task->at_call = flags & 1;
    task->at_insn = flags & 2;
    task->ends = flags & 4;
    task->in_call = flags & 8;
    task->task->at_safe_point = flags & 16;
}

static struct rrs_error *take_task(struct rrs_replayer *replayer, struct source *from,
                                   struct stored_tasks *tasks)
{
    struct rrs_replay_task *task;
    struct rrs_replay_space *space;
    struct rrs_task *host;
    struct user_regs_struct regs;
    pid_t tid = (pid_t)take(from), tgid = (pid_t)take(from), creator = (pid_t)take(from);
    uint64_t space_number = take(from), base = take(from), flags = take(from);
    if (from->bad || space_number > tasks->spaces || base >= RRS_RUNTIME_BASES)
        return malformed();
    RRS_TRY(make_host(replayer, tasks, tgid, space_number, base, &space, &host));
    RRS_TRY(rrs_replay_add_task(replayer, tid, tgid, creator, space, host, &task));
    if (space_number == tasks->spaces)
        tasks->first[tasks->spaces++] = task;
    host->call = (int)(int64_t)take(from);
    host->call_pc = take(from);
    host->ticks = take(from);
    take_struct(from, &regs, sizeof regs);
    take_struct(from, &host->call_regs, sizeof host->call_regs);
    take_struct(from, &task->last_signal, sizeof task->last_signal);
    rrs_task_ready(&replayer->session, host, &regs);
    take_flags(task, flags);
    size_t bytes;
    const uint8_t *xstate = take_bytes(from, &bytes);
    return from->bad ? malformed() : rrs_replay_set_xstate(replayer, task, xstate, bytes);
}

static struct rrs_error *take_tasks(struct rrs_replayer *replayer, struct source *from,
                                    struct stored_tasks *tasks)
{
    uint64_t count = take(from);
    if (from->bad || count > (uint64_t)(from->end - from->at) / 8)
        return malformed();
    tasks->first = calloc(count + 1, sizeof(struct rrs_replay_task *));
    if (!tasks->first)
        return rrs_error_no_memory();
    for (uint64_t i = 0; i < count; i++)
        RRS_TRY(take_task(replayer, from, tasks));
    return NULL;
}

/* --- mappings --- */

/* A stack is as large as it has grown; the list of mappings knows only how it began. */
static struct rrs_error *map_growth(struct rrs_replayer *replayer, struct rrs_replay_task *task,
                                    const struct rrs_map_item *map, rrs_addr grown)
{
    if (!map->grows_down || grown >= map->start)
        return NULL;
    RRS_TRY(rrs_replay_check_range(replayer, task, grown, map->start - grown));
    return rrs_remote_call_ok(
        &replayer->session, task->task, "mapping a stack", SYS_mmap,
        RRS_ARGUMENTS(grown, map->start - grown, rrs_real_protection((uint64_t)map->prot),
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE | MAP_GROWSDOWN,
                      (uint64_t)-1),
        NULL);
}

static struct rrs_error *take_mapping(struct rrs_replayer *replayer, struct source *from,
                                      struct rrs_replay_task *task)
{
    struct rrs_map_item map = {.start = take(from)};
    map.end = take(from);
    map.prot = (int)take(from);
    uint64_t flags = take(from), on_fork = take(from);
    map.identity = take(from);
    map.file_offset = take(from);
    map.blob_offset = take(from);
    map.blob_bytes = take(from);
    take_struct(from, &map.blob, sizeof map.blob);
    map.path = (const char *)take_bytes(from, &map.path_bytes);
    rrs_addr grown = take(from);
    map.shared = flags & 1;
    map.grows_down = flags & 2;
    /* What shared memory shows is among the pages. */
    map.source = flags & 4 && !map.shared ? RRS_MAP_FILE : RRS_MAP_ANONYMOUS;
    if (from->bad || on_fork > RRS_ON_FORK_WIPE || map.end <= map.start ||
        (map.shared && !rrs_contents_shared(&replayer->contents, map.identity)))
        return malformed();
    RRS_TRY(rrs_replay_map(replayer, task, &map));
    rrs_map_list_set_on_fork(&task->space->maps, map.start, map.end, (enum rrs_on_fork)on_fork);
    return map_growth(replayer, task, &map, grown);
}

static struct rrs_error *take_space(struct rrs_replayer *replayer, struct source *from,
                                    struct rrs_replay_task *task)
{
    struct rrs_replay_space *space = task->space;
    size_t size;
    space->brk_start = take(from);
    space->brk = take(from);
    space->auxv = take(from);
    space->auxv_bytes = take(from);
    const char *program = (const char *)take_bytes(from, &size);
    free(space->program);
    space->program = strndup(program, size);
    uint64_t count = take(from);
    for (uint64_t i = 0; i < count && !from->bad; i++)
        RRS_TRY(take_mapping(replayer, from, task));
    return from->bad ? malformed() : NULL;
}

/* --- memory --- */

enum { RUN_PAGES = 64 };

/* Pages that lie side by side, written at once. */
struct run {
    uint32_t space;
    uint64_t address;
    size_t pages;
    uint8_t content[RUN_PAGES * PAGE];
};

static const struct rrs_content_file *shared_file(const struct rrs_contents *contents,
                                                  uint32_t number)
{
    for (size_t i = 0; i < contents->count; i++)
        if (contents->files[i].shared && number-- == 0)
            return &contents->files[i];
    return NULL;
}

static struct rrs_error *write_run(struct rrs_replayer *replayer, const struct stored_tasks *tasks,
                                   struct run *run)
{
    size_t bytes = run->pages * PAGE;
    if (!bytes)
        return NULL;
    run->pages = 0;
    if (run->space < tasks->spaces)
        return rrs_replay_poke(replayer, tasks->first[run->space], run->address, run->content,
                               bytes);
    const struct rrs_content_file *file =
        run->space < RRS_STORED_SHARED
            ? NULL
            : shared_file(&replayer->contents, run->space - RRS_STORED_SHARED);
    if (!file || run->address + bytes > (file->bytes + PAGE - 1) / PAGE * PAGE)
        return malformed();
    RRS_TRY(rrs_memory_guard_check(replayer->guard));
    size_t inside = run->address + bytes > file->bytes ? file->bytes - run->address : bytes;
    return pwrite(file->fd, run->content, inside, (off_t)run->address) == (ssize_t)inside
               ? NULL
               : rrs_error_os(errno, NULL, "filling shared memory");
}

static struct rrs_error *read_pages(struct rrs_replayer *replayer,
                                    struct rrs_checkpoint *checkpoint,
                                    const struct stored_tasks *tasks, struct run *run)
{
    struct rrs_checkpoint_page page = {0};
    bool found;
    RRS_TRY(rrs_checkpoint_find_page(checkpoint, 0, 0, &page, &found));
    while (found) {
        bool joins = run->pages && run->pages < RUN_PAGES && page.space == run->space &&
                     page.address == run->address + run->pages * PAGE;
        if (!joins) {
            RRS_TRY(write_run(replayer, tasks, run));
            run->space = page.space;
            run->address = page.address;
        }
        RRS_TRY(rrs_checkpoint_read_page(checkpoint, &page, run->content + run->pages * PAGE));
        run->pages++;
        RRS_TRY(rrs_checkpoint_find_page(checkpoint, page.space, page.address + 1, &page, &found));
    }
    return write_run(replayer, tasks, run);
}

/* --- all of it --- */

static void clear(struct rrs_replayer *replayer)
{
    while (replayer->tasks)
        rrs_replay_remove_task(replayer, replayer->tasks);
    replayer->current = NULL;
    replayer->session.runner = NULL;
    rrs_contents_drop_shared(&replayer->contents);
}

static struct rrs_error *build(struct rrs_replayer *replayer, struct source *from,
                               struct rrs_checkpoint *checkpoint, struct stored_tasks *tasks)
{
    pid_t current;
    RRS_TRY(take_head(replayer, from, &current));
    RRS_TRY(take_shared(replayer, from));
    RRS_TRY(take_tasks(replayer, from, tasks));
    for (uint64_t i = 0; i < tasks->spaces; i++)
        RRS_TRY(take_space(replayer, from, tasks->first[i]));
    _cleanup_free_ struct run *run = calloc(1, sizeof *run);
    if (!run)
        return rrs_error_no_memory();
    RRS_TRY(read_pages(replayer, checkpoint, tasks, run));
    replayer->current = rrs_replay_find_task(replayer, current);
    return NULL;
}

static struct rrs_error *read_payload(struct rrs_checkpoint *checkpoint, uint8_t **payload,
                                      size_t *bytes)
{
    const uint64_t most = 256ull << 20;
    struct rrs_checkpoint_info info;
    rrs_checkpoint_get_info(checkpoint, &info);
    if (info.payload_bytes > most)
        return malformed();
    *payload = malloc(info.payload_bytes + 1);
    *bytes = info.payload_bytes;
    return *payload ? rrs_checkpoint_read_payload(checkpoint, *payload) : rrs_error_no_memory();
}

struct rrs_error *rrs_stored_restore(struct rrs_replayer *replayer,
                                     const struct rrs_checkpoint_place *place)
{
    struct rrs_checkpoint *checkpoint;
    struct stored_tasks tasks = {0};
    _cleanup_free_ uint8_t *payload = NULL;
    size_t bytes;
    RRS_TRY(rrs_checkpoint_open(replayer->reader, place, &checkpoint));
    struct rrs_error *error = read_payload(checkpoint, &payload, &bytes);
    if (!error)
        error = rrs_event_cursor_seek_number(replayer->cursor, place->event, &replayer->next);
    if (!error && !replayer->next)
        error = malformed();
    if (!error) {
        struct source from = {payload, payload + bytes, false};
        clear(replayer);
        error = build(replayer, &from, checkpoint, &tasks);
    }
    replayer->session.clock.ticks = place->tick;
    rrs_checkpoint_destroy(checkpoint);
    free(tasks.first);
    return rrs_memory_guard_explain(replayer->guard, error);
}
