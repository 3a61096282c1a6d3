/* What is sent over HTTP to run a program, and which answers are right, by the contract of each server. */
#pragma once

#include "bench/base/sample.h"
#include "bench/base/workload.h"
#include "bench/http/client.h"

enum contract_id {
        CONTRACT_V1, /* Hatchery's own */
        CONTRACT_SNEKBOX,
        CONTRACT_PISTON,
        CONTRACT_SANDBOXFUSION,
        CONTRACT_GO_JUDGE,
        CONTRACT_COUNT,
};

/* "/v1/run": follows the server's address. */
const char *contract_path(enum contract_id id);

/* The body that asks to run the program, to be released by free. NULL: no memory. */
char *contract_body(enum contract_id id, const struct program *p);

/* The same for a request of /v1 of exactly `bytes` bytes, most of which are input that the program does not read. */
char *contract_large_body(const struct program *p, size_t bytes);

/* False, with a sentence in why, unless it is the right answer. */
bool contract_right(enum contract_id id, const struct program *p, const struct http_answer *a,
                    char why[SAMPLE_TEXT_SIZE]);
