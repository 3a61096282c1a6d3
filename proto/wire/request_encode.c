/* Encoding requests: see request.h. */
#include "proto/wire/request.h"

#include "hatchery.pb.h"
#include "proto/wire/pbspan.h"
#include "proto/wire/request_limits.h"

#include <errno.h>

struct span_list {
        const struct span *spans;
        size_t n;
};

static bool write_spans(pb_ostream_t *stream, const pb_field_t *field, void *const *arg)
{
        const struct span_list *list = *arg;
        for (size_t i = 0; i < list->n; i++)
                if (!pb_encode_tag_for_field(stream, field) ||
                    !pb_encode_string(stream, list->spans[i].data, list->spans[i].len))
                        return false;
        return true;
}

static bool write_env(pb_ostream_t *stream, const pb_field_t *field, void *const *arg)
{
        const struct submission *x = *arg;
        for (size_t i = 0; i < x->n_env; i++) {
                hatchery_v1_Execute_EnvEntry entry = {
                        .key = pbspan_of_span(&x->env[i].name),
                        .value = pbspan_of_span(&x->env[i].value),
                };
                if (!pb_encode_tag_for_field(stream, field) ||
                    !pb_encode_submessage(stream, hatchery_v1_Execute_EnvEntry_fields, &entry))
                        return false;
        }
        return true;
}

#define LIMIT_FILL(index, field)                                                                                       \
        limits->has_##field = has[index];                                                                              \
        limits->field = value[index];

static bool fill_limits(hatchery_v1_Limits *limits, const bool has[LIMIT_COUNT], const int64_t value[LIMIT_COUNT])
{
        bool any = false;

        LIMITS(LIMIT_FILL)
        for (size_t i = 0; i < LIMIT_COUNT; i++)
                any |= has[i];
        return any;
}

static int encode_execute(hatchery_v1_ClientMessage *m, const struct submission *x, size_t room, uint8_t **out,
                          size_t *out_len, struct err *e)
{
        struct pbspan_files files = { x->files, x->n_files };
        struct span_list args = { x->args, x->n_args }, globs = { x->globs, x->n_globs };
        struct span_list flags = { x->compile_flags, x->n_compile_flags };
        struct span_list words = { x->interpreter_args, x->n_interpreter_args };
        hatchery_v1_Execute *to = &m->request.execute;

        m->which_request = hatchery_v1_ClientMessage_execute_tag;
        to->language = pbspan_of_span(&x->language);
        if (x->has_code)
                to->code = pbspan_of_present_span(&x->code);
        to->entry = pbspan_of_span(&x->entry);
        to->files = pbspan_of_files(&files);
        to->args = (pb_callback_t){ .funcs.encode = write_spans, .arg = &args };
        to->env = (pb_callback_t){ .funcs.encode = write_env, .arg = (void *)x };
        to->stdin = pbspan_of_span(&x->standard_input);
        to->has_limits = fill_limits(&to->limits, x->has_limit, x->limit);
        to->has_compile_limits = fill_limits(&to->compile_limits, x->has_compile_limit, x->compile_limit);
        to->has_compile_limits |= x->has_compile_limits;
        to->compile_flags = (pb_callback_t){ .funcs.encode = write_spans, .arg = &flags };
        to->merge_stderr = x->merge_stderr;
        to->on_output_limit = x->truncate_output ? hatchery_v1_Execute_OnOutputLimit_TRUNCATE
                                                 : hatchery_v1_Execute_OnOutputLimit_KILL;
        to->has_collect = x->has_collect;
        to->collect.globs = (pb_callback_t){ .funcs.encode = write_spans, .arg = &globs };
        to->collect.max_files = x->collect_max_files;
        to->collect.max_bytes = x->collect_max_bytes;
        to->collect.changed_only = x->collect_changed_only;
        to->deadline_us = x->deadline_us;
        to->client = pbspan_of_span(&x->client);
        to->priority = x->priority;
        to->echo_last_expression = x->echo_last_expression;
        to->unbuffered = x->unbuffered;
        to->stream = x->stream;
        to->live_stdin = x->live_input;
        to->has_terminal = x->has_terminal;
        to->terminal.rows = x->terminal.rows;
        to->terminal.columns = x->terminal.columns;
        to->interpreter_args = (pb_callback_t){ .funcs.encode = write_spans, .arg = &words };
        to->interpreter = pbspan_of_span(&x->interpreter);
        to->run_id = pbspan_of_span(&x->run_id);
        to->idempotency_key = pbspan_of_span(&x->idempotency_key);
        return pbspan_encode(hatchery_v1_ClientMessage_fields, m, room, out, out_len, e);
}

/* Fills the message of each small kind of request: all kinds except Execute. */
static int fill_request(hatchery_v1_ClientMessage *m, const struct request *r, struct err *e)
{
        switch (r->kind) {
        case REQUEST_CANCEL:
                m->which_request = hatchery_v1_ClientMessage_cancel_tag;
                m->request.cancel.request_id = r->request_id;
                return 0;
        case REQUEST_PING:
                m->which_request = hatchery_v1_ClientMessage_ping_tag;
                return 0;
        case REQUEST_STATUS:
                m->which_request = hatchery_v1_ClientMessage_get_status_tag;
                return 0;
        case REQUEST_STDIN:
                m->which_request = hatchery_v1_ClientMessage_stdin_chunk_tag;
                m->request.stdin_chunk.request_id = r->request_id;
                m->request.stdin_chunk.bytes = pbspan_of_span(&r->bytes);
                m->request.stdin_chunk.eof = r->eof;
                return 0;
        case REQUEST_SIGNAL:
                m->which_request = hatchery_v1_ClientMessage_signal_tag;
                m->request.signal = (hatchery_v1_Signal){ .request_id = r->request_id, .number = r->signal };
                return 0;
        case REQUEST_RESIZE:
                m->which_request = hatchery_v1_ClientMessage_resize_tag;
                m->request.resize.request_id = r->request_id;
                m->request.resize.rows = r->terminal.rows;
                m->request.resize.columns = r->terminal.columns;
                return 0;
        case REQUEST_CREDIT:
                m->which_request = hatchery_v1_ClientMessage_credit_tag;
                m->request.credit = (hatchery_v1_Credit){ .request_id = r->request_id, .bytes = r->credit_bytes };
                return 0;
        case REQUEST_CANCEL_RUN:
                m->which_request = hatchery_v1_ClientMessage_cancel_run_tag;
                m->request.cancel_run.run_id = pbspan_of_span(&r->run_id);
                return 0;
        case REQUEST_EXECUTE:
        case REQUEST_NONE:
        default:
                return err_say(e, EINVAL, "a request of no kind can't be encoded");
        }
}

int request_encode(const struct request *r, size_t room, uint8_t **out, size_t *out_len, struct err *e)
{
        hatchery_v1_ClientMessage m = hatchery_v1_ClientMessage_init_zero;

        m.id = r->id;
        m.lz4 = r->lz4;
        m.has_on_behalf = r->has_on_behalf;
        m.on_behalf.peer = pbspan_of_span(&r->on_behalf.peer);
        m.on_behalf.trace = pbspan_of_span(&r->on_behalf.trace);
        if (r->kind == REQUEST_EXECUTE)
                return encode_execute(&m, &r->execute, room, out, out_len, e);
        int rc = fill_request(&m, r, e);
        return rc < 0 ? rc : pbspan_encode(hatchery_v1_ClientMessage_fields, &m, room, out, out_len, e);
}
