/* Bodies to requests: see sandboxfusion_request.h. */
#include "gateway/contracts/sandboxfusion_request.h"

#include "gateway/contracts/sandboxfusion_driver.h"
#include "gateway/contracts/sandboxfusion_names.h"
#include "gateway/json.h"
#include "proto/base/own.h"
#include "proto/wire/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
        DEFAULT_TIMEOUT_US = 10000000,
        DEFAULT_TOTAL_US = 45000000,
        MOST_MEMORY_MB = 1 << 30,
};

static const char driver_name[] = ".hatchery-cells.py";

static bool no_memory(struct fusion_fields *f)
{
        f->failed = true; /* without a fault */
        return false;
}

static struct span span_of(const char *text, size_t len)
{
        return (struct span){ (const uint8_t *)text, len };
}

/* ---------------------------------------------------------------- files */

/* The text without spaces and newlines, which SandboxFusion accepts in base64. out has room for text.len bytes. */
static struct span without_space(struct span text, uint8_t *out)
{
        size_t n = 0;
        for (size_t i = 0; i < text.len; i++)
                if (!memchr(" \t\r\n", text.data[i], 4))
                        out[n++] = text.data[i];
        return (struct span){ out, n };
}

static int decode(struct span text, uint8_t **out, size_t *len)
{
        int r = base64_decode(text, out, len);
        if (r != -EINVAL || text.len == 0)
                return r;
        OWN_MEM uint8_t *dense = malloc(text.len);
        if (!dense)
                return -ENOMEM;
        return base64_decode(without_space(text, dense), out, len);
}

static bool add_file(struct fusion_request *r, struct span given, const json_t *content, struct fusion_fields *f)
{
        char name[FUSION_NAME_MAX + 1];
        const char *why;
        json_t *item = json_stringn((const char *)given.data, given.len);

        if (json_is_null(content)) {
                json_decref(item);
                return true;
        }
        if (!json_is_string(content)) {
                fusion_fault(f, "string_type", "files", item,
                             "the content of a file is a string of base64, or null for no file");
                return false;
        }
        int n = fusion_name(given, name, &why);
        if (n < 0) {
                fusion_fault(f, "value_error", "files", item, "the name of a file %s", why);
                return false;
        }
        size_t len;
        int got = decode(json_span(content), &r->contents[r->n_files], &len);
        if (got == -EINVAL) {
                fusion_fault(f, "value_error", "files", item, "the content of a file is not valid base64");
                return false;
        }
        json_decref(item);
        char *copy = got < 0 ? NULL : strndup(name, (size_t)n);
        r->names[r->n_files] = copy;
        if (copy)
                r->files[r->n_files] = (struct file_span){ .name = span_of(copy, (size_t)n),
                                                           .content = { r->contents[r->n_files], len } };
        r->n_files++;
        return copy ? true : no_memory(f);
}

/* Leaves room for one more file than the request's own: the program. */
static bool take_files(struct fusion_request *r, struct fusion_fields *f)
{
        const json_t *files = fusion_object(f, "files");
        size_t n = files ? json_object_size(files) : 0, key_len;
        const char *key;
        json_t *content;

        if (n > FUSION_FILES_MAX) {
                fusion_fault(f, "too_long", "files", NULL, "there are %zu files; %d are the most", n, FUSION_FILES_MAX);
                return false;
        }
        r->files = calloc(n + 1, sizeof *r->files);
        r->names = calloc(n + 1, sizeof *r->names);
        r->contents = calloc(n + 1, sizeof *r->contents);
        if (!r->files || !r->names || !r->contents)
                return no_memory(f);
        json_object_keylen_foreach((json_t *)(uintptr_t)files, key, key_len,
                                   content) if (!add_file(r, span_of(key, key_len), content, f)) return false;
        return !f->failed;
}

static bool take_fetch(struct fusion_request *r, struct fusion_fields *f)
{
        const json_t *list = fusion_texts(f, "fetch_files", false, FUSION_FETCH_MAX), *item;
        char name[FUSION_NAME_MAX + 1];
        const char *why;
        size_t i, n = json_array_size(list);

        if (n == 0)
                return !f->failed;
        r->fetch = calloc(n, sizeof *r->fetch);
        r->globs = calloc(n, sizeof *r->globs);
        if (!r->fetch || !r->globs)
                return no_memory(f);
        json_array_foreach(list, i, item)
        {
                struct span given = json_span(item);
                int len = fusion_name(given, name, &why);
                if (len < 0) {
                        fusion_fault(f, "value_error", "fetch_files", json_integer((json_int_t)i),
                                     "the name of a file %s", why);
                        return false;
                }
                struct fusion_fetch *one = &r->fetch[r->n_fetch++];
                one->asked = strndup((const char *)given.data, given.len);
                one->name = strndup(name, (size_t)len);
                if (!one->asked || !one->name)
                        return no_memory(f);
                r->globs[i] = span_of(one->name, (size_t)len);
        }
        r->q.execute.has_collect = true;
        r->q.execute.globs = r->globs;
        r->q.execute.n_globs = n;
        return true;
}

/* ---------------------------------------------------------------- limits and arguments */

