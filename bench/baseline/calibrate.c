/* Timing a python3 from inside: see calibrate.h. */
#include "bench/baseline/calibrate.h"

#include "bench/baseline/cold.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

enum { TRIES = 5, TRIAL_STEPS = 50000, MIN_STEPS = 1000, MAX_STEPS = 10000000, CODE_SIZE = 1024, OUT_SIZE = 128 };

/* Runs a program that computes and then prints how many nanoseconds it took. */
static int time_once(const struct program *p, uint64_t *ns, struct err *e)
{
        char code[CODE_SIZE], out[OUT_SIZE];
        size_t len = 0;
        int status = 0;
        snprintf(code, sizeof code,
                 "import time\nbegan = time.perf_counter_ns()\n%s\nprint(time.perf_counter_ns() - began)", p->code);
        const struct program timed = { .w = p->w, .code = code };
        int r = cold_once(&timed, out, sizeof out, &len, &status, e);
        if (r < 0)
                return r;
        out[len] = '\0';
        if (status != 0 || len <= p->out_len || !program_answered(p, out, p->out_len) ||
            sscanf(out + p->out_len, "%" SCNu64, ns) != 1 || *ns == 0)
                return err_say(e, EIO, WORKLOAD_INTERPRETER " did not do a computation as it must (wait status %d)",
                               status);
        return 0;
}

int calibrate_steps(uint64_t ns, uint32_t *steps, struct err *e)
{
        struct program p;
        uint64_t best = UINT64_MAX;
        int r = program_init(&p, WORKLOAD_COMPUTE, TRIAL_STEPS, e);
        for (unsigned i = 0; r == 0 && i < TRIES; i++) {
                uint64_t took = 0;
                r = time_once(&p, &took, e);
                best = r == 0 && took < best ? took : best;
        }
        program_fini(&p);
        if (r < 0)
                return r;
        double wanted = (double)TRIAL_STEPS * (double)ns / (double)best;
        *steps = wanted < MIN_STEPS ? MIN_STEPS : wanted > MAX_STEPS ? MAX_STEPS : (uint32_t)wanted;
        return 0;
}
