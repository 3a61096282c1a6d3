/* The pool's trusted socket: see poolsocket.h. */
#include "hatcheryd/poolsocket.h"

#include "proto/base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void name_directory(char *path, size_t size, unsigned number)
{
        snprintf(path, size, INSTANCE_RUN_DIRECTORY "/instance-%u", number);
}

void poolsocket_init(struct poolsocket *p)
{
        *p = (struct poolsocket){ .listener.fd = -1, .directory = -1 };
}

/* root owns the directory, so that a worker can change nothing in it. The directory's group is the gateway's group, so
 * that a worker can pass through the directory. */
static int make_directory(struct poolsocket *p, const struct instance *instance, struct err *e)
{
        char path[sizeof p->path];

        name_directory(path, sizeof path, instance->number);
        if (mkdir(path, 0700) < 0)
                return err_set(e, errno, "mkdir %s", path);
        snprintf(p->path, sizeof p->path, "%s", path);
        p->directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (p->directory < 0 || fchown(p->directory, 0, instance->gateway_uid) < 0 || fchmod(p->directory, 0710) < 0)
                return err_set(e, errno, "give %s to the gateway", path);
        return 0;
}

int poolsocket_open(struct poolsocket *p, const struct instance *instance, struct err *e)
{
        char address[sizeof p->path + 16];

        int r = make_directory(p, instance, e);
        if (r < 0)
                return r;
        snprintf(address, sizeof address, "unix:%s/pool.sock", p->path);
        r = listen_open(&p->listener, address, e);
        if (r < 0)
                return r;
        if (chmod(p->listener.path, 0600) < 0 ||
            chown(p->listener.path, instance->gateway_uid, instance->gateway_uid) < 0)
                return err_set(e, errno, "give %s to the gateway", p->listener.path);
        return 0;
}

void poolsocket_close(struct poolsocket *p)
{
        listen_close(&p->listener);
        own_close(&p->directory);
        p->directory = -1;
        if (p->path[0])
                rmdir(p->path);
        p->path[0] = '\0';
}

static void remove_one(unsigned number, const struct log *log)
{
        char directory[64], path[80];

        name_directory(directory, sizeof directory, number);
        snprintf(path, sizeof path, "%s/pool.sock", directory);
        unlink(path);
        if (rmdir(directory) == 0)
                log_info(log, "removed %s, which a killed server had left", directory);
        else if (errno != ENOENT)
                log_warn(log, "%s can't be removed: error %d", directory, errno);
}

void poolsocket_remove_leftovers(const struct instance *own, const struct log *log)
{
        char path[64];
        struct stat st;

        for (unsigned n = 0; n < INSTANCE_MAX; n++) {
                name_directory(path, sizeof path, n);
                if (lstat(path, &st) < 0)
                        continue;
                OWN_FD int lock = n == own->number ? -1 : instance_lock(n, NULL);
                if (lock >= 0 || n == own->number) /* otherwise the server with number n lives */
                        remove_one(n, log);
        }
}
