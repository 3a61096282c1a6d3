/* Parts of snekbox's contract that its files share: gateway/contracts/snekbox*.c. docs/http-snekbox.md tells what each
 * field means, and where Hatchery differs on purpose. Everything here is pure. */
#pragma once

#include "proto/wire/answer.h"
#include "proto/wire/request.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---------------------------------------------------------------- snekbox_repr.c */

enum { SNEKBOX_REPR_MAX = 2000 };

/* A value as Python's repr shows it: {'stuff': 'foo'}. The text is cut after SNEKBOX_REPR_MAX bytes, and then ends in
 * "...". Fresh memory that the caller frees. NULL: no memory. */
char *snekbox_repr(const json_t *value);

/* ---------------------------------------------------------------- snekbox_schema.c */

/* Checks the body's shape. NULL: it fits. Otherwise the description of the fault, a fresh reference, in the words of
 * Python's jsonschema; *no_memory is set if there is none for it. */
json_t *snekbox_schema_fault(const json_t *body, bool *no_memory);

/* ---------------------------------------------------------------- snekbox_files.c */

struct snekbox_file {
        struct span path; /* as the client wrote it; points into the body */
        char *name;       /* relative to the work directory, without ".", ".." and empty parts; "": that directory */
        uint8_t *content; /* owned, as is name */
        size_t len;
        size_t index; /* in the request */
};

/* Where a path leads to, in fresh memory. 0; -EPERM: it leaves the work directory. -ENOMEM. */
int snekbox_path(struct span path, char **name);

/* Decodes base64 as Python's b64decode does: bytes outside of the alphabet are skipped. *out is fresh memory, never
 * NULL on success. -EINVAL, -ENOMEM. */
int snekbox_base64(struct span text, uint8_t **out, size_t *len);

/* Sorts the files by name. Of several files with one name, the last is kept. Returns NULL if all files can be made.
 * Otherwise returns the file that can't be made, with the name of Python's exception in *exception. bytes: how much the
 * work directory holds. */
const struct snekbox_file *snekbox_files_settle(struct snekbox_file *files, size_t *n, uint64_t bytes,
                                                const char **exception);

/* ---------------------------------------------------------------- snekbox_request.c */

/* One POST /eval, ready for run_start but for its limits. Owns its memory; the bytes of the body are its own copy. */
struct snekbox_eval {
        json_t *body;
        struct snekbox_file *files;
        size_t n_files;
        struct span *words; /* of Python's command line, without the leading empty ones */
        size_t n_words;
        struct file_span *sent;
        struct span everything; /* the pattern of files that come back */
        char *extra;            /* the name of a file that holds a long program */
        char *interpreter;      /* another interpreter than the language's own; NULL: none */
        struct request q;
};

/* A refusal with status 400. The description is a reference that the caller releases; NULL: there is none. */
struct snekbox_fault {
        const char *title;
        json_t *description;
};

/* SNEKBOX_FAULT: fault is filled. SNEKBOX_ANSWERED: the answer is known without a run; *message is its stdout, in fresh
 * memory. -ENOMEM. */
enum { SNEKBOX_RUN = 0, SNEKBOX_FAULT = 1, SNEKBOX_ANSWERED = 2 };

/* Makes a request of the body, whose reference is taken over. The caller calls snekbox_eval_fini in each case. */
int snekbox_eval_read(struct snekbox_eval *v, json_t *body, struct snekbox_fault *fault, char **message);
void snekbox_eval_fini(struct snekbox_eval *v);

/* Gives the request the endpoint's limits, each at most what the language's ceiling allows. language: NULL if the pool
 * told of none. */
void snekbox_eval_limits(struct snekbox_eval *v, const hatchery_v1_LanguageStatus *language);

/* ---------------------------------------------------------------- snekbox_answer.c */

/* The body of a 200. NULL: no memory. */
json_t *snekbox_answer(const struct answer *a);

/* The same for a program that was not run, or whose result could not be made. */
json_t *snekbox_answer_message(const char *message);

/* The title of the answer 400 for an interpreter that could not be started. NULL: the interpreter was started. */
const char *snekbox_interpreter_fault(const char *interpreter, const struct answer *a);
