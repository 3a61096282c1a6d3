/* The pool's end of the socket to the supervisor, as proto/ipc/control.h describes it: orders come in and are handed
 * to its owner, news of the pool goes out. */
#pragma once

#include "proto/base/err.h"
#include "proto/base/log.h"
#include "proto/base/span.h"

#include <event2/event.h>
#include <stdint.h>

struct control_socket;

struct control_ops {
        /* A zygote for this language: the channel is the callee's. -1: there was one, but this process could have no
         * more descriptors, and it was lost on the way. */
        void (*zygote)(void *owner, struct span language, uint32_t generation, int channel);
        void (*drain)(void *owner);
        /* The new configuration's text, whose descriptor is borrowed. */
        void (*reload)(void *owner, int config_fd);
        /* The supervisor is dead, or does not speak as it should. */
        void (*lost)(void *owner);
};

/* Takes fd over. */
int control_new(struct control_socket **out, struct event_base *base, struct log *log, const struct control_ops *ops,
                void *owner, int fd, struct err *e);
void control_free(struct control_socket *c);

/* What the supervisor is told. Negative: it was not. */
int control_ready(struct control_socket *c);
int control_alive(struct control_socket *c);
int control_renew(struct control_socket *c, const char *language);
int control_serves(struct control_socket *c, const char *language, uint32_t generation);
int control_kill(struct control_socket *c, const char *language, uint32_t generation);
