/* The body of POST /v1/run, and the first message of GET /v1/ws, as a request to the pool. The names of the fields are
 * those of hatchery.proto. Pure: no loop, no pool. */
#pragma once

#include "gateway/http.h"
#include "gateway/json.h"
#include "proto/wire/request.h"

/* Ready for run_start. Owns its memory; `request` points into it. */
struct v1_request {
        struct request request;
        json_t *body;
        void **owned; /* arrays, and bytes that were base64 */
        size_t n_owned;
};

/* Reads a body. is_live: live_stdin and terminal are possible, for a caller that can send more later. Checks only the
 * form; the pool checks the meaning. -1: why is filled. The caller calls v1_request_fini in each case. text is not used
 * afterwards. */
int v1_request_read(struct v1_request *r, struct span text, bool is_live, struct failure *why);

/* The same for a body that was parsed before. Takes the reference. */
int v1_request_read_json(struct v1_request *r, json_t *body, bool is_live, struct failure *why);

void v1_request_fini(struct v1_request *r);
