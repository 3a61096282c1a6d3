/* Instance numbers: see instance.h. */
#include "hatcheryd/instance.h"

#include "proto/own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#define RUN_DIRECTORY "/run/hatchery"

int instance_take(struct instance *i, uint32_t uid_base, struct err *e)
{
        if (mkdir(RUN_DIRECTORY, 0755) < 0 && errno != EEXIST)
                return err_set(e, errno, "mkdir " RUN_DIRECTORY);

        for (unsigned n = 0; n < INSTANCE_MAX; n++) {
                char path[64];
                snprintf(path, sizeof path, RUN_DIRECTORY "/instance-%u.lock", n);
                OWN_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
                if (fd < 0)
                        return err_set(e, errno, "open %s", path);
                if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                        if (errno == EWOULDBLOCK)
                                continue;
                        return err_set(e, errno, "lock %s", path);
                }
                *i = (struct instance){
                        .number = n,
                        .lock = own_steal_fd(&fd),
                        .pool_uid = uid_base + n * INSTANCE_UIDS,
                        .sandbox_uid = uid_base + n * INSTANCE_UIDS + 16,
                };
                snprintf(i->name, sizeof i->name, "hatchery-%u", n);
                return 0;
        }
        return err_set(e, EBUSY, "%d servers already run on this machine", INSTANCE_MAX);
}

void instance_release(struct instance *i)
{
        own_close(&i->lock); /* the file stays: removing it would race with a server that has just opened it */
        i->lock = -1;
}
