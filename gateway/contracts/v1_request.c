/* Requests of /v1: see v1_request.h. One table has all fields; docs/http.md and openapi.json list the same ones. */
#include "gateway/contracts/v1_fields.h"
#include "proto/wire/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array)   (sizeof(array) / sizeof *(array))
#define MEMBER(member) offsetof(struct draft, member)

/* The request while it is read. */
struct draft {
        struct submission s;
        bool has_input;
};

/* ---------------------------------------------------------------- files and variables */

struct file_draft {
        struct file_span file;
        bool has_content;
};

enum { MODE_MOST = 07777 };

/* A number, or octal digits as chmod takes them. */
static int read_mode(struct v1_reader *r, const struct v1_place *at, const json_t *value, const struct v1_field *f,
                     void *target)
{
        struct file_draft *draft = target;
        char *end = NULL;

        if (!json_is_string(value))
                return v1_number(r, at, value, f, target);
        const char *text = json_string_value(value);
        const unsigned long mode = strtoul(text, &end, 8);
        if (strspn(text, "01234567") != json_string_length(value) || !*text || mode > MODE_MOST)
                return v1_refuse(r, at, "octal digits up to \"7777\" are needed, as in \"0755\"");
        draft->file.mode = (uint32_t)mode;
        return 0;
}

static const struct v1_field file_fields[] = {
        { .name = "content",
          .read = v1_bytes,
          .offset = offsetof(struct file_draft, file.content),
          .has = offsetof(struct file_draft, has_content) },
        { .name = "content_base64",
          .read = v1_base64,
          .offset = offsetof(struct file_draft, file.content),
          .has = offsetof(struct file_draft, has_content) },
        { .name = "mode",
          .read = read_mode,
          .offset = offsetof(struct file_draft, file.mode),
          .most = MODE_MOST,
          .width = sizeof(uint32_t) },
};

static int read_file(struct v1_reader *r, const struct v1_place *at, const json_t *value, struct file_span *file)
{
        struct file_draft draft = { 0 };

        if (json_is_string(value)) {
                file->content = json_span(value);
                return 0;
        }
        if (!json_is_object(value))
                return v1_refuse_type(r, at, "a string, or an object with content", value);
        if (v1_object(r, at, value, file_fields, COUNT(file_fields), &draft) < 0)
                return -1;
        if (!draft.has_content)
                return v1_refuse(r, at, "the file has no content; give content or content_base64, which may be empty");
        file->content = draft.file.content;
        file->mode = draft.file.mode;
        return 0;
}

static int read_files(struct v1_reader *r, const struct v1_place *at, const json_t *value, const struct v1_field *f,
                      void *target)
{
        struct submission *s = &((struct draft *)target)->s;
        const char *name;
        json_t *member;

        if (!json_is_object(value))
                return v1_refuse_type(r, at, "an object of names and contents", value);
        if (json_object_size(value) > f->most)
                return v1_refuse(r, at, "there are %zu files, and %llu are possible", json_object_size(value),
                                 (unsigned long long)f->most);
        s->files = v1_array(r, json_object_size(value), sizeof *s->files);
        if (!s->files)
                return -1;
        json_object_foreach((json_t *)(uintptr_t)value, name, member)
        {
                const struct v1_place place = { .above = at, .name = name, .is_quoted = true };
                struct file_span *file = &s->files[s->n_files++];
                file->name = span_of_text(name);
                if (read_file(r, &place, member, file) < 0)
                        return -1;
        }
        return 0;
}

static int read_env(struct v1_reader *r, const struct v1_place *at, const json_t *value, const struct v1_field *f,
                    void *target)
{
        static const struct v1_field variable = { .name = "", .offset = offsetof(struct env_span, value) };
        struct submission *s = &((struct draft *)target)->s;
        const char *name;
        json_t *member;

        if (!json_is_object(value))
                return v1_refuse_type(r, at, "an object of names and values", value);
        if (json_object_size(value) > f->most)
                return v1_refuse(r, at, "there are %zu variables, and %llu are possible", json_object_size(value),
                                 (unsigned long long)f->most);
        s->env = v1_array(r, json_object_size(value), sizeof *s->env);
        if (!s->env)
                return -1;
        json_object_foreach((json_t *)(uintptr_t)value, name, member)
        {
                const struct v1_place place = { .above = at, .name = name, .is_quoted = true };
                struct env_span *env = &s->env[s->n_env++];
                env->name = span_of_text(name);
                if (v1_text(r, &place, member, &variable, env) < 0)
                        return -1;
        }
        return 0;
}

/* ---------------------------------------------------------------- limits */

struct limits {
        bool has[LIMIT_COUNT];
        int64_t value[LIMIT_COUNT];
};

