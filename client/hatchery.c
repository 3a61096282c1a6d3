/* One connection to a server: frames out, frames in, and the buffer of what has arrived but was not asked for yet. See
 * hatchery.h. The socket is non-blocking throughout; waiting is done here, by poll. */
#include "client/hatchery.h"

#include "client/address.h"
#include "proto/base/clock.h"
#include "proto/base/own.h"
#include "proto/wire/frame.h"
#include "proto/wire/lz4.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
        CONNECT_TIMEOUT_MS = 10000,
        READ_SIZE = 64 << 10,         /* room that is made for each read */
        KEEP_ROOM = 1 << 20,          /* an empty buffer that is larger than this is given back */
        BACKLOG_ANSWERS = 4,          /* longest answers that may wait in memory while a request is written */
        LAST_WORDS_TIMEOUT_MS = 1000, /* for the server's reason, after it closed the connection on a request */
};

struct hatchery {
        int fd;
        bool compress;
        bool ended; /* the server sends no more, or what it sent can't be understood */
        bool mute;  /* a request was cut off: no other may follow */
        uint32_t max_answer;
        uint64_t last_id; /* of those that hatchery_call chose */
        uint8_t *in;      /* in[start] to in[start + len]: arrived, not yet taken */
        size_t start;
        size_t len;
        size_t room;
};

enum fill { FILL_NOTHING, FILL_BYTES, FILL_END };

const char *hatchery_address(const char *address)
{
        if (!address)
                address = getenv("HATCHERY_ADDR");
        return address && address[0] != '\0' ? address : HATCHERY_DEFAULT_ADDRESS;
}

int hatchery_connect(struct hatchery **out, const char *address, struct err *e)
{
        OWN_FD int fd = address_connect(hatchery_address(address), CONNECT_TIMEOUT_MS, e);
        if (fd < 0)
                return fd;
        struct hatchery *h = calloc(1, sizeof *h);
        if (!h)
                return err_set(e, ENOMEM, "make a connection");
        h->fd = own_steal_fd(&fd);
        h->max_answer = WIRE_MAX_ANSWER;
        *out = h;
        return HATCHERY_OK;
}

void hatchery_close(struct hatchery *h)
{
        if (!h)
                return;
        close(h->fd);
        free(h->in);
        free(h);
}

void hatchery_set_compress(struct hatchery *h, bool compress)
{
        h->compress = compress;
}

void hatchery_set_max_answer(struct hatchery *h, uint32_t bytes)
{
        h->max_answer = bytes;
}

int hatchery_fd(const struct hatchery *h)
{
        return h->fd;
}

void hatchery_answer_fini(struct hatchery_answer *a)
{
        answer_fini(&a->answer);
        free(a->buffer);
        memset(a, 0, sizeof *a);
}

/* Makes READ_SIZE bytes of room behind what has arrived. Memory follows what arrived, never what a header announces. */
static int make_room(struct hatchery *h, struct err *e)
{
        if (h->room - h->start - h->len >= READ_SIZE)
                return 0;
        if (h->start > 0 && h->start >= h->len) {
                memmove(h->in, h->in + h->start, h->len);
                h->start = 0;
                if (h->room - h->len >= READ_SIZE)
                        return 0;
        }
        if (h->len / BACKLOG_ANSWERS > h->max_answer)
                return err_say(e, ENOBUFS, "%zu bytes of answers wait in memory: receive them before sending on",
                               h->len);

        size_t room = (h->start + h->len + READ_SIZE) * 2;
        uint8_t *in = realloc(h->in, room);
        if (!in)
                return err_set(e, ENOMEM, "make room for %zu bytes of answers", room);
        h->in = in;
        h->room = room;
        return 0;
}

