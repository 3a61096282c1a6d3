/* A scripted server: see fake.h. */
#include "tests/unit/fake.h"

#include "proto/base/clock.h"
#include "proto/base/own.h"
#include "proto/wire/frame.h"
#include "proto/wire/lz4.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { GUARD_MS = 20000 };

void fake_listen(struct fake *f)
{
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        snprintf(sa.sun_path, sizeof sa.sun_path, "%s/socket", f->directory);
        f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(f->listener >= 0);
        assert_return_code(bind(f->listener, (struct sockaddr *)&sa, sizeof sa), errno);
        assert_return_code(listen(f->listener, 8), errno);
}

void fake_stop_listening(struct fake *f)
{
        char path[96];
        close(f->listener);
        f->listener = -1;
        snprintf(path, sizeof path, "%s/socket", f->directory);
        assert_return_code(unlink(path), errno);
}

void fake_open(struct fake *f)
{
        *f = (struct fake){ .sock = -1 };
        snprintf(f->directory, sizeof f->directory, "/tmp/test-fake-XXXXXX");
        assert_non_null(mkdtemp(f->directory));
        snprintf(f->address, sizeof f->address, "unix:%s/socket", f->directory);
        fake_listen(f);
}

void fake_close(struct fake *f)
{
        fake_hang_up(f);
        if (f->listener >= 0)
                fake_stop_listening(f);
        assert_return_code(rmdir(f->directory), errno);
}

void fake_hang_up(struct fake *f)
{
        if (f->sock >= 0)
                close(f->sock);
        f->sock = -1;
}

static void dispatch_for(struct fake *f, int ms)
{
        if (!f->client)
                return;
        int r = hatchery_client_wait(f->client, ms, NULL);
        assert_true(r == HATCHERY_OK || r == HATCHERY_TIMEOUT);
}

void fake_settle(struct fake *f)
{
        for (int i = 0; f->client && i < 10000; i++)
                if (hatchery_client_wait(f->client, 0, NULL) != HATCHERY_OK)
                        return;
        if (f->client)
                fail_msg("the client does not come to rest");
}

/* Waits until a descriptor is readable; the client goes on meanwhile. */
static void await(struct fake *f, int fd)
{
        const int64_t end = clock_ms() + GUARD_MS;
        struct pollfd p = { .fd = fd, .events = POLLIN };
        while (poll(&p, 1, 0) == 0) {
                if (clock_ms() > end)
                        fail_msg("the client did not do what was awaited");
                dispatch_for(f, 5);
        }
}

void fake_accept(struct fake *f)
{
        await(f, f->listener);
        fake_hang_up(f);
        f->sock = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC);
        assert_true(f->sock >= 0);
        fake_settle(f);
}

static void read_bytes(struct fake *f, uint8_t *to, size_t len)
{
        for (size_t n = 0; n < len;) {
                await(f, f->sock);
                ssize_t r = recv(f->sock, to + n, len - n, 0);
                if (r <= 0)
                        fail_msg("the client has hung up");
                n += (size_t)r;
        }
}

struct fake_request fake_read(struct fake *f, enum request_kind kind)
{
        uint8_t header[WIRE_HEADER_SIZE];
        struct frame frame;
        struct fake_request r = { 0 };
        size_t len;

        read_bytes(f, header, sizeof header);
        assert_int_equal(frame_parse(&frame, header, sizeof header, WIRE_MAX_REQUEST, NULL), FRAME_OK);
        r.memory = malloc(frame.length + 1);
        assert_non_null(r.memory);
        read_bytes(f, r.memory, frame.length);
        len = frame.length;
        if (frame.compressed) {
                OWN_MEM uint8_t *packed = r.memory;
                assert_int_equal(lz4_unpack(packed, frame.length, WIRE_MAX_REQUEST, &r.memory, &len, NULL), LZ4_OK);
        }
        assert_int_equal(request_decode(&r.q, r.memory, len, NULL), 0);
        assert_int_equal(r.q.kind, kind);
        return r;
}

void fake_release(struct fake_request *r)
{
        request_fini(&r->q);
        free(r->memory);
        r->memory = NULL;
}

uint64_t fake_read_id(struct fake *f, enum request_kind kind)
{
        struct fake_request r = fake_read(f, kind);
        uint64_t id = r.q.id;
        fake_release(&r);
        return id;
}

bool fake_heard_nothing(struct fake *f)
{
        struct pollfd p = { .fd = f->sock, .events = POLLIN };
        fake_settle(f);
        return poll(&p, 1, 0) == 0;
}

/* ---------------------------------------------------------------- to the client */

