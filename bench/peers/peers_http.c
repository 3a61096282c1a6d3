/* Asking a peer that is a server, by its own documented contract: the request, and the right answer. */
#include "bench/base/clock.h"
#include "bench/peers/http.h"
#include "bench/peers/ways.h"
#include "proto/base/own.h"

#include <dlfcn.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

struct asked {
        struct http *http;
        char *body;
        size_t len;
};

/* ---------------------------------------------------------------- contracts */

/* True for exactly this text; a missing text is not the same as an empty one. */
static bool is_text(const json_t *o, const char *want, size_t len)
{
        return json_is_string(o) && json_string_length(o) == len && memcmp(json_string_value(o), want, len) == 0;
}

static bool is_output(const json_t *o, const struct program *p)
{
        return json_is_string(o) && program_answered(p, json_string_value(o), json_string_length(o));
}

static bool is_number(const json_t *o, json_int_t want)
{
        return json_is_integer(o) && json_integer_value(o) == want;
}

/* snekbox: the code as an argument after "-c"; both streams in one. */
static json_t *snekbox_body(const struct program *p)
{
        return json_pack("{s:s}", "input", p->code);
}

static bool snekbox_right(const json_t *o, const struct program *p)
{
        return is_output(json_object_get(o, "stdout"), p) && is_number(json_object_get(o, "returncode"), 0);
}

/* Piston: the code as a file, in any version of the language that it has. */
static json_t *piston_body(const struct program *p)
{
        return json_pack("{s:s, s:s, s:[{s:s, s:s}]}", "language", p->w->language, "version", "*", "files", "name",
                         p->w->file, "content", p->code);
}

static bool piston_right(const json_t *o, const struct program *p)
{
        const json_t *run = json_object_get(o, "run");
        const json_t *signal = json_object_get(run, "signal");
        return is_output(json_object_get(run, "stdout"), p) && is_text(json_object_get(run, "stderr"), "", 0) &&
               is_number(json_object_get(run, "code"), 0) && (!signal || json_is_null(signal));
}

/* go-judge: a command line; nanoseconds and bytes. */
static json_t *go_judge_body(const struct program *p)
{
        return json_pack("{s:[{s:[s, s, s, s], s:[s, s], s:[{s:s}, {s:s, s:i}, {s:s, s:i}], s:I, s:I, s:I, s:i}]}",
                         "cmd", "args", "/usr/bin/python3", "-I", "-c", p->code, "env", "PATH=/usr/bin:/bin",
                         "LANG=C.UTF-8", "files", "content", "", "name", "stdout", "max", 10240, "name", "stderr",
                         "max", 10240, "cpuLimit", (json_int_t)10000000000, "clockLimit", (json_int_t)10000000000,
                         "memoryLimit", (json_int_t)128 << 20, "procLimit", 64);
}

static bool go_judge_right(const json_t *o, const struct program *p)
{
        const json_t *result = json_array_get(o, 0);
        const json_t *files = json_object_get(result, "files");
        return json_array_size(o) == 1 && is_text(json_object_get(result, "status"), "Accepted", 8) &&
               is_number(json_object_get(result, "exitStatus"), 0) && is_output(json_object_get(files, "stdout"), p) &&
               is_text(json_object_get(files, "stderr"), "", 0);
}

static const struct contract {
        const char *path;
        json_t *(*body)(const struct program *p);
        bool (*right)(const json_t *o, const struct program *p);
} contract_table[PEER_COUNT] = {
        [PEER_SNEKBOX] = { "/eval", snekbox_body, snekbox_right },
        [PEER_PISTON] = { "/api/v2/execute", piston_body, piston_right },
        [PEER_GO_JUDGE] = { "/run", go_judge_body, go_judge_right },
};

/* ---------------------------------------------------------------- the way */

int peers_http_load(const char *module, const struct http_client **client, struct err *e)
{
        void *handle = dlopen(module, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        const struct http_client *found = handle ? dlsym(handle, HTTP_SYMBOL) : NULL;
        if (!found) {
                const char *why = dlerror();
                err_say(e, ENOENT, "load the HTTP client: %s", why ? why : "it is not in its plug-in");
        }
        if (handle)
                dlclose(handle); /* the library stays, by RTLD_NODELETE */
        if (!found)
                return -e->code;
        *client = found;
        return found->start(e);
}

static int http_way_open(struct peers_lane *lane, struct err *e)
{
        const struct contract *c = &contract_table[lane->id];
        char url[PEERS_PATH_SIZE + 64];
        struct asked *a = calloc(1, sizeof *a);
        if (!a)
                return err_set(e, ENOMEM, "hold a client");
        lane->state = a;
        json_t *body = c->body(lane->program);
        a->body = body ? json_dumps(body, JSON_COMPACT) : NULL;
        json_decref(body);
        if (!a->body)
                return err_set(e, ENOMEM, "make the request");
        a->len = strlen(a->body);
        snprintf(url, sizeof url, "%s%s", peers_place(lane), c->path);
        return lane->peers->http->open(&a->http, url, e);
}

/* Prints the beginning of the answer on a line of its own. */
static void tell_answer(const struct http_answer *answer, const char *what, struct peers_verdict *v)
{
        char words[97];
        size_t n = answer->len < sizeof words - 1 ? answer->len : sizeof words - 1;
        for (size_t i = 0; i < n; i++)
                words[i] = answer->body[i] < ' ' || answer->body[i] > '~' ? '?' : answer->body[i];
        words[n] = '\0';
        peers_wrong(v, "%s (status %ld): %s", what, answer->status, words);
}

static int http_way_run(struct peers_lane *lane, struct peers_verdict *v, struct err *e)
{
        struct asked *a = lane->state;
        struct http_answer answer;
        int r = lane->peers->http->post(a->http, a->body, a->len, &answer, e);
        if (r < 0)
                return r;
        v->ended_ns = clock_now();
        json_t *o = json_loadb(answer.body, answer.len, 0, NULL);
        if (answer.status != 200)
                tell_answer(&answer, "a refusal", v);
        else if (!o)
                tell_answer(&answer, "not JSON", v);
        else if (!contract_table[lane->id].right(o, lane->program))
                tell_answer(&answer, "not what the program must give", v);
        json_decref(o);
        return 0;
}

static void http_way_close(struct peers_lane *lane)
{
        struct asked *a = lane->state;
        if (a) {
                lane->peers->http->free(a->http);
                free(a->body);
        }
        free(a);
        lane->state = NULL;
}

const struct peers_way peers_http = { http_way_open, http_way_run, http_way_close };
