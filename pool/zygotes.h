/* The pool's end of one channel to a zygote: orders go out without ever blocking, reports come in and are handed to the
 * language. What goes wrong on the channel ends it, and with it (by end of file at the other side) all sandboxes behind
 * it. */
#pragma once

#include "proto/channel.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>

struct language;

struct zygote_pending {
        struct order order;
        int fd; /* -1: none */
};

struct zygote {
        struct language *language;
        int sock; /* -1: there is none */
        struct event readable;
        struct event writable;
        struct zygote_pending *pending; /* orders that the socket had no room for */
        size_t n_pending, room;
};

void zygote_init(struct zygote *z, struct language *language);

/* Takes sock over. */
int zygote_open(struct zygote *z, int sock, struct err *e);
void zygote_close(struct zygote *z);
bool zygote_is_open(const struct zygote *z);

/* Sends an order, with a borrowed descriptor or -1. An order that can't be sent ends the channel; that is found, and
 * acted upon, when the loop next looks at it, never within this call. */
void zygote_order(struct zygote *z, const struct order *order, int fd);
