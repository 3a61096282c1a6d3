/* Looking at the machine: see machine.h. Facts that can't be read stay empty; no figure depends on them. */
#include "bench/base/machine.h"

#include "proto/base/cores.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static void find_cpu(char *out, size_t size)
{
        char line[512];
        FILE *f = fopen("/proc/cpuinfo", "re");
        while (f && fgets(line, sizeof line, f)) {
                const char *colon = strncmp(line, "model name", 10) == 0 ? strchr(line, ':') : NULL;
                if (!colon)
                        continue;
                snprintf(out, size, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
                break;
        }
        if (f)
                fclose(f);
}

void machine_look(struct machine *m)
{
        struct utsname u;
        memset(m, 0, sizeof *m);
        m->cores = cores();
        m->memory_mib = (long)((double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / (1 << 20));
        if (uname(&u) == 0)
                snprintf(m->kernel, sizeof m->kernel, "%s %s", u.sysname, u.release);
        if (getloadavg(&m->load, 1) != 1)
                m->load = 0;
        find_cpu(m->cpu, sizeof m->cpu);
}
