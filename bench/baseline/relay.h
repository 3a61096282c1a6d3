/* The shortest way of output to a client: a pipe from the program, a process that reads it, and a TCP connection on the
 * loopback interface from that process to the reader. */
#pragma once

#include "proto/base/err.h"

#include <sys/types.h>

struct relay {
        pid_t pid;  /* 0: not started */
        int pipe;   /* write end: for the program's standard output */
        int socket; /* the other end of the way; reading gives up after ten seconds of silence */
};

int relay_start(struct relay *r, struct err *e);

/* Waits for the relay, which ends with its input. Idempotent. */
void relay_stop(struct relay *r);
