/* Fuzzes what a server sends to the asynchronous client: client/async_*.c (frames, answers, output, credit, ends, calls
 * that are sent again), client/inflow.c, client/characters.c. Input: a stream of frames. The client has six calls of
 * several kinds in flight, with the ids 1 to 6. */
#include "client/async.h"
#include "client/characters.h"
#include "proto/base/utf8.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CALLS = 6, MAX_ANSWER = 1 << 20, MAX_STREAM = 1 << 16, WINDOW = 256 << 10 };

/* One listening socket serves all inputs of a process. */
static int listener = -1;
static struct sockaddr_un place = { .sun_family = AF_UNIX };
static char address[sizeof place.sun_path + 8];

static void remove_socket(void)
{
        close(listener);
        unlink(place.sun_path);
}

static void listen_once(void)
{
        if (listener >= 0)
                return;
        snprintf(place.sun_path, sizeof place.sun_path, "/tmp/hatchery-fuzz-async-%ld", (long)getpid());
        snprintf(address, sizeof address, "unix:%s", place.sun_path);
        unlink(place.sun_path);
        listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        FUZZ_CHECK(listener >= 0 && bind(listener, (struct sockaddr *)&place, sizeof place) == 0);
        FUZZ_CHECK(listen(listener, 1) == 0);
        atexit(remove_socket);
}

/* What the callbacks of one call were told. */
struct told {
        bool manual, ended, closed;
        uint64_t total[2];
        struct hatchery_characters text[2];
};

static void on_output(void *data, struct hatchery_call *call, const struct hatchery_output *o)
{
        struct told *t = data;
        struct hatchery_piece piece;
        FUZZ_CHECK(!t->ended && (int)o->stream >= 0 && o->stream <= 1 && o->offset == t->total[o->stream]);
        t->total[o->stream] += o->bytes.len;
        FUZZ_CHECK(hatchery_call_unconsumed(call) <= WINDOW && hatchery_call_unconsumed(call) >= o->bytes.len);

        char *text = malloc(hatchery_characters_room(o->bytes.len));
        FUZZ_CHECK(text);
        size_t n = hatchery_characters_feed(&t->text[o->stream], o->bytes.data, o->bytes.len, text, &piece);
        FUZZ_CHECK(n <= hatchery_characters_room(o->bytes.len) && utf8_prefix((const uint8_t *)text, n) == n);
        FUZZ_CHECK(piece.to.bytes <= t->total[o->stream] && t->total[o->stream] - piece.to.bytes < 4);
        free(text);
        if (t->manual)
                FUZZ_CHECK(hatchery_call_consumed(call, o->bytes.len / 2) == 0);
}

static void on_room(void *data, struct hatchery_call *call, size_t room)
{
        const struct told *t = data;
        FUZZ_CHECK(!t->ended && !t->closed && room > 0 && room == hatchery_call_room(call));
        FUZZ_CHECK(hatchery_call_write(call, "more", 4) >= 0);
}

static void on_closed(void *data, struct hatchery_call *call)
{
        struct told *t = data;
        FUZZ_CHECK(!t->ended && !t->closed && hatchery_call_room(call) == 0);
        t->closed = true;
}

static void on_answered(void *data, struct hatchery_call *call, struct hatchery_answer *a)
{
        struct told *t = data;
        struct hatchery_refusal refusal;
        (void)call;
        FUZZ_CHECK(!t->ended && a->answer.m.which_answer != 0);
        if (hatchery_refusal_of(a, &refusal))
                FUZZ_CHECK(memchr(refusal.message, '\0', sizeof a->answer.m.answer.error.message));
        t->ended = true;
}

static void on_failed(void *data, struct hatchery_call *call, const struct hatchery_failure *f)
{
        struct told *t = data;
        (void)call;
        FUZZ_CHECK(!t->ended && f->kind != 0 && f->error.code > 0 && f->error.text[0] != '\0');
        t->ended = true;
}

static const struct hatchery_call_ops ops = {
        .output = on_output,
        .input_room = on_room,
        .input_closed = on_closed,
        .answered = on_answered,
        .failed = on_failed,
};

static void send_all(struct hatchery_client *c, struct told told[CALLS])
{
        static const enum request_kind kinds[CALLS] = { REQUEST_EXECUTE, REQUEST_EXECUTE, REQUEST_PING,
                                                        REQUEST_STATUS,  REQUEST_EXECUTE, REQUEST_SIGNAL };
        for (size_t i = 0; i < CALLS; i++) {
                struct request q = { .kind = kinds[i], .request_id = 1, .signal = 2 };
                struct hatchery_call *call;
                told[i].manual = i == 4;
                told[i].text[0].replace = told[i].text[1].replace = true;
                const struct hatchery_call_options options = { .manual_credit = i == 4,
                                                               .retry = i == 1 ? HATCHERY_RETRY_LOST : 0 };
                q.execute.stream = q.execute.live_input = i == 0 || i == 4;
                FUZZ_CHECK(hatchery_client_send(c, &q, &options, &ops, &told[i], &call, NULL) == HATCHERY_OK);
                FUZZ_CHECK(hatchery_call_id(call) == i + 1);
                if (i == 0) { /* more than the room, so that the call waits for credit */
                        static const uint8_t input[WINDOW + 1];
                        FUZZ_CHECK(hatchery_call_write(call, input, sizeof input) == WINDOW);
                }
        }
}

/* The server reads all that the client has sent. */
static void drain(int server)
{
        static uint8_t bytes[64 << 10];
        while (recv(server, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
                ;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct told told[CALLS] = { 0 };
        struct hatchery_client *c = NULL;
        const struct hatchery_client_config config = { .address = address, .once = true, .max_answer = MAX_ANSWER };

        if (size > MAX_STREAM)
                return 0;
        listen_once();
        FUZZ_CHECK(hatchery_client_new(&c, &config, NULL) == HATCHERY_OK);
        hatchery_client_dispatch(c);
        int server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        FUZZ_CHECK(server >= 0);
        send_all(c, told);
        for (int i = 0; i < 16; i++) {
                drain(server);
                hatchery_client_dispatch(c);
        }
        FUZZ_CHECK(send(server, data, size, MSG_NOSIGNAL) == (ssize_t)size);
        hatchery_client_dispatch(c);
        drain(server);
        close(server);
        for (int i = 0; hatchery_client_calls(c) > 0; i++) {
                FUZZ_CHECK(i < 10000);
                hatchery_client_wait(c, 10, NULL);
        }
        for (size_t i = 0; i < CALLS; i++)
                FUZZ_CHECK(told[i].ended);
        hatchery_client_free(c);
        return 0;
}
