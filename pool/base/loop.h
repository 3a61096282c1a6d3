/* The order in which the loop does its work. In each round it notes the events that have come, then handles the most
 * urgent ones. It takes up less urgent work only when nothing more urgent is there, and leaves it again after a few
 * milliseconds. So limits are never late, however many clients there are.
 *
 * Work of the last kind comes in pieces: see turns.h for work that is too long for one. */
#pragma once

#include "proto/base/err.h"

#include <event2/event.h>

enum loop_priority {
        LOOP_LIMITS,         /* ends of runs, orders of the supervisor, the sign of life: rare, and short */
        LOOP_REPORTS,        /* reports of zygotes: about one for each step of a run */
        LOOP_CLIENTS,        /* all else: work that clients and programs can cause as often as they like */
        LOOP_PRIORITIES = 4, /* 4, so that LOOP_CLIENTS is libevent's default priority, which is half of this */
};

/* *base is NULL after an error. */
int loop_new(struct event_base **base, struct err *e);

/* For an event that is neither pending nor active. */
int loop_urgent(struct event *event, enum loop_priority priority);
