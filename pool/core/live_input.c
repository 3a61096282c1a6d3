/* Live input: see live_input.h. */
#include "pool/core/live_input.h"

#include "pool/core/core.h"

#include <errno.h>

static const uint8_t typed_end[] = { 4, 4 };

/* Does the typed text end in the middle of a line? */
static bool leaves_line_open(struct span typed)
{
        uint8_t last = typed.data[typed.len - 1];
        return last != '\n' && last != '\r' && last != typed_end[0];
}

int live_input_init(struct live_input *l, const struct submission *s)
{
        *l = (struct live_input){ .bytes = evbuffer_new(), .types = s->has_terminal };
        if (s->standard_input.len > 0)
                l->in_line = leaves_line_open(s->standard_input);
        return l->bytes ? 0 : -ENOMEM;
}

void live_input_fini(struct live_input *l)
{
        if (l->bytes)
                evbuffer_free(l->bytes);
        *l = (struct live_input){ 0 };
}

size_t live_input_held(const struct live_input *l)
{
        return l->bytes ? evbuffer_get_length(l->bytes) : 0;
}

int live_input_put(struct live_input *l, struct span bytes, bool end)
{
        if (!l->bytes || l->ended)
                return -EINVAL;
        if (l->closed)
                return -EPIPE;
        if (bytes.len > CORE_INPUT_ROOM)
                return -EINVAL;
        if (bytes.len > CORE_INPUT_ROOM - live_input_held(l)) {
                l->wanted = true;
                return -EAGAIN;
        }
        bool in_line = bytes.len > 0 ? leaves_line_open(bytes) : l->in_line;
        if (end && l->types && evbuffer_expand(l->bytes, bytes.len + 2) < 0)
                return -ENOMEM;
        if (evbuffer_add(l->bytes, bytes.data, bytes.len) < 0 ||
            (end && l->types && evbuffer_add(l->bytes, typed_end, in_line ? 2 : 1) < 0))
                return -ENOMEM;
        l->in_line = in_line;
        l->ended = end;
        l->wanted = !end;
        return 0;
}

int live_input_room(const struct live_input *l)
{
        if (!l->bytes || l->ended)
                return -EINVAL;
        return l->closed ? -EPIPE : (int)(CORE_INPUT_ROOM - live_input_held(l));
}

int live_input_write(struct live_input *l, int fd)
{
        while (evbuffer_get_length(l->bytes) > 0) {
                int n = evbuffer_write(l->bytes, fd);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno == EAGAIN ? LIVE_MORE : -errno;
        }
        return l->ended ? LIVE_END : LIVE_WAITS;
}

bool live_input_wants(struct live_input *l)
{
        if (!l->wanted || live_input_held(l) > CORE_INPUT_ROOM / 2)
                return false;
        l->wanted = false;
        return true;
}

void live_input_close(struct live_input *l)
{
        l->closed = true;
        l->wanted = !l->ended;
        if (l->bytes)
                evbuffer_drain(l->bytes, evbuffer_get_length(l->bytes));
}
