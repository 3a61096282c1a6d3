/* Live standard input: see intake.h. The command reads no more than the program has room for. So the writer at the
 * other end waits as it would for a local program. */
#include "client/intake.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void intake_init(struct intake *i, int fd)
{
        i->fd = fd;
        i->from = i->len = 0;
}

void intake_close(struct intake *i)
{
        i->fd = -1;
        i->len = 0;
}

int intake_awaited(const struct intake *i, const struct hatchery_call *call)
{
        return i->len == 0 && hatchery_call_room(call) > 0 ? i->fd : -1;
}

int intake_push(struct intake *i, struct hatchery_call *call, struct err *e)
{
        if (i->len == 0)
                return 0;
        ssize_t taken = hatchery_call_write(call, i->bytes + i->from, i->len);
        if (taken == -EPIPE) {
                intake_close(i);
                return 0;
        }
        if (taken < 0)
                return err_set(e, (int)-taken, "hand on standard input");
        i->from += (size_t)taken;
        i->len -= (size_t)taken;
        return 0;
}

bool intake_drop(struct intake *i, uint8_t byte)
{
        if (i->len == 0 || !memchr(i->bytes + i->from, byte, i->len))
                return false;
        i->len = 0;
        return true;
}

int intake_read(struct intake *i, struct hatchery_call *call, struct err *e)
{
        size_t room = hatchery_call_room(call);
        if (i->fd < 0 || i->len > 0 || room == 0)
                return INTAKE_OK;

        ssize_t n = read(i->fd, i->bytes, room < INTAKE_SIZE ? room : INTAKE_SIZE);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return INTAKE_OK;
        if (n > 0) {
                i->from = 0;
                i->len = (size_t)n;
                return INTAKE_OK;
        }
        /* EIO: the terminal is gone, or another process group has it. */
        if (n < 0 && errno != EIO)
                return err_set(e, errno, "read standard input");
        int r = hatchery_call_eof(call);
        intake_close(i);
        if (r < 0 && r != -EPIPE)
                return err_set(e, -r, "hand on the end of standard input");
        return INTAKE_END;
}