static int read_limit(struct v1_reader *r, const struct v1_place *at, const json_t *value, const struct v1_field *f,
                      void *target)
{
        struct limits *l = target;

        if (!json_is_integer(value))
                return v1_refuse_type(r, at, "a whole number", value);
        l->has[f->offset] = true;
        l->value[f->offset] = json_integer_value(value);
        return 0;
}

static int read_limit_object(struct v1_reader *r, const struct v1_place *at, const json_t *value, struct limits *out)
{
        struct v1_field fields[LIMIT_COUNT];

        for (size_t i = 0; i < LIMIT_COUNT; i++)
                fields[i] = (struct v1_field){ .name = limit_table[i].name, .read = read_limit, .offset = i };
        return v1_object(r, at, value, fields, COUNT(fields), out);
}

static int read_limits(struct v1_reader *r, const struct v1_place *at, const json_t *value, const struct v1_field *f,
                       void *target)
{
        struct submission *s = &((struct draft *)target)->s;
        struct limits l = { 0 };

        (void)f;
        if (read_limit_object(r, at, value, &l) < 0)
                return -1;
        memcpy(s->has_limit, l.has, sizeof l.has);
        memcpy(s->limit, l.value, sizeof l.value);
        return 0;
}

static int read_compile_limits(struct v1_reader *r, const struct v1_place *at, const json_t *value,
                               const struct v1_field *f, void *target)
{
        struct submission *s = &((struct draft *)target)->s;
        struct limits l = { 0 };

        (void)f;
        if (read_limit_object(r, at, value, &l) < 0)
                return -1;
        s->has_compile_limits = true;
        memcpy(s->has_compile_limit, l.has, sizeof l.has);
        memcpy(s->compile_limit, l.value, sizeof l.value);
        return 0;
}

/* ---------------------------------------------------------------- objects and words */

static int read_collect(struct v1_reader *r, const struct v1_place *at, const json_t *value, const struct v1_field *f,
                        void *target)
{
        static const struct v1_field fields[] = {
                { .name = "globs",
                  .read = v1_words,
                  .offset = offsetof(struct submission, globs),
                  .most = WIRE_MAX_GLOBS,
                  .count = offsetof(struct submission, n_globs) },
                { .name = "max_files",
                  .read = v1_number,
                  .offset = offsetof(struct submission, collect_max_files),
                  .most = UINT32_MAX,
                  .width = sizeof(uint32_t) },
                { .name = "max_bytes",
                  .read = v1_number,
                  .offset = offsetof(struct submission, collect_max_bytes),
                  .most = INT64_MAX,
                  .width = sizeof(uint64_t) },
                { .name = "changed_only",
                  .read = v1_bool,
                  .offset = offsetof(struct submission, collect_changed_only) },
        };
        struct submission *s = &((struct draft *)target)->s;

        (void)f;
        s->has_collect = true;
        return v1_object(r, at, value, fields, COUNT(fields), s);
}

static int refuse_live(struct v1_reader *r, const struct v1_place *at)
{
        return v1_refuse(r, at, "this needs a connection that goes both ways: GET /v1/ws");
}

static int read_live_stdin(struct v1_reader *r, const struct v1_place *at, const json_t *value,
                           const struct v1_field *f, void *target)
{
        if (v1_bool(r, at, value, f, target) < 0)
                return -1;
        return json_is_true(value) && !r->is_live ? refuse_live(r, at) : 0;
}

static int read_terminal(struct v1_reader *r, const struct v1_place *at, const json_t *value, const struct v1_field *f,
                         void *target)
{
        static const struct v1_field fields[] = {
                { .name = "rows",
                  .read = v1_number,
                  .offset = offsetof(struct terminal_size, rows),
                  .most = TERMINAL_MAX,
                  .width = sizeof(uint32_t) },
                { .name = "columns",
                  .read = v1_number,
                  .offset = offsetof(struct terminal_size, columns),
                  .most = TERMINAL_MAX,
                  .width = sizeof(uint32_t) },
        };
        struct submission *s = &((struct draft *)target)->s;

        (void)f;
        if (!r->is_live)
                return refuse_live(r, at);
        s->has_terminal = true;
        return v1_object(r, at, value, fields, COUNT(fields), &s->terminal);
}

static int read_on_output_limit(struct v1_reader *r, const struct v1_place *at, const json_t *value,
                                const struct v1_field *f, void *target)
{
        const char *word = json_string_value(value);

        (void)f;
        if (!word)
                return v1_refuse_type(r, at, "\"KILL\" or \"TRUNCATE\"", value);
        if (strcmp(word, "KILL") != 0 && strcmp(word, "TRUNCATE") != 0)
                return v1_refuse(r, at, "\"KILL\" or \"TRUNCATE\" is needed, in these letters");
        ((struct draft *)target)->s.truncate_output = word[0] == 'T';
        return 0;
}

