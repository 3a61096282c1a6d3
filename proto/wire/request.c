/* Decoding requests: see request.h. Execute, the largest request, is in request_execute.c. */
#include "proto/wire/request.h"

#include "hatchery.pb.h"
#include "proto/wire/pbspan.h"
#include "proto/wire/request_parts.h"
#include "proto/wire/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define PART(message, wire_kind, field, member)                                                                        \
        {                                                                                                              \
                .tag = hatchery_v1_##message##_##field##_tag, .name = #field, .kind = wire_kind,                       \
                .offset = offsetof(struct request, member)                                                             \
        }

static const struct pbspan_field on_behalf_fields[] = {
        { .tag = hatchery_v1_OnBehalf_peer_tag,
          .name = "peer",
          .kind = PBSPAN_BYTES,
          .offset = offsetof(struct request, on_behalf.peer),
          .max = WIRE_MAX_PEER },
        { .tag = hatchery_v1_OnBehalf_trace_tag,
          .name = "trace",
          .kind = PBSPAN_TEXT,
          .offset = offsetof(struct request, on_behalf.trace),
          .max = WIRE_MAX_TRACE },
};
static const struct pbspan_message on_behalf_message = { "OnBehalf", on_behalf_fields, COUNT(on_behalf_fields) };

static int add_on_behalf(void *target, struct span content, struct err *e)
{
        struct request *r = target;
        int rc = pbspan_decode(&on_behalf_message, content, r, e);

        if (rc < 0)
                return rc;
        if (r->on_behalf.peer.len == 0)
                return err_say(e, EPROTO, "field peer of OnBehalf is empty; name the caller");
        return request_check_visible("trace", "OnBehalf", r->on_behalf.trace, e);
}

static const struct pbspan_field cancel_fields[] = { PART(Cancel, PBSPAN_UINT64, request_id, request_id) };
static const struct pbspan_field stdin_chunk_fields[] = {
        PART(StdinChunk, PBSPAN_UINT64, request_id, request_id),
        PART(StdinChunk, PBSPAN_BYTES, bytes, bytes),
        PART(StdinChunk, PBSPAN_BOOL, eof, eof),
};
static const struct pbspan_field signal_fields[] = {
        PART(Signal, PBSPAN_UINT64, request_id, request_id),
        PART(Signal, PBSPAN_UINT32, number, signal),
};
static const struct pbspan_field resize_fields[] = {
        PART(Resize, PBSPAN_UINT64, request_id, request_id),
        PART(Resize, PBSPAN_UINT32, rows, terminal.rows),
        PART(Resize, PBSPAN_UINT32, columns, terminal.columns),
};
static const struct pbspan_field credit_fields[] = {
        PART(Credit, PBSPAN_UINT64, request_id, request_id),
        PART(Credit, PBSPAN_UINT64, bytes, credit_bytes),
};

static const struct pbspan_field cancel_run_fields[] = {
        { .tag = hatchery_v1_CancelRun_run_id_tag,
          .name = "run_id",
          .kind = PBSPAN_TEXT,
          .offset = offsetof(struct request, run_id),
          .max = WIRE_MAX_RUN_ID },
};

/* How each kind is decoded. Execute has a function of its own. */
static const struct pbspan_message messages[] = {
        [REQUEST_CANCEL] = { "Cancel", cancel_fields, COUNT(cancel_fields) },
        [REQUEST_PING] = { "Ping", NULL, 0 },
        [REQUEST_STATUS] = { "GetStatus", NULL, 0 },
        [REQUEST_STDIN] = { "StdinChunk", stdin_chunk_fields, COUNT(stdin_chunk_fields) },
        [REQUEST_SIGNAL] = { "Signal", signal_fields, COUNT(signal_fields) },
        [REQUEST_RESIZE] = { "Resize", resize_fields, COUNT(resize_fields) },
        [REQUEST_CREDIT] = { "Credit", credit_fields, COUNT(credit_fields) },
        [REQUEST_CANCEL_RUN] = { "CancelRun", cancel_run_fields, COUNT(cancel_run_fields) },
};

static int add_kind(struct request *r, enum request_kind kind, struct span content, struct err *e)
{
        r->kind = kind;
        return pbspan_decode(&messages[kind], content, r, e);
}

#define ADD(field, kind)                                                                                               \
        static int add_##field(void *target, struct span content, struct err *e)                                       \
        {                                                                                                              \
                return add_kind(target, kind, content, e);                                                             \
        }
