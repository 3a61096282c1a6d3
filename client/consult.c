/* Questions before a request: see consult.h. */
#include "client/consult.h"

#include "client/language.h"
#include "client/reach.h"
#include "client/text.h"
#include "proto/base/clock.h"
#include "proto/wire/wire.h"

#include <errno.h>

enum { STARTING_US = 10000000 };

static uint64_t size_of(const struct submission *x)
{
        uint64_t size = (x->has_code ? x->code.len : 0) + x->standard_input.len;
        for (size_t i = 0; i < x->n_files; i++)
                size += x->files[i].content.len;
        return size;
}

/* Checks, before a request is sent, whether the server would refuse its size. If the server does not report its bound,
 * the request goes out unchecked. */
static int check_size(const struct submission *x, const struct answer *status, struct err *e)
{
        char most[TEXT_SIZE], size[TEXT_SIZE], input[TEXT_SIZE];
        uint64_t max = status->m.answer.status.max_request_bytes;

        if (max == 0 || size_of(x) <= max)
                return 0;
        return err_say(
                e, EINVAL,
                "a request is %s at most here, and this one is %s, standard input %s of that: send less, or let the "
                "server's operator raise max_request_bytes",
                text_bytes(most, max), text_bytes(size, size_of(x)), text_bytes(input, x->standard_input.len));
}

static void ask_for(struct submission *x, enum limit limit, bool is_known, int64_t most)
{
        if (!is_known || x->has_limit[limit])
                return;
        x->has_limit[limit] = true;
        x->limit[limit] = most;
}

/* An interactive session lasts, and prints, as long as a person types. So it asks for the server's ceilings. If the
 * server does not report its ceilings, its defaults apply. */
static void ask_for_a_session(struct submission *x, const struct answer *status)
{
        const hatchery_v1_LanguageStatus *l = language_find(status, x->language);
        if (!l || !l->has_max_limits)
                return;
        const hatchery_v1_Limits *most = &l->max_limits;
        ask_for(x, LIMIT_WALL, most->has_wall_us, most->wall_us);
        ask_for(x, LIMIT_CPU, most->has_cpu_us, most->cpu_us);
        ask_for(x, LIMIT_OUTPUT, most->has_output_bytes, most->output_bytes);
}

/* 0, GUESS_NOT_YET, or a negative errno. */
static int learn(struct way *w, struct program *p, const struct options *o, struct err *e)
{
        struct submission *x = &p->request.execute;
        struct hatchery_answer a;
        const hatchery_v1_ServerMessage *m = &a.answer.m;

        int r = way_ask_status(w, o, &a, e);
        if (r == 0 && m->which_answer == hatchery_v1_ServerMessage_error_tag)
                r = err_say(e, ECONNREFUSED, "%s", m->answer.error.message);
        else if (r == 0 && m->which_answer != hatchery_v1_ServerMessage_status_tag)
                r = err_say(e, EPROTO, "the server was asked for its status, and answered something else");
        if (r == 0)
                r = check_size(x, &a.answer, e);
        if (r == 0 && x->language.len == 0)
                r = guess_find(&p->guess, &a.answer, p->language, e);
        if (r == GUESS_FOUND && x->language.len == 0)
                x->language = span_of_text(p->language);
        if (r == GUESS_FOUND && x->has_terminal)
                ask_for_a_session(x, &a.answer);
        hatchery_answer_fini(&a);
        return r;
}

int consult(struct way *w, struct program *p, const struct options *o, struct err *e)
{
        const int64_t wait_us = o->wait_us > STARTING_US ? o->wait_us : STARTING_US, now = clock_us();
        const int64_t end = wait_us < INT64_MAX - now ? now + wait_us : INT64_MAX;
        const struct submission *x = &p->request.execute;
        int r;

        if (x->language.len > 0 && size_of(x) <= WIRE_MAX_REQUEST && !x->has_terminal)
                return 0;
        do
                r = learn(w, p, o, e);
        while (r == GUESS_NOT_YET && reach_pause(end));
        if (r == GUESS_NOT_YET)
                r = err_say(e, EAGAIN,
                            "no language that has started fits %s, and others are still starting: wait, "
                            "or choose one with -l",
                            p->guess.file);
        return r;
}
