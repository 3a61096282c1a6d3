/* Whole characters of a stream of bytes that comes in chunks: for fronts that speak in text. A character that a chunk
 * cuts is carried over to the next one. Positions are told in bytes of the stream, in characters (code points), and in
 * UTF-16 units, as JavaScript and Java count.
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

/* Starts zeroed, but for replace. */
struct hatchery_characters {
        /* Bytes that belong to no character become U+FFFD: one for each stretch that could have begun a character, as
         * web browsers do. Else they are given out as they are, and each counts as a character. */
        bool replace;
        uint8_t n_carried;
        uint8_t carried[4]; /* the beginning of a character */
        struct hatchery_position at;
};

/* Bytes of text that len bytes become at most, with what was carried over. */
size_t hatchery_characters_room(size_t len);

/* Takes len bytes, and writes what is whole to text, which has hatchery_characters_room(len) bytes. Returns how many it
 * wrote; no NUL is added. piece may be NULL. */
size_t hatchery_characters_feed(struct hatchery_characters *c, const void *bytes, size_t len, char *text,
                                struct hatchery_piece *piece);

/* The stream has ended: what was carried over belongs to no character. */
size_t hatchery_characters_end(struct hatchery_characters *c, char *text, struct hatchery_piece *piece);
