/* A fake server in the test's own process. It listens on a unix socket. It reads requests and writes messages only when
 * the test calls it. Its reads wait for a bounded time, and dispatch the client meanwhile. */
#pragma once

#include "client/async.h"

#include <stdbool.h>

struct fake {
        char directory[64];
        char address[96];
        int listener;
        int sock;                       /* of the connection that was accepted last; -1: none */
        struct hatchery_client *client; /* dispatched by the fake server */
};

/* One request as it came. fake_release releases it. */
struct fake_request {
        struct request q;
        uint8_t *memory;
};

void fake_open(struct fake *f);
void fake_close(struct fake *f);

/* After fake_stop_listening, connecting is refused. After fake_listen, it is possible again. */
void fake_stop_listening(struct fake *f);
void fake_listen(struct fake *f);

/* Waits for a connection of the client's. */
void fake_accept(struct fake *f);
void fake_hang_up(struct fake *f);

/* Dispatches the client until nothing more happens at once. */
void fake_settle(struct fake *f);

/* Reads the next request, which must be of this kind. */
struct fake_request fake_read(struct fake *f, enum request_kind kind);
void fake_release(struct fake_request *r);

/* Reads the next request as fake_read does, and returns its id. */
uint64_t fake_read_id(struct fake *f, enum request_kind kind);

/* True if all that the client has sent has been read. */
bool fake_heard_nothing(struct fake *f);

/* Each sends a message to the client, and dispatches the client. */
void fake_say(struct fake *f, struct answer *a);
void fake_say_bytes(struct fake *f, const void *bytes, size_t len);
void fake_result(struct fake *f, uint64_t id, const char *out);
void fake_pong(struct fake *f, uint64_t id);
void fake_error(struct fake *f, uint64_t id, hatchery_v1_Error_Code code, uint64_t retry_after_ms);
void fake_output(struct fake *f, uint64_t id, int stream, uint64_t offset, const void *bytes, size_t len);
void fake_stage(struct fake *f, uint64_t id, hatchery_v1_Stage_Kind kind);
void fake_credit(struct fake *f, uint64_t id, uint64_t bytes, bool closed);
void fake_signalled(struct fake *f, uint64_t id, bool sent);

/* The frame of a message, in memory that the caller frees. */
uint8_t *fake_frame(struct answer *a, size_t *len);

/* What the callbacks of one call have reported. The call's ops are heard_ops, and its data is this struct. */
struct heard {
        struct hatchery_call *call; /* NULL once it has ended */
        unsigned stages, outputs, rooms, closed, signalled, ends;
        char out[2][4096]; /* the first bytes of each stream */
        uint64_t total[2];
        size_t room;
        bool sent; /* of the last signal */
        bool failed;
        hatchery_v1_Error_Code refused; /* 0: not refused */
        bool refusal_may_have_run;
        pb_size_t answer; /* the kind of answer */
        char result[4096];
        struct hatchery_failure failure;

        /* Called at the end of each callback, if it is not NULL. */
        void (*then)(struct heard *h);
        void *other;
};

extern const struct hatchery_call_ops heard_ops;

/* Sends a request, and fills h->call. Returns the result of hatchery_client_send. */
int heard_send(struct heard *h, struct hatchery_client *c, const struct request *q,
               const struct hatchery_call_options *options);

/* Requests to run a program: a plain one, and one with streams and live input. */
struct request heard_program(void);
struct request heard_stream(void);

/* A client, connected to a fake server. config.ops are the scene's own. */
struct scene {
        struct fake f;
        struct hatchery_client *c;
        unsigned rooms, connected, disconnected; /* how often the client reported each */
        int64_t retry_ms;                        /* reported with the last disconnection */
        struct err why;
};

void scene_begin(struct scene *s);
void scene_begin_with(struct scene *s, struct hatchery_client_config config);
void scene_end(struct scene *s);

/* Dispatches until a counter has reached n. */
void scene_wait(struct scene *s, const unsigned *count, unsigned n);
