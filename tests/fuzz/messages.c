/* Mutation by shape: see messages.h. Runs under libFuzzer only. */
#include "tests/fuzz/messages.h"

#include "proto/wire/frame.h"
#include "proto/wire/lz4.h"
#include "tests/fuzz/fuzz.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 4, MAX_UNPACKED = 1 << 16, MAX_VARINT = 10 };

/* One step of a linear congruential generator. Only its high bits are random enough. */
static unsigned roll(unsigned *seed, unsigned below)
{
        *seed = *seed * 1664525u + 1013904223u;
        return (*seed >> 8) % below;
}

static size_t get_varint(const uint8_t *data, size_t size, uint64_t *value)
{
        *value = 0;
        for (size_t i = 0; i < size && i < MAX_VARINT; i++) {
                *value |= (uint64_t)(data[i] & 0x7f) << (7 * i);
                if (data[i] < 0x80)
                        return i + 1;
        }
        return 0;
}

static size_t put_varint(uint8_t *to, uint64_t value)
{
        size_t n = 0;
        for (; value >= 0x80; value >>= 7)
                to[n++] = (uint8_t)(value | 0x80);
        to[n++] = (uint8_t)value;
        return n;
}

struct field {
        size_t at;      /* offset of the tag */
        size_t content; /* offset of the bytes after tag and length */
        size_t end;
        bool has_length;
};

/* Finds the field at an offset. Returns false if there is no whole field. */
static bool get_field(const uint8_t *data, size_t size, size_t at, struct field *f)
{
        uint64_t tag, len = 0;
        size_t n = get_varint(data + at, size - at, &tag);
        if (n == 0)
                return false;
        *f = (struct field){ .at = at, .content = at + n, .has_length = (tag & 7) == 2 };
        size_t left = size - f->content;
        n = get_varint(data + f->content, left, &len);
        switch (tag & 7) {
        case 0:
                f->end = f->content + n;
                return n > 0;
        case 1:
        case 5:
                len = (tag & 7) == 1 ? 8 : 4;
                f->end = f->content + (size_t)len;
                return left >= len;
        case 2:
                if (n == 0 || len > left - n)
                        return false;
                f->content += n;
                f->end = f->content + (size_t)len;
                return true;
        default:
                return false;
        }
}

/* Chooses one of the message's fields, all with the same probability. */
static bool choose_field(const uint8_t *data, size_t size, unsigned *seed, struct field *chosen)
{
        struct field f;
        unsigned n = 0;
        for (size_t at = 0; at < size && get_field(data, size, at, &f); at = f.end)
                if (roll(seed, ++n) == 0)
                        *chosen = f;
        return n > 0;
}

/* Replaces the bytes between from and to by len bytes of content. Returns the new size, 0 if it would not fit. */
static size_t replace(uint8_t *data, size_t size, size_t max_size, size_t from, size_t to, const uint8_t *content,
                      size_t len)
{
        if (size - (to - from) + len > max_size)
                return 0;
        memmove(data + from + len, data + to, size - to);
        memcpy(data + from, content, len);
        return size - (to - from) + len;
}

static size_t mutate_message(uint8_t *data, size_t size, size_t max_size, unsigned *seed, int depth);

/* Mutates the content of a length-delimited field, as a message or as bytes, and adapts its length. */
static size_t mutate_content(uint8_t *data, size_t size, size_t max_size, const struct field *f, unsigned *seed,
                             int depth)
{
        uint64_t tag;
        size_t tag_len = get_varint(data + f->at, size - f->at, &tag), len = f->end - f->content;
        size_t room = len + 64 + roll(seed, 256);
        uint8_t *content = malloc(MAX_VARINT + room);
        FUZZ_CHECK(content);
        memcpy(content + MAX_VARINT, data + f->content, len);

        struct field inner;
        bool nested = depth < MAX_DEPTH && len > 0 && get_field(content + MAX_VARINT, len, 0, &inner);
        if (nested && roll(seed, 4) != 0)
                len = mutate_message(content + MAX_VARINT, len, room, seed, depth + 1);
        else
                len = LLVMFuzzerMutate(content + MAX_VARINT, len, room);

        uint8_t prefix[MAX_VARINT];
        size_t prefix_len = put_varint(prefix, len);
        uint8_t *start = content + MAX_VARINT - prefix_len;
        memcpy(start, prefix, prefix_len);
        size_t new_size = replace(data, size, max_size, f->at + tag_len, f->end, start, prefix_len + len);
        free(content);
        return new_size ? new_size : size;
}

