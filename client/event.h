/* Drives a client of async.h on a libevent base. A library of its own (hatchery-event), so that programs without
 * libevent need not have it.
 *
 * Callbacks are called from within the base's loop. A client is attached to one base, and only that base drives it. */
#pragma once

#include "client/async.h"

struct event_base;
struct hatchery_event;

/* *out is released by hatchery_event_free. c and base are borrowed until then. */
int hatchery_event_attach(struct hatchery_event **out, struct hatchery_client *c, struct event_base *base,
                          struct err *e);

/* Detaches the client, which lives on. Call it before hatchery_client_free; within a callback either order will do.
 * NULL is accepted. */
void hatchery_event_free(struct hatchery_event *event);
