/* Finding a program's language: see guess.h. */
#include "client/guess.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define BLANK " \t\r"

/* ---------------------------------------------------------------- what the file tells */

static void copy(char *out, size_t size, const char *word, size_t len)
{
        snprintf(out, size, "%.*s", (int)(len < size ? len : 0), word); /* no language has so long a name */
}

static void base_name(char out[GUESS_WORD], const char *word, size_t len)
{
        for (size_t i = len; i > 0; i--)
                if (word[i - 1] == '/') {
                        word += i;
                        len -= i;
                        break;
                }
        copy(out, GUESS_WORD, word, len);
}

/* Finds the next word of *line, and moves *line past that word. */
static size_t next_word(const char **line, const char **word)
{
        *word = *line + strspn(*line, BLANK);
        size_t len = strcspn(*word, BLANK);
        *line = *word + len;
        return len;
}

/* Finds the program that env would start: the first word that is neither an option nor a variable. -S and the program
 * may stand without a blank between them. */
static void read_env(char out[GUESS_WORD], const char *line)
{
        static const char split[] = "--split-string=";
        const char *word;

        for (size_t len = next_word(&line, &word); len > 0; len = next_word(&line, &word)) {
                if ((len == 2 && (strncmp(word, "-u", 2) == 0 || strncmp(word, "-C", 2) == 0))) {
                        next_word(&line, &word);
                        continue;
                }
                size_t skip = strncmp(word, "-S", 2) == 0                   ? 2
                              : strncmp(word, split, sizeof split - 1) == 0 ? sizeof split - 1
                              : word[0] == '-'                              ? len
                                                                            : 0;
                word += skip;
                len -= skip;
                if (len == 0 || memchr(word, '=', len))
                        continue;
                base_name(out, word, len);
                return;
        }
}

/* Reads the interpreter from a "#!" line. A Rust file may begin with "#![", which names no interpreter. */
static void read_first_line(char out[GUESS_WORD], struct span code)
{
        char line[256];
        const char *at = line + 2, *word;
        const uint8_t *end = code.len > 0 ? memchr(code.data, '\n', code.len) : NULL;
        size_t len = end ? (size_t)(end - code.data) : code.len;

        if (code.len < 2 || memcmp(code.data, "#!", 2) != 0)
                return;
        snprintf(line, sizeof line, "%.*s", (int)(len < sizeof line ? len : sizeof line - 1), (const char *)code.data);
        len = next_word(&at, &word);
        if (len == 0 || word[0] == '[')
                return;
        base_name(out, word, len);
        if (strcmp(out, "env") == 0) {
                out[0] = '\0';
                read_env(out, at);
        }
}

static void read_name(struct guess *g, struct span name)
{
        const char *text = (const char *)name.data, *dot = NULL, *start = text;

        for (const char *c = text; c < text + name.len; c++) {
                if (*c == '/')
                        start = c + 1;
                if (*c == '.')
                        dot = c;
        }
        if (dot && dot > start)
                copy(g->ending, sizeof g->ending, dot + 1, (size_t)(text + name.len - dot - 1));
        snprintf(g->file, sizeof g->file, "%.*s", (int)(text + name.len - start), start);
}

bool guess_read(struct guess *g, const struct submission *x)
{
        const struct file_span *f = x->n_files > 0 ? &x->files[0] : NULL;

        *g = (struct guess){ .file = "the program" };
        for (size_t i = 0; i < x->n_files && x->entry.len > 0; i++)
                if (x->files[i].name.len == x->entry.len &&
                    memcmp(x->files[i].name.data, x->entry.data, x->entry.len) == 0)
                        f = &x->files[i];
        if (x->has_code) {
                read_first_line(g->interpreter, x->code);
                return g->interpreter[0] != '\0';
        }
        if (f) {
                read_name(g, f->name);
                read_first_line(g->interpreter, f->content);
        }
        return true;
}

/* ---------------------------------------------------------------- what the server makes of it */

enum by { BY_INTERPRETER, BY_ENDING };

static bool fits(const hatchery_v1_LanguageStatus *l, enum by by, const char *word, bool exact)
{
        size_t n = by == BY_ENDING ? l->extensions_count : l->interpreters_count;
        for (size_t i = 0; i < n; i++) {
                const char *own = by == BY_ENDING ? l->extensions[i] : l->interpreters[i];
                if (exact ? strcmp(own, word) == 0 : strcasecmp(own, word) == 0)
                        return true;
        }
        return false;
}

/* Counts the languages that fit; *first and *second are the first two. */
static size_t count(const struct answer *status, enum by by, const char *word, bool exact,
                    const hatchery_v1_LanguageStatus **first, const hatchery_v1_LanguageStatus **second)
{
        size_t n = 0;
        for (size_t i = 0; i < status->n_languages && *word; i++)
                if (fits(&status->languages[i], by, word, exact) && n++ < 2)
                        *(n == 1 ? first : second) = &status->languages[i];
        return n;
}

/* Tries exact matches first: "a.C" and "a.c" are two languages. Then looser ones: "a.PY" is Python, and "python3.11" is
 * a python3. */
static size_t search(const struct guess *g, const struct answer *status, const hatchery_v1_LanguageStatus **first,
                     const hatchery_v1_LanguageStatus **second)
{
        char shorter[GUESS_WORD];
        size_t n = count(status, BY_INTERPRETER, g->interpreter, false, first, second);

        snprintf(shorter, sizeof shorter, "%s", g->interpreter);
        for (size_t len = strlen(shorter); n == 0 && len > 1 && strchr("0123456789.-", shorter[len - 1]); len--) {
                shorter[len - 1] = '\0';
                n = count(status, BY_INTERPRETER, shorter, false, first, second);
        }
        if (n == 0)
                n = count(status, BY_ENDING, g->ending, true, first, second);
        return n > 0 ? n : count(status, BY_ENDING, g->ending, false, first, second);
}

static bool are_starting(const struct answer *status)
{
        for (size_t i = 0; i < status->n_languages; i++)
                if (status->languages[i].kind == hatchery_v1_LanguageStatus_Kind_KIND_UNSPECIFIED)
                        return !status->m.answer.status.ready;
        return status->n_languages == 0;
}

int guess_find(const struct guess *g, const struct answer *status, char language[WIRE_MAX_LANGUAGE + 1], struct err *e)
{
        const hatchery_v1_LanguageStatus *first = NULL, *second = NULL;
        size_t n = search(g, status, &first, &second);

        if (n == 1) {
                snprintf(language, WIRE_MAX_LANGUAGE + 1, "%s", first->name);
                return GUESS_FOUND;
        }
        if (n > 1)
                return err_say(e, EINVAL, "%s may be %s or %s on this server: say which with -l", g->file, first->name,
                               second->name);
        if (are_starting(status))
                return GUESS_NOT_YET;
        if (g->interpreter[0])
                return err_say(e, EINVAL,
                               "the server has no language that runs %s (#! line of %s): choose one of "
                               "`hatchery languages` with -l",
                               g->interpreter, g->file);
        if (g->ending[0])
                return err_say(e, EINVAL,
                               "the server has no language for .%s files (%s): choose one of "
                               "`hatchery languages` with -l",
                               g->ending, g->file);
        return err_say(e, EINVAL,
                       "cannot tell the language of %s: it has no ending and no #! line; choose one of "
                       "`hatchery languages` with -l",
                       g->file);
}
