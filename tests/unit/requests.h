/* Shared by tests of requests: making requests, and decoding them, which must fail or succeed. */
#pragma once

#include "proto/wire/request.h"
#include "tests/unit/wirebuf.h"

/* The tag of a field: ID(Execute_code). */
#define ID(name) hatchery_v1_##name##_tag

struct span requests_bytes(const void *data, size_t len);

/* Encodes a request to a block of exactly the message's length. The caller frees the block. */
uint8_t *requests_encode(const struct request *r, size_t *len);

/* An encoded request with every field, and id UINT64_MAX. The caller frees it. */
uint8_t *requests_full(size_t *len);

/* Decodes and releases m. The refusal must be a sentence with this word, and the id must still be known. */
void requests_assert_refused(struct wirebuf *m, uint64_t id, const char *word);

/* The same for an Execute, in a message around it. */
void requests_assert_execute_refused(struct wirebuf *execute, const char *word);

/* Decodes an Execute that must be accepted, in a message with id 7. The caller releases r and frees data. */
void requests_decode_execute(struct wirebuf *execute, struct request *r, uint8_t **data);
