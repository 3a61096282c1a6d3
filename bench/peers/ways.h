/* The ways to ask a peer. */
#pragma once

#include "bench/peers/lane.h"

extern const struct peers_way peers_process; /* a program started for each run */
extern const struct peers_way peers_http;    /* a server */
