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

/* A growing list that owns its strings; always ends with NULL. */
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

/* Adds a file name, with "./" in front where a program would take it for something else: an option (-), a compiler's
 * file of more arguments (@), or a shell's option (+). */
static bool push_file(struct list *l, const char *name)
{
        return push(l, *name == '-' || *name == '@' || *name == '+' ? "./" : "", name);
}

static bool push_all(struct list *l, char *const *texts)
{
        for (; texts && *texts; texts++)
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

/* Adds either the flags for libraries (-l), which come after the files that use them, or all other flags. */
static bool push_flags(struct list *l, char *const *flags, bool libraries)
{
        bool ok = true;
        for (; ok && flags && *flags; flags++)
                if ((strncmp(*flags, "-l", 2) == 0) == libraries)
                        ok = push(l, "", *flags);
        return ok;
}

/* True if a flag of the request replaces this word of the line: both begin with the same NAME=. */
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

/* Finds {memory%N} in the word: returns its start, and sets N and its length. NULL: the word has none. */
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

static const char interpreter_args[] = "{interpreter_args}";

static bool names(char *const *line, const char *place)
{
        for (; *line; line++)
                if (strcmp(*line, place) == 0)
                        return true;
        return false;
}

/* Returns REST of the word {unbuffered}REST or {program}REST, or "" if the word is to be left out for this job. NULL:
 * the word has no condition, and is kept for every job. */
static const char *rest_of_condition(const char *word, const struct job *job)
{
        const struct {
                const char *name;
                bool holds;
        } conditions[] = {
                { "{unbuffered}", job->header.unbuffered != 0 },
                { "{program}", *job->entry != '\0' },
        };
        for (size_t i = 0; i < sizeof conditions / sizeof conditions[0]; i++) {
                size_t len = strlen(conditions[i].name);
                if (strncmp(word, conditions[i].name, len) == 0)
                        return conditions[i].holds ? word + len : "";
        }
        return NULL;
}

static bool push_plain(struct list *l, const char *word, enum words_use use, const struct job *job)
{
        const char *rest = rest_of_condition(word, job);
        if (rest)
                return *rest == '\0' || push_word(l, rest, job->header.memory_bytes);
        if (use == WORDS_COMPILE && is_replaced(word, job->flags))
                return true;
        return push_word(l, word, job->header.memory_bytes);
}

/* Expands one word of the line. If the job has no program, the words for its name are left out. */
static bool push_expanded(struct list *l, const char *word, enum words_use use, const struct job *job,
                          char *const *extensions)
{
        char made[16];
        int end = 0;

        if (strcmp(word, "{entry}") == 0 || strcmp(word, "{entry-line}") == 0)
                return *job->entry == '\0' || push_file(l, job->entry);
        if (sscanf(word, "{entry:%15[a-z]}%n", made, &end) == 1 && end > 0 && word[end] == '\0')
                return *job->entry == '\0' || push_made(l, job->entry, made);
        if (strcmp(word, "{sources}") == 0)
                return push_sources(l, extensions);
        if (strcmp(word, "{args}") == 0)
                return push_all(l, job->args);
        if (strcmp(word, interpreter_args) == 0)
                return push_all(l, job->interpreter_args);
        if (strcmp(word, "{flags}") == 0 || strcmp(word, "{libraries}") == 0)
                return push_flags(l, job->flags, word[1] == 'l');
        return push_plain(l, word, use, job);
}

char **words_expand(char *const *line, enum words_use use, const struct job *job, char *const *extensions)
{
        struct list l = { 0 };
        bool ok = true, runs = use == WORDS_RUN;
        bool args_last = runs && !names(line, "{args}");
        bool second = runs && !names(line, interpreter_args);

        for (char *const *word = line; ok && *word; word++) {
                ok = push_expanded(&l, *word, use, job, extensions);
                if (ok && second && word == line)
                        ok = push_all(&l, job->interpreter_args);
        }
        if (ok && args_last)
                ok = push_all(&l, job->args);
        if (ok)
                return l.at;
        words_free(l.at);
        return NULL;
}

bool words_replace(char **line, size_t at, const char *word)
{
        char *copy = strdup(word);
        if (!copy)
                return false;
        free(line[at]);
        line[at] = copy;
        return true;
}

static bool same_name(const char *a, const char *b)
{
        size_t n = strcspn(a, "=");
        return strncmp(a, b, n) == 0 && b[n] == '=';
}

/* True if a variable of the same name is in the list. */
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
