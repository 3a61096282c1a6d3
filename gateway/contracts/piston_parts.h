/* Parts of Piston's contract that its files share: gateway/contracts/piston*.c. docs/http-piston.md tells what each
 * field means and where Hatchery differs on purpose. */
#pragma once

#include "client/characters.h"
#include "client/hatchery.h"
#include "gateway/contracts/semver.h"
#include "gateway/http.h"
#include "proto/wire/request.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---------------------------------------------------------------- piston_runtimes.c */

/* A language of the pool, as Piston's clients call it. Points into the status and into const tables. */
struct piston_runtime {
        const hatchery_v1_LanguageStatus *language;
        const char *name;               /* Piston's: "c++" for cpp */
        char version[SEMVER_TEXT_SIZE]; /* a semantic version; "" while the pool does not know it */
};

/* The newest runtime that has this name or alias, in any case of letters, and a version that the selector chooses. The
 * pool itself decides about a language whose version is not known yet. False: there is none. */
bool piston_runtime_find(struct piston_runtime *r, const struct hatchery_answer *status, const char *name,
                         const char *selector);

/* The version text of a program, as a semantic version; "" if the text has none. */
void piston_version(char out[SEMVER_TEXT_SIZE], const char *text);

/* The bodies of GET /runtimes and GET /packages. NULL: no memory. */
json_t *piston_runtimes_json(const struct hatchery_answer *status);
json_t *piston_packages_json(const struct hatchery_answer *status);

/* ---------------------------------------------------------------- piston_request.c */

/* A request, ready for run_start. Owns its memory; the body and the status must outlive it. */
struct piston_job {
        struct request request;
        struct piston_runtime runtime;
        bool is_compiled; /* it has a stage "compile" */
        uint8_t *input;
        struct piston_file *owned; /* of each file: memory that its spans point into */
        size_t n_owned;
        struct env_span env[2];
};

/* Reads the fields of POST /execute, or of the message `init`, whose input comes later. -1: why is filled, with
 * Piston's own sentence where it has one. The caller calls piston_job_fini in each case. */
int piston_job_read(struct piston_job *j, const json_t *body, const struct hatchery_answer *status, bool is_interactive,
                    struct failure *why);
void piston_job_fini(struct piston_job *j);

/* ---------------------------------------------------------------- piston_limits.c */

/* Reads {compile,run}_{memory_limit,timeout,cpu_time} into the request's limits. -1: why is filled. */
int piston_limits_read(struct submission *s, const json_t *body, const hatchery_v1_LanguageStatus *language,
                       bool is_compiled, struct failure *why);

/* ---------------------------------------------------------------- piston_stage.c */

/* How a stage ended, in Piston's words. */
struct piston_end {
        int code;           /* -1: none, which is null in JSON */
        char signal[16];    /* "": null */
        const char *status; /* "RE", ...; NULL: the stage succeeded */
        char message[64];   /* "": null */
};

void piston_run_end(struct piston_end *end, const hatchery_v1_Result *result);
void piston_compile_end(struct piston_end *end, const hatchery_v1_Result *result);

/* The number of the signal with this name, such as "SIGINT"; 0: a program can be sent no signal of this name. */
uint32_t piston_signal_number(const char *name);

/* Text of a stream that comes in chunks. Starts zeroed but for characters.replace; text is freed by its owner. */
struct piston_text {
        struct hatchery_characters characters;
        char *text;
        size_t len, room;
};

/* What a stage's program wrote: each stream, and both in the order of arrival. */
struct piston_output {
        struct piston_text out, err, both;
        bool lacks_memory; /* some of it was lost */
};

void piston_output_init(struct piston_output *o);
void piston_output_fini(struct piston_output *o);
void piston_output_take(struct piston_output *o, hatchery_v1_Output_Stream stream, struct span bytes);

/* The streams have ended. If the output limit has cut a character, the character is left out. If the program
 * itself ended within a character, U+FFFD takes its place. */
void piston_output_end(struct piston_output *o, bool out_is_cut, bool err_is_cut);

/* The stages `run` and `compile` of an answer. NULL: no memory. */
json_t *piston_run_json(const hatchery_v1_Result *result, const struct piston_output *o);
json_t *piston_compile_json(const struct hatchery_answer *a);

/* ---------------------------------------------------------------- piston_execute.c, piston_connect.c */

void piston_execute(struct exchange *x);
void piston_connect(struct exchange *x);
