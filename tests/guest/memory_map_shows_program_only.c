/* SPDX-License-Identifier: MIT */
/* Test that /proc/self shows the program's own mappings, with its own permissions, and nothing
 * else; and that holes are holes. */
#include "tests/guest/guest.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <sys/mman.h>

struct mapping {
    uintptr_t start, end;
    char permissions[8], name[256];
};

enum { MAPPINGS_MAX = 400 };
static struct mapping mappings[MAPPINGS_MAX];
static int count;

static void read_maps(void)
{
    char line[PATH_MAX + 200];
    FILE *maps = fopen("/proc/self/maps", "r");
    CHECK(maps);
    count = 0;
    while (fgets(line, sizeof line, maps)) {
        struct mapping *mapping = &mappings[count];
        mapping->name[0] = 0;
        CHECK(count < MAPPINGS_MAX - 1);
        CHECK(sscanf(line, "%lx-%lx %7s %*s %*s %*s %255s", &mapping->start, &mapping->end,
                     mapping->permissions, mapping->name) >= 3);
        CHECK(mapping->start < mapping->end);
        CHECK(!count || mapping->start >= mappings[count - 1].end);
        count++;
    }
    fclose(maps);
}

static const struct mapping *at(const void *address)
{
    for (int i = 0; i < count; i++)
        if ((uintptr_t)address >= mappings[i].start && (uintptr_t)address < mappings[i].end)
            return &mappings[i];
    return NULL;
}

/* Name and permissions of every mapping, neighbours that say the same once; the vDSO may be hidden.
 */
static void show(void)
{
    char last[300] = "";
    for (int i = 0; i < count; i++) {
        const char *slash = strrchr(mappings[i].name, '/');
        char text[300];
        if (!strncmp(mappings[i].name, "[v", 2))
            continue;
        snprintf(text, sizeof text, "%s %s", mappings[i].permissions,
                 slash ? slash + 1 : mappings[i].name);
        if (strcmp(text, last))
            puts(text);
        memcpy(last, text, sizeof last);
    }
}

int main(void);

static void own_mappings(void)
{
    static int data = 1;
    static const int constant = 1;
    int local;
    char *heap = malloc(10);
    read_maps();
    CHECK(!strcmp(at((void *)(uintptr_t)main)->permissions, "r-xp"));
    CHECK(!strcmp(at((void *)(uintptr_t)puts)->permissions, "r-xp"));
    CHECK(!strcmp(at(&data)->permissions, "rw-p"));
    CHECK(!strcmp(at(&constant)->permissions, "r--p"));
    CHECK(!strcmp(at(&local)->name, "[stack]"));
    CHECK(!strcmp(at(heap)->name, "[heap]"));
    char exe[PATH_MAX] = "";
    CHECK(readlink("/proc/self/exe", exe, sizeof exe - 1) > 0);
    CHECK(!strcmp(at((void *)(uintptr_t)main)->name, exe));
    free(heap);
}

static void permissions_follow(void)
{
    char *page = mmap(NULL, 3 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    static const struct {
        int protection;
        const char *text;
    } rows[] = {
        {PROT_READ | PROT_WRITE | PROT_EXEC, "rwxp"},
        {PROT_READ | PROT_EXEC, "r-xp"},
        {PROT_READ | PROT_WRITE, "rw-p"},
        {PROT_NONE, "---p"},
        {PROT_READ | PROT_WRITE | PROT_EXEC, "rwxp"},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK(!mprotect(page + 4096, 4096, rows[i].protection));
        read_maps();
        CHECK(!strcmp(at(page + 4096)->permissions, rows[i].text));
    }
    page[4096] = (char)0xc3;
    ((void (*)(void))(uintptr_t)(page + 4096))();
    page[4097] = 1;
    read_maps();
    CHECK(!strcmp(at(page + 4096)->permissions, "rwxp"));
    CHECK_EQUAL(at(page + 4096)->end - at(page + 4096)->start, 4096);
    CHECK(!munmap(page, 3 * 4096));
    read_maps();
    CHECK(!at(page + 4096));
}

/* What maps does not list cannot be read by a syscall either. */
static void holes(void)
{
    int fds[2], memory = open("/proc/self/mem", O_RDONLY);
    CHECK(!pipe(fds) && memory >= 0);
    read_maps();
    for (uintptr_t place = 0x10000; place < 0x400000; place += 4096) {
        unsigned char byte;
        if (at((void *)place))
            continue;
        CHECK_EQUAL(write(fds[1], (void *)place, 1), -1);
        CHECK_EQUAL(errno, EFAULT);
        CHECK(mincore((void *)place, 4096, &byte) == -1 && errno == ENOMEM);
        CHECK(pread(memory, &byte, 1, (off_t)place) <= 0);
    }
}

int main(void)
{
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    own_mappings();
    show();
    permissions_follow();
    holes();
    int descriptors = 0;
    for (int fd = 0; fd < 64; fd++)
        descriptors += fcntl(fd, F_GETFD) >= 0;
    printf("%d descriptors\n", descriptors);
    return 0;
}
