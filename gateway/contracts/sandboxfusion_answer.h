/* Results of the pool, as SandboxFusion's answers. Pure. */
#pragma once

#include "client/hatchery.h"
#include "gateway/contracts/sandboxfusion_request.h"

#include <jansson.h>

/* The answer to /run_code; to /run_jupyter. NULL: no memory. */
json_t *fusion_answer_code(const struct fusion_request *r, const struct answer *a);
json_t *fusion_answer_jupyter(const struct fusion_request *r, const struct answer *a);

/* The answer if the server itself failed. */
json_t *fusion_answer_fault(const struct fusion_request *r, const char *message);

/* ---------------------------------------------------------------- what both answers are made of */

enum { FUSION_NOTES_SIZE = 2048 };

/* The sentences of `message`; those that do not fit any more are left out. */
struct fusion_notes {
        char text[FUSION_NOTES_SIZE];
        size_t len;
};

__attribute__((format(printf, 2, 3))) void fusion_note(struct fusion_notes *n, const char *format, ...);

/* The run as {status, execution_time, return_code, stdout, stderr}. */
json_t *fusion_run_result(const struct answer *a, struct span out, struct span err);

/* Says which limits the run met. */
void fusion_note_limits(struct fusion_notes *n, const struct answer *a);

/* The fetched files, by the names that the request used. */
json_t *fusion_files(const struct fusion_request *r, const struct answer *a, struct fusion_notes *n);
