/* The executions that a connection has asked for, each from its request to its answer. A call is the core's sink of
 * one: it hands the submission over, is told of the end, and makes the answer of it. The connection has a list of those
 * without an answer, and abandons them when it ends. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct call;
struct connection;
struct request;

/* Hands an Execute to the core, or refuses it. Takes the request's arrays and *body over if it is accepted; what is
 * left is the caller's to free. */
void call_begin(struct connection *c, struct request *request, uint8_t **body, size_t len);

/* The one of this id, or NULL. */
struct call *call_find(const struct connection *c, uint64_t id);

/* By Cancel: its request is answered, now or later. It may be gone after this. */
void call_cancel(struct call *call);

/* None of this connection is answered any more. */
void call_abandon_all(struct connection *c);
