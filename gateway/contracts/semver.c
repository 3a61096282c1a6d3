/* Selectors of versions: see semver.h. A selector is a list of alternatives. An alternative is either a list of
 * comparators that must all hold, or two versions with a hyphen between them. A comparator is an operator with a
 * version, whose last parts may be left open. */
#include "gateway/contracts/semver.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* npm's bound, JavaScript's largest exact integer. It also keeps a sum with 1 from overflowing. */
#define PART_MAX ((UINT64_C(1) << 53) - 1)

enum operator{
        OP_EQUAL,
        OP_LESS,
        OP_LESS_EQUAL,
        OP_MORE,
        OP_MORE_EQUAL,
        OP_TILDE,
        OP_CARET,
};

/* A version of a selector. Parts that are open are 0. */
struct partial {
        struct semver v;
        unsigned n;          /* parts that are given, from the left */
        bool is_pre_release; /* so it is older than the release with the same numbers */
};

static bool is_digit(char c)
{
        return isdigit((unsigned char)c) != 0;
}

static bool is_space(char c)
{
        return isspace((unsigned char)c) != 0;
}

static void skip_space(const char **at)
{
        while (is_space(**at))
                ++*at;
}

bool semver_of_program(struct semver *v, const char *text)
{
        *v = (struct semver){ 0 };
        if (!is_digit(*text))
                return false;
        for (unsigned i = 0; i < 3; i++) {
                for (; is_digit(*text); text++)
                        if (v->part[i] <= (PART_MAX - 9) / 10)
                                v->part[i] = v->part[i] * 10 + (uint64_t)(*text - '0');
                text += strspn(text, "abcdefghijklmnopqrstuvwxyz");
                if (*text != '.' || !is_digit(text[1]))
                        break;
                text++;
        }
        return true;
}

const char *semver_text(char out[SEMVER_TEXT_SIZE], const struct semver *v)
{
        snprintf(out, SEMVER_TEXT_SIZE, "%" PRIu64 ".%" PRIu64 ".%" PRIu64, v->part[0], v->part[1], v->part[2]);
        return out;
}

int semver_compare(const struct semver *a, const struct semver *b)
{
        for (unsigned i = 0; i < 3; i++)
                if (a->part[i] != b->part[i])
                        return a->part[i] < b->part[i] ? -1 : 1;
        return 0;
}

/* ---------------------------------------------------------------- reading */

/* One part: a number without needless zeros, or x, X or *, which leaves the part open. */
static bool read_part(const char **at, uint64_t *value, bool *is_open)
{
        const char *from = *at;

        *value = 0;
        *is_open = *from == 'x' || *from == 'X' || *from == '*';
        if (*is_open) {
                ++*at;
                return true;
        }
        for (; is_digit(**at); ++*at) {
                *value = *value * 10 + (uint64_t)(**at - '0');
                if (*value > PART_MAX)
                        return false;
        }
        return *at > from && (*from != '0' || *at == from + 1);
}

/* Identifiers with dots between them, behind the - of a pre-release or the + of a build. */
static bool read_identifiers(const char **at)
{
        do {
                const char *from = ++*at;
                while (isalnum((unsigned char)**at) || **at == '-')
                        ++*at;
                if (*at == from)
                        return false;
        } while (**at == '.');
        return true;
}

/* A version up to white space or the end. */
static bool read_partial(const char **at, struct partial *p)
{
        bool is_open = false, part_is_open;

        *p = (struct partial){ 0 };
        while (**at == 'v' || **at == '=' || is_space(**at))
                ++*at;
        unsigned parts = 0;
        do {
                if (parts > 0)
                        ++*at; /* the dot */
                if (!read_part(at, &p->v.part[parts], &part_is_open))
                        return false;
                is_open = is_open || part_is_open;
                if (is_open)
                        p->v.part[parts] = 0; /* a number behind an open part is ignored */
                else
                        p->n++;
        } while (++parts < 3 && **at == '.');
        if (parts == 3 && **at == '-') {
                if (!read_identifiers(at))
                        return false;
                p->is_pre_release = !is_open;
        }
        if (**at == '+' && !read_identifiers(at))
                return false;
        return !**at || is_space(**at);
}

