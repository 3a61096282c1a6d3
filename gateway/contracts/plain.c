/* Answers in plain text: see plain.h. */
#include "gateway/contracts/plain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void free_text(const void *bytes, size_t len, void *data)
{
        (void)bytes;
        (void)len;
        free(data);
}

void plain_reply(struct exchange *x, int status, const char *type, char *text)
{
        struct evbuffer *body = evbuffer_new();

        exchange_set_header(x, "Cache-Control", "no-store");
        if (text && body && evbuffer_add_reference(body, text, strlen(text), free_text, text) == 0) {
                exchange_reply(x, status, type, body);
        } else {
                free(text);
                exchange_reply(x, 503, NULL, NULL);
        }
        if (body)
                evbuffer_free(body);
}

void plain_fail(struct exchange *x, const struct failure *why)
{
        char *text = NULL;

        if (asprintf(&text, "%s\n", why->message) < 0)
                text = NULL;
        plain_reply(x, why->status, PLAIN_TEXT, text);
}
