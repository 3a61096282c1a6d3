/* Describes the kind of machine on which the benchmark runs. No field identifies that one machine. */
#pragma once

struct machine {
        long cores; /* the number that this process may use */
        long memory_mib;
        char cpu[96];
        char kernel[144];
        double load; /* the load average of the last minute, before anything was measured */
};

void machine_look(struct machine *m);
