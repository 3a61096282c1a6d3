/* Whole characters of a stream of bytes that comes in chunks: for fronts that speak in text. A character that a chunk
 * cuts is carried over to the next one. Positions count bytes of the stream, characters (code points), and UTF-16 units
 * (as JavaScript and Java count).
 *
 *         struct hatchery_characters in = { .replace = true };
 *         char *text = malloc(hatchery_characters_room(len));
 *         struct hatchery_piece piece;
 *         size_t n = hatchery_characters_feed(&in, bytes, len, text, &piece);
 *         ...n bytes of whole characters, which begin at piece.from and end at piece.to...
 *         n = hatchery_characters_end(&in, text, &piece);
 *         ...what the end of the stream cut...
 *
 * One struct for each stream of output. It owns no memory. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hatchery_position {
        uint64_t bytes;      /* of the stream, as Output.offset counts */
        uint64_t characters; /* of the text that was given out */
        uint64_t utf16;
};

struct hatchery_piece {
        struct hatchery_position from, to;
};

/* Starts zeroed; only `replace` may be set. */
struct hatchery_characters {
        /* Bytes that belong to no character become U+FFFD: one for each stretch that could have begun a character, as
         * in web browsers. Otherwise they stay as they are, and each byte counts as a character. */
        bool replace;
        uint8_t n_carried;
        uint8_t carried[4]; /* the beginning of a character */
        struct hatchery_position at;
};

/* The most bytes of text that len bytes can become, together with the carried ones. */
size_t hatchery_characters_room(size_t len);

/* Takes len bytes, and writes the whole characters to text, which has room for hatchery_characters_room(len) bytes.
 * Returns how many bytes it wrote; no NUL is added. piece may be NULL. */
size_t hatchery_characters_feed(struct hatchery_characters *c, const void *bytes, size_t len, char *text,
                                struct hatchery_piece *piece);

/* The stream has ended: the carried bytes belong to no character. */
size_t hatchery_characters_end(struct hatchery_characters *c, char *text, struct hatchery_piece *piece);
