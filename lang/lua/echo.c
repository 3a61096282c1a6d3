/* Where the last expression of a Lua program begins: see echo.h.
 *
 * Lua's own compiler decides. The tokens outside of all brackets and blocks are tried, from the first to the last. A
 * token is the place if the text from it to the end is a list of expressions, and if the program with `return` before
 * the token can be compiled. The first such token counts, since a later one begins only a part of the expression. The
 * kind of a token only saves attempts, with one exception: in a valid program, a parenthesis continues the expression
 * before it, so `x = f` and then `(y)` is an assignment. */
#include "lang/lua/echo.h"

#include <ctype.h>
#include <lauxlib.h>
#include <string.h>

#define RETURN "return nil,"

enum { GAP = sizeof RETURN - 1 };

enum kind_of_token {
        NOTHING,     /* the beginning of the program */
        VALUE,       /* a name, a number, a string, nil, true, false, ... */
        UNARY,       /* begins an expression and can't end one: `not` `#` `-` `~` */
        OPEN,        /* ( { */
        CLOSE,       /* ) ] } */
        BLOCK,       /* begins a block, which an `end` or an `until` closes */
        FUNCTION,    /* a BLOCK that may begin an expression */
        BLOCK_END,   /* end */
        UNTIL,       /* closes a block, too, but a condition follows */
        SEPARATOR,   /* `;` `::` `break`: a statement may begin after it */
        BRACKET,     /* [ */
        INSIDE,      /* everything else: no expression begins with it, and no statement ends with it */
        END_OF_TEXT, /* no more tokens */
};

struct token {
        enum kind_of_token kind;
        size_t start, end;
        bool is_name, is_parenthesis;
};

struct text {
        const char *at;
        size_t size;
};

static const struct {
        const char *word;
        enum kind_of_token kind;
} keywords[] = {
        { "and", INSIDE },    { "break", SEPARATOR },   { "do", BLOCK },    { "else", INSIDE },  { "elseif", INSIDE },
        { "end", BLOCK_END }, { "for", INSIDE },        { "goto", INSIDE }, { "if", BLOCK },     { "in", INSIDE },
        { "local", INSIDE },  { "function", FUNCTION }, { "not", UNARY },   { "or", INSIDE },    { "repeat", BLOCK },
        { "return", INSIDE }, { "then", INSIDE },       { "until", UNTIL }, { "while", INSIDE }, { "nil", VALUE },
        { "true", VALUE },    { "false", VALUE },
};

static char at(const struct text *t, size_t i)
{
        return i < t->size ? t->at[i] : '\0';
}

static bool is_word(char c)
{
        return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* If a long bracket begins at i: the number of its '='. Else -1. */
static int long_level(const struct text *t, size_t i)
{
        int level = 0;
        if (at(t, i) != '[')
                return -1;
        for (i++; at(t, i) == '='; i++)
                level++;
        return at(t, i) == '[' ? level : -1;
}

/* The end of the long bracket that begins at i, or the end of the text. */
static size_t skip_long(const struct text *t, size_t i, int level)
{
        for (i += (size_t)level + 2; i < t->size; i++) {
                if (t->at[i] != ']')
                        continue;
                size_t j = i + 1;
                while (at(t, j) == '=')
                        j++;
                if (at(t, j) == ']' && j - i - 1 == (size_t)level)
                        return j + 1;
        }
        return t->size;
}

static size_t skip_line(const struct text *t, size_t i)
{
        const char *end = memchr(t->at + i, '\n', t->size - i);
        return end ? (size_t)(end - t->at) : t->size;
}

static size_t skip_blank(const struct text *t, size_t i)
{
        while (i < t->size) {
                if (isspace((unsigned char)t->at[i])) {
                        i++;
                } else if (t->at[i] == '-' && at(t, i + 1) == '-') {
                        int level = long_level(t, i + 2);
                        i = level >= 0 ? skip_long(t, i + 2, level) : skip_line(t, i);
                } else {
                        break;
                }
        }
        return i;
}

static size_t skip_string(const struct text *t, size_t i)
{
        char quote = t->at[i++];
        while (i < t->size && t->at[i] != quote)
                i += t->at[i] == '\\' ? 2 : 1;
        return i < t->size ? i + 1 : t->size;
}

static size_t skip_number(const struct text *t, size_t i)
{
        const char *exponents = at(t, i) == '0' && tolower((unsigned char)at(t, i + 1)) == 'x' ? "pP" : "eE";
        while (is_word(at(t, i)) || at(t, i) == '.') {
                bool signed_exponent =
                        strchr(exponents, t->at[i]) && i + 1 < t->size && (t->at[i + 1] == '-' || t->at[i + 1] == '+');
                i += signed_exponent ? 2 : 1;
        }
        return i;
}

static void name_token(const struct text *t, struct token *k)
{
        while (is_word(at(t, k->end)))
                k->end++;
        k->kind = VALUE;
        k->is_name = true;
        for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++) {
                size_t len = strlen(keywords[i].word);
                if (len == k->end - k->start && memcmp(t->at + k->start, keywords[i].word, len) == 0) {
                        k->kind = keywords[i].kind;
                        k->is_name = false;
                }
        }
}