static enum operator read_operator(const char **at)
{
        static const struct {
                const char *text;
                enum operator operator;
        } operators[] = {
                { "<=", OP_LESS_EQUAL }, { ">=", OP_MORE_EQUAL }, { "<", OP_LESS },  { ">", OP_MORE },
                { "~>", OP_TILDE },      { "~", OP_TILDE },       { "^", OP_CARET },
        };

        for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
                size_t len = strlen(operators[i].text);
                if (strncmp(*at, operators[i].text, len) == 0) {
                        *at += len;
                        return operators[i].operator;
                }
        }
        return OP_EQUAL;
}

/* ---------------------------------------------------------------- comparing */

static int compare(const struct semver *v, const struct partial *p)
{
        int order = semver_compare(v, &p->v);
        return order == 0 && p->is_pre_release ? 1 : order;
}

/* Is v older than the version that has this part of p raised by one, and zeros behind it? */
static bool is_before_next(const struct semver *v, const struct partial *p, unsigned part)
{
        struct semver next = { 0 };

        for (unsigned i = 0; i <= part; i++)
                next.part[i] = p->v.part[i];
        next.part[part]++;
        return semver_compare(v, &next) < 0;
}

/* "^": the first part that is not 0 may not change. */
static unsigned caret_part(const struct partial *p)
{
        unsigned part = 0;

        while (part + 1 < p->n && p->v.part[part] == 0)
                part++;
        return part;
}

static bool holds(const struct semver *v, enum operator operator, const struct partial * p)
{
        const int order = compare(v, p);

        if (p->n == 0) /* p is any version: no version is newer or older than all others */
                return operator!= OP_LESS && operator!= OP_MORE;
        switch (operator) {
        case OP_EQUAL:
                return p->n == 3 ? order == 0 : order >= 0 && is_before_next(v, p, p->n - 1);
        case OP_LESS:
                return order < 0;
        case OP_LESS_EQUAL:
                return p->n == 3 ? order <= 0 : is_before_next(v, p, p->n - 1);
        case OP_MORE:
                return p->n == 3 ? order > 0 : !is_before_next(v, p, p->n - 1);
        case OP_MORE_EQUAL:
                return order >= 0;
        case OP_TILDE:
                return order >= 0 && is_before_next(v, p, p->n == 1 ? 0 : 1);
        case OP_CARET:
                return order >= 0 && is_before_next(v, p, caret_part(p));
        }
        return false;
}

enum verdict { MALFORMED, NO, YES };

/* "1.2 - 2.3", from text to its end; MALFORMED: that is no such range. */
static enum verdict hyphen_range(const struct semver *v, const char *text)
{
        struct partial from, to;

        if (!read_partial(&text, &from) || !is_space(*text))
                return MALFORMED;
        skip_space(&text);
        if (*text != '-' || !is_space(text[1]))
                return MALFORMED;
        text++;
        skip_space(&text);
        if (!read_partial(&text, &to))
                return MALFORMED;
        skip_space(&text);
        if (*text)
                return MALFORMED;
        return holds(v, OP_MORE_EQUAL, &from) && holds(v, OP_LESS_EQUAL, &to) ? YES : NO;
}

/* One alternative: comparators up to the text's end. */
static enum verdict alternative(const struct semver *v, const char *text)
{
        skip_space(&text);
        enum verdict all = hyphen_range(v, text);
        if (all != MALFORMED)
                return all;
        all = YES;
        while (*text) {
                struct partial p;
                const enum operator operator= read_operator(&text);
                if (!read_partial(&text, &p))
                        return MALFORMED;
                if (!holds(v, operator, & p))
                        all = NO;
                skip_space(&text);
        }
        return all;
}

bool semver_matches(const struct semver *v, const char *selector)
{
        char text[SEMVER_MAX_SELECTOR + 1];
        bool any = false;

        if (strlen(selector) > SEMVER_MAX_SELECTOR)
                return false;
        memcpy(text, selector, strlen(selector) + 1);
        for (char *at = text, *bar; at; at = bar) {
                bar = strstr(at, "||");
                if (bar) {
                        *bar = 0;
                        bar += 2;
                }
                enum verdict one = alternative(v, at);
                if (one == MALFORMED)
                        return false;
                any = any || one == YES;
        }
        return any;
}
