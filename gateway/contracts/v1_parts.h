/* Parts of the contract /v1 that its files share: gateway/contracts/v1*.c. docs/http.md tells what each field means. */
#pragma once

#include "client/hatchery.h"
#include "gateway/contracts/v1_request.h"
#include "gateway/run.h"

/* Bytes of JSON, put into the program by CMake. */
extern const unsigned char v1_openapi[];
extern const size_t v1_openapi_len;

/* ---------------------------------------------------------------- v1_result.c */

/* Each returns an object that the caller owns, or NULL when memory ran out. */

/* deadline_us: of the request. streamed: the output went out before, so the object has totals only. */
json_t *v1_result_json(const struct hatchery_answer *a, const char *run_id, uint64_t deadline_us, bool streamed);
json_t *v1_error_json(const struct failure *why);

/* {"stream":"stdout","text":"...","offset":0,"at_us":0}, or base64 in place of text for bytes that are not UTF-8. */
json_t *v1_output_json(hatchery_v1_Output_Stream stream, struct span bytes, uint64_t offset, uint64_t at_us);
json_t *v1_stage_json(hatchery_v1_Stage_Kind kind, uint64_t at_us, const char *run_id);

/* One event as a line of JSON with the member "event" first. Takes the reference, which may be NULL: no memory. The
 * caller frees the text. NULL: no memory. */
char *v1_event_text(const char *event, json_t *object);

/* ---------------------------------------------------------------- v1_output.c */

struct hatchery_characters;

/* Whole characters of one chunk: fills *text (memory that the caller frees) and *offset (where the text begins in the
 * stream, in bytes). bytes is NULL: the stream has ended, and the rest is returned. Returns the number of bytes; 0:
 * there is no whole character; -ENOMEM. */
ssize_t v1_whole(struct hatchery_characters *c, const struct span *bytes, char **text, uint64_t *offset);

/* ---------------------------------------------------------------- v1_stream.c, v1_ws.c */

enum v1_stream_kind { V1_SSE, V1_NDJSON };

/* Starts the run, and answers in events. q->request is ready. */
void v1_stream(struct exchange *x, struct v1_request *q, enum v1_stream_kind kind);

void v1_ws(struct exchange *x);

/* ---------------------------------------------------------------- failures */

void v1_lacks_memory(struct failure *why);
