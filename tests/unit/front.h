/* A native front without a process around it. The test drives its loop round by round. Its core is a fake: it keeps the
 * submissions, and ends them when the test says so. */
#pragma once

#include "pool/base/budget.h"
#include "pool/config/config.h"
#include "pool/core/core.h"
#include "pool/core/facts.h"
#include "pool/native/native.h"
#include "proto/base/log.h"
#include "proto/wire/answer.h"
#include "proto/wire/request.h"

#include <stdbool.h>
#include <stddef.h>

enum { FRONT_MAX_EXECUTIONS = 16 };

struct execution {
        struct core *core;
        struct sink *sink; /* NULL: the execution has ended */
        struct payload payload;
        int input; /* bytes of live input that wait; negative: the error for more input */
};

struct core {
        struct refusal refusal; /* the answer to each submission; code 0: it is accepted */
        bool draining;
        const struct language_facts *languages;
        size_t n_languages;

        struct caller caller; /* of the last submission */
        struct execution execution[FRONT_MAX_EXECUTIONS];
        size_t begun; /* number of executions */
        unsigned cancelled, abandoned;
        uint64_t refusals[REFUSAL_CODES]; /* by code, as the front reported them */
        unsigned looked;                  /* how often the front asked the core for facts */
        unsigned resumed;
        bool cancels_late;                      /* a cancelled execution goes on until the test ends it */
        void (*on_resume)(struct execution *x); /* NULL: nothing happens */
        int signal, signal_returns;
        struct terminal_size size;
        uint8_t input[CORE_INPUT_ROOM];
};

struct front {
        struct event_base *base;
        struct log log;
        struct config config;
        struct budget memory;
        struct core core;
        struct native *native;
        unsigned ended; /* connections whose end the front has reported */
};

struct front *front_new(void);
void front_free(struct front *f);

void front_round(struct front *f);

/* Returns the client's end of a new connection. */
int front_connect(struct front *f);

/* Returns the client's end of a new trusted connection. */
int front_connect_gateway(struct front *f);

/* front_say sends a message of the client. front_hear waits for the next answer, while the loop goes round; *bytes
 * holds the answer's bytes, which the caller frees after answer_fini. */
void front_say(int client, const struct request *r);
void front_hear(struct front *f, int client, struct answer *a, uint8_t **bytes);

/* The fake core reports to the i-th execution's sink. front_output returns how many bytes the sink takes. */
size_t front_output(struct front *f, size_t i, enum stream which, struct span bytes, uint64_t offset);
void front_stage(struct front *f, size_t i, enum stage stage);
void front_want_input(struct front *f, size_t i);

/* The fake core ends the i-th execution. */
void front_finish(struct front *f, size_t i, const struct outcome *o);
void front_refuse(struct front *f, size_t i, enum refusal_code code, const char *sentence);
