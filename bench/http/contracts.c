/* Requests and verdicts: see contracts.h. */
#include "bench/http/contracts.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* Hatchery's own. */
static json_t *v1_body(const struct program *p)
{
        return json_pack("{s:s, s:s}", "language", p->w->language, "code", p->code);
}

static bool v1_right(const json_t *o, const struct program *p)
{
        return is_text(json_object_get(o, "status"), "EXITED", 6) && is_number(json_object_get(o, "exit_code"), 0) &&
               is_output(json_object_get(o, "stdout"), p) && is_text(json_object_get(o, "stderr"), "", 0);
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

/* SandboxFusion: the code and its language. */
static json_t *sandboxfusion_body(const struct program *p)
{
        return json_pack("{s:s, s:s}", "code", p->code, "language", p->w->language);
}

static bool sandboxfusion_right(const json_t *o, const struct program *p)
{
        const json_t *run = json_object_get(o, "run_result");
        return is_text(json_object_get(o, "status"), "Success", 7) &&
               is_text(json_object_get(run, "status"), "Finished", 8) &&
               is_number(json_object_get(run, "return_code"), 0) && is_output(json_object_get(run, "stdout"), p) &&
               is_text(json_object_get(run, "stderr"), "", 0);
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
} contract_table[CONTRACT_COUNT] = {
        [CONTRACT_V1] = { "/v1/run", v1_body, v1_right },
        [CONTRACT_SNEKBOX] = { "/eval", snekbox_body, snekbox_right },
        [CONTRACT_PISTON] = { "/api/v2/execute", piston_body, piston_right },
        [CONTRACT_SANDBOXFUSION] = { "/run_code", sandboxfusion_body, sandboxfusion_right },
        [CONTRACT_GO_JUDGE] = { "/run", go_judge_body, go_judge_right },
};

/* ---------------------------------------------------------------- all */

const char *contract_path(enum contract_id id)
{
        return contract_table[id].path;
}

static char *text_of(json_t *body)
{
        char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
        json_decref(body);
        return text;
}

char *contract_body(enum contract_id id, const struct program *p)
{
        return text_of(contract_table[id].body(p));
}

char *contract_large_body(const struct program *p, size_t bytes)
{
        char *small = text_of(v1_body(p));
        char *text = small ? malloc(bytes + 1) : NULL;
        if (text) {
                /* One more member takes the place of the object's last brace. */
                int len = snprintf(text, bytes, "%.*s,\"stdin\":\"", (int)strlen(small) - 1, small);
                memset(text + len, 'x', bytes - (size_t)len);
                memcpy(text + bytes - 2, "\"}", 3);
        }
        free(small);
        return text;
}

/* Writes what is wrong, the status, and the beginning of the answer, all in one line. */
static void tell_answer(const struct http_answer *a, const char *what, char why[SAMPLE_TEXT_SIZE])
{
        char words[97];
        size_t n = a->len < sizeof words - 1 ? a->len : sizeof words - 1;
        for (size_t i = 0; i < n; i++)
                words[i] = a->body[i] < ' ' || a->body[i] > '~' ? '?' : a->body[i];
        words[n] = '\0';
        snprintf(why, SAMPLE_TEXT_SIZE, "%s (status %ld): %s", what, a->status, words);
}

bool contract_right(enum contract_id id, const struct program *p, const struct http_answer *a,
                    char why[SAMPLE_TEXT_SIZE])
{
        if (a->status == 0) {
                snprintf(why, SAMPLE_TEXT_SIZE, "no answer: %.150s", a->why ? a->why : "");
                return false;
        }
        bool right = false;
        json_t *o = json_loadb(a->body, a->len, 0, NULL);
        if (a->status != 200)
                tell_answer(a, "a refusal", why);
        else if (!o)
                tell_answer(a, "not JSON", why);
        else if (!contract_table[id].right(o, p))
                tell_answer(a, "not what the program must give", why);
        else
                right = true;
        json_decref(o);
        return right;
}
