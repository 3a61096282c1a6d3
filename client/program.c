/* The request of `hatchery run`: see program.h. */
#include "client/program.h"

#include "client/guess.h"
#include "client/load.h"
#include "proto/base/own.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MODE_EXECUTABLE = 0755, FIXED_OWNED = 8 };

/* Hands fresh memory over to p; p->owned has room for it. */
static void *keep(struct program *p, void *memory)
{
        p->owned[p->n_owned++] = memory;
        return memory;
}

/* Zeroed memory for n items (at least one, so that NULL always means failure). */
static void *keep_array(struct program *p, size_t n, size_t size)
{
        void *array = calloc(n > 0 ? n : 1, size);
        return array ? keep(p, array) : NULL;
}

static int keep_file(struct program *p, const char *path, struct span *content, int *executable, struct err *e)
{
        uint8_t *data = NULL;
        size_t len = 0;
        int r = load_file(path, &data, &len, executable, e);
        if (r < 0)
                return r;
        *content = (struct span){ keep(p, data), len };
        return 0;
}

/* The name in the work directory of a FILE from the command line. It is the path without "." and empty parts if the
 * path is relative and never leaves its directory, else the path's last part. */
static char *name_of(const char *path)
{
        const char *slash = strrchr(path, '/');
        char *name = malloc(strlen(path) + 1);
        if (!name)
                return NULL;

        char *to = name;
        for (const char *part = path; *part;) {
                size_t len = strcspn(part, "/");
                if (path[0] == '/' || (len == 2 && memcmp(part, "..", 2) == 0)) {
                        strcpy(name, slash ? slash + 1 : path);
                        return name;
                }
                if (len > 0 && !(len == 1 && part[0] == '.')) {
                        if (to > name)
                                *to++ = '/';
                        memcpy(to, part, len);
                        to += len;
                }
                part += len + (part[len] == '/');
        }
        *to = '\0';
        return name;
}

static int add_program(struct program *p, const char *path, struct err *e)
{
        struct submission *x = &p->request.execute;
        if (strcmp(path, "-") == 0) {
                x->has_code = true;
                return keep_file(p, path, &x->code, NULL, e);
        }

        struct file_span *f = &x->files[x->n_files];
        int executable;
        int r = keep_file(p, path, &f->content, &executable, e);
        if (r < 0)
                return r;
        char *name = name_of(path);
        if (!name)
                return err_set(e, ENOMEM, "name %s", path);
        f->name = span_of_text(keep(p, name));
        f->mode = executable ? MODE_EXECUTABLE : 0;
        x->n_files++;
        return 0;
}

/* word is NAME=PATH. */
static int add_file(struct program *p, const char *word, struct err *e)
{
        struct submission *x = &p->request.execute;
        struct file_span *f = &x->files[x->n_files];
        const char *equals = strchr(word, '=');
        int executable;
        int r = keep_file(p, equals + 1, &f->content, &executable, e);
        if (r < 0)
                return err_wrap(e, "--file %.*s", (int)(equals - word), word);
        f->name = (struct span){ (const uint8_t *)word, (size_t)(equals - word) };
        f->mode = executable ? MODE_EXECUTABLE : 0;
        x->n_files++;
        return 0;
}

static int add_files(struct program *p, const struct options *o, struct err *e)
{
        struct submission *x = &p->request.execute;
        int r = 0;
        for (size_t i = 0; i < o->programs.n && r == 0; i++)
                r = add_program(p, o->programs.items[i], e);
        size_t n_programs = x->n_files;
        for (size_t i = 0; i < o->files.n && r == 0; i++)
                r = add_file(p, o->files.items[i], e);
        if (r == 0 && o->standard_input)
                r = keep_file(p, o->standard_input, &x->standard_input, NULL, e);
        if (r < 0)
                return r;

        if (o->entry)
                x->entry = span_of_text(o->entry);
        else if (!x->has_code && n_programs > 0)
                x->entry = x->files[0].name;
        return 0;
}