uint8_t *fake_frame(struct answer *a, size_t *len)
{
        uint8_t *frame = NULL;
        assert_int_equal(answer_encode(a, WIRE_HEADER_SIZE, &frame, len, NULL), 0);
        frame_header(frame, false, (uint32_t)*len);
        *len += WIRE_HEADER_SIZE;
        return frame;
}

void fake_say_bytes(struct fake *f, const void *bytes, size_t len)
{
        for (size_t n = 0; n < len;) {
                ssize_t r = send(f->sock, (const uint8_t *)bytes + n, len - n, MSG_NOSIGNAL | MSG_DONTWAIT);
                if (r > 0)
                        n += (size_t)r;
                else if (errno != EAGAIN)
                        return; /* the client has hung up, as it may */
                dispatch_for(f, 0);
        }
        fake_settle(f);
}

void fake_say(struct fake *f, struct answer *a)
{
        size_t len;
        OWN_MEM uint8_t *frame = fake_frame(a, &len);
        fake_say_bytes(f, frame, len);
}

static struct answer answer_of(uint64_t id, pb_size_t which)
{
        struct answer a = { .m = hatchery_v1_ServerMessage_init_zero };
        a.m.id = id;
        a.m.which_answer = which;
        return a;
}

void fake_result(struct fake *f, uint64_t id, const char *out)
{
        struct answer a = answer_of(id, hatchery_v1_ServerMessage_result_tag);
        a.m.answer.result = (hatchery_v1_Result)hatchery_v1_Result_init_zero;
        a.m.answer.result.status = hatchery_v1_Result_Status_EXITED;
        a.out = span_of_text(out);
        fake_say(f, &a);
}

void fake_pong(struct fake *f, uint64_t id)
{
        struct answer a = answer_of(id, hatchery_v1_ServerMessage_pong_tag);
        fake_say(f, &a);
}

void fake_error(struct fake *f, uint64_t id, hatchery_v1_Error_Code code, uint64_t retry_after_ms)
{
        struct answer a = answer_of(id, hatchery_v1_ServerMessage_error_tag);
        a.m.answer.error = (hatchery_v1_Error)hatchery_v1_Error_init_zero;
        a.m.answer.error.code = code;
        a.m.answer.error.retry_after_ms = retry_after_ms;
        snprintf(a.m.answer.error.message, sizeof a.m.answer.error.message, "%s", "so the server says");
        fake_say(f, &a);
}

void fake_output(struct fake *f, uint64_t id, int stream, uint64_t offset, const void *bytes, size_t len)
{
        struct answer a = answer_of(id, hatchery_v1_ServerMessage_output_tag);
        a.m.answer.output = (hatchery_v1_Output)hatchery_v1_Output_init_zero;
        a.m.answer.output.stream = (hatchery_v1_Output_Stream)stream;
        a.m.answer.output.offset = offset;
        a.m.answer.output.at_us = 5;
        a.out = (struct span){ bytes, len };
        fake_say(f, &a);
}

void fake_stage(struct fake *f, uint64_t id, hatchery_v1_Stage_Kind kind)
{
        struct answer a = answer_of(id, hatchery_v1_ServerMessage_stage_tag);
        a.m.answer.stage.kind = kind;
        a.m.answer.stage.at_us = 7;
        fake_say(f, &a);
}

void fake_credit(struct fake *f, uint64_t id, uint64_t bytes, bool closed)
{
        struct answer a = answer_of(0, hatchery_v1_ServerMessage_credit_tag);
        a.m.answer.credit = (hatchery_v1_Credit){ .request_id = id, .bytes = bytes, .closed = closed };
        fake_say(f, &a);
}

void fake_signalled(struct fake *f, uint64_t id, bool sent)
{
        struct answer a = answer_of(id, hatchery_v1_ServerMessage_signalled_tag);
        a.m.answer.signalled.sent = sent;
        fake_say(f, &a);
}

/* ---------------------------------------------------------------- what a call is told */

static void go_on(struct heard *h)
{
        if (h->then)
                h->then(h);
}

static void on_stage(void *data, struct hatchery_call *call, hatchery_v1_Stage_Kind kind, uint64_t at_us)
{
        struct heard *h = data;
        (void)kind;
        assert_ptr_equal(call, h->call);
        assert_int_equal(at_us, 7);
        h->stages++;
        go_on(h);
}

static void on_output(void *data, struct hatchery_call *call, const struct hatchery_output *o)
{
        struct heard *h = data;
        assert_ptr_equal(call, h->call);
        assert_int_equal(o->offset, h->total[o->stream]);
        assert_int_equal(o->at_us, 5);
        for (size_t i = 0; i < o->bytes.len && o->offset + i < sizeof h->out[0]; i++)
                h->out[o->stream][o->offset + i] = (char)o->bytes.data[i];
        h->total[o->stream] += o->bytes.len;
        h->outputs++;
        go_on(h);
}

