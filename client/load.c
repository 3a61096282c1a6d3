/* Whole files: see load.h. */
#include "client/load.h"

#include "proto/base/io.h"
#include "proto/base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { FIRST_READ = 64 << 10 };

/* Reads to the end, and doubles the memory as needed: a file's size is only a hint, and a pipe has none. */
static int read_to_end(int fd, const char *name, uint8_t **out, size_t *out_len, struct err *e)
{
        size_t room = FIRST_READ, len = 0;
        OWN_MEM uint8_t *data = malloc(room);
        if (!data)
                return err_set(e, ENOMEM, "read %s", name);
        for (;;) {
                ssize_t n = io_read(fd, data + len, room - len);
                if (n < 0)
                        return err_set(e, (int)-n, "read %s", name);
                if (n == 0)
                        break;
                len += (size_t)n;
                if (len > LOAD_MAX)
                        return err_say(e, EFBIG, "%s is larger than 1 GiB, which no request can hold", name);
                if (len < room)
                        continue;
                uint8_t *more = realloc(data, room * 2);
                if (!more)
                        return err_set(e, ENOMEM, "read %s", name);
                data = more;
                room *= 2;
        }
        *out = own_steal_ptr(&data);
        *out_len = len;
        return 0;
}

int load_file(const char *path, uint8_t **out, size_t *out_len, int *executable, struct err *e)
{
        if (executable)
                *executable = 0;
        if (strcmp(path, "-") == 0)
                return read_to_end(STDIN_FILENO, "standard input", out, out_len, e);

        OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return err_set(e, errno, "open %s", path);
        struct stat st;
        if (fstat(fd, &st) < 0)
                return err_set(e, errno, "look at %s", path);
        if (executable)
                *executable = (st.st_mode & S_IXUSR) != 0;
        return read_to_end(fd, path, out, out_len, e);
}
