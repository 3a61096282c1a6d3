/* One run for one exchange: a request to the pool on behalf of the exchange's peer, by libhatchery. All contracts run
 * programs through this header alone. */
#pragma once

#include "client/async.h"
#include "gateway/http.h"
#include "proto/wire/request.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct run;

/* ---------------------------------------------------------------- the worker's way to the pool */

struct runs;

/* Begins to connect; requests may be sent at once. base is borrowed. address: as hatchery_connect takes it; copied.
 * max_request_bytes: the pool's bound on one message, see max_request_bytes of the configuration. */
int runs_new(struct runs **out, struct event_base *base, const char *address, uint32_t max_request_bytes,
             struct err *e);

/* Runs that have not ended are cancelled, and get no callback: the exchanges end first (their `gone`). NULL is
 * accepted. */
void runs_free(struct runs *all);

/* Is there a connection to the pool? */
bool runs_are_connected(const struct runs *all);

struct event_base *runs_base(const struct runs *all);

/* The worker's only `struct runs`. */
struct runs *gateway_runs(const struct gateway *g);

/* ---------------------------------------------------------------- one run */

/* Any of the first five may be NULL. Exactly one of finished, failed and gone is called, once, as the last call for
 * this run. Arguments are valid during the call. */
struct run_ops {
        void (*stage)(void *data, hatchery_v1_Stage_Kind kind, uint64_t at_us);
        /* Output of a request with `stream`. Bytes count as consumed when the exchange's socket has taken what `output`
         * wrote to the exchange (exchange_unsent). So a slow reader stops its own program, and nothing else. */
        void (*output)(void *data, const struct hatchery_output *output);
        void (*input_room)(void *data, size_t room);
        void (*input_closed)(void *data);
        void (*signalled)(void *data, bool sent);
        /* a->answer.m.which_answer is a result. hatchery_answer_move keeps a. */
        void (*finished)(void *data, struct hatchery_answer *a);
        /* The pool refused the run, or the connection to the pool was lost. */
        void (*failed)(void *data, const struct failure *why);
        /* The peer has closed its connection: the run is cancelled. gone only has to free data. */
        void (*gone)(void *data);
};

/* Starts a run. q is encoded before this returns, and is not kept. If q->execute.run_id is empty, the run gets a random
 * id. No callback comes before this returns. Returns 0 and *out. Negative: why is filled, nothing was started, and no
 * callback comes. */
int run_start(struct run **out, struct exchange *x, struct request *q, const struct run_ops *ops, void *data,
              struct failure *why);

/* The run's id, by which its peer may cancel it. */
const char *run_id(const struct run *r);

/* Ends the run early. finished or failed is still called. */
void run_cancel(struct run *r);

/* These work like the functions hatchery_call_* of client/async.h. */
ssize_t run_write(struct run *r, const void *bytes, size_t len);
size_t run_room(const struct run *r);
int run_eof(struct run *r);
int run_send_signal(struct run *r, uint32_t number);
int run_set_size(struct run *r, uint32_t rows, uint32_t columns);

/* To be called by the `drained` of a WebSocket, because the exchange of a WebSocket does not call its own `drained`. */
void run_socket_drained(struct run *r);

/* Output bytes that were handed to `output` and are not yet consumed. For a contract that does not write each output to
 * the exchange. */
uint64_t run_unconsumed(const struct run *r);

/* Cancels the run with this id, if it belongs to the exchange's peer. Any worker may have started the run. told is
 * called once, unless the exchange's peer closes its connection first. found: the run was in flight. told's why is NULL
 * unless the pool could not be asked. */
int run_cancel_by_id(struct exchange *x, const char *id,
                     void (*told)(struct exchange *x, bool found, const struct failure *why), struct failure *why);

/* Gets the pool's status, for /v1/status, /v1/languages, /api/v2/runtimes and the names of languages. The worker asks
 * the pool at most once a second, and shares the answer among its exchanges. told is called once, perhaps before this
 * returns, unless the exchange's peer closes its connection first. If the pool can't be asked, status is NULL, and why
 * has the reason. */
void run_with_status(struct exchange *x,
                     void (*told)(struct exchange *x, void *data, const struct hatchery_answer *status,
                                  const struct failure *why),
                     void *data);
