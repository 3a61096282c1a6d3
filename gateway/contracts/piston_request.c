/* The body of POST /execute, or the message `init`, as a request to the pool. Checks come in Piston's order and have
 * Piston's sentences, where Piston has one. */
#include "gateway/contracts/piston_parts.h"
#include "gateway/json.h"
#include "proto/base/own.h"
#include "proto/wire/wire.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The memory of one file, where it does not stand in the body. */
struct piston_file {
        char *name;
        uint8_t *content;
};

enum encoding { ENCODING_UTF8, ENCODING_BASE64, ENCODING_HEX };

__attribute__((format(printf, 2, 3))) static int refuse(struct failure *why, const char *format, ...)
{
        char text[sizeof why->message];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        failure_set(why, 400, "INVALID_ARGUMENT", "%s", text);
        return -1;
}

static int refuse_memory(struct failure *why)
{
        failure_set(why, 503, "RESOURCE_EXHAUSTED", "the server has no memory for this request at present");
        why->retry_after_ms = 1000;
        return -1;
}

/* A string that is not empty, as C has it; NULL: the field is missing, or something else. */
static const char *text_field(const json_t *body, const char *name)
{
        const char *text = json_string_value(json_object_get(body, name));

        return text && *text ? text : NULL;
}

static bool has_nul(const json_t *string)
{
        return strlen(json_string_value(string)) != json_string_length(string);
}

/* ---------------------------------------------------------------- contents */

static enum encoding encoding_of(const json_t *file)
{
        const char *name = json_string_value(json_object_get(file, "encoding"));

        if (name && strcmp(name, "base64") == 0)
                return ENCODING_BASE64;
        return name && strcmp(name, "hex") == 0 ? ENCODING_HEX : ENCODING_UTF8;
}

/* Does the file count as utf8 in the check that there is a program? As in Piston, a file with an unknown encoding does
 * not count, although it is read as utf8. */
static bool says_utf8(const json_t *file)
{
        const json_t *encoding = json_object_get(file, "encoding");

        return !encoding || json_is_null(encoding) || json_is_false(encoding) ||
               (json_is_string(encoding) &&
                (!*json_string_value(encoding) || strcmp(json_string_value(encoding), "utf8") == 0));
}

