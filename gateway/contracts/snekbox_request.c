/* POST /eval's body becomes a request to the pool: see snekbox_parts.h.
 *
 * snekbox hands `args` and `input` to the python command. The usual forms of that command line are those that the warm
 * interpreter runs: "-c CODE ARG...", and "FILE.py ARG..." with FILE.py among the files. Every other command line goes
 * to an interpreter that is started for it. */
#include "gateway/contracts/snekbox_parts.h"
#include "gateway/json.h"
#include "proto/wire/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The interpreter that the language has in any case. */
#define PYTHON "/usr/bin/python3"

enum { MODE = 0777, LIMIT_CPU_US = 60000000 };

static const int64_t limits[LIMIT_COUNT] = {
        [LIMIT_WALL] = 6000000,   [LIMIT_CPU] = LIMIT_CPU_US, [LIMIT_MEMORY] = 73400320, [LIMIT_PIDS] = 15,
        [LIMIT_OUTPUT] = 1000000, [LIMIT_DISK] = 48 << 20,    [LIMIT_OPEN_FILES] = 32,
};

#define VARIABLE(name, value)                                                                                          \
        {                                                                                                              \
                { (const uint8_t *)(name), sizeof(name) - 1 },                                                         \
                {                                                                                                      \
                        (const uint8_t *)(value), sizeof(value) - 1                                                    \
                }                                                                                                      \
        }

/* LANG and HOME are those of every sandbox. The warm interpreter obeys all of these (docs/languages.md). */
static const struct env_span variables[] = {
        VARIABLE("MKL_NUM_THREADS", "1"),
        VARIABLE("NUMEXPR_NUM_THREADS", "1"),
        VARIABLE("OMP_NUM_THREADS", "1"),
        VARIABLE("OPENBLAS_NUM_THREADS", "1"),
        VARIABLE("PYTHONDONTWRITEBYTECODE", "true"),
        VARIABLE("PYTHONIOENCODING", "utf-8:strict"),
        VARIABLE("PYTHONUNBUFFERED", "true"),
        VARIABLE("PYTHONUSERBASE", "/hatchery/packages"),
        VARIABLE("VECLIB_MAXIMUM_THREADS", "1"),
};

void snekbox_eval_fini(struct snekbox_eval *v)
{
        for (size_t i = 0; i < v->n_files; i++) {
                free(v->files[i].name);
                free(v->files[i].content);
        }
        free(v->files);
        free(v->sent);
        free(v->words);
        free(v->q.execute.env);
        free(v->extra);
        free(v->interpreter);
        json_decref(v->body);
        *v = (struct snekbox_eval){ 0 };
}

/* ---------------------------------------------------------------- faults */

static int refuse(struct snekbox_fault *fault, const char *title, json_t *description)
{
        *fault = (struct snekbox_fault){ title, description };
        return description ? SNEKBOX_FAULT : -ENOMEM;
}

/* A path may hold NUL bytes, and the description shows them unchanged. */
static int refuse_file(struct snekbox_fault *fault, const char *before, struct span path, const char *after)
{
        char *text = malloc(strlen(before) + path.len + strlen(after) + 1), *at = text;
        if (!text)
                return -ENOMEM;
        at = mempcpy(at, before, strlen(before));
        at = path.len > 0 ? mempcpy(at, path.data, path.len) : at;
        at = mempcpy(at, after, strlen(after));
        json_t *description = json_stringn(text, (size_t)(at - text));
        free(text);
        return refuse(fault, "Request file is invalid", description);
}

static int refuse_count(struct snekbox_fault *fault, size_t n, const char *what, int most)
{
        char *text = NULL;
        json_t *description = asprintf(&text, "there are %zu %s, and %d at most are possible", n, what, most) < 0
                                      ? NULL
                                      : json_string(text);
        free(text);
        return refuse(fault, "Request data failed validation", description);
}

/* The answer to a request whose program snekbox would not start. */
static int answer_exception(char **message, const char *exception, struct span path)
{
        if (asprintf(message, "%s: Failed to create file '%.*s'.", exception, (int)path.len,
                     path.len > 0 ? (const char *)path.data : "") < 0)
                return -ENOMEM;
        return SNEKBOX_ANSWERED;
}

/* ---------------------------------------------------------------- files */

static int read_file(struct snekbox_file *f, const json_t *file, size_t index, struct snekbox_fault *fault)
{
        const json_t *content = json_object_get(file, "content");
        *f = (struct snekbox_file){ .path = json_span(json_object_get(file, "path")), .index = index };

        int r = snekbox_path(f->path, &f->name);
        if (r == -EPERM)
                return refuse_file(fault, "File path '", f->path, "' may not traverse beyond root");
        if (r == 0 && content)
                r = snekbox_base64(json_span(content), &f->content, &f->len);
        return r == -EINVAL ? refuse_file(fault, "Invalid base64 encoding for file '", f->path, "'") : r;
}