ADD(cancel, REQUEST_CANCEL)
ADD(ping, REQUEST_PING)
ADD(status, REQUEST_STATUS)
ADD(stdin_chunk, REQUEST_STDIN)
ADD(signal, REQUEST_SIGNAL)
ADD(resize, REQUEST_RESIZE)
ADD(credit, REQUEST_CREDIT)

static int add_cancel_run(void *target, struct span content, struct err *e)
{
        struct request *r = target;
        int rc = add_kind(r, REQUEST_CANCEL_RUN, content, e);

        if (rc < 0)
                return rc;
        if (r->run_id.len == 0)
                return err_say(e, EPROTO, "field run_id of CancelRun is empty; name the run");
        return request_check_run_id("CancelRun", r->run_id, e);
}

#define ONEOF_FIELD(field, function)                                                                                   \
        {                                                                                                              \
                .tag = hatchery_v1_ClientMessage_##field##_tag, .name = #field, .kind = PBSPAN_MESSAGE,                \
                .times = PBSPAN_ONEOF, .add = function                                                                 \
        }

static const struct pbspan_field client_fields[] = {
        { .tag = hatchery_v1_ClientMessage_id_tag,
          .name = "id",
          .kind = PBSPAN_UINT64,
          .offset = offsetof(struct request, id) },
        { .tag = hatchery_v1_ClientMessage_lz4_tag,
          .name = "lz4",
          .kind = PBSPAN_BOOL,
          .offset = offsetof(struct request, lz4) },
        { .tag = hatchery_v1_ClientMessage_on_behalf_tag,
          .name = "on_behalf",
          .kind = PBSPAN_MESSAGE,
          .has = offsetof(struct request, has_on_behalf),
          .add = add_on_behalf },
        ONEOF_FIELD(execute, request_add_execute),
        ONEOF_FIELD(cancel, add_cancel),
        ONEOF_FIELD(ping, add_ping),
        ONEOF_FIELD(get_status, add_status),
        ONEOF_FIELD(stdin_chunk, add_stdin_chunk),
        ONEOF_FIELD(signal, add_signal),
        ONEOF_FIELD(resize, add_resize),
        ONEOF_FIELD(credit, add_credit),
        ONEOF_FIELD(cancel_run, add_cancel_run),
};
static const struct pbspan_message client_message = { "ClientMessage", client_fields, COUNT(client_fields) };

static int check_id(const struct request *r, struct err *e)
{
        bool answered = request_is_answered(r->kind);

        if (answered && r->id == 0)
                return err_say(e, EPROTO, "the request has no id; number the requests of a connection from 1");
        if (!answered && r->id != 0)
                return err_say(e, EPROTO,
                               "a %s has no answer, and so no id; leave it 0, and name the request in request_id",
                               messages[r->kind].name);
        if (!answered && r->has_on_behalf)
                return err_say(e, EPROTO, "a %s concerns a request of this connection; leave out on_behalf",
                               messages[r->kind].name);
        return 0;
}

int request_decode(struct request *r, const uint8_t *data, size_t len, struct err *e)
{
        struct span content = { data, len };

        memset(r, 0, sizeof *r);
        int rc = pbspan_decode(&client_message, content, r, e);
        if (rc < 0) {
                /* The refusal needs the id, which may come after the refused field. */
                r->id = pbspan_find_uint64(content, hatchery_v1_ClientMessage_id_tag);
                return rc;
        }
        if (r->kind == REQUEST_NONE)
                return err_say(
                        e, EPROTO,
                        "the message holds no request that this server knows; send one of the requests of ClientMessage "
                        "in hatchery.proto");
        return check_id(r, e);
}

bool request_is_answered(enum request_kind kind)
{
        return kind != REQUEST_STDIN && kind != REQUEST_RESIZE && kind != REQUEST_CREDIT;
}

void request_fini(struct request *r)
{
        struct submission *x = &r->execute;

        free(x->files);
        free(x->args);
        free(x->env);
        free(x->globs);
        free(x->compile_flags);
        free(x->interpreter_args);
        x->files = NULL;
        x->args = x->globs = x->compile_flags = x->interpreter_args = NULL;
        x->env = NULL;
        x->n_files = x->n_args = x->n_env = x->n_globs = x->n_compile_flags = x->n_interpreter_args = 0;
}
