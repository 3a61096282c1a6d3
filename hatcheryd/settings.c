/* The configuration as the supervisor reads it: see settings.h. */
#include "hatcheryd/settings.h"

#include "proto/own.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* The text in a memory file: every role reads the same one, whatever happens to the file meanwhile. */
static int text_to_fd(const char *text, struct err *e)
{
        OWN_FD int fd = memfd_create("hatchery-config", MFD_CLOEXEC);
        size_t len = text ? strlen(text) : 0;
        if (fd < 0 || write(fd, text, len) != (ssize_t)len)
                return err_set(e, errno, "keeping the configuration");
        return own_steal_fd(&fd);
}

int settings_read(const char *path, struct config *config, int *fd, struct err *e)
{
        OWN_MEM char *text = NULL;
        const char *name = path ? path : "the built-in configuration";
        int r = 0;
        if (path) {
                r = config_read_file(path, &text, e);
        } else {
                text = strdup(config_builtin);
                if (!text)
                        r = err_set(e, ENOMEM, "the configuration");
        }
        if (r == 0)
                r = config_load(config, text, name, e);
        if (r < 0)
                return r;
        *fd = text_to_fd(text, e);
        if (*fd < 0) {
                config_fini(config);
                return *fd;
        }
        return 0;
}