static int read_files(struct snekbox_eval *v, struct snekbox_fault *fault, char **message)
{
        const json_t *files = json_object_get(v->body, "files");
        const char *exception = NULL;
        size_t n = json_array_size(files);
        int r = 0;

        if (n > WIRE_MAX_FILES)
                return refuse_count(fault, n, "files", WIRE_MAX_FILES);
        v->files = calloc(n + 1, sizeof *v->files);
        v->sent = calloc(n + 1, sizeof *v->sent);
        if (!v->files || !v->sent)
                return -ENOMEM;
        while (r == 0 && v->n_files < n) {
                size_t i = v->n_files++;
                r = read_file(&v->files[i], json_array_get(files, i), i, fault);
        }
        if (r != 0)
                return r;
        const struct snekbox_file *bad =
                snekbox_files_settle(v->files, &v->n_files, (uint64_t)limits[LIMIT_DISK], &exception);
        return bad ? answer_exception(message, exception, bad->path) : 0;
}

static void send_files(struct snekbox_eval *v)
{
        for (size_t i = 0; i < v->n_files; i++)
                v->sent[i] = (struct file_span){
                        .name = span_of_text(v->files[i].name),
                        .content = { v->files[i].content, v->files[i].len },
                        .mode = MODE,
                };
        v->q.execute.files = v->sent;
        v->q.execute.n_files = v->n_files;
}

/* ---------------------------------------------------------------- the command line */

static bool is(struct span word, const char *text)
{
        return word.len == strlen(text) && (word.len == 0 || memcmp(word.data, text, word.len) == 0);
}

/* `input` is the last word. Without args there is "-c" before it. Without a word, Python reads its program from
 * standard input. */
static int read_words(struct snekbox_eval *v)
{
        const json_t *args = json_object_get(v->body, "args"), *input = json_object_get(v->body, "input");
        size_t n = json_array_size(args);

        v->words = calloc(n + 2, sizeof *v->words);
        if (!v->words)
                return -ENOMEM;
        if (!args)
                v->words[v->n_words++] = span_of_text("-c");
        for (size_t i = 0; i <= n; i++) {
                const json_t *word = i < n ? json_array_get(args, i) : input;
                struct span bytes = word ? json_span(word) : (struct span){ 0 };
                if (word && (v->n_words > 0 || bytes.len > 0))
                        v->words[v->n_words++] = bytes;
        }
        if (v->n_words == 0)
                v->words[v->n_words++] = span_of_text("-");
        return 0;
}

static bool has_file(const struct snekbox_eval *v, struct span name)
{
        for (size_t i = 0; i < v->n_files; i++)
                if (is(name, v->files[i].name))
                        return true;
        return false;
}

/* The warm interpreter runs a program from a file only if the file's name ends in ".py". For any other name, Python
 * first looks whether the file is an archive. */
static bool is_program(const struct snekbox_eval *v)
{
        const struct span word = v->words[0];

        return word.len > 3 && memcmp(word.data + word.len - 3, ".py", 3) == 0 && word.data[0] != '-' &&
               has_file(v, word);
}

/* The kernel does not take such a long argument, so the program becomes a file. No other file has its name. The name
 * begins with an underscore, so the file is not collected. */
static int use_file(struct snekbox_eval *v, struct span code)
{
        struct submission *x = &v->q.execute;

        for (size_t i = 0; !v->extra || has_file(v, span_of_text(v->extra)); i++) {
                free(v->extra);
                if (asprintf(&v->extra, "_main%zu.py", i) < 0) {
                        v->extra = NULL;
                        return -ENOMEM;
                }
        }
        v->sent[v->n_files] = (struct file_span){ .name = span_of_text(v->extra), .content = code, .mode = MODE };
        x->n_files = v->n_files + 1;
        x->entry = v->sent[v->n_files].name;
        x->args = v->words + 2;
        x->n_args = v->n_words - 2;
        return 0;
}

