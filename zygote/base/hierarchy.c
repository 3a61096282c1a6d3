/* A cgroup hierarchy as one word of a command line, and how a process joins its groups: see hierarchy.h. */
#include "zygote/base/hierarchy.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void hierarchy_to_arg(const struct cgroup_hierarchy *h, char arg[CGROUP_ARG_SIZE])
{
        snprintf(arg, CGROUP_ARG_SIZE, "%d:%u:%.240s/%.240s", h->v2 ? 2 : 1, h->controllers, h->mount, h->group);
}

int hierarchy_from_arg(struct cgroup_hierarchy *h, const char *arg, struct err *e)
{
        int version, used = 0;
        memset(h, 0, sizeof *h);
        if (sscanf(arg, "%d:%u:%n", &version, &h->controllers, &used) != 2 || used == 0 ||
            strlen(arg + used) >= sizeof h->mount)
                return err_say(e, EINVAL, "\"%s\" does not name a cgroup hierarchy", arg);
        h->v2 = version == 2;
        snprintf(h->mount, sizeof h->mount, "%s", arg + used);
        return 0;
}

const char *hierarchy_disk_file(bool v2)
{
        return v2 ? "io.max" : "blkio.throttle.read_bps_device";
}

int hierarchy_join(const int join[CGROUP_MAX_HIERARCHIES])
{
        for (size_t i = 0; i < CGROUP_MAX_HIERARCHIES; i++)
                if (join[i] >= 0 && write(join[i], "0", 1) < 0)
                        return -errno;
        return 0;
}
