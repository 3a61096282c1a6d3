/* libhatchery: a small blocking client of Hatchery's native port. It owns one connection, its framing and compression,
 * and nothing else. Requests and answers are the structs of proto/wire/request.h and proto/wire/answer.h.
 *
 *         struct hatchery *h;
 *         if (hatchery_connect(&h, NULL, &e) < 0)
 *                 ...e.text says why...
 *         struct request q = { .kind = REQUEST_EXECUTE };
 *         q.execute.language = span_of_text("python");
 *         q.execute.has_code = true;
 *         q.execute.code = span_of_text("print(6 * 7)");
 *         struct hatchery_answer a = { 0 };
 *         if (hatchery_call(h, &q, &a, &e) == HATCHERY_OK && a.answer.m.which_answer ==
 * hatchery_v1_ServerMessage_result_tag)
 *                 ...a.answer.out is "42\n"...
 *         hatchery_answer_fini(&a);
 *         hatchery_close(h);
 *
 * Functions return HATCHERY_OK, a positive expected answer, or a negative errno with a sentence in e. There are no
 * globals: connections are independent, but one connection is used by one thread at a time. Times are microseconds and
 * sizes are bytes, as in hatchery.proto; only timeouts of this header are milliseconds, as poll takes them. */
#pragma once

#include "proto/base/err.h"
#include "proto/wire/answer.h"
#include "proto/wire/request.h"

#include <stdbool.h>
#include <stdint.h>

#define HATCHERY_DEFAULT_ADDRESS "127.0.0.1:7070"

enum { HATCHERY_OK = 0, HATCHERY_TIMEOUT = 1 };

struct hatchery;

/* One answer. It owns the memory that its spans point into. Starts zeroed; released by hatchery_answer_fini. */
struct hatchery_answer {
        struct answer answer;
        uint8_t *buffer;
};

/* The address that a connection to address (which may be NULL) will use: address itself, else $HATCHERY_ADDR, else
 * HATCHERY_DEFAULT_ADDRESS. The returned string is borrowed from where it was found. */
const char *hatchery_address(const char *address);

/* Connects to "HOST:PORT", "[IPV6]:PORT" or "unix:PATH", NULL: to the address that hatchery_address chooses. Gives up
 * after ten seconds. *h is filled on success only, and is then closed by hatchery_close. */
int hatchery_connect(struct hatchery **h, const char *address, struct err *e);

/* NULL is accepted. The server cancels whatever this connection still has in flight. */
void hatchery_close(struct hatchery *h);

/* From now on messages of WIRE_COMPRESS_FROM bytes and more go out as LZ4, if that makes them smaller, and every
 * message tells the server that it may compress its answers on this connection as well. */
void hatchery_set_compress(struct hatchery *h, bool compress);

/* The longest answer that is accepted, packed and unpacked; WIRE_MAX_ANSWER unless set. Needed only where the server's
 * own ceiling was raised. */
void hatchery_set_max_answer(struct hatchery *h, uint32_t bytes);

/* The socket, borrowed, for poll; it is non-blocking. Answers may already have been read into memory when it is not
 * readable: call hatchery_receive with a timeout of 0 until it says HATCHERY_TIMEOUT, then poll. */
int hatchery_fd(const struct hatchery *h);

/* Writes one whole request; q->id must not be 0 nor that of a request in flight. Any number may be in flight. While the
 * socket is full, this reads arriving answers into memory. Otherwise a server that wants to answer before it reads on
 * would wait for us, and we for it. After an error the connection takes no more requests; answers that came before it,
 * among them the server's reason for closing (an Error with id 0), can still be received. */
int hatchery_send(struct hatchery *h, const struct request *q, struct err *e);

/* Waits for the next answer to any request, up to timeout_ms; -1 waits for ever. answer.m.id says which request it
 * answers. HATCHERY_TIMEOUT: none came, nothing is lost. -ECONNRESET: the server closed the connection. a is
 * overwritten: release what it held before. */
int hatchery_receive(struct hatchery *h, struct hatchery_answer *a, int timeout_ms, struct err *e);

/* Sends one request and waits for its answer, with nothing else in flight. q->id may be 0: one is chosen. The answer is
 * that of the request, or an Error with id 0 about the connection, which is then at its end. */
int hatchery_call(struct hatchery *h, const struct request *q, struct hatchery_answer *a, struct err *e);

/* Idempotent. */
void hatchery_answer_fini(struct hatchery_answer *a);
