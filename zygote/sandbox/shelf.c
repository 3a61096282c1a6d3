/* Low places for descriptors: see stage.h. */
#include "zygote/sandbox/shelf.h"

#include "proto/base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <unistd.h>

/* What a zygote opens before its first sandbox is some dozens. */
enum { LOOK_UP_TO = 1024, ROOM_OF_ALL = STAGE_COUNT * STAGE_ROOM };

/* All of them are copies of one that is good for nothing. */
static int reserve(const struct stages *s, int from, int n)
{
        for (int fd = from; fd < from + n; fd++)
                if (dup3(s->holder, fd, O_CLOEXEC) < 0)
                        return -errno;
        return 0;
}

int stages_init(struct stages *s, struct err *e)
{
        int last = 0;
        for (int fd = 0; fd < LOOK_UP_TO; fd++)
                if (fcntl(fd, F_GETFD) >= 0)
                        last = fd;
        OWN_FD int nothing = open("/", O_PATH | O_CLOEXEC);
        *s = (struct stages){ .holder = fcntl(nothing, F_DUPFD_CLOEXEC, last + 1) };
        s->first = s->holder + 1;
        if (s->holder < 0)
                return err_set(e, errno, "a descriptor to hold places");
        int r = reserve(s, s->first, ROOM_OF_ALL);
        return r < 0 ? err_set(e, -r, "reserving descriptors") : 0;
}

int stages_take(struct stages *s, const int *fds, unsigned n)
{
        unsigned stage = 0;
        while (stage < STAGE_COUNT && s->taken[stage])
                stage++;
        if (stage == STAGE_COUNT)
                return -EAGAIN;
        int first = s->first + (int)stage * STAGE_ROOM;
        for (unsigned i = 0; i < n; i++)
                if (dup3(fds[i], first + (int)i, O_CLOEXEC) < 0) {
                        int r = -errno;
                        reserve(s, first, STAGE_ROOM);
                        return r;
                }
        s->taken[stage] = true;
        return first;
}

void stages_give_back(struct stages *s, int stage)
{
        if (stage < 0)
                return;
        if (reserve(s, stage, STAGE_ROOM) < 0)
                for (int i = 0; i < STAGE_ROOM; i++)
                        close(stage + i);
        s->taken[(stage - s->first) / STAGE_ROOM] = false;
}

bool stages_are_full(const struct stages *s)
{
        for (unsigned i = 0; i < STAGE_COUNT; i++)
                if (!s->taken[i])
                        return false;
        return true;
}

int stages_end(const struct stages *s)
{
        return s->first + ROOM_OF_ALL;
}

int stages_leave(int end)
{
        return close_range((unsigned)end, ~0u, CLOSE_RANGE_UNSHARE) < 0 ? -errno : 0;
}
