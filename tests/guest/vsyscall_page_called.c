/* SPDX-License-Identifier: MIT */
/* Test that the three fixed entries of the vsyscall page answer, directly and through pointers. */
#include "tests/guest/guest.h"

#include <stdint.h>
#include <sys/time.h>
#include <time.h>

static int page_exists(void)
{
    char line[512];
    int found = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    CHECK(maps);
    while (fgets(line, sizeof line, maps))
        found |= strstr(line, "[vsyscall]") && strstr(line, "xp");
    fclose(maps);
    return found;
}

int main(void)
{
    if (!page_exists())
        guest_skip("no vsyscall page");
    int (*volatile get_time_of_day)(struct timeval *, void *) = (void *)0xffffffffff600000;
    time_t (*volatile get_time)(time_t *) = (void *)0xffffffffff600400;
    long (*volatile get_cpu)(unsigned *, unsigned *, void *) = (void *)0xffffffffff600800;
    for (int i = 0; i < 10; i++) {
        struct timeval first, second;
        time_t stored;
        unsigned cpu = 99999, node = 99999;
        CHECK(!get_time_of_day(&first, NULL));
        CHECK(!gettimeofday(&second, NULL));
        CHECK(second.tv_sec - first.tv_sec <= 5 && second.tv_sec >= first.tv_sec);
        time_t now = get_time(&stored);
        CHECK(now == stored && now - first.tv_sec <= 5);
        CHECK(!get_cpu(&cpu, &node, NULL) && cpu < 65536);
    }
    puts("vsyscall answers");
    return 0;
}
