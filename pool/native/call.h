/* The executions that a connection has asked for, each from its request to its answer. A call is the core's sink of one
 * execution: it hands the submission to the core, gets the outcome, and makes the answer. The connection has a list of
 * calls without an answer, and abandons these calls when the connection ends. */
#pragma once

#include "pool/base/refusal.h"
#include "pool/native/scope.h"
#include "proto/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct call;
struct connection;
struct native;
struct outbox;
struct request;
struct terminal_size;

/* Hands an Execute to the core, or refuses it. If the core accepts it, the request's arrays and *body are taken over,
 * and their pointers are cleared. So the caller frees the request and *body in any case. */
void call_begin(struct connection *c, struct request *request, uint8_t **body, size_t len);

/* The call of this id, or NULL. */
struct call *call_find(const struct connection *c, uint64_t id);

/* For Cancel: the call's request is answered, now or later. The call may be gone after this. */
void call_cancel(struct call *call);

/* For Credit: the call may send this many more bytes of output. The call may be gone after this. */
void call_credit(struct call *call, uint64_t bytes);

/* For StdinChunk; end: no input follows. Input that the client must not send ends the call, which may be gone then. */
void call_input(struct call *call, struct span bytes, bool end);

/* For Signal; call may be NULL. Returns REFUSED, or 0. *sent is true if a program of the call runs, and so gets the
 * signal. */
int call_signal(struct call *call, uint32_t number, bool *sent, struct refusal *refusal);

/* For Resize. Does nothing for a call without a terminal. */
void call_resize(struct call *call, const struct terminal_size *size);

/* For CancelRun: ends each call that has this run_id in the scope. True: there was such a call. */
bool call_cancel_run(struct native *n, const struct scope *scope, struct span run_id);

/* The connection has room again, so its streams go on. */
void call_go_on(struct connection *c);

/* A part of the answer to this request was lost, so the request ends. Does nothing if the request has ended. */
void call_lost(struct outbox *o, uint64_t id);

/* The scope of the caller who sends this request. */
struct scope call_scope(const struct connection *c, const struct request *request);

/* Abandons all calls of this connection: they get no answer. */
void call_abandon_all(struct connection *c);
