/* The programs: see workload.h. */
#include "bench/workload.h"

#include <string.h>

const struct workload workload_table[] = {
        { .name = "hello", .language = "python", .file = "main.py", .code = "print('hi')", .out = "hi\n" },
};
const size_t workload_count = sizeof workload_table / sizeof workload_table[0];

bool workload_answered(const struct workload *w, const void *out, size_t len)
{
        return len == strlen(w->out) && memcmp(out, w->out, len) == 0;
}