static void set_limit(struct submission *x, enum limit limit, int64_t value)
{
        x->has_limit[limit] = true;
        x->limit[limit] = value;
}

/* SandboxFusion limits only wall time. Here CPU time has the same limit, which is the time of one processor. */
static void limit_run(struct fusion_request *r, int64_t us, struct fusion_fields *f)
{
        int64_t megabytes = fusion_integer(f, "memory_limit_MB", -1);
        struct submission *x = &r->q.execute;

        set_limit(x, LIMIT_WALL, us);
        set_limit(x, LIMIT_CPU, us);
        if (megabytes > MOST_MEMORY_MB)
                fusion_fault(f, "less_than_equal", "memory_limit_MB", NULL, "memory_limit_MB is more than %d",
                             MOST_MEMORY_MB);
        else if (megabytes > 0)
                set_limit(x, LIMIT_MEMORY, megabytes << 20);
        x->truncate_output = true;
}

static void limit_compiler(struct fusion_request *r, int64_t us)
{
        struct submission *x = &r->q.execute;

        if (r->language->compile != FUSION_COMPILE_STAGE)
                return;
        x->has_compile_limits = true;
        x->has_compile_limit[LIMIT_WALL] = x->has_compile_limit[LIMIT_CPU] = true;
        x->compile_limit[LIMIT_WALL] = x->compile_limit[LIMIT_CPU] = us;
}

static bool take_args(struct fusion_request *r, struct fusion_fields *f)
{
        const json_t *list = fusion_texts(f, "args", false, WIRE_MAX_ARGS), *item;
        size_t i, n = json_array_size(list);

        if (n == 0)
                return !f->failed;
        r->args = calloc(n, sizeof *r->args);
        if (!r->args)
                return no_memory(f);
        json_array_foreach(list, i, item)
        {
                struct span arg = json_span(item);
                if (arg.len > WIRE_MAX_STRING || memchr(arg.data, '\0', arg.len)) {
                        fusion_fault(f, "value_error", "args", json_integer((json_int_t)i),
                                     "an argument has at most %d bytes, and no NUL byte", WIRE_MAX_STRING);
                        return false;
                }
                r->args[i] = arg;
        }
        r->q.execute.args = r->args;
        r->q.execute.n_args = n;
        return true;
}

/* ---------------------------------------------------------------- the program */

static bool same(struct span a, const char *text)
{
        return a.len == strlen(text) && memcmp(a.data, text, a.len) == 0;
}

static bool is_in_the_way(struct span name, const char *main_file)
{
        size_t n = strlen(main_file);
        return name.len >= n && memcmp(name.data, main_file, n) == 0 && (name.len == n || name.data[n] == '/');
}

static bool add_opening(struct fusion_request *r, struct span *code, struct fusion_fields *f)
{
        const char *opening = fusion_language_opening(r->language, *code);
        size_t n = strlen(opening);

        if (n == 0)
                return true;
        r->made = malloc(n + code->len);
        if (!r->made)
                return no_memory(f);
        memcpy(r->made, opening, n);
        memcpy(r->made + n, code->data, code->len);
        *code = span_of(r->made, n + code->len);
        return true;
}

/* Sends the code as the file `entry` and starts it. There is room for it among the files. */
static void start_file(struct fusion_request *r, const char *entry, struct span code)
{
        struct submission *x = &r->q.execute;

        x->entry = span_of_text(entry);
        r->files[x->n_files++] = (struct file_span){ .name = x->entry, .content = code };
}

/* Takes the file of that name out of the request's files. SandboxFusion writes its program over such a file. */
static void leave_out(struct submission *x, struct file_span *files, const char *name)
{
        for (size_t i = 0; i < x->n_files; i++)
                if (same(files[i].name, name))
                        files[i--] = files[--x->n_files];
}

/* The program has the language's main name, unless a file of the request has that name. SandboxFusion gives programs
 * names that no other file has. */
static void place_program(struct fusion_request *r, struct span code)
{
        const struct fusion_language *l = r->language;
        struct submission *x = &r->q.execute;
        bool taken = false;

        if (l->main_file && !l->aside)
                leave_out(x, r->files, l->main_file);
        for (size_t i = 0; i < x->n_files && l->aside; i++)
                taken |= is_in_the_way(r->files[i].name, l->main_file);
        if (taken) {
                start_file(r, l->aside, code);
                return;
        }
        x->has_code = true;
        x->code = code;
}

static bool take_language(struct fusion_request *r, struct fusion_fields *f)
{
        struct span name = fusion_text(f, "language", false, NULL);

        r->language = fusion_language_find(name);
        if (!f->failed && (name.len == 0 || name.len > WIRE_MAX_LANGUAGE || memchr(name.data, '\0', name.len)))
                fusion_fault(f, "literal_error", "language", NULL, "there is no language of that name here");
        r->q.execute.language = r->language->ours ? span_of_text(r->language->ours) : name;
        return !f->failed;
}

static void take_environment(struct fusion_request *r, struct span code)
{
        const char *name, *value;

        if (!fusion_language_variable(r->language, code, &name, &value))
                return;
        r->env = (struct env_span){ span_of_text(name), span_of_text(value) };
        r->q.execute.env = &r->env;
        r->q.execute.n_env = 1;
}

