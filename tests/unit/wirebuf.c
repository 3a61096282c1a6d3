/* Protobuf bytes by hand: see wirebuf.h. */
#include "tests/unit/wirebuf.h"

#include "tests/unit/unit.h"

#include <stdlib.h>

void wirebuf_raw(struct wirebuf *b, const void *data, size_t len)
{
        if (b->room - b->len < len) {
                b->room = 2 * (b->room + len) + 64;
                b->data = realloc(b->data, b->room);
                assert_non_null(b->data);
        }
        if (len > 0)
                memcpy(b->data + b->len, data, len);
        b->len += len;
}

void wirebuf_varint(struct wirebuf *b, uint64_t value)
{
        for (; value >= 0x80; value >>= 7)
                wirebuf_raw(b, &(uint8_t){ (uint8_t)(value | 0x80) }, 1);
        wirebuf_raw(b, &(uint8_t){ (uint8_t)value }, 1);
}

void wirebuf_tag(struct wirebuf *b, uint32_t tag, uint32_t wire_type)
{
        wirebuf_varint(b, (uint64_t)tag << 3 | wire_type);
}

void wirebuf_number(struct wirebuf *b, uint32_t tag, uint64_t value)
{
        wirebuf_tag(b, tag, 0);
        wirebuf_varint(b, value);
}

void wirebuf_bytes(struct wirebuf *b, uint32_t tag, const void *data, size_t len)
{
        wirebuf_tag(b, tag, 2);
        wirebuf_varint(b, len);
        wirebuf_raw(b, data, len);
}

void wirebuf_text(struct wirebuf *b, uint32_t tag, const char *text)
{
        wirebuf_bytes(b, tag, text, strlen(text));
}

void wirebuf_message(struct wirebuf *b, uint32_t tag, struct wirebuf *inner)
{
        wirebuf_bytes(b, tag, inner->data, inner->len);
        wirebuf_fini(inner);
}

uint8_t *wirebuf_finish(struct wirebuf *b, size_t *len)
{
        uint8_t *exact = malloc(b->len ? b->len : 1);
        assert_non_null(exact);
        if (b->len > 0)
                memcpy(exact, b->data, b->len);
        *len = b->len;
        wirebuf_fini(b);
        return exact;
}

void wirebuf_fini(struct wirebuf *b)
{
        free(b->data);
        *b = (struct wirebuf){ 0 };
}