static const struct v1_field fields[] = {
        { .name = "language", .read = v1_text, .offset = MEMBER(s.language), .most = WIRE_MAX_LANGUAGE },
        { .name = "code", .read = v1_bytes, .offset = MEMBER(s.code), .has = MEMBER(s.has_code) },
        { .name = "code_base64", .read = v1_base64, .offset = MEMBER(s.code), .has = MEMBER(s.has_code) },
        { .name = "entry", .read = v1_text, .offset = MEMBER(s.entry), .most = WIRE_MAX_NAME },
        { .name = "files", .read = read_files, .most = WIRE_MAX_FILES },
        { .name = "args",
          .read = v1_words,
          .offset = MEMBER(s.args),
          .most = WIRE_MAX_ARGS,
          .count = MEMBER(s.n_args) },
        { .name = "env", .read = read_env, .most = WIRE_MAX_ENV },
        { .name = "stdin", .read = v1_bytes, .offset = MEMBER(s.standard_input), .has = MEMBER(has_input) },
        { .name = "stdin_base64", .read = v1_base64, .offset = MEMBER(s.standard_input), .has = MEMBER(has_input) },
        { .name = "limits", .read = read_limits },
        { .name = "merge_stderr", .read = v1_bool, .offset = MEMBER(s.merge_stderr) },
        { .name = "on_output_limit", .read = read_on_output_limit },
        { .name = "collect", .read = read_collect },
        { .name = "deadline_us",
          .read = v1_number,
          .offset = MEMBER(s.deadline_us),
          .most = INT64_MAX,
          .width = sizeof(uint64_t) },
        { .name = "client", .read = v1_text, .offset = MEMBER(s.client), .most = WIRE_MAX_CLIENT },
        { .name = "priority",
          .read = v1_number,
          .offset = MEMBER(s.priority),
          .most = UINT32_MAX,
          .width = sizeof(uint32_t) },
        { .name = "echo_last_expression", .read = v1_bool, .offset = MEMBER(s.echo_last_expression) },
        { .name = "compile_limits", .read = read_compile_limits },
        { .name = "unbuffered", .read = v1_bool, .offset = MEMBER(s.unbuffered) },
        { .name = "compile_flags",
          .read = v1_words,
          .offset = MEMBER(s.compile_flags),
          .most = WIRE_MAX_FLAGS,
          .count = MEMBER(s.n_compile_flags) },
        { .name = "stream", .read = v1_bool, .offset = MEMBER(s.stream) },
        { .name = "live_stdin", .read = read_live_stdin, .offset = MEMBER(s.live_input) },
        { .name = "terminal", .read = read_terminal },
        { .name = "interpreter_args",
          .read = v1_words,
          .offset = MEMBER(s.interpreter_args),
          .most = WIRE_MAX_INTERPRETER_ARGS,
          .count = MEMBER(s.n_interpreter_args) },
        { .name = "interpreter", .read = v1_text, .offset = MEMBER(s.interpreter), .most = WIRE_MAX_NAME },
        { .name = "run_id", .read = v1_text, .offset = MEMBER(s.run_id), .most = WIRE_MAX_RUN_ID },
        { .name = "idempotency_key",
          .read = v1_text,
          .offset = MEMBER(s.idempotency_key),
          .most = WIRE_MAX_IDEMPOTENCY_KEY },
};

/* ---------------------------------------------------------------- the whole */

int v1_request_read_json(struct v1_request *r, json_t *body, bool is_live, struct failure *why)
{
        struct v1_reader reader = { .owner = r, .why = why, .is_live = is_live };
        const struct v1_place top = { 0 };
        struct draft draft = { 0 };

        *r = (struct v1_request){ .body = body };
        int result = v1_object(&reader, &top, body, fields, COUNT(fields), &draft);
        if (result == 0 && draft.s.language.len == 0)
                result = v1_refuse(&reader, &top, "language is missing; GET /v1/languages lists the names");
        r->request.kind = REQUEST_EXECUTE;
        r->request.execute = draft.s;
        return result;
}

int v1_request_read(struct v1_request *r, struct span text, bool is_live, struct failure *why)
{
        struct json_fault fault;
        json_t *body = json_read(text, &fault);

        if (body)
                return v1_request_read_json(r, body, is_live, why);
        *r = (struct v1_request){ 0 };
        failure_set(why, 400, "INVALID_ARGUMENT", "the body can't be read: %s", fault.text);
        return -1;
}

void v1_request_fini(struct v1_request *r)
{
        for (size_t i = 0; i < r->n_owned; i++)
                free(r->owned[i]);
        free(r->owned);
        json_decref(r->body);
        *r = (struct v1_request){ 0 };
}
