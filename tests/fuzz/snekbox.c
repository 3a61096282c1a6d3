/* Fuzzes a body of snekbox's POST /eval: gateway/json.c and gateway/contracts/snekbox_*.c. Input: the body. The pool
 * must be able to decode an accepted request, and a fault must have a title. */
#include "gateway/contracts/snekbox_parts.h"
#include "gateway/json.h"
#include "proto/wire/wire.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Names must be in the pool's form, and all different. */
static void check_names(const struct submission *x)
{
        for (size_t i = 0; i < x->n_files; i++) {
                char *text = fuzz_text(x->files[i].name.data, x->files[i].name.len), *save = NULL;
                FUZZ_CHECK(strlen(text) > 0 && text[0] != '/' && text[strlen(text) - 1] != '/' && !strstr(text, "//"));
                for (char *part = strtok_r(text, "/", &save); part; part = strtok_r(NULL, "/", &save))
                        FUZZ_CHECK(strcmp(part, ".") != 0 && strcmp(part, "..") != 0 && strlen(part) <= 255);
                free(text);
                for (size_t j = 0; j < i; j++)
                        FUZZ_CHECK(x->files[i].name.len != x->files[j].name.len ||
                                   memcmp(x->files[i].name.data, x->files[j].name.data, x->files[i].name.len) != 0);
        }
}

static void check_request(struct request *q)
{
        struct err e = { 0 };
        struct request decoded;
        uint8_t *bytes = NULL;
        size_t len = 0;

        q->id = 1;
        FUZZ_CHECK(q->execute.entry.len > 0 || q->execute.n_interpreter_args > 0);
        FUZZ_CHECK(request_encode(q, 0, &bytes, &len, &e) == 0);
        FUZZ_CHECK(request_decode(&decoded, bytes, len, &e) == 0);
        FUZZ_CHECK(decoded.execute.n_files == q->execute.n_files && decoded.execute.n_args == q->execute.n_args);
        check_names(&decoded.execute);
        request_fini(&decoded);
        free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        uint8_t *copy = fuzz_copy(data, size);
        struct json_fault json_fault = { "", 0 };
        struct snekbox_fault fault = { 0 };
        struct snekbox_eval v;
        char *message = NULL;

        json_t *body = json_read((struct span){ copy, size }, &json_fault);
        if (body) {
                int r = snekbox_eval_read(&v, body, &fault, &message);
                FUZZ_CHECK(r == SNEKBOX_RUN || r == SNEKBOX_FAULT || r == SNEKBOX_ANSWERED);
                FUZZ_CHECK(r != SNEKBOX_FAULT || fault.title);
                FUZZ_CHECK(r != SNEKBOX_ANSWERED || message);
                snekbox_eval_limits(&v, NULL);
                if (r == SNEKBOX_RUN)
                        check_request(&v.q);
                json_decref(fault.description);
                free(message);
                snekbox_eval_fini(&v);
        }
        free(copy);
        return 0;
}