static void symbol_token(const struct text *t, struct token *k)
{
        char c = t->at[k->start], next = at(t, k->start + 1);
        k->end = k->start + 1;
        k->kind = INSIDE;
        if (c == '.' && next == '.') {
                bool is_vararg = at(t, k->start + 2) == '.';
                k->end = k->start + (is_vararg ? 3 : 2);
                k->kind = is_vararg ? VALUE : INSIDE;
        } else if (c == ':' && next == ':') {
                k->end = k->start + 2;
                k->kind = SEPARATOR;
        } else if (next == '=' && strchr("=~<>", c)) {
                k->end = k->start + 2;
        } else if (c == ';') {
                k->kind = SEPARATOR;
        } else if (c == '(' || c == '{') {
                k->kind = OPEN;
                k->is_parenthesis = c == '(';
        } else if (c == ')' || c == ']' || c == '}') {
                k->kind = CLOSE;
        } else if (c == '[') {
                k->kind = BRACKET;
        } else if (c == '#' || c == '-' || c == '~') {
                k->kind = UNARY;
        }
}

static struct token next_token(const struct text *t, size_t from)
{
        struct token k = { .kind = END_OF_TEXT };
        k.start = k.end = skip_blank(t, from);
        if (k.start >= t->size)
                return k;
        char c = t->at[k.start];
        int level = long_level(t, k.start);
        if (level >= 0 || c == '"' || c == '\'') {
                k.end = level >= 0 ? skip_long(t, k.start, level) : skip_string(t, k.start);
                k.kind = VALUE;
        } else if (isdigit((unsigned char)c) || (c == '.' && isdigit((unsigned char)at(t, k.start + 1)))) {
                k.end = skip_number(t, k.start);
                k.kind = VALUE;
        } else if (is_word(c)) {
                name_token(t, &k);
        } else {
                symbol_token(t, &k);
        }
        return k;
}

/* True if a statement that is an expression may begin with k, after the token `before`. */
static bool may_begin(const struct token *before, const struct token *k, bool is_valid)
{
        bool after_end = before->kind == NOTHING || before->kind == BLOCK_END || before->kind == SEPARATOR;
        if (!after_end && before->kind != VALUE && before->kind != CLOSE)
                return false;
        if (is_valid)
                return k->is_name || (k->is_parenthesis && after_end);
        return k->kind == VALUE || k->kind == UNARY || k->kind == OPEN || k->kind == FUNCTION;
}

static int depth_change(enum kind_of_token kind)
{
        switch (kind) {
        case OPEN:
        case BRACKET:
        case BLOCK:
        case FUNCTION:
                return 1;
        case CLOSE:
        case BLOCK_END:
        case UNTIL:
                return -1;
        default:
                return 0;
        }
}

static bool compiles(lua_State *L, const char *text, size_t size, const char *name)
{
        if (luaL_loadbufferx(L, text, size, name, "t") == 0)
                return true;
        lua_pop(L, 1);
        return false;
}

bool lua_echo_load(lua_State *L, const char *program, size_t size, const char *chunk_name, bool is_valid)
{
        const struct text text = { program, size };
        struct token before = { .kind = NOTHING }, k = next_token(&text, 0);
        size_t gap = 0; /* where RETURN lies: the buffer is the text before it, RETURN, and the text after it */
        int depth = 0;

        char *buffer = lua_newuserdata(L, GAP + size);
        memcpy(buffer, RETURN, GAP);
        memcpy(buffer + GAP, program, size);
        for (; k.kind != END_OF_TEXT; before = k, k = next_token(&text, k.end)) {
                if (depth == 0 && may_begin(&before, &k, is_valid)) {
                        memmove(buffer + gap, buffer + gap + GAP, k.start - gap);
                        gap = k.start;
                        memcpy(buffer + gap, RETURN, GAP);
                        if (compiles(L, buffer + gap, GAP + size - gap, chunk_name)) {
                                lua_pop(L, 1);
                                if (compiles(L, buffer, GAP + size, chunk_name)) {
                                        lua_remove(L, -2); /* the buffer */
                                        return true;
                                }
                        }
                }
                depth += depth_change(k.kind);
        }
        lua_pop(L, 1);
        return false;
}
