/* Whole characters of a stream that comes in chunks: see characters.h. The rules are those of Unicode's table 3-7: the
 * first byte says how many bytes follow, and narrows the range of the second. */
#include "client/characters.h"

#include <string.h>

enum { REPLACEMENT_SIZE = 3 };
static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/* What a first byte tells: the character's length (0: no character begins so), and the bounds of the second byte. */
struct lead {
        uint8_t len, low, high;
};

static struct lead lead_of(uint8_t byte)
{
        if (byte < 0x80)
                return (struct lead){ 1, 0, 0 };
        if (byte >= 0xc2 && byte <= 0xdf)
                return (struct lead){ 2, 0x80, 0xbf };
        if (byte >= 0xe0 && byte <= 0xef)
                return (struct lead){ 3, byte == 0xe0 ? 0xa0 : 0x80, byte == 0xed ? 0x9f : 0xbf };
        if (byte >= 0xf0 && byte <= 0xf4)
                return (struct lead){ 4, byte == 0xf0 ? 0x90 : 0x80, byte == 0xf4 ? 0x8f : 0xbf };
        return (struct lead){ 0, 0, 0 };
}

enum verdict { WHOLE, CUT, INVALID };

/* The character at the start of len (at least 1) bytes. WHOLE: *taken is the character's length. CUT: *taken is len.
 * INVALID: *taken is how many bytes could have begun a character, at least 1. */
static enum verdict look(const uint8_t *bytes, size_t len, size_t *taken)
{
        const struct lead lead = lead_of(bytes[0]);

        *taken = 1;
        if (lead.len == 0)
                return INVALID;
        for (; *taken < lead.len; ++*taken) {
                if (*taken == len)
                        return CUT;
                const uint8_t low = *taken == 1 ? lead.low : 0x80, high = *taken == 1 ? lead.high : 0xbf;
                if (bytes[*taken] < low || bytes[*taken] > high)
                        return INVALID;
        }
        return WHOLE;
}

size_t hatchery_characters_room(size_t len)
{
        return (len + sizeof((struct hatchery_characters *)0)->carried) * REPLACEMENT_SIZE;
}

/* Writes one whole character, or bytes that belong to no character, to text. Returns how many bytes it wrote. */
static size_t give(struct hatchery_characters *c, enum verdict verdict, const uint8_t *bytes, size_t n, char *text)
{
        c->at.bytes += n;
        if (verdict == INVALID && c->replace) {
                c->at.characters++;
                c->at.utf16++;
                memcpy(text, replacement, REPLACEMENT_SIZE);
                return REPLACEMENT_SIZE;
        }
        c->at.characters += verdict == INVALID ? n : 1;
        c->at.utf16 += verdict == INVALID ? n : n == 4 ? 2U : 1U;
        memcpy(text, bytes, n);
        return n;
}

/* Completes the character that the last chunk cut. Returns how many of the bytes it took: all if the character is still
 * cut. */
static size_t complete(struct hatchery_characters *c, const uint8_t *bytes, size_t len, char *text, size_t *written)
{
        size_t used = 0, taken;

        while (c->n_carried > 0) {
                enum verdict verdict = look(c->carried, c->n_carried, &taken);
                if (verdict == CUT) {
                        if (used == len)
                                return used;
                        c->carried[c->n_carried++] = bytes[used++];
                        continue;
                }
                *written += give(c, verdict, c->carried, taken, text + *written);
                /* Only the newest byte can be left over. It is given back, and looked at where it stands. */
                used -= (size_t)c->n_carried - taken;
                c->n_carried = 0;
        }
        return used;
}

size_t hatchery_characters_feed(struct hatchery_characters *c, const void *bytes, size_t len, char *text,
                                struct hatchery_piece *piece)
{
        const uint8_t *from = bytes;
        const struct hatchery_position before = c->at;
        size_t written = 0, taken;

        for (size_t at = complete(c, from, len, text, &written); at < len; at += taken) {
                enum verdict verdict = look(from + at, len - at, &taken);
                if (verdict == CUT) {
                        memcpy(c->carried, from + at, taken);
                        c->n_carried = (uint8_t)taken;
                } else {
                        written += give(c, verdict, from + at, taken, text + written);
                }
        }
        if (piece)
                *piece = (struct hatchery_piece){ before, c->at };
        return written;
}

size_t hatchery_characters_end(struct hatchery_characters *c, char *text, struct hatchery_piece *piece)
{
        const struct hatchery_position before = c->at;
        size_t written = 0;

        if (c->n_carried > 0)
                written = give(c, INVALID, c->carried, c->n_carried, text);
        c->n_carried = 0;
        if (piece)
                *piece = (struct hatchery_piece){ before, c->at };
        return written;
}
