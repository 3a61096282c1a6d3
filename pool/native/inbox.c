/* Makes frames of arriving bytes: see inbox.h. */
#include "pool/native/inbox.h"

#include "proto/base/own.h"

#include <errno.h>
#include <string.h>

/* Small, because a client may begin a frame on each of ten thousand connections, and finish none. */
enum { FIRST_ROOM = 1024 };

void inbox_fini(struct inbox *in)
{
        free(in->body);
        *in = (struct inbox){ 0 };
}

bool inbox_is_partial(const struct inbox *in)
{
        return in->header_have > 0;
}

/* Makes more room, at most for the whole message: twice the room, or as much as has come if that is more. */
static int grow(struct inbox *in, size_t at_hand, struct err *e)
{
        size_t room = in->room ? in->room * 2 : FIRST_ROOM;
        if (room < at_hand)
                room = at_hand;
        if (room > in->frame.length)
                room = in->frame.length;
        uint8_t *body = realloc(in->body, room ? room : 1);
        if (!body) {
                err_set(e, ENOMEM, "a frame of %u bytes", in->frame.length);
                return -ENOMEM;
        }
        in->body = body;
        in->room = room;
        return 0;
}

static int finish(struct inbox *in, struct frame *f, uint8_t **body)
{
        *f = in->frame;
        *body = in->body;
        *in = (struct inbox){ 0 };
        return INBOX_FRAME;
}

static int take_header(struct inbox *in, const uint8_t **data, size_t *len, uint32_t max, struct err *e)
{
        size_t n = sizeof in->header - in->header_have;
        if (n > *len)
                n = *len;
        memcpy(in->header + in->header_have, *data, n);
        in->header_have += n;
        *data += n;
        *len -= n;
        return frame_parse(&in->frame, in->header, in->header_have, max, e);
}

int inbox_take(struct inbox *in, const uint8_t **data, size_t *len, uint32_t max, struct frame *f, uint8_t **body,
               struct err *e)
{
        if (in->header_have < sizeof in->header) {
                if (*len == 0)
                        return INBOX_MORE;
                int r = take_header(in, data, len, max, e);
                if (r < 0)
                        return r;
                if (r == FRAME_MORE)
                        return INBOX_MORE;
        }

        if (!in->body) {
                int r = grow(in, *len, e);
                if (r < 0)
                        return r;
        }
        while (*len > 0 && in->have < in->frame.length) {
                if (in->have == in->room) {
                        int r = grow(in, 0, e);
                        if (r < 0)
                                return r;
                }
                size_t n = in->room - in->have < *len ? in->room - in->have : *len;
                memcpy(in->body + in->have, *data, n);
                in->have += n;
                *data += n;
                *len -= n;
        }
        return in->have == in->frame.length ? finish(in, f, body) : INBOX_MORE;
}

uint8_t *inbox_direct(struct inbox *in, size_t *room)
{
        if (!in->body)
                return NULL;
        if (in->have == in->room && grow(in, 0, NULL) < 0)
                return NULL;
        *room = in->room - in->have;
        return in->body + in->have;
}

int inbox_filled(struct inbox *in, size_t n, struct frame *f, uint8_t **body, struct err *e)
{
        if (!in->body || n > in->room - in->have)
                return err_say(e, EINVAL, "%zu bytes were read into a frame that has no room for them", n);
        in->have += n;
        return in->have == in->frame.length ? finish(in, f, body) : INBOX_MORE;
}
