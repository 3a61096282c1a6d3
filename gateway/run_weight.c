/* How large a request is on the wire: see run_parts.h. */
#include "gateway/run_parts.h"

enum {
        ITEM = 16,   /* bytes for tags and lengths of one field that repeats, and for a file's mode */
        REST = 1024, /* bytes for all fields that don't repeat, without their contents */
};

static size_t of_spans(const struct span *spans, size_t n)
{
        size_t sum = 0;
        for (size_t i = 0; i < n; i++)
                sum += spans[i].len + ITEM;
        return sum;
}

static size_t of_singles(const struct submission *s)
{
        return s->language.len + s->code.len + s->entry.len + s->standard_input.len + s->interpreter.len +
               s->client.len + s->run_id.len + s->idempotency_key.len;
}

size_t request_weight(const struct request *q)
{
        const struct submission *s = &q->execute;
        size_t sum = REST + q->on_behalf.peer.len + q->on_behalf.trace.len + of_singles(s);

        for (size_t i = 0; i < s->n_files; i++)
                sum += s->files[i].name.len + s->files[i].content.len + 2 * ITEM;
        for (size_t i = 0; i < s->n_env; i++)
                sum += s->env[i].name.len + s->env[i].value.len + 2 * ITEM;
        return sum + of_spans(s->args, s->n_args) + of_spans(s->globs, s->n_globs) +
               of_spans(s->compile_flags, s->n_compile_flags) + of_spans(s->interpreter_args, s->n_interpreter_args);
}
