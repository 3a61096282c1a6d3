/* Copies of programs: see image.h. */
#include "zygote/base/image.h"

#include "proto/base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010u /* Linux 6.3; without it a newer kernel warns, and an older one refuses it */
#endif

static int make(const char *name, struct err *e)
{
        unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
        int fd = memfd_create(name, flags | MFD_EXEC);
        if (fd < 0 && errno == EINVAL)
                fd = memfd_create(name, flags);
        if (fd < 0 && errno == EACCES)
                return err_say(e, EACCES, "a program in memory: sysctl vm.memfd_noexec must be below 2");
        return fd < 0 ? err_set(e, errno, "a file in memory") : fd;
}

int image_copy(const char *path, const char *name, mode_t mode, struct err *e)
{
        OWN_FD int from = open(path, O_RDONLY | O_CLOEXEC);
        if (from < 0)
                return err_set(e, errno, "open %s", path);
        OWN_FD int to = make(name, e);
        if (to < 0)
                return to;
        ssize_t n;
        while ((n = sendfile(to, from, NULL, 1 << 20)) > 0)
                ;
        if (n < 0)
                return err_set(e, errno, "copy %s", path);
        if (fchmod(to, mode) < 0 ||
            fcntl(to, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
                return err_set(e, errno, "seal the copy of %s", path);
        return own_steal_fd(&to);
}