static void add_words(struct submission *x, const struct options *o)
{
        const bool has_program = x->has_code || x->n_files > 0;
        for (size_t i = 0; i < o->interpreter_args.n; i++)
                x->interpreter_args[x->n_interpreter_args++] = span_of_text(o->interpreter_args.items[i]);
        for (size_t i = 0; i < o->args.n; i++) {
                const struct span word = span_of_text(o->args.items[i]);
                if (has_program)
                        x->args[x->n_args++] = word;
                else
                        x->interpreter_args[x->n_interpreter_args++] = word;
        }
        for (size_t i = 0; i < o->globs.n; i++)
                x->globs[x->n_globs++] = span_of_text(o->globs.items[i]);
        x->has_collect = o->globs.n > 0;
        for (size_t i = 0; i < o->compile_flags.n; i++)
                x->compile_flags[x->n_compile_flags++] = span_of_text(o->compile_flags.items[i]);
        x->collect_changed_only = !o->collect_all;
        for (size_t i = 0; i < o->env.n; i++) {
                const char *word = o->env.items[i], *equals = strchr(word, '=');
                x->env[x->n_env++] = (struct env_span){ { (const uint8_t *)word, (size_t)(equals - word) },
                                                        span_of_text(equals + 1) };
        }
}

/* Tells the program, by TERM, which kind of terminal we are on. The size follows when the run begins. */
static void add_terminal(struct submission *x)
{
        static const char name[] = "TERM";
        const char *term = getenv(name);

        x->has_terminal = true;
        for (size_t i = 0; i < x->n_env; i++)
                if (x->env[i].name.len == sizeof name - 1 && memcmp(x->env[i].name.data, name, sizeof name - 1) == 0)
                        return;
        if (term && *term)
                x->env[x->n_env++] = (struct env_span){ span_of_text(name), span_of_text(term) };
}

int program_init(struct program *p, const struct options *o, struct err *e)
{
        memset(p, 0, sizeof *p);
        p->request.kind = REQUEST_EXECUTE;
        struct submission *x = &p->request.execute;

        size_t n_files = o->programs.n + o->files.n;
        p->owned = calloc(2 * n_files + FIXED_OWNED, sizeof *p->owned);
        if (!p->owned)
                return err_set(e, ENOMEM, "make a request");
        x->files = keep_array(p, n_files, sizeof *x->files);
        x->args = keep_array(p, o->args.n, sizeof *x->args);
        x->env = keep_array(p, o->env.n + 1, sizeof *x->env); /* one more for TERM */
        x->globs = keep_array(p, o->globs.n, sizeof *x->globs);
        x->compile_flags = keep_array(p, o->compile_flags.n, sizeof *x->compile_flags);
        x->interpreter_args = keep_array(p, o->interpreter_args.n + o->args.n, sizeof *x->interpreter_args);
        if (!x->files || !x->args || !x->env || !x->globs || !x->compile_flags || !x->interpreter_args)
                return err_set(e, ENOMEM, "make a request");

        if (o->code) {
                x->has_code = true;
                x->code = span_of_text(o->code);
        }
        int r = add_files(p, o, e);
        if (r < 0)
                return r;
        add_words(x, o);
        if (o->language)
                x->language = span_of_text(o->language);
        else if ((!x->has_code && x->n_files == 0) || !guess_read(&p->guess, x))
                x->language = span_of_text("python"); /* as in the README's first example */
        x->interpreter = span_of_text(o->interpreter);
        x->stream = !o->json;
        x->live_input = o->interactive || o->terminal;
        if (o->terminal)
                add_terminal(x);
        x->client = span_of_text(o->client);
        x->merge_stderr = o->merge_stderr;
        x->echo_last_expression = o->echo;
        /* A person at a terminal wants to see all that a killed program printed, more than speed. A program on a
         * terminal of its own flushes each line by itself. */
        x->unbuffered = o->unbuffered || (!o->buffered && !o->terminal && isatty(STDOUT_FILENO));
        x->truncate_output = o->truncate;
        x->deadline_us = (uint64_t)o->deadline_us;
        x->priority = (uint32_t)o->priority;
        memcpy(x->has_limit, o->has_limit, sizeof x->has_limit);
        memcpy(x->limit, o->limit, sizeof x->limit);
        memcpy(x->has_compile_limit, o->has_compile_limit, sizeof x->has_compile_limit);
        memcpy(x->compile_limit, o->compile_limit, sizeof x->compile_limit);
        return 0;
}

void program_fini(struct program *p)
{
        for (size_t i = 0; i < p->n_owned; i++)
                free(p->owned[i]);
        free(p->owned);
        memset(p, 0, sizeof *p);
}
