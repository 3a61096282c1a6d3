/* The machine of a measurement, in words that name no particular machine. */
#pragma once

struct machine {
        long cores; /* that this process may use */
        long memory_mib;
        char cpu[96];
        char kernel[144];
        double load; /* average of the last minute, before anything was measured */
};

void machine_look(struct machine *m);