static int plan_program(struct snekbox_eval *v, struct snekbox_fault *fault)
{
        struct submission *x = &v->q.execute;
        bool is_code = v->n_words >= 2 && is(v->words[0], "-c");

        if (is_code && !v->interpreter && v->words[1].len > WIRE_MAX_STRING) {
                int r = use_file(v, v->words[1]);
                return r < 0 || x->n_args <= WIRE_MAX_ARGS ? r
                                                           : refuse_count(fault, x->n_args, "arguments", WIRE_MAX_ARGS);
        }
        size_t before = is_code ? 2 : v->n_words < WIRE_MAX_INTERPRETER_ARGS ? v->n_words : WIRE_MAX_INTERPRETER_ARGS;
        if (!v->interpreter && is_program(v)) {
                x->entry = v->words[0];
                before = 0;
        } else {
                x->interpreter_args = v->words;
                x->n_interpreter_args = before;
        }
        size_t behind = x->entry.len > 0 ? 1 : before;
        x->args = v->words + behind;
        x->n_args = v->n_words - behind;
        if (x->n_args > WIRE_MAX_ARGS)
                return refuse_count(fault, x->n_args, "arguments", WIRE_MAX_ARGS);
        for (size_t i = 0; i < v->n_words; i++)
                if (v->words[i].len > WIRE_MAX_STRING)
                        return refuse_count(fault, v->words[i].len, "bytes in one argument", WIRE_MAX_STRING);
        return 0;
}

/* ---------------------------------------------------------------- the rest */

/* snekbox looks the path up on its own machine. Here only the sandbox can tell whether there is such a file. */
static int read_interpreter(struct snekbox_eval *v, struct snekbox_fault *fault)
{
        const json_t *value = json_object_get(v->body, "executable_path");
        struct span path = value ? json_span(value) : (struct span){ 0 };

        if (path.len == 0 || is(path, PYTHON))
                return 0;
        if (path.data[0] != '/' || path.len > WIRE_MAX_NAME || memchr(path.data, '\0', path.len)) {
                *fault = (struct snekbox_fault){ "executable_path does not exist", NULL };
                return SNEKBOX_FAULT;
        }
        v->interpreter = strndup((const char *)path.data, path.len);
        v->q.execute.interpreter = path;
        return v->interpreter ? 0 : -ENOMEM;
}

static int fill(struct snekbox_eval *v)
{
        struct submission *x = &v->q.execute;

        v->q.kind = REQUEST_EXECUTE;
        x->language = span_of_text("python");
        x->merge_stderr = true;
        x->has_collect = true;
        v->everything = span_of_text("**");
        x->globs = &v->everything;
        x->n_globs = 1;
        x->collect_changed_only = true;
        x->env = malloc(sizeof variables);
        if (!x->env)
                return -ENOMEM;
        memcpy(x->env, variables, sizeof variables);
        x->n_env = sizeof variables / sizeof variables[0];
        return 0;
}

int snekbox_eval_read(struct snekbox_eval *v, json_t *body, struct snekbox_fault *fault, char **message)
{
        bool no_memory;
        *v = (struct snekbox_eval){ .body = body };

        json_t *description = snekbox_schema_fault(body, &no_memory);
        if (description || no_memory)
                return refuse(fault, "Request data failed validation", description);
        int r = fill(v);
        if (r == 0)
                r = read_interpreter(v, fault);
        if (r == 0)
                r = read_files(v, fault, message);
        if (r == 0)
                r = read_words(v);
        if (r != 0)
                return r;
        send_files(v);
        for (size_t i = 0; i < v->n_words; i++)
                if (v->words[i].len > 0 && memchr(v->words[i].data, '\0', v->words[i].len)) {
                        *message = strdup("ValueError: embedded null byte");
                        return *message ? SNEKBOX_ANSWERED : -ENOMEM;
                }
        return plan_program(v, fault);
}

static int64_t ceiling_of(const hatchery_v1_Limits *most, enum limit limit)
{
        const int64_t *const values[LIMIT_COUNT] = {
                [LIMIT_WALL] = most->has_wall_us ? &most->wall_us : NULL,
                [LIMIT_CPU] = most->has_cpu_us ? &most->cpu_us : NULL,
                [LIMIT_MEMORY] = most->has_memory_bytes ? &most->memory_bytes : NULL,
                [LIMIT_PIDS] = most->has_pids ? &most->pids : NULL,
                [LIMIT_OUTPUT] = most->has_output_bytes ? &most->output_bytes : NULL,
                [LIMIT_DISK] = most->has_disk_bytes ? &most->disk_bytes : NULL,
                [LIMIT_OPEN_FILES] = most->has_open_files ? &most->open_files : NULL,
        };

        return values[limit] ? *values[limit] : limit_table[limit].ceiling;
}

void snekbox_eval_limits(struct snekbox_eval *v, const hatchery_v1_LanguageStatus *language)
{
        static const hatchery_v1_Limits none = hatchery_v1_Limits_init_zero;
        const hatchery_v1_Limits *most = language && language->has_max_limits ? &language->max_limits : &none;
        struct submission *x = &v->q.execute;

        for (size_t i = 0; i < LIMIT_COUNT; i++) {
                int64_t ceiling = ceiling_of(most, (enum limit)i);
                x->has_limit[i] = limits[i] > 0;
                x->limit[i] = limits[i] < ceiling ? limits[i] : ceiling;
        }
}
