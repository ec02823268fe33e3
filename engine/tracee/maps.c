/* SPDX-License-Identifier: MIT */
#include "engine/tracee/maps.h"

#include "lmdb-store/scope.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

bool rrs_maps_parse(const char *line, struct rrs_mapping *mapping)
{
    char prot[5];
    unsigned major_number, minor_number;
    int path_at = 0;
    if (sscanf(line, "%lx-%lx %4s %lx %x:%x %lu %n", &mapping->start, &mapping->end, prot,
               &mapping->file_offset, &major_number, &minor_number, &mapping->inode, &path_at) < 7)
        return false;
    mapping->prot = (prot[0] == 'r' ? PROT_READ : 0) | (prot[1] == 'w' ? PROT_WRITE : 0) |
                    (prot[2] == 'x' ? PROT_EXEC : 0);
    mapping->shared = prot[3] == 's';
    mapping->device = makedev(major_number, minor_number);
    snprintf(mapping->path, sizeof mapping->path, "%s", line + path_at);
    mapping->path[strcspn(mapping->path, "\n")] = 0;
    return true;
}

struct rrs_error *rrs_maps_visit(pid_t pid, bool (*visit)(void *, const struct rrs_mapping *),
                                 void *context)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    return rrs_maps_visit_file(path, visit, context);
}

struct rrs_error *rrs_maps_visit_file(const char *path,
                                      bool (*visit)(void *, const struct rrs_mapping *),
                                      void *context)
{
    _cleanup_fclose_ FILE *file = fopen(path, "re");
    if (!file)
        return rrs_error_os(errno, path, "cannot open");
    char line[PATH_MAX + 128];
    struct rrs_mapping mapping;
    while (fgets(line, sizeof line, file))
        if (rrs_maps_parse(line, &mapping) && !visit(context, &mapping))
            break;
    return NULL;
}
