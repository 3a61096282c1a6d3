/* The head of a request: its request line and its header lines. head_read is the first and strict one of two parsers.
 * evhttp parses the head again afterwards. evhttp would join folded lines, take bare line feeds, and read a body before
 * it can be refused. So head_read refuses a head that two parsers could understand differently.
 *
 * These functions only read the bytes, and keep no state. */
#pragma once

#include "gateway/http.h"

enum {
        HEAD_MAX = 32 * 1024,       /* bytes of a head, the empty line among them */
        HEAD_MAX_TARGET = 8 * 1024, /* bytes of the path and the query */
        HEAD_MAX_FIELDS = 100,
};

/* Spans point into the bytes that were read. A span without data: there is no such header. */
struct head {
        size_t size;        /* bytes, the empty line among them */
        struct span method; /* the method as it was written */
        struct span target; /* begins with "/" */
        struct span fields; /* the header lines, each with its line end */
        struct span host;
        struct span origin;
        enum method verb; /* 0: an unknown method, which is refused */
        bool is_1_0;
        bool has_length; /* Content-Length is there */
        bool chunked;
        bool expects;   /* Expect: 100-continue */
        bool closes;    /* Connection: close, or HTTP/1.0 without keep-alive */
        bool preflight; /* Access-Control-Request-Method is there */
        uint64_t length;
};

/* The expected result besides 0: the head isn't whole yet. */
enum { HEAD_MORE = 1 };

/* Reads the head at the beginning of bytes. *scanned: how many bytes earlier calls have looked at; 0 at first. Returns
 * 0, HEAD_MORE, or -EINVAL with why. */
int head_read(struct head *h, struct span bytes, size_t *scanned, struct failure *why);

/* Takes the next header line from *fields. False: there is none. fields must be of a head that head_read accepted. */
bool head_next(struct span *fields, struct span *line, struct span *name, struct span *value);

/* Are these bytes the word, in letters of any case? */
bool head_is(struct span bytes, const char *word);

/* Does the comma-separated list have the word? */
bool head_has_token(struct span list, const char *word);
