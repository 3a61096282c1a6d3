/* Calculates the time that a process was given for its work: see patience.h. */
#include "proto/ipc/patience.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

void patience_look(struct patience *p, const struct patience_look *look)
{
        const struct patience_look was = p->last;
        int64_t passed = look->now_us - was.now_us, used = look->cpu_us - was.cpu_us;
        int64_t ready = look->ready_us - was.ready_us;

        p->last = *look;
        if (!p->begun) {
                p->begun = true;
                return;
        }
        if (passed > PATIENCE_MAX_STEP_US)
                passed = PATIENCE_MAX_STEP_US;
        if (used > 0) {
                p->given_us += used < passed ? used : passed;
                p->given_us -= ready > passed ? ready - passed : 0;
        } else {
                p->given_us += passed - ready;
        }
        if (p->given_us < 0)
                p->given_us = 0;
}

bool patience_read(int fd, struct patience_look *look)
{
        char text[96];
        uint64_t cpu_ns, ready_ns;
        ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof text - 1, 0);

        if (n <= 0)
                return false;
        text[n] = '\0';
        if (sscanf(text, "%" SCNu64 " %" SCNu64, &cpu_ns, &ready_ns) != 2) /* NOLINT(cert-err34-c): the kernel's text */
                return false;
        look->cpu_us += (int64_t)(cpu_ns / 1000);
        look->ready_us += (int64_t)(ready_ns / 1000);
        return true;
}
