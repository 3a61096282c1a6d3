/* From words to arguments: see words.h. */
#include "lang/words.h"

#include "proto/ipc/job.h"

#include <ctype.h>
#include <errno.h>
#include <fts.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A list that grows, and whose strings are its own; always ends with NULL. */
struct list {
        char **at;
        size_t n, size;
};

static bool push(struct list *l, const char *prefix, const char *text)
{
        if (l->n + 1 >= l->size) {
                size_t size = l->size ? l->size * 2 : 16;
                char **at = reallocarray(l->at, size, sizeof *at);
                if (!at)
                        return false;
                l->at = at;
                l->size = size;
        }
        size_t prefix_len = strlen(prefix), len = strlen(text);
        char *word = malloc(prefix_len + len + 1);
        if (!word)
                return false;
        memcpy(word, prefix, prefix_len);
        memcpy(word + prefix_len, text, len + 1);
        l->at[l->n++] = word;
        l->at[l->n] = NULL;
        return true;
}

/* Names that begin so are options, lists of more arguments (@) to compilers, or a shell's options (+). */
static bool push_file(struct list *l, const char *name)
{
        return push(l, *name == '-' || *name == '@' || *name == '+' ? "./" : "", name);
}

static bool push_all(struct list *l, char *const *texts)
{
        for (; *texts; texts++)
                if (!push(l, "", *texts))
                        return false;
        return true;
}

/* The file that a compiler has made of the file to start: its name with another extension. */
static bool push_made(struct list *l, const char *entry, const char *extension)
{
        const char *dot = strrchr(entry, '.'), *slash = strrchr(entry, '/');
        size_t len = dot && (!slash || dot > slash + 1) && dot > entry ? (size_t)(dot - entry) : strlen(entry);
        char name[JOB_PATH_MAX + 32];
        snprintf(name, sizeof name, "%.*s.%s", (int)len, entry, extension);
        return push_file(l, name);
}

/* Libraries come after what uses them, all other flags before. */
static bool push_flags(struct list *l, char *const *flags, bool libraries)
{
        bool ok = true;
        for (; ok && flags && *flags; flags++)
                if ((strncmp(*flags, "-l", 2) == 0) == libraries)
                        ok = push(l, "", *flags);
        return ok;
}

/* A flag of the request says otherwise what this word of the line says: both are NAME=, the same name. */
static bool is_replaced(const char *word, char *const *flags)
{
        size_t len = strcspn(word, "=");
        if (word[0] != '-' || word[len] != '=')
                return false;
        for (; flags && *flags; flags++)
                if (strncmp(*flags, word, len + 1) == 0)
                        return true;
        return false;
}

/* Where {memory%N} begins, and its N and length; NULL: there is none. */
static const char *find_memory(const char *word, unsigned *percent, size_t *len)
{
        static const char begin[] = "{memory%";
        const char *at = strstr(word, begin);
        char *end;

        if (!at || !isdigit((unsigned char)at[strlen(begin)]))
                return NULL;
        unsigned long n = strtoul(at + strlen(begin), &end, 10);
        if (*end != '}' || n < 1 || n > 100)
                return NULL;
        *percent = (unsigned)n;
        *len = (size_t)(end + 1 - at);
        return at;
}

static bool push_word(struct list *l, const char *word, uint64_t memory_bytes)
{
        unsigned percent;
        size_t len;
        const char *at = find_memory(word, &percent, &len);
        char *text;

        if (!at)
                return push(l, "", word);
        if (asprintf(&text, "%.*s%" PRIu64 "%s", (int)(at - word), word, (memory_bytes >> 20) * percent / 100,
                     at + len) < 0)
                return false;
        bool ok = push(l, "", text);
        free(text);
        return ok;
}

bool words_name_memory(char *const *line)
{
        unsigned percent;
        size_t len;
        for (; line && *line; line++)
                if (find_memory(*line, &percent, &len))
                        return true;
        return false;
}

