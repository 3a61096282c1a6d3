/* Timing a python3 from inside: see calibrate.h. */
#include "bench/calibrate.h"

#include "bench/command.h"
#include "bench/workload.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TRIES = 5, TRIAL_STEPS = 50000, MIN_STEPS = 1000, MAX_STEPS = 10000000, LINE_SIZE = 64 };

/* A program that computes and then says how many nanoseconds it took. */
static int time_once(const struct program *p, uint64_t *ns, struct err *e)
{
        char command[1024], answer[LINE_SIZE] = "", took[LINE_SIZE] = "";
        /* The program has no quotes in it, single or double, nor a dollar: it stands in the shell's as it is. */
        int n = snprintf(command, sizeof command,
                         COMMAND_PYTHON " -I -c 'import time\nbegan = time.perf_counter_ns()\n%s\n"
                                        "print(time.perf_counter_ns() - began)'",
                         p->code);
        if (n < 0 || (size_t)n >= sizeof command)
                return err_say(e, E2BIG, "time a computation");
        FILE *f = popen(command, "re");
        if (!f)
                return err_set(e, errno, "start " COMMAND_PYTHON);
        bool whole = fgets(answer, sizeof answer, f) && fgets(took, sizeof took, f);
        int status = pclose(f);
        if (!whole || status != 0 || !program_answered(p, answer, strlen(answer)) ||
            sscanf(took, "%" SCNu64, ns) != 1 || *ns == 0)
                return err_say(e, EIO, COMMAND_PYTHON " did not do a computation as it must (wait status %d)", status);
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
