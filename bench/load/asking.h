/* Shared by the load generators: the request that runs a program, and the verdict on its answer. */
#pragma once

#include "bench/base/sample.h"
#include "bench/base/workload.h"
#include "client/hatchery.h"

/* The initialised programs of a row, indexed by workload_id. */
struct asking {
        const struct program *programs;
        enum workload_id id;
};

/* The program that the request with this number runs. */
const struct program *asking_program(const struct asking *a, uint64_t number);

/* The request borrows its text from the program. */
struct request asking_request(const struct asking *a, uint64_t number);

/* Counts an answer. An answer that is not exactly the program's right one is wrong, whatever the reason. */
void asking_judge(const struct asking *a, uint64_t number, const struct answer *answer, struct sample *s,
                  const struct window *window, uint64_t began_ns, uint64_t ended_ns);
