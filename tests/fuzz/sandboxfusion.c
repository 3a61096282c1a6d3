/* Fuzzes the requests of SandboxFusion's clients, and the output of notebooks: gateway/contracts/sandboxfusion_request,
 * _fields, _names, _languages, _answer, _cells. Input: a byte that chooses between a body of /run_code, a body of
 * /run_jupyter, and a notebook's output; then that text. */
#include "gateway/contracts/sandboxfusion_answer.h"
#include "gateway/contracts/sandboxfusion_names.h"
#include "gateway/contracts/sandboxfusion_request.h"
#include "gateway/json.h"
#include "proto/wire/wire.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static const char mark[FUSION_MARK_SIZE] = "0123456789abcdef0123456789abcdef";

static void check_name(struct span name)
{
        FUZZ_CHECK(name.len > 0 && name.len <= FUSION_NAME_MAX && name.data[0] != '/');
        FUZZ_CHECK(!memchr(name.data, '\0', name.len));
        FUZZ_CHECK(name.len < 3 || memcmp(name.data, "../", 3) != 0);
}

/* An accepted request must keep the wire's bounds. */
static void check_request(const struct request *q)
{
        const struct submission *x = &q->execute;

        FUZZ_CHECK(q->kind == REQUEST_EXECUTE);
        FUZZ_CHECK(x->language.len >= 1 && x->language.len <= WIRE_MAX_LANGUAGE);
        FUZZ_CHECK(x->n_files <= WIRE_MAX_FILES && x->n_globs <= WIRE_MAX_GLOBS && x->n_args <= WIRE_MAX_ARGS);
        FUZZ_CHECK(x->limit[LIMIT_WALL] >= 1 && x->has_limit[LIMIT_WALL] && x->has_limit[LIMIT_CPU]);
        FUZZ_CHECK(!x->has_limit[LIMIT_MEMORY] || x->limit[LIMIT_MEMORY] >= 1);
        FUZZ_CHECK(x->has_code != (x->entry.len > 0));
        for (size_t i = 0; i < x->n_files; i++)
                check_name(x->files[i].name);
        for (size_t i = 0; i < x->n_globs; i++)
                check_name(x->globs[i]);
        for (size_t i = 0; i < x->n_args; i++)
                FUZZ_CHECK(x->args[i].len <= WIRE_MAX_STRING && !memchr(x->args[i].data, '\0', x->args[i].len));
}

static void read_body(struct span text, bool is_jupyter)
{
        struct json_fault fault;
        struct fusion_fields f = { 0 };
        struct fusion_request r;

        json_t *body = json_read(text, &fault);
        if (!body)
                return;
        bool taken = is_jupyter ? fusion_request_jupyter(&r, body, mark, &f) : fusion_request_code(&r, body, &f);
        if (taken)
                check_request(&r.q);
        else
                FUZZ_CHECK(json_array_size(json_object_get(f.fault, "loc")) >= 1);
        FUZZ_CHECK(taken != f.failed);
        fusion_request_fini(&r);
        fusion_fields_fini(&f);
}

/* The text before the first NUL is standard output, the rest is standard error. */
static void read_output(struct span text)
{
        struct fusion_request r = { .is_jupyter = true, .n_cells = 3 };
        const uint8_t *gap = text.len > 0 ? memchr(text.data, '\0', text.len) : NULL;
        size_t n = gap ? (size_t)(gap - text.data) : text.len;
        struct answer a = { .out = { text.data, n }, .err = { text.data + n, text.len - n } };

        r.language = fusion_language_find(span_of_text("python"));
        memcpy(r.mark, mark, sizeof r.mark);
        a.m.which_answer = hatchery_v1_ServerMessage_result_tag;
        a.m.answer.result.status = hatchery_v1_Result_Status_EXITED;
        json_t *answer = fusion_answer_jupyter(&r, &a);
        FUZZ_CHECK(json_array_size(json_object_get(answer, "cells")) <= r.n_cells);
        FUZZ_CHECK(json_is_object(json_object_get(answer, "driver")));
        json_decref(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct fuzz_input in = { data, size };
        uint8_t kind = fuzz_byte(&in);
        uint8_t *copy = fuzz_copy(in.data, in.len);
        struct span text = { copy, in.len };

        if (kind % 3 == 2)
                read_output(text);
        else
                read_body(text, kind % 3 == 1);
        free(copy);
        return 0;
}
