/* SPDX-License-Identifier: MIT */
/* Magic numbers: man 2 statfs, and the kernel's include/uapi/linux/magic.h. */
#include "lmdb-store/file_system.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/vfs.h>
#include <unistd.h>

// clang-format off
static const struct {
    uint32_t magic;
    const char *name;
} network_file_systems[] = {
    {0x00006969, "NFS"},
    {0x0000517b, "SMB"},
    {0xff534d42, "CIFS"},
    {0xfe534d42, "SMB2"},
    {0x0000564c, "NCP"},
    {0x73757245, "Coda"},
    {0x5346414f, "AFS"},
    {0x6b414653, "kAFS"},
    {0x00c36400, "Ceph"},
    {0x01021997, "9P"},
    {0x0bd00bd0, "Lustre"},
    {0x47504653, "GPFS"},
    {0x19830326, "BeeGFS"},
    {0xaad7aaea, "PanFS"},
};
// clang-format on

struct rrs_error *rrs_file_system_check(const char *path)
{
    struct statfs status;
    if (statfs(path, &status) < 0)
        return rrs_error_os(errno, path, "cannot examine the file system");
    for (size_t i = 0; i < sizeof network_file_systems / sizeof network_file_systems[0]; i++)
        if ((uint32_t)status.f_type == network_file_systems[i].magic)
            return rrs_error_path(RRS_ERROR_UNSUPPORTED, path,
                                  "traces cannot be used on a network file system (%s); copy the "
                                  "trace to a local disk, or set RRSOFT_TRACE_DIR to one",
                                  network_file_systems[i].name);
    return NULL;
}

bool rrs_file_has_writer(int data_fd)
{
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    return fcntl(data_fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}