/* Reads what the socket holds, up to READ_SIZE, without waiting. An enum fill or a negative errno. */
static int fill(struct hatchery *h, struct err *e)
{
        if (h->ended)
                return FILL_END;
        int r = make_room(h, e);
        if (r < 0)
                return r;

        size_t used = h->start + h->len;
        ssize_t n;
        do
                n = recv(h->fd, h->in + used, h->room - used, 0);
        while (n < 0 && errno == EINTR);
        if (n < 0 && errno == EAGAIN)
                return FILL_NOTHING;
        if (n < 0 && errno != ECONNRESET)
                return err_set(e, errno, "read from the server");
        if (n <= 0) {
                h->ended = true;
                return FILL_END;
        }
        h->len += (size_t)n;
        return FILL_BYTES;
}

/* Drops the frame at the start of the buffer. */
static void consume(struct hatchery *h, size_t bytes)
{
        h->start += bytes;
        h->len -= bytes;
        if (h->len > 0)
                return;
        h->start = 0;
        if (h->room > KEEP_ROOM) {
                free(h->in);
                h->in = NULL;
                h->room = 0;
        }
}

/* The message of the frame at the start of the buffer, in memory of its own. */
static int unpack(struct hatchery *h, const struct frame *f, uint8_t **message, size_t *len, struct err *e)
{
        const uint8_t *data = h->in + h->start + WIRE_HEADER_SIZE;
        if (f->compressed)
                return lz4_unpack(data, f->length, h->max_answer, message, len, e);

        *message = malloc(f->length > 0 ? f->length : 1);
        if (!*message)
                return err_set(e, ENOMEM, "hold an answer of %u bytes", f->length);
        memcpy(*message, data, f->length);
        *len = f->length;
        return 0;
}

/* Takes the first frame from the buffer, if it is whole: HATCHERY_OK, or FRAME_MORE. */
static int take(struct hatchery *h, struct hatchery_answer *a, struct err *e)
{
        if (h->len == 0)
                return FRAME_MORE;

        struct frame f = { 0 };
        int r = frame_parse(&f, h->in + h->start, h->len, h->max_answer, e);
        if (r == FRAME_MORE)
                return FRAME_MORE;
        if (r == FRAME_OK && h->len - WIRE_HEADER_SIZE < f.length)
                return FRAME_MORE;

        OWN_MEM uint8_t *message = NULL;
        size_t len = 0;
        if (r == FRAME_OK)
                r = unpack(h, &f, &message, &len, e);
        if (r == 0) {
                consume(h, WIRE_HEADER_SIZE + (size_t)f.length);
                r = answer_decode(&a->answer, message, len, e);
                if (r < 0)
                        answer_fini(&a->answer);
        }
        if (r < 0) {
                /* Nothing that follows can be trusted to be a frame, or to be what it says. */
                memset(a, 0, sizeof *a);
                h->ended = true;
                h->mute = true;
                consume(h, h->len);
                return err_wrap(e, "the server's answer can't be read");
        }
        a->buffer = own_steal_ptr(&message);
        return HATCHERY_OK;
}

/* Waits for events on the socket until the time end, or for ever if that is negative. 0: time is up. */
static int await(struct hatchery *h, short events, int64_t end, struct err *e)
{
        for (;;) {
                int wait = -1;
                if (end >= 0) {
                        int64_t left = end - clock_ms();
                        wait = left < 0 ? 0 : (int)left;
                }
                struct pollfd p = { .fd = h->fd, .events = events };
                int n = poll(&p, 1, wait);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_set(e, errno, "wait for the server");
                return n == 0 ? 0 : p.revents;
        }
}

int hatchery_receive(struct hatchery *h, struct hatchery_answer *a, int timeout_ms, struct err *e)
{
        int64_t end = timeout_ms < 0 ? -1 : clock_ms() + timeout_ms;

        memset(a, 0, sizeof *a);
        for (;;) {
                int r = take(h, a, e);
                if (r != FRAME_MORE)
                        return r;
                r = fill(h, e);
                if (r < 0)
                        return r;
                if (r == FILL_END)
                        return err_say(e, ECONNRESET, "the server closed the connection%s",
                                       h->len > 0 ? " in the middle of an answer" : "");
                if (r == FILL_BYTES)
                        continue;
                r = await(h, POLLIN, end, e);
                if (r < 0)
                        return r;
                if (r == 0)
                        return HATCHERY_TIMEOUT;
        }
}

