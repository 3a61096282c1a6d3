/* Low places for descriptors: see shelf.h. */
#include "zygote/sandbox/shelf.h"

#include "proto/base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <unistd.h>

/* A zygote opens some dozens of descriptors before its first sandbox. */
enum { LOOK_UP_TO = 1024, ROOM_OF_ALL = SHELF_COUNT * SHELF_ROOM };

/* Reserves the numbers by copies of a useless descriptor. */
static int reserve(const struct shelves *s, int from, int n)
{
        for (int fd = from; fd < from + n; fd++)
                if (dup3(s->holder, fd, O_CLOEXEC) < 0)
                        return -errno;
        return 0;
}

int shelves_init(struct shelves *s, struct err *e)
{
        int last = 0;
        for (int fd = 0; fd < LOOK_UP_TO; fd++)
                if (fcntl(fd, F_GETFD) >= 0)
                        last = fd;
        OWN_FD int nothing = open("/", O_PATH | O_CLOEXEC);
        *s = (struct shelves){ .holder = fcntl(nothing, F_DUPFD_CLOEXEC, last + 1) };
        s->first = s->holder + 1;
        if (s->holder < 0)
                return err_set(e, errno, "a descriptor to hold places");
        int r = reserve(s, s->first, ROOM_OF_ALL);
        return r < 0 ? err_set(e, -r, "reserving descriptors") : 0;
}

int shelf_take(struct shelves *s, const int *fds, unsigned n)
{
        unsigned shelf = 0;
        while (shelf < SHELF_COUNT && s->taken[shelf])
                shelf++;
        if (shelf == SHELF_COUNT)
                return -EAGAIN;
        int first = s->first + (int)shelf * SHELF_ROOM;
        for (unsigned i = 0; i < n; i++)
                if (dup3(fds[i], first + (int)i, O_CLOEXEC) < 0) {
                        int r = -errno;
                        reserve(s, first, SHELF_ROOM);
                        return r;
                }
        s->taken[shelf] = true;
        return first;
}

void shelf_give_back(struct shelves *s, int shelf)
{
        if (shelf < 0)
                return;
        if (reserve(s, shelf, SHELF_ROOM) < 0)
                for (int i = 0; i < SHELF_ROOM; i++)
                        close(shelf + i);
        s->taken[(shelf - s->first) / SHELF_ROOM] = false;
}

bool shelves_are_full(const struct shelves *s)
{
        for (unsigned i = 0; i < SHELF_COUNT; i++)
                if (!s->taken[i])
                        return false;
        return true;
}

int shelves_end(const struct shelves *s)
{
        return s->first + ROOM_OF_ALL;
}

int shelves_leave(int end)
{
        return close_range((unsigned)end, ~0u, CLOSE_RANGE_UNSHARE) < 0 ? -errno : 0;
}
