/* Collecting the results of one row: see sample.h. */
#include "bench/base/sample.h"

#include <stdarg.h>
#include <stdio.h>

const struct window sample_always = { .start_ns = 0, .end_ns = UINT64_MAX };

void sample_right(struct sample *s, const struct window *w, uint64_t began_ns, uint64_t ended_ns)
{
        s->runs++;
        if (ended_ns >= w->start_ns && ended_ns < w->end_ns)
                histogram_add(&s->latency, ended_ns - began_ns);
}

void sample_wrong(struct sample *s, const char *fmt, ...)
{
        s->runs++;
        if (s->wrong++ > 0)
                return;
        va_list args;
        va_start(args, fmt);
        vsnprintf(s->first_wrong, sizeof s->first_wrong, fmt, args);
        va_end(args);
}

void sample_merge(struct sample *into, const struct sample *from)
{
        histogram_merge(&into->latency, &from->latency);
        if (into->wrong == 0)
                snprintf(into->first_wrong, sizeof into->first_wrong, "%s", from->first_wrong);
        into->wrong += from->wrong;
        into->runs += from->runs;
        into->seconds = from->seconds > into->seconds ? from->seconds : into->seconds;
        into->client_cpu_seconds += from->client_cpu_seconds;
}

double sample_rate(const struct sample *s)
{
        return s->seconds > 0 ? (double)s->latency.count / s->seconds : 0;
}
