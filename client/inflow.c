/* Turns a socket's bytes into answers: see inflow.h. */
#include "client/inflow.h"

#include "proto/base/own.h"
#include "proto/wire/frame.h"
#include "proto/wire/lz4.h"
#include "proto/wire/pbspan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
        READ_SIZE = 64 << 10, /* free room in the buffer before each read */
        KEEP_ROOM = 1 << 20,  /* when the buffer is empty and larger than this, its memory is freed */
        BACKLOG_ANSWERS = 4,  /* how many answers of the longest kind may wait in memory while a request is written */
};

/* Makes READ_SIZE bytes of room behind what has arrived. The buffer grows with the bytes that arrived, never with the
 * length that a header announces. */
static int make_room(struct inflow *f, struct err *e)
{
        if (f->room - f->start - f->len >= READ_SIZE)
                return 0;
        if (f->start > 0 && f->start >= f->len) {
                memmove(f->in, f->in + f->start, f->len);
                f->start = 0;
                if (f->room - f->len >= READ_SIZE)
                        return 0;
        }
        if (f->len / BACKLOG_ANSWERS > f->max)
                return err_say(e, ENOBUFS, "%zu bytes of answers wait in memory: receive them before sending on",
                               f->len);

        size_t room = (f->start + f->len + READ_SIZE) * 2;
        uint8_t *in = realloc(f->in, room);
        if (!in)
                return err_set(e, ENOMEM, "make room for %zu bytes of answers", room);
        f->in = in;
        f->room = room;
        return 0;
}

int inflow_read(struct inflow *f, int fd, struct err *e)
{
        int r = make_room(f, e);
        if (r < 0)
                return r;

        size_t used = f->start + f->len;
        ssize_t n;
        do
                n = recv(fd, f->in + used, f->room - used, 0);
        while (n < 0 && errno == EINTR);
        if (n < 0 && errno == EAGAIN)
                return INFLOW_NOTHING;
        if (n < 0 && errno != ECONNRESET)
                return err_set(e, errno, "read from the server");
        if (n <= 0)
                return INFLOW_END;
        f->len += (size_t)n;
        return INFLOW_BYTES;
}

/* Drops the frame at the start of the buffer. */
static void consume(struct inflow *f, size_t bytes)
{
        f->start += bytes;
        f->len -= bytes;
        if (f->len > 0)
                return;
        f->start = 0;
        if (f->room > KEEP_ROOM)
                inflow_fini(f);
}

void inflow_fini(struct inflow *f)
{
        free(f->in);
        f->in = NULL;
        f->room = f->start = f->len = 0;
}

/* Reads the header at the start of the buffer. FRAME_OK: the whole message is there. FRAME_MORE: not yet. Or a negative
 * errno. */
static int find_frame(const struct inflow *f, struct frame *frame, struct err *e)
{
        if (f->len == 0)
                return FRAME_MORE;
        int r = frame_parse(frame, f->in + f->start, f->len, f->max, e);
        if (r == FRAME_OK && f->len - WIRE_HEADER_SIZE < frame->length)
                return FRAME_MORE;
        return r;
}

bool inflow_has_frame(const struct inflow *f)
{
        struct frame frame;
        return find_frame(f, &frame, NULL) != FRAME_MORE;
}

/* Unpacks the message of the frame at the start of the buffer into fresh memory. */
static int unpack(const struct inflow *f, const struct frame *frame, uint8_t **message, size_t *len, struct err *e)
{
        const uint8_t *data = f->in + f->start + WIRE_HEADER_SIZE;
        if (frame->compressed)
                return lz4_unpack(data, frame->length, f->max, message, len, e);

        *message = malloc(frame->length > 0 ? frame->length : 1);
        if (!*message)
                return err_set(e, ENOMEM, "hold an answer of %u bytes", frame->length);
        memcpy(*message, data, frame->length);
        *len = frame->length;
        return 0;
}

int inflow_take(struct inflow *f, struct hatchery_answer *a, uint64_t *id, struct err *e)
{
        struct frame frame = { 0 };
        OWN_MEM uint8_t *message = NULL;
        size_t len = 0;

        memset(a, 0, sizeof *a);
        *id = 0;
        int r = find_frame(f, &frame, e);
        if (r == FRAME_MORE)
                return INFLOW_MORE;
        if (r == FRAME_OK)
                r = unpack(f, &frame, &message, &len, e);
        if (r < 0) {
                inflow_fini(f);
                return err_wrap(e, "the server's answer can't be read");
        }

        consume(f, WIRE_HEADER_SIZE + (size_t)frame.length);
        r = answer_decode(&a->answer, message, len, e);
        if (r < 0) {
                answer_fini(&a->answer);
                memset(a, 0, sizeof *a);
                *id = pbspan_find_uint64((struct span){ message, len }, hatchery_v1_ServerMessage_id_tag);
                err_wrap(e, "the server's answer can't be read");
                return INFLOW_UNREADABLE;
        }
        *id = a->answer.m.id;
        a->buffer = own_steal_ptr(&message);
        return 0;
}
