/* The chunked body of a request, decoded strictly. evhttp's own decoder has no bound on the line before a chunk. It
 * also accepts lines that other servers understand differently. */
#pragma once

#include <event2/buffer.h>
#include <stdbool.h>
#include <stdint.h>

enum {
        CHUNKED_MAX_LINE = 1024,     /* bytes of one line, with its extensions */
        CHUNKED_MAX_FRAMING = 65536, /* bytes of all lines beyond 16 for each chunk, and of the trailer */
};

enum chunked_state { CHUNKED_SIZE, CHUNKED_DATA, CHUNKED_DATA_END, CHUNKED_TRAILER };

/* Zero at first. */
struct chunked {
        enum chunked_state state;
        uint64_t left; /* bytes of the current chunk */
        size_t framing;
};

/* The expected result besides 0: the body isn't whole yet. */
enum { CHUNKED_MORE = 1 };

/* Takes complete lines and data from `from`, and moves the chunks' data to body. 0: the body is whole, and the bytes
 * after it are left in `from`. CHUNKED_MORE, -EINVAL: malformed, -EMSGSIZE: body would be longer than most, -ENOMEM. */
int chunked_read(struct chunked *c, struct evbuffer *from, struct evbuffer *body, uint64_t most);
