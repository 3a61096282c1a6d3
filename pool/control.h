/* The pool's end of the socket to the supervisor, which proto/ipc/control.h describes. The socket's reader hands the
 * supervisor's orders to its owner. The functions below send the pool's reports. */
#pragma once

#include "proto/base/err.h"
#include "proto/base/log.h"
#include "proto/base/span.h"

#include <event2/event.h>
#include <stdint.h>

struct control_socket;

struct control_ops {
        /* A zygote for this language has come: the callee owns the channel. channel is -1 if this process could open no
         * more descriptors, so that the channel was lost on the way. */
        void (*zygote)(void *owner, struct span language, uint32_t generation, int channel);
        void (*notice)(void *owner);
        /* The pool drains. us: the time that runs may take to finish. */
        void (*drain)(void *owner, int64_t us);
        /* The new configuration's text, whose descriptor is borrowed. */
        void (*reload)(void *owner, int config_fd);
        /* The supervisor is dead, or has sent a wrong packet. */
        void (*lost)(void *owner);
};

/* Takes fd over. */
int control_new(struct control_socket **out, struct event_base *base, struct log *log, const struct control_ops *ops,
                void *owner, int fd, struct err *e);
void control_free(struct control_socket *c);

/* Messages to the supervisor. Negative: the message was not sent. */
int control_ready(struct control_socket *c);
int control_alive(struct control_socket *c);
int control_renew(struct control_socket *c, const char *language);
int control_serves(struct control_socket *c, const char *language, uint32_t generation);
int control_kill(struct control_socket *c, const char *language, uint32_t generation);
