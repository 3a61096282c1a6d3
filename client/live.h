/* A run while it is under way. Its output goes to our descriptors as it comes. Our standard input, our signals and the
 * size of our terminal go to the run. */
#pragma once

#include "client/async.h"
#include "client/options.h"
#include "client/outflow.h"
#include "client/terminal.h"
#include "proto/wire/request.h"

#include <stdbool.h>

/* How the run ended: by a signal, an answer or a refusal. Otherwise it failed, and why has the reason. */
struct live_end {
        int signal; /* this process must end by this signal, at once and without a word */
        bool has_answer;
        struct hatchery_answer answer; /* released by hatchery_answer_fini in every case */
        bool is_refused;               /* the server refused, and closed the connection */
        int code;                      /* of hatchery_v1_Error_Code */
        uint64_t retry_after_ms;
        struct err why; /* the reason of a refusal, or of a failure here or on the connection */

        uint64_t streamed[OUTFLOW_STREAMS]; /* bytes that came before the answer */
        bool interrupted;                   /* Ctrl-C was pressed, and may have brought this end about */
};

/* Sends the request, and returns when all its output is written. terminal: NULL, or our terminal, which is in raw mode
 * while the program runs. Output inside the Result is written, too, unless the Result is printed as JSON. */
void live_run(struct live_end *end, struct hatchery_client *client, const struct request *q, const struct options *o,
              struct outflow *out, struct terminal *terminal);