char **words_expand_memory(char *const *line, uint64_t memory_bytes)
{
        struct list l = { 0 };
        bool ok = true;
        for (; ok && *line; line++)
                ok = push_word(&l, *line, memory_bytes);
        if (ok)
                return l.at;
        words_free(l.at);
        return NULL;
}

static bool has_extension(const char *name, char *const *extensions)
{
        size_t len = strlen(name);
        for (; extensions && *extensions; extensions++) {
                size_t n = strlen(*extensions);
                if (len > n + 1 && name[len - n - 1] == '.' && strcmp(name + len - n, *extensions) == 0)
                        return true;
        }
        return false;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
        return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool push_sources(struct list *l, char *const *extensions)
{
        static char here[] = ".";
        char *const roots[] = { here, NULL };
        FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
        if (!tree)
                return false;
        bool ok = true;
        errno = 0;
        for (FTSENT *f; ok && (f = fts_read(tree)); errno = 0)
                if (f->fts_info == FTS_F && has_extension(f->fts_name, extensions))
                        ok = push_file(l, f->fts_path + strlen("./"));
        if (errno != 0)
                ok = false;
        fts_close(tree);
        return ok;
}

static const char if_unbuffered[] = "{unbuffered}";

char **words_expand(char *const *line, enum words_use use, const struct job *job, char *const *extensions)
{
        struct list l = { 0 };
        bool ok = true, args = use == WORDS_COMPILE;

        for (int end = 0; ok && *line; line++, end = 0) {
                char made[16];
                if (strcmp(*line, "{entry}") == 0 || strcmp(*line, "{entry-line}") == 0) {
                        ok = push_file(&l, job->entry);
                } else if (strcmp(*line, "{sources}") == 0) {
                        ok = push_sources(&l, extensions);
                } else if (strcmp(*line, "{args}") == 0) {
                        ok = push_all(&l, job->args);
                        args = true;
                } else if (strcmp(*line, "{flags}") == 0 || strcmp(*line, "{libraries}") == 0) {
                        ok = push_flags(&l, job->flags, (*line)[1] == 'l');
                } else if (sscanf(*line, "{entry:%15[a-z]}%n", made, &end) == 1 && end > 0 && (*line)[end] == '\0') {
                        ok = push_made(&l, job->entry, made);
                } else if (strncmp(*line, if_unbuffered, sizeof if_unbuffered - 1) == 0) {
                        ok = !job->header.unbuffered || push(&l, "", *line + sizeof if_unbuffered - 1);
                } else if (use != WORDS_COMPILE || !is_replaced(*line, job->flags)) {
                        ok = push_word(&l, *line, job->header.memory_bytes);
                }
        }
        if (ok && !args)
                ok = push_all(&l, job->args);
        if (ok)
                return l.at;
        words_free(l.at);
        return NULL;
}

static bool same_name(const char *a, const char *b)
{
        size_t n = strcspn(a, "=");
        return strncmp(a, b, n) == 0 && b[n] == '=';
}

/* True if the variable is set again further on. */
static bool overridden(const char *variable, char *const *by)
{
        for (; *by; by++)
                if (same_name(variable, *by))
                        return true;
        return false;
}

char **words_environment(char *const *base, char *const *overrides)
{
        size_t n = 0, size = 1;
        for (char *const *b = base; *b; b++)
                size++;
        for (char *const *o = overrides; *o; o++)
                size++;
        char **env = calloc(size, sizeof *env);
        if (!env)
                return NULL;
        for (; *base; base++)
                if (!overridden(*base, overrides))
                        env[n++] = *base;
        for (; *overrides; overrides++)
                if (!overridden(*overrides, overrides + 1))
                        env[n++] = *overrides;
        return env;
}

void words_free(char **line)
{
        for (char **word = line; word && *word; word++)
                free(*word);
        free(line);
}