static bool begin(struct fusion_request *r, json_t *body, struct fusion_fields *f)
{
        *r = (struct fusion_request){ .body = body, .q.kind = REQUEST_EXECUTE };
        f->body = body;
        if (!json_is_object(body))
                fusion_fault(f, "model_attributes_type", NULL, NULL, "the body is not a JSON object");
        return !f->failed;
}

bool fusion_request_code(struct fusion_request *r, json_t *body, struct fusion_fields *f)
{
        if (!begin(r, body, f) || !take_language(r, f))
                return false;
        struct span code = fusion_text(f, "code", false, NULL);
        int64_t compile_us = fusion_time(f, "compile_timeout", DEFAULT_TIMEOUT_US, false);
        r->q.execute.standard_input = fusion_text(f, "stdin", true, "");
        limit_run(r, fusion_time(f, "run_timeout", DEFAULT_TIMEOUT_US, false), f);
        limit_compiler(r, compile_us);
        if (f->failed || !take_args(r, f) || !take_files(r, f) || !take_fetch(r, f) || !add_opening(r, &code, f))
                return false;
        r->q.execute.files = r->files;
        r->q.execute.n_files = r->n_files;
        take_environment(r, code);
        place_program(r, code);
        return true;
}

/* ---------------------------------------------------------------- notebooks */

/* What the driver reads from its standard input. */
static bool make_input(struct fusion_request *r, const json_t *cells, int64_t cell_us, int64_t total_us,
                       struct fusion_fields *f)
{
        json_t *input = json_pack("{s:s, s:I, s:I, s:O}", "mark", r->mark, "cell_us", (json_int_t)cell_us, "total_us",
                                  (json_int_t)total_us, "cells", cells);
        r->made = input ? json_dumps(input, JSON_COMPACT) : NULL;
        json_decref(input);
        if (!r->made)
                return no_memory(f);
        r->q.execute.standard_input = span_of_text(r->made);
        return true;
}

bool fusion_request_jupyter(struct fusion_request *r, json_t *body, const char mark[FUSION_MARK_SIZE],
                            struct fusion_fields *f)
{
        if (!begin(r, body, f))
                return false;
        r->is_jupyter = true;
        r->language = fusion_language_find(span_of_text("python"));
        r->q.execute.language = span_of_text("python");
        memcpy(r->mark, mark, sizeof r->mark);

        const json_t *cells = fusion_texts(f, "cells", true, FUSION_CELLS_MAX);
        struct span kernel = fusion_text(f, "kernel", false, "python3");
        int64_t cell_us = fusion_time(f, "cell_timeout", 0, true);
        int64_t total_us = fusion_time(f, "total_timeout", DEFAULT_TOTAL_US, false);
        if (!same(kernel, "python3"))
                fusion_fault(f, "literal_error", "kernel", NULL, "the only kernel is python3");
        limit_run(r, total_us, f);
        if (f->failed || !take_files(r, f) || !take_fetch(r, f) || !make_input(r, cells, cell_us, total_us, f))
                return false;
        r->n_cells = json_array_size(cells);
        r->q.execute.files = r->files;
        r->q.execute.n_files = r->n_files;
        start_file(r, driver_name, span_of((const char *)sandboxfusion_driver, sandboxfusion_driver_len));
        return true;
}

/* ---------------------------------------------------------------- ends */

void fusion_request_forget_input(struct fusion_request *r)
{
        for (size_t i = 0; i < r->n_files; i++) {
                free(r->names[i]);
                free(r->contents[i]);
        }
        free(r->names);
        free(r->contents);
        free(r->files);
        free(r->globs);
        free(r->args);
        free(r->made);
        json_decref(r->body);
        r->names = NULL;
        r->contents = NULL;
        r->files = NULL;
        r->globs = r->args = NULL;
        r->made = NULL;
        r->body = NULL;
        r->n_files = 0;
        r->q = (struct request){ 0 };
}

void fusion_request_fini(struct fusion_request *r)
{
        fusion_request_forget_input(r);
        for (size_t i = 0; i < r->n_fetch; i++) {
                free(r->fetch[i].asked);
                free(r->fetch[i].name);
        }
        free(r->fetch);
        r->fetch = NULL;
        r->n_fetch = 0;
}

const char *fusion_request_field(const struct fusion_request *r, const char *sentence)
{
        static const struct {
                const char *said, *field, *of_jupyter;
        } fields[] = {
                { "(compile_limits.", "compile_timeout", NULL },
                { "(limits.wall_us)", "run_timeout", "total_timeout" },
                { "(limits.cpu_us)", "run_timeout", "total_timeout" },
                { "(limits.memory_bytes)", "memory_limit_MB", "memory_limit_MB" },
                { "(limits.disk_bytes)", "files", "files" },
                { "the file", "files", "files" },
                { "two files", "files", "files" },
        };

        for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
                if (strstr(sentence, fields[i].said))
                        return r->is_jupyter ? fields[i].of_jupyter : fields[i].field;
        return NULL;
}