static size_t copy_field(uint8_t *data, size_t size, size_t max_size, const struct field *f, unsigned *seed)
{
        struct field place = { 0 };
        uint8_t *copy = fuzz_copy(data + f->at, f->end - f->at);
        size_t at = choose_field(data, size, seed, &place) ? place.end : size;
        size_t new_size = replace(data, size, max_size, at, at, copy, f->end - f->at);
        free(copy);
        return new_size ? new_size : size;
}

static size_t mutate_message(uint8_t *data, size_t size, size_t max_size, unsigned *seed, int depth)
{
        struct field f;
        if (!choose_field(data, size, seed, &f))
                return LLVMFuzzerMutate(data, size, max_size);
        switch (roll(seed, 8)) {
        case 0:
                return copy_field(data, size, max_size, &f, seed);
        case 1:
                memmove(data + f.at, data + f.end, size - f.end);
                return size - (f.end - f.at);
        case 2:
                data[f.at] ^= (uint8_t)(1u << roll(seed, 8)); /* another field, or another wire type */
                return size;
        default:
                break;
        }
        if (f.has_length)
                return mutate_content(data, size, max_size, &f, seed, depth);

        uint8_t number[MAX_VARINT];
        uint64_t value;
        get_varint(data + f.content, size - f.content, &value);
        value = roll(seed, 2) ? value + roll(seed, 64) - 32 : UINT64_MAX >> roll(seed, 64);
        size_t new_size = replace(data, size, max_size, f.content, f.end, number, put_varint(number, value));
        return new_size ? new_size : size;
}

size_t messages_mutate(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
        if (roll(&seed, 8) == 0)
                return LLVMFuzzerMutate(data, size, max_size);
        return mutate_message(data, size, max_size, &seed, 0);
}

/* Returns a mutated copy of a frame's message in fresh memory, perhaps packed. */
static uint8_t *mutate_body(const uint8_t *body, const struct frame *f, size_t *len, bool *compressed, unsigned *seed)
{
        struct err e = { 0 };
        uint8_t *plain = NULL, *packed = NULL;
        size_t plain_len = 0, packed_len = 0;
        if (!f->compressed || lz4_unpack(body, f->length, MAX_UNPACKED, &plain, &plain_len, &e) < 0) {
                plain = fuzz_copy(body, f->length);
                plain_len = f->length;
        }
        size_t room = plain_len + 512;
        plain = realloc(plain, room);
        FUZZ_CHECK(plain);
        plain_len = messages_mutate(plain, plain_len, room, *seed);

        *compressed = roll(seed, 2) == 0;
        *len = plain_len;
        if (!*compressed || roll(seed, 8) == 0)
                return plain; /* the bytes are plain, but may be marked as packed */
        if (lz4_pack(plain, plain_len, 0, &packed, &packed_len, &e) != LZ4_OK) {
                *compressed = false;
                return plain;
        }
        free(plain);
        *len = packed_len;
        return packed;
}

size_t messages_mutate_frames(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
        struct frame f, chosen = { 0 };
        struct err e = { 0 };
        size_t place = 0;
        unsigned n = 0;
        for (size_t at = 0; at < size; at += WIRE_HEADER_SIZE + (size_t)f.length) {
                if (frame_parse(&f, data + at, size - at, UINT32_MAX, &e) != FRAME_OK ||
                    size - at - WIRE_HEADER_SIZE < f.length)
                        break;
                if (roll(&seed, ++n) == 0) {
                        place = at;
                        chosen = f;
                }
        }
        if (n == 0 || roll(&seed, 6) == 0)
                return LLVMFuzzerMutate(data, size, max_size);

        bool compressed = false;
        size_t len = 0, end = place + WIRE_HEADER_SIZE + chosen.length;
        uint8_t *body = mutate_body(data + place + WIRE_HEADER_SIZE, &chosen, &len, &compressed, &seed);
        uint8_t header[WIRE_HEADER_SIZE];
        frame_header(header, compressed, (uint32_t)len);
        size_t from = roll(&seed, 8) == 0 ? end : place; /* the new frame comes behind the old one, or replaces it */
        size_t new_size = replace(data, size, max_size, from, end, body, len);
        if (new_size && !replace(data, new_size, max_size, from, from, header, sizeof header)) {
                free(body);
                return new_size; /* no room for the header, so the stream lacks one */
        }
        free(body);
        return new_size ? new_size + sizeof header : size;
}
