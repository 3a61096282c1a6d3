/* Protobuf bytes written by hand, so that tests can write messages that no encoder makes. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct wirebuf {
        uint8_t *data;
        size_t len;
        size_t room;
};

void wirebuf_raw(struct wirebuf *b, const void *data, size_t len);
void wirebuf_varint(struct wirebuf *b, uint64_t value);
void wirebuf_tag(struct wirebuf *b, uint32_t tag, uint32_t wire_type);
void wirebuf_number(struct wirebuf *b, uint32_t tag, uint64_t value);
void wirebuf_bytes(struct wirebuf *b, uint32_t tag, const void *data, size_t len);
void wirebuf_text(struct wirebuf *b, uint32_t tag, const char *text);

/* Appends inner as a submessage, and releases it. */
void wirebuf_message(struct wirebuf *b, uint32_t tag, struct wirebuf *inner);

/* Copies the bytes to a block of exactly their length, so that a sanitizer sees any read beyond them. The caller frees
 * it; b is released. */
uint8_t *wirebuf_finish(struct wirebuf *b, size_t *len);

void wirebuf_fini(struct wirebuf *b);
