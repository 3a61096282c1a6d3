/* Instance numbers: see instance.h. */
#include "hatcheryd/instance.h"

#include "proto/base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

int instance_lock(unsigned number, struct err *e)
{
        char path[64];
        snprintf(path, sizeof path, INSTANCE_RUN_DIRECTORY "/instance-%u.lock", number);
        OWN_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (fd < 0)
                return err_set(e, errno, "open %s", path);
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                return err_set(e, errno, "lock %s", path);
        return own_steal_fd(&fd);
}

int instance_take(struct instance *i, uint32_t uid_base, struct err *e)
{
        if (mkdir(INSTANCE_RUN_DIRECTORY, 0755) < 0 && errno != EEXIST)
                return err_set(e, errno, "mkdir " INSTANCE_RUN_DIRECTORY);

        for (unsigned n = 0; n < INSTANCE_MAX; n++) {
                int fd = instance_lock(n, e);
                if (fd == -EWOULDBLOCK)
                        continue;
                if (fd < 0)
                        return fd;
                *i = (struct instance){
                        .number = n,
                        .lock = fd,
                        .pool_uid = uid_base + n * INSTANCE_UIDS,
                        .gateway_uid = uid_base + n * INSTANCE_UIDS + 1,
                        .sandbox_uid = uid_base + n * INSTANCE_UIDS + INSTANCE_FIRST_UIDS,
                };
                snprintf(i->name, sizeof i->name, "hatchery-%u", n);
                return 0;
        }
        return err_set(e, EBUSY, "%d servers already run on this machine", INSTANCE_MAX);
}

void instance_release(struct instance *i)
{
        own_close(&i->lock); /* the lock file stays: removing it would race with a server that has just opened it */
        i->lock = -1;
}
