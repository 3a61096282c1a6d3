/* Flags of compilers: see flags.h. */
#include "pool/config/flags.h"

#include "pool/base/names.h"

#include <stdio.h>
#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

enum { MAX_NAME = 64, MAX_FORM = 255, LIST_SIZE = 400 };

bool flags_is_form(const char *text)
{
        bool open = false;

        if (text[0] != '-' || strlen(text) > MAX_FORM)
                return false;
        for (const char *at = text; *at; at++) {
                if (*at == (open ? '{' : '}') || *at <= ' ')
                        return false;
                if (*at == '{' || *at == '}')
                        open = !open;
        }
        return !open;
}

/* The number of leading characters that are in the set, at most max. */
static size_t span_of_set(struct span s, const char *set, size_t max)
{
        size_t n = 0;
        while (n < s.len && n < max && s.data[n] != '\0' && strchr(set, s.data[n]))
                n++;
        return n;
}

static bool is_word(const char *word, size_t len, const char *name)
{
        return strlen(name) == len && memcmp(word, name, len) == 0;
}

static struct span rest_of(struct span s, size_t from)
{
        return (struct span){ s.data + from, s.len - from };
}

/* Matches one of the words between the braces, and then the rest of the form. All words are tried, since one word may
 * be the beginning of another. */
static bool match_choice(const char *words, size_t len, const char *rest, struct span flag)
{
        for (const char *at = words; at <= words + len;) {
                size_t n = 0;
                while (at + n < words + len && at[n] != ',')
                        n++;
                if (flag.len >= n && memcmp(flag.data, at, n) == 0 && flags_match(rest, rest_of(flag, n)))
                        return true;
                at += n + 1;
        }
        return false;
}

bool flags_match(const char *form, struct span flag)
{
        while (*form && *form != '{') {
                if (flag.len == 0 || (char)flag.data[0] != *form)
                        return false;
                form++;
                flag = rest_of(flag, 1);
        }
        if (*form == '\0')
                return flag.len == 0;

        const char *words = form + 1;
        size_t len = strcspn(words, "}");
        const char *rest = words + len + 1; /* there is a rest, since a form's braces are closed */
        if (is_word(words, len, "NAME")) {
                size_t n = span_of_set(flag, LOWER UPPER DIGIT "_", MAX_NAME);
                return n > 0 && !strchr(DIGIT, flag.data[0]) && flags_match(rest, rest_of(flag, n));
        }
        if (is_word(words, len, "VALUE"))
                return flags_match(rest, rest_of(flag, span_of_set(flag, LOWER UPPER DIGIT "._+-", SIZE_MAX)));
        return match_choice(words, len, rest, flag);
}

/* Lists as many forms as fit into the sentence. */
static void list_forms(char list[LIST_SIZE], char *const *forms)
{
        size_t n = 0;

        list[0] = '\0';
        for (; *forms; forms++) {
                size_t left = LIST_SIZE - n;
                bool fits = strlen(*forms) + sizeof ", and more" < left;
                n += (size_t)snprintf(list + n, left, "%s%s", n ? ", " : "", fits ? *forms : "and more");
                if (!fits)
                        return;
        }
}

int flags_check(const struct submission *x, char *const *forms, struct refusal *refusal)
{
        char list[LIST_SIZE];

        if (x->n_compile_flags > 0 && (!forms || !*forms))
                return refuse(refusal, REFUSAL_INVALID_ARGUMENT,
                              "compile_flags is set, but %s takes none; leave it out", names_quote(x->language).text);
        for (size_t i = 0; i < x->n_compile_flags; i++) {
                bool good = false;
                for (char *const *form = forms; *form && !good; form++)
                        good = flags_match(*form, x->compile_flags[i]);
                if (good)
                        continue;
                list_forms(list, forms);
                return refuse(refusal, REFUSAL_INVALID_ARGUMENT,
                              "compile_flags: %s is not allowed here for %s; allowed are %s",
                              names_quote(x->compile_flags[i]).text, names_quote(x->language).text, list);
        }
        return 0;
}