static int hex_digit(uint8_t c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* -EINVAL, -ENOMEM. */
static int decode_hex(struct span text, uint8_t **out, size_t *len)
{
        *len = text.len / 2;
        *out = malloc(*len + 1);
        if (!*out)
                return -ENOMEM;
        for (size_t i = 0; i < *len; i++) {
                const int high = hex_digit(text.data[2 * i]), low = hex_digit(text.data[2 * i + 1]);
                if (high < 0 || low < 0)
                        return -EINVAL;
                (*out)[i] = (uint8_t)(high << 4 | low);
        }
        return text.len % 2 == 0 ? 0 : -EINVAL;
}

/* Clients of Piston also send base64 in lines, in the alphabet for URLs, and without padding. */
static int decode_base64(struct span text, uint8_t **out, size_t *len)
{
        OWN_MEM uint8_t *plain = malloc(text.len + 3);
        size_t n = 0;

        if (!plain)
                return -ENOMEM;
        for (size_t i = 0; i < text.len; i++) {
                const uint8_t c = text.data[i];
                if (c == '\r' || c == '\n' || c == ' ' || c == '\t')
                        continue;
                plain[n++] = c == '-' ? '+' : c == '_' ? '/' : c;
        }
        while (n % 4 != 0 && n % 4 != 1)
                plain[n++] = '=';
        return base64_decode((struct span){ plain, n }, out, len);
}

static int read_content(struct file_span *f, struct piston_file *own, const json_t *file, size_t i, struct failure *why)
{
        const enum encoding encoding = encoding_of(file);
        const struct span text = json_span(json_object_get(file, "content"));
        int r;

        if (encoding == ENCODING_UTF8) {
                f->content = text;
                return 0;
        }
        if (encoding == ENCODING_HEX)
                r = decode_hex(text, &own->content, &f->content.len);
        else
                r = decode_base64(text, &own->content, &f->content.len);
        if (r == -ENOMEM)
                return refuse_memory(why);
        if (r < 0)
                return refuse(why, "files[%zu].content is not valid %s", i,
                              encoding == ENCODING_HEX ? "hex" : "base64");
        f->content.data = own->content;
        return 0;
}

/* ---------------------------------------------------------------- names */

static bool has_extension(const char *name, const hatchery_v1_LanguageStatus *l)
{
        const char *dot = strrchr(name, '.');

        for (size_t i = 0; dot && i < l->extensions_count; i++)
                if (strcmp(dot + 1, l->extensions[i]) == 0)
                        return true;
        return false;
}

/* A header is no source, and other files include it by its name. */
static bool is_header(const char *name)
{
        const char *dot = strrchr(name, '.');

        return dot && (dot[1] == 'h' || dot[1] == 'H');
}

/* Makes a path relative to the work directory: "/a//b/./c/../d" becomes "a/b/d". False: it leaves the directory. */
static bool tidy_path(char *path)
{
        size_t depth = 0;
        char *to = path, *save = NULL;

        for (char *part = strtok_r(path, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
                if (strcmp(part, ".") == 0)
                        continue;
                if (strcmp(part, "..") == 0) {
                        if (depth-- == 0)
                                return false;
                        while (to > path && *--to != '/')
                                ;
                        continue;
                }
                const size_t len = strlen(part);
                if (depth++ > 0)
                        *to++ = '/';
                memmove(to, part, len);
                to += len;
        }
        *to = 0;
        return true;
}

/* A compiler recognises sources by their extension. So the program gets the language's extension if its name has none,
 * and so does each file whose name was left out. */
static int read_name(struct piston_job *j, struct file_span *f, struct piston_file *own, const json_t *file, size_t i,
                     bool is_program, struct failure *why)
{
        const hatchery_v1_LanguageStatus *l = j->runtime.language;
        const json_t *given = json_object_get(file, "name");
        const bool is_named = given && !json_is_null(given) && !(json_is_string(given) && !json_string_length(given));
        char made[32];

        if (is_named && (!json_is_string(given) || has_nul(given)))
                return refuse(why, "files[%zu].name must be a string without NUL characters", i);
        snprintf(made, sizeof made, "file%zu.code", i);
        const char *name = is_named ? json_string_value(given) : made;
        if (strlen(name) > WIRE_MAX_NAME - sizeof l->extensions[0])
                return refuse(why, "files[%zu].name is longer than %zu bytes", i,
                              WIRE_MAX_NAME - sizeof l->extensions[0]);
        own->name = malloc(strlen(name) + sizeof "." + sizeof l->extensions[0]);
        if (!own->name)
                return refuse_memory(why);
        strcpy(own->name, name);
        if (!tidy_path(own->name))
                return refuse(why, "File path \"%.200s\" tries to escape parent directory", name);
        if (!*own->name || name[strlen(name) - 1] == '/')
                return refuse(why, "files[%zu].name must be the name of a file", i);
        if (j->is_compiled && l->extensions_count > 0 && (is_program || !is_named) &&
            encoding_of(file) == ENCODING_UTF8 && !has_extension(own->name, l) && !is_header(own->name)) {
                strcat(own->name, ".");
                strcat(own->name, l->extensions[0]);
        }
        f->name = span_of_text(own->name);
        return 0;
}

/* ---------------------------------------------------------------- the parts of a request */

/* Checks what Piston checks before it looks for a runtime. */
static int check_fields(const json_t *body, struct failure *why)
{
        const json_t *files = json_object_get(body, "files");

        if (!text_field(body, "language"))
                return refuse(why, "language is required as a string");
        if (!text_field(body, "version"))
                return refuse(why, "version is required as a string");
        if (!json_is_array(files))
                return refuse(why, "files is required as an array");
        for (size_t i = 0; i < json_array_size(files); i++)
                if (!json_is_string(json_object_get(json_array_get(files, i), "content")))
                        return refuse(why, "files[%zu].content is required as a string", i);
        return 0;
}

static int find_runtime(struct piston_job *j, const json_t *body, const struct hatchery_answer *status,
                        struct failure *why)
{
        const char *language = text_field(body, "language"), *version = text_field(body, "version");

        if (has_nul(json_object_get(body, "language")) || has_nul(json_object_get(body, "version")) ||
            !piston_runtime_find(&j->runtime, status, language, version))
                return refuse(why, "%.200s-%.200s runtime is unknown", language, version);
        j->is_compiled = j->runtime.language->kind == hatchery_v1_LanguageStatus_Kind_COMPILED;
        j->request.execute.language = span_of_text(j->runtime.language->name);
        return 0;
}

static int check_program(const json_t *files, struct failure *why)
{
        if (json_array_size(files) > WIRE_MAX_FILES)
                return refuse(why, "files cannot be more than %d", WIRE_MAX_FILES);
        for (size_t i = 0; i < json_array_size(files); i++)
                if (says_utf8(json_array_get(files, i)))
                        return 0;
        return refuse(why, "files must include at least one utf8 encoded file");
}

static int read_files(struct piston_job *j, const json_t *files, struct failure *why)
{
        struct submission *s = &j->request.execute;
        const size_t n = json_array_size(files);

        s->files = calloc(n, sizeof *s->files);
        j->owned = calloc(n, sizeof *j->owned);
        if (!s->files || !j->owned)
                return refuse_memory(why);
        j->n_owned = s->n_files = n;
        for (size_t i = 0; i < n; i++) {
                const json_t *file = json_array_get(files, i);
                const bool is_program = !s->entry.len && encoding_of(file) == ENCODING_UTF8;
                if (read_name(j, &s->files[i], &j->owned[i], file, i, is_program, why) < 0 ||
                    read_content(&s->files[i], &j->owned[i], file, i, why) < 0)
                        return -1;
                if (is_program)
                        s->entry = s->files[i].name;
        }
        return 0;
}

static int read_args(struct piston_job *j, const json_t *args, struct failure *why)
{
        struct submission *s = &j->request.execute;

        if (!args || json_is_null(args))
                return 0;
        if (!json_is_array(args))
                return refuse(why, "If specified, args must be an array of strings");
        if (json_array_size(args) > WIRE_MAX_ARGS)
                return refuse(why, "args cannot be more than %d", WIRE_MAX_ARGS);
        if (json_array_size(args) == 0)
                return 0;
        s->args = calloc(json_array_size(args), sizeof *s->args);
        if (!s->args)
                return refuse_memory(why);
        s->n_args = json_array_size(args);
        for (size_t i = 0; i < s->n_args; i++) {
                const json_t *arg = json_array_get(args, i);
                if (!json_is_string(arg) || has_nul(arg))
                        return refuse(why, "args[%zu] must be a string without NUL characters", i);
                if (json_string_length(arg) > WIRE_MAX_STRING)
                        return refuse(why, "args[%zu] is longer than %d bytes", i, WIRE_MAX_STRING);
                s->args[i] = json_span(arg);
        }
        return 0;
}

/* Piston ends standard input by a newline, even if the input is empty. */
static int read_input(struct piston_job *j, const json_t *input, struct failure *why)
{
        struct span text = { NULL, 0 };

        if (input && !json_is_null(input) && !json_is_string(input))
                return refuse(why, "If specified, stdin must be a string");
        if (json_is_string(input))
                text = json_span(input);
        j->input = malloc(text.len + 1);
        if (!j->input)
                return refuse_memory(why);
        if (text.len > 0)
                memcpy(j->input, text.data, text.len);
        size_t len = text.len;
        if (len == 0 || j->input[len - 1] != '\n')
                j->input[len++] = '\n';
        j->request.execute.standard_input = (struct span){ j->input, len };
        return 0;
}

/* Piston's variables. A warm virtual machine of Java can't take any, and a new one takes a second. */
static void set_env(struct piston_job *j)
{
        struct submission *s = &j->request.execute;

        if (strcmp(j->runtime.language->name, "java") == 0)
                return;
        j->env[0] = (struct env_span){ span_of_text("HOME"), span_of_text("/tmp") };
        j->env[1] = (struct env_span){ span_of_text("PISTON_LANGUAGE"), span_of_text(j->runtime.name) };
        s->env = j->env;
        s->n_env = 2;
}

int piston_job_read(struct piston_job *j, const json_t *body, const struct hatchery_answer *status, bool is_interactive,
                    struct failure *why)
{
        struct submission *s = &j->request.execute;
        const json_t *files = json_object_get(body, "files");

        *j = (struct piston_job){ .request.kind = REQUEST_EXECUTE };
        if (check_fields(body, why) < 0 || find_runtime(j, body, status, why) < 0 || check_program(files, why) < 0 ||
            piston_limits_read(s, body, j->runtime.language, j->is_compiled, why) < 0 ||
            read_files(j, files, why) < 0 || read_args(j, json_object_get(body, "args"), why) < 0)
                return -1;
        if (!is_interactive && read_input(j, json_object_get(body, "stdin"), why) < 0)
                return -1;
        set_env(j);
        s->stream = true; /* only its messages keep the order of both outputs */
        s->live_input = is_interactive;
        s->unbuffered = is_interactive;
        return 0;
}

void piston_job_fini(struct piston_job *j)
{
        for (size_t i = 0; i < j->n_owned; i++) {
                free(j->owned[i].name);
                free(j->owned[i].content);
        }
        free(j->owned);
        free(j->input);
        free(j->request.execute.files);
        free(j->request.execute.args);
        *j = (struct piston_job){ 0 };
}
