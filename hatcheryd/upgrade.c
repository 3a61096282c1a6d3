/* Upgrades of packages: see upgrade.h. */
#include "hatcheryd/upgrade.h"

#include "proto/base/fnv.h"

#include <stddef.h>
#include <sys/stat.h>

enum { LOOK_MS = 2000 };

/* Databases of dpkg, rpm, apk and pacman. On a host without any of them, the operator has to send SIGHUP. */
static const char *const databases[] = {
        "/var/lib/dpkg/status",  "/var/lib/rpm/rpmdb.sqlite", "/usr/lib/sysimage/rpm/rpmdb.sqlite",
        "/lib/apk/db/installed", "/var/lib/pacman/local",
};

static uint64_t look(void)
{
        uint64_t hash = FNV_START;
        for (size_t i = 0; i < sizeof databases / sizeof databases[0]; i++) {
                struct stat st;
                if (stat(databases[i], &st) < 0)
                        continue;
                hash = fnv_add(hash, &st.st_mtim, sizeof st.st_mtim);
                hash = fnv_add(hash, &st.st_size, sizeof st.st_size);
        }
        return hash;
}

void upgrade_init(struct upgrade *u, int64_t now_ms)
{
        *u = (struct upgrade){ .look_ms = now_ms + LOOK_MS };
        u->known = u->seen = look();
}

bool upgrade_is_over(struct upgrade *u, int64_t now_ms)
{
        if (now_ms < u->look_ms)
                return false;
        uint64_t before = u->seen;
        u->seen = look();
        u->look_ms = now_ms + LOOK_MS;
        if (u->seen == u->known || u->seen != before)
                return false;
        u->known = u->seen;
        return true;
}