/* The request as one frame in fresh memory. */
static int encode(struct hatchery *h, const struct request *q, uint8_t **frame, size_t *frame_len, struct err *e)
{
        OWN_MEM uint8_t *plain = NULL;
        OWN_MEM uint8_t *packed = NULL;
        size_t len = 0, packed_len = 0;
        struct request asking = *q;
        asking.lz4 = h->compress;
        int r = request_encode(&asking, WIRE_HEADER_SIZE, &plain, &len, e);
        if (r < 0)
                return r;
        if (len > UINT32_MAX)
                return err_say(e, EMSGSIZE, "a request of %zu bytes is more than a frame can hold", len);

        bool compressed = false;
        if (h->compress && len >= WIRE_COMPRESS_FROM) {
                r = lz4_pack(plain + WIRE_HEADER_SIZE, len, WIRE_HEADER_SIZE, &packed, &packed_len, e);
                if (r < 0)
                        return r;
                compressed = r == LZ4_OK;
        }
        if (compressed) {
                len = packed_len;
                *frame = own_steal_ptr(&packed);
        } else {
                *frame = own_steal_ptr(&plain);
        }
        frame_header(*frame, compressed, (uint32_t)len);
        *frame_len = WIRE_HEADER_SIZE + len;
        return 0;
}

/* Waits until the socket takes bytes again, and meanwhile reads what comes: see hatchery_send in hatchery.h. */
static int await_writable(struct hatchery *h, struct err *e)
{
        int events = await(h, POLLIN | POLLOUT, -1, e);
        if (events < 0)
                return events;
        if (!(events & POLLIN))
                return 0;
        int r = fill(h, e);
        if (r == FILL_END)
                return err_say(e, EPIPE, "the server closed the connection while the request was being sent");
        return r < 0 ? r : 0;
}

int hatchery_send(struct hatchery *h, const struct request *q, struct err *e)
{
        if (h->mute || h->ended)
                return err_say(e, EPIPE, "the connection is at its end: open another one");

        OWN_MEM uint8_t *frame = NULL;
        size_t len = 0, done = 0;
        int r = encode(h, q, &frame, &len, e);
        if (r < 0)
                return r;
        while (done < len && r == 0) {
                ssize_t n = send(h->fd, frame + done, len - done, MSG_NOSIGNAL);
                if (n >= 0)
                        done += (size_t)n;
                else if (errno == EAGAIN)
                        r = await_writable(h, e);
                else if (errno == EPIPE || errno == ECONNRESET)
                        r = err_say(e, EPIPE, "the server closed the connection while the request was being sent");
                else if (errno != EINTR)
                        r = err_set(e, errno, "write to the server");
        }
        if (r < 0)
                h->mute = true;
        return r;
}

int hatchery_call(struct hatchery *h, const struct request *q, struct hatchery_answer *a, struct err *e)
{
        struct request with_id = *q;
        if (with_id.id == 0)
                with_id.id = ++h->last_id;

        memset(a, 0, sizeof *a);
        int r = hatchery_send(h, &with_id, e);
        if (r < 0) {
                /* A server that refuses a request before it has read all of it says why before it closes. */
                struct err unused;
                if (r != -EPIPE || hatchery_receive(h, a, LAST_WORDS_TIMEOUT_MS, &unused) != HATCHERY_OK)
                        return r;
        } else {
                r = hatchery_receive(h, a, -1, e);
                if (r != HATCHERY_OK)
                        return r;
        }
        uint64_t id = a->answer.m.id;
        bool about_connection = id == 0 && a->answer.m.which_answer == hatchery_v1_ServerMessage_error_tag;
        if (id != with_id.id && !about_connection) {
                hatchery_answer_fini(a);
                return err_say(e, EPROTO, "the server answered request %llu, but %llu was asked",
                               (unsigned long long)id, (unsigned long long)with_id.id);
        }
        return HATCHERY_OK;
}
