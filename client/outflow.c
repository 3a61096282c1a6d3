/* Output on its way to our own descriptors: see outflow.h. Both streams share one queue of waiting pieces, so a
 * terminal that shows both gets the pieces in their order. */
#include "client/outflow.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct piece {
        struct piece *next;
        enum outflow_stream stream;
        size_t len, done;
        uint8_t bytes[];
};

/* O_NONBLOCK belongs to the open file, which other processes share: a shell, or a neighbour in a pipeline. So this
 * opens a pipe or terminal once more, for us alone. A regular file never makes a writer wait. A socket takes a flag
 * with each call instead. */
static void open_one(struct outflow *f, enum outflow_stream stream, int fd)
{
        struct stat st;
        f->to[stream].fd = fd;
        f->to[stream].last_byte = '\n';
        if (fstat(fd, &st) < 0)
                return;
        f->to[stream].is_socket = S_ISSOCK(st.st_mode);
        if (!S_ISFIFO(st.st_mode) && !isatty(fd))
                return;
        if ((fcntl(fd, F_GETFL) & O_ACCMODE) ==
            O_RDONLY) /* open for reading only: writes will fail, as they would for any command */
                return;
        char path[32];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        int own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (own >= 0) {
                f->to[stream].fd = own;
                f->to[stream].is_own = true;
        } else {
                f->to[stream].may_wait = true; /* another user's terminal, or no /proc */
        }
}

void outflow_init(struct outflow *f, int out, int err)
{
        *f = (struct outflow){ .last_stream = OUTFLOW_ERR };
        open_one(f, OUTFLOW_OUT, out);
        open_one(f, OUTFLOW_ERR, err);
}

void outflow_fini(struct outflow *f)
{
        for (struct piece *p = f->first, *next; p; p = next) {
                next = p->next;
                free(p);
        }
        for (int i = 0; i < OUTFLOW_STREAMS; i++)
                if (f->to[i].is_own)
                        close(f->to[i].fd);
        *f = (struct outflow){ 0 };
}

/* Returns how many bytes are written or thrown away: fewer than len if writing more would wait. */
static size_t write_some(struct outflow *f, enum outflow_stream stream, const uint8_t *bytes, size_t len)
{
        const int fd = f->to[stream].fd;
        size_t done = 0;

        while (done < len && f->to[stream].error == 0) {
                size_t part = len - done;
                if (f->to[stream].may_wait) {
                        struct pollfd p = { .fd = fd, .events = POLLOUT };
                        if (poll(&p, 1, 0) == 0)
                                return done;
                        part = part < PIPE_BUF ? part : PIPE_BUF;
                }
                ssize_t n = f->to[stream].is_socket ? send(fd, bytes + done, part, MSG_DONTWAIT | MSG_NOSIGNAL)
                                                    : write(fd, bytes + done, part);
                if (n >= 0)
                        done += (size_t)n;
                else if (errno == EAGAIN)
                        return done;
                else if (errno != EINTR)
                        f->to[stream].error = errno;
        }
        return len;
}

int outflow_add(struct outflow *f, enum outflow_stream stream, struct span bytes)
{
        if (bytes.len == 0)
                return 0;
        f->last_stream = stream;
        f->to[stream].last_byte = bytes.data[bytes.len - 1];

        size_t done = f->first ? 0 : write_some(f, stream, bytes.data, bytes.len);
        f->settled += done;
        if (done == bytes.len)
                return 0;

        const size_t left = bytes.len - done;
        struct piece *p = malloc(sizeof *p + left);
        if (!p)
                return -ENOMEM;
        *p = (struct piece){ .stream = stream, .len = left };
        memcpy(p->bytes, bytes.data + done, left);
        if (f->last)
                f->last->next = p;
        else
                f->first = p;
        f->last = p;
        f->waiting += left;
        return 0;
}

void outflow_push(struct outflow *f)
{
        while (f->first) {
                struct piece *p = f->first;
                size_t done = write_some(f, p->stream, p->bytes + p->done, p->len - p->done);
                p->done += done;
                f->waiting -= done;
                f->settled += done;
                if (p->done < p->len)
                        return;
                f->first = p->next;
                if (!f->first)
                        f->last = NULL;
                free(p);
        }
}

int outflow_awaited(const struct outflow *f)
{
        return f->first ? f->to[f->first->stream].fd : -1;
}
