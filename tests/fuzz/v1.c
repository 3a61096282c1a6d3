/* Fuzzes bodies of /v1: gateway/json, gateway/base64, gateway/contracts/v1_request, v1_fields. An accepted
 * request must be encodable as a message of the wire. */
#include "gateway/contracts/v1_request.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void failure_set(struct failure *why, int status, const char *code, const char *format, ...)
{
        va_list args;
        *why = (struct failure){ .status = status, .code = code };
        va_start(args, format);
        vsnprintf(why->message, sizeof why->message, format, args);
        va_end(args);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct failure why = { 0 };
        struct v1_request r;
        uint8_t *exact = fuzz_copy(data, size);
        const bool is_live = size > 0 && data[size - 1] == '\n';

        if (v1_request_read(&r, (struct span){ exact, size }, is_live, &why) == 0) {
                const struct submission *s = &r.request.execute;
                struct err e = { 0 };
                uint8_t *message = NULL;
                size_t len = 0;
                r.request.id = 1;
                FUZZ_CHECK(s->language.len > 0 && (is_live || (!s->live_input && !s->has_terminal)));
                FUZZ_CHECK(request_encode(&r.request, 0, &message, &len, &e) == 0);
                free(message);
        } else {
                FUZZ_CHECK(why.status == 400 && why.message[0]);
                FUZZ_CHECK(strlen(why.message) < sizeof why.message);
        }
        v1_request_fini(&r);
        free(exact);
        return 0;
}
