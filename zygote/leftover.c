/* Leftovers of a dead run in its slot: see leftover.h. */
#include "zygote/leftover.h"

#include "proto/base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

int leftover_open(struct leftover *l, pid_t init, int proc, const int kept[LEFTOVER_KEPT], struct err *e)
{
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/net/sockstat", (int)init);
        l->sockstat = open(path, O_RDONLY | O_CLOEXEC);
        if (l->sockstat < 0)
                return err_set(e, errno, "open %s", path);
        l->proc = openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (l->proc < 0)
                return err_set(e, errno, "open the slot's /proc");
        l->lock[0] = l->proc;
        memcpy(l->lock + 1, kept, LEFTOVER_KEPT * sizeof *kept);
        for (size_t i = 0; i < LEFTOVER_LOCKS; i++)
                if (l->lock[i] >= 0 && flock(l->lock[i], LOCK_EX | LOCK_NB) < 0)
                        return err_set(e, errno, "lock a file that the slot keeps");
        return 0;
}

void leftover_close(struct leftover *l)
{
        own_close(&l->sockstat);
        own_close(&l->proc);
        l->sockstat = l->proc = -1;
}

long leftover_sockets(const char *text, size_t size)
{
        static const char before[] = "sockets: used ";
        const size_t skip = sizeof before - 1;
        long n = 0;

        if (size <= skip || memcmp(text, before, skip) != 0)
                return -1;
        size_t at = skip;
        for (; at < size && text[at] >= '0' && text[at] <= '9' && n < 1000000000; at++)
                n = 10 * n + text[at] - '0';
        return at > skip && at < size && text[at] == '\n' ? n : -1;
}

bool leftover_is_none(const struct leftover *l)
{
        char text[256];

        /* The count is a sum of counters, one for each processor. No process is left, so no counter rises while it is
         * read. So the sum is never below the true count. */
        ssize_t size = pread(l->sockstat, text, sizeof text, 0);
        if (size < 0 || leftover_sockets(text, (size_t)size) != 0)
                return false;
        for (size_t i = 0; i < LEFTOVER_LOCKS; i++) {
                if (l->lock[i] < 0)
                        continue;
                struct flock any = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
                if (fcntl(l->lock[i], F_OFD_GETLK, &any) < 0 || any.l_type != F_UNLCK)
                        return false;
        }
        return true;
}
