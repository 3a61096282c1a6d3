/* Compile stages: see compile.h. */
#include "pool/core/compile.h"

#include "pool/config/config.h"
#include "pool/core/collector.h"

#include <string.h>

size_t compile_patterns(const struct compile_rules *rules, struct span out[COMPILE_MAX_PATTERNS])
{
        char *const *list = rules->runtime ? rules->runtime->artifacts : NULL;
        size_t n = 0;

        for (; list && list[n] && n < COMPILE_MAX_PATTERNS; n++)
                out[n] = span_of_text(list[n]);
        return n;
}

bool compile_starts(const struct compile_rules *rules, struct span name)
{
        char *const *run = rules->runtime ? rules->runtime->run : NULL;

        return run && run[0] && strncmp(run[0], "./", 2) == 0 && strlen(run[0] + 2) == name.len &&
               memcmp(run[0] + 2, name.data, name.len) == 0;
}

uint64_t compile_weight(const struct compile *c)
{
        uint64_t bytes = c->captured_out.room + c->captured_err.room;

        if (c->cached)
                return bytes + cached_size(c->cached);
        for (size_t i = 0; i < c->n_artifacts; i++)
                bytes += sizeof c->artifacts[i] + c->artifacts[i].name.len + c->artifacts[i].content.len;
        return bytes;
}

void compile_fini(struct compile *c)
{
        collector_free(c->collector);
        cached_free(c->cached);
        capture_fini(&c->captured_out);
        capture_fini(&c->captured_err);
        *c = (struct compile){ 0 };
}
