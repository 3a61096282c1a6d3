/* A client of a front (front.h) that streams: what it sends, and what it hears, checked. */
#pragma once

#include "proto/wire/answer.h"
#include "proto/wire/request.h"
#include "proto/wire/wire.h"
#include "tests/unit/front.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STREAMED_MUCH = 4 * WIRE_FIRST_CREDIT };

/* The bytes that all streams carry. streamed_fill fills them, once. */
extern uint8_t streamed_data[STREAMED_MUCH];
void streamed_fill(void);

/* The first len of them. */
struct span bytes(size_t len);

/* Sends a request. */
void say(struct front *f, int client, struct request r);

/* Begins a call with streams in both directions. */
void begin(struct front *f, int client, uint64_t id);
void credit(struct front *f, int client, uint64_t id, uint64_t n);
void chunk(struct front *f, int client, uint64_t id, size_t len, bool eof);

/* The next message, which is of this kind and about this request. drop releases it. */
void hear(struct front *f, int client, uint64_t id, pb_size_t which, struct answer *a, uint8_t **body);
void drop(struct answer *a, uint8_t *body);

void hear_output(struct front *f, int client, uint64_t id, size_t len, uint64_t offset);
void hear_credit(struct front *f, int client, uint64_t id, uint64_t n, bool closed);

/* Nothing was said that was not heard. */
void hear_nothing(struct front *f, int client);

/* The i-th execution ends, and the client hears that, and nothing else. */
void finish(struct front *f, int client, size_t i, uint64_t id);

/* The client leaves, and the front is freed. */
void leave(struct front *f, int client);
