/* The answers of POST /eval: see snekbox_parts.h. */
#include "gateway/contracts/snekbox_parts.h"
#include "gateway/json.h"
#include "proto/base/files_note.h"
#include "proto/base/utf8.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILES = 100, OF_SIGNAL = 128, EXIT_NO_EXEC = 126, EXIT_NOT_FOUND = 127 };

/* ---------------------------------------------------------------- the exit code */

/* A run that met a limit has the code of SIGKILL, or of SIGTERM for the limit of output. If the kernel killed a process
 * of the run for memory, and the main process went on, the main process's own exit code counts. */
static int returncode(const hatchery_v1_Result *r)
{
        switch (r->status) {
        case hatchery_v1_Result_Status_OUTPUT_LIMIT:
                return OF_SIGNAL + SIGTERM;
        case hatchery_v1_Result_Status_TIME_LIMIT:
        case hatchery_v1_Result_Status_CPU_LIMIT:
        case hatchery_v1_Result_Status_CANCELLED:
                return OF_SIGNAL + SIGKILL;
        default:
                return r->signal > 0 ? OF_SIGNAL + r->signal : r->exit_code;
        }
}

/* ---------------------------------------------------------------- output */

/* Line ends become "\n", as Python reads a text. NULL: no memory. */
static uint8_t *with_line_ends(struct span text, size_t *len)
{
        uint8_t *out = malloc(text.len + 1);
        size_t n = 0;

        for (size_t i = 0; out && i < text.len; i++) {
                bool is_return = text.data[i] == '\r';
                if (is_return && i + 1 < text.len && text.data[i + 1] == '\n')
                        i++;
                out[n++] = is_return ? '\n' : text.data[i];
        }
        *len = n;
        return out;
}

static json_t *output_text(struct span text)
{
        if (text.len == 0 || !memchr(text.data, '\r', text.len))
                return json_text(text, false);
        size_t len;
        uint8_t *plain = with_line_ends(text, &len);
        json_t *json = plain ? json_text((struct span){ plain, len }, false) : NULL;
        free(plain);
        return json;
}

/* If the limit of output cut a character in two, the first part of this character is left out. */
static bool is_utf8(struct span *text, bool is_cut)
{
        enum { MOST_BYTES = 4 };
        size_t valid = utf8_prefix(text->data, text->len);

        if (is_cut && text->len - valid < MOST_BYTES)
                text->len = valid;
        return valid == text->len;
}

/* ---------------------------------------------------------------- files */

/* The pattern "**" of two stars, a slash and "[!_]*": neither hidden nor in a hidden directory, and no underscore at
 * the start of its own name. */
static bool is_wanted(struct span name)
{
        const uint8_t *part = name.data, *end = name.data + name.len;
        for (;;) {
                const uint8_t *slash = memchr(part, '/', (size_t)(end - part));
                if (part == end || *part == '.')
                        return false;
                if (!slash)
                        return *part != '_';
                part = slash + 1;
        }
}

static int compare(const void *left, const void *right)
{
        const struct span *a = &((const struct file_span *)left)->name, *b = &((const struct file_span *)right)->name;
        size_t n = a->len < b->len ? a->len : b->len;
        int c = n > 0 ? memcmp(a->data, b->data, n) : 0;
        return c ? c : a->len < b->len ? -1 : a->len > b->len;
}

static const char *files_fault(const struct answer *a)
{
        const char *note = a->m.answer.result.files_note;

        for (size_t i = 0; i < a->n_files; i++)
                if (a->files[i].raw_name.len > 0 && is_wanted(a->files[i].raw_name))
                        return "FileParsingError: invalid bytes in filename while parsing attachments";
        if (!a->m.answer.result.files_incomplete)
                return NULL;
        if (strcmp(note, FILES_NOTE_TOO_DEEP) == 0)
                return "FileParsingError: Exceeded directory depth limit while parsing attachments";
        if (strcmp(note, FILES_NOTE_TOO_LONG) == 0)
                return "TimeoutError: Exceeded time limit while parsing attachments";
        if (strcmp(note, FILES_NOTE_BROKEN) == 0)
                return "FileParsingError: Unknown error while parsing attachments";
        return NULL; /* too many or too large: snekbox, too, leaves such files out without a message */
}

static json_t *file_json(const struct file_span *f)
{
        return json_pack("{s:o,s:I,s:o}", "path", json_text(f->name, false), "size", (json_int_t)f->content.len,
                         "content", json_base64(f->content));
}

static json_t *files_json(const struct answer *a)
{
        json_t *list = json_array();
        struct file_span *files = calloc(a->n_files + 1, sizeof *files);
        size_t n = 0;

        for (size_t i = 0; files && i < a->n_files; i++)
                if (is_wanted(a->files[i].name))
                        files[n++] = a->files[i];
        if (n > 1)
                qsort(files, n, sizeof *files, compare);
        for (size_t i = 0; list && i < n && i < MAX_FILES; i++)
                if (json_array_append_new(list, file_json(&files[i])) < 0) {
                        json_decref(list);
                        list = NULL;
                }
        if (!files) {
                json_decref(list);
                list = NULL;
        }
        free(files);
        return list;
}

/* ---------------------------------------------------------------- all together */

json_t *snekbox_answer_message(const char *message)
{
        return json_pack("{s:o,s:n,s:[]}", "stdout", json_text(span_of_text(message), true), "returncode", "files");
}

json_t *snekbox_answer(const struct answer *a)
{
        const hatchery_v1_Result *r = &a->m.answer.result;
        struct span out = a->out;

        if (!is_utf8(&out, r->stdout_truncated || r->status == hatchery_v1_Result_Status_OUTPUT_LIMIT))
                return snekbox_answer_message("UnicodeDecodeError: invalid Unicode in output pipe");
        const char *fault = files_fault(a);
        if (fault)
                return snekbox_answer_message(fault);
        return json_pack("{s:o,s:i,s:o}", "stdout", output_text(out), "returncode", returncode(r), "files",
                         files_json(a));
}

const char *snekbox_interpreter_fault(const char *interpreter, const struct answer *a)
{
        static const char before[] = "python: can't start ";
        const hatchery_v1_Result *r = &a->m.answer.result;
        size_t len = sizeof before - 1 + strlen(interpreter) + 2;

        if (r->status != hatchery_v1_Result_Status_EXITED ||
            (r->exit_code != EXIT_NO_EXEC && r->exit_code != EXIT_NOT_FOUND) || a->out.len < len ||
            memcmp(a->out.data, before, sizeof before - 1) != 0 ||
            memcmp(a->out.data + sizeof before - 1, interpreter, strlen(interpreter)) != 0)
                return NULL;
        struct span why = { a->out.data + len, a->out.len - len };
        static const struct {
                int code;
                const char *sentence, *title;
        } faults[] = {
                { EXIT_NOT_FOUND, "No such file or directory\n", "executable_path does not exist" },
                { EXIT_NO_EXEC, "Not a directory\n", "executable_path does not exist" },
                { EXIT_NO_EXEC, "Is a directory\n", "executable_path is not a file" },
                { EXIT_NO_EXEC, "Permission denied\n", "executable_path is not executable" },
        };
        for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
                if (r->exit_code == faults[i].code && why.len == strlen(faults[i].sentence) &&
                    memcmp(why.data, faults[i].sentence, why.len) == 0)
                        return faults[i].title;
        return NULL;
}