static void on_room(void *data, struct hatchery_call *call, size_t room)
{
        struct heard *h = data;
        assert_ptr_equal(call, h->call);
        assert_int_equal(room, hatchery_call_room(call));
        h->rooms++;
        h->room = room;
        go_on(h);
}

static void on_closed(void *data, struct hatchery_call *call)
{
        struct heard *h = data;
        assert_ptr_equal(call, h->call);
        h->closed++;
        go_on(h);
}

static void on_signalled(void *data, struct hatchery_call *call, bool sent, const struct hatchery_refusal *refusal)
{
        struct heard *h = data;
        assert_ptr_equal(call, h->call);
        h->signalled++;
        h->sent = sent;
        h->refused = refusal ? refusal->code : 0;
        go_on(h);
}

static void on_answered(void *data, struct hatchery_call *call, struct hatchery_answer *a)
{
        struct heard *h = data;
        struct hatchery_refusal refusal;
        assert_ptr_equal(call, h->call);
        h->ends++;
        h->answer = a->answer.m.which_answer;
        if (hatchery_refusal_of(a, &refusal)) {
                h->refused = refusal.code;
                h->refusal_may_have_run = refusal.may_have_run;
                assert_string_equal(refusal.message, "so the server says");
        }
        snprintf(h->result, sizeof h->result, "%.*s", (int)a->answer.out.len, (const char *)a->answer.out.data);
        go_on(h);
        h->call = NULL;
}

static void on_failed(void *data, struct hatchery_call *call, const struct hatchery_failure *f)
{
        struct heard *h = data;
        assert_ptr_equal(call, h->call);
        assert_true(f->error.code > 0 && strlen(f->error.text) > 10);
        h->ends++;
        h->failed = true;
        h->failure = *f;
        go_on(h);
        h->call = NULL;
}

const struct hatchery_call_ops heard_ops = {
        .stage = on_stage,
        .output = on_output,
        .input_room = on_room,
        .input_closed = on_closed,
        .signalled = on_signalled,
        .answered = on_answered,
        .failed = on_failed,
};

int heard_send(struct heard *h, struct hatchery_client *c, const struct request *q,
               const struct hatchery_call_options *options)
{
        return hatchery_client_send(c, q, options, &heard_ops, h, &h->call, NULL);
}

struct request heard_program(void)
{
        struct request q = { .kind = REQUEST_EXECUTE };
        q.execute.language = span_of_text("python");
        q.execute.has_code = true;
        q.execute.code = span_of_text("print(6 * 7)");
        return q;
}

struct request heard_stream(void)
{
        struct request q = heard_program();
        q.execute.stream = q.execute.live_input = true;
        return q;
}

/* ---------------------------------------------------------------- a client of it */

static void on_client_room(void *data, struct hatchery_client *c)
{
        struct scene *s = data;
        assert_ptr_equal(c, s->c);
        s->rooms++;
}

static void on_connected(void *data, struct hatchery_client *c)
{
        struct scene *s = data;
        assert_ptr_equal(c, s->c);
        s->connected++;
}

static void on_disconnected(void *data, struct hatchery_client *c, const struct err *why, int64_t retry_ms)
{
        struct scene *s = data;
        assert_ptr_equal(c, s->c);
        assert_true(why->code > 0 && strlen(why->text) > 10);
        s->disconnected++;
        s->retry_ms = retry_ms;
        s->why = *why;
}

static const struct hatchery_client_ops client_ops = {
        .connected = on_connected,
        .disconnected = on_disconnected,
        .room = on_client_room,
};

/* A client of a fake server, connected. */
void scene_begin_with(struct scene *s, struct hatchery_client_config config)
{
        struct err e = { 0 };
        *s = (struct scene){ 0 };
        fake_open(&s->f);
        config.address = s->f.address;
        config.ops = &client_ops;
        config.data = s;
        assert_int_equal(hatchery_client_new(&s->c, &config, &e), HATCHERY_OK);
        s->f.client = s->c;
        fake_accept(&s->f);
        assert_true(hatchery_client_is_connected(s->c));
}

void scene_begin(struct scene *s)
{
        scene_begin_with(s, (struct hatchery_client_config){ 0 });
}

void scene_end(struct scene *s)
{
        hatchery_client_free(s->c);
        s->f.client = NULL;
        fake_close(&s->f);
}

void scene_wait(struct scene *s, const unsigned *count, unsigned n)
{
        const int64_t end_ms = clock_ms() + 20000;
        while (*count < n) {
                assert_true(clock_ms() < end_ms);
                hatchery_client_wait(s->c, 50, NULL);
        }
}
