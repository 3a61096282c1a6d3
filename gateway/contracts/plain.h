/* Answers in plain text, for the contracts that programs of operators read: metrics and health. */
#pragma once

#include "gateway/http.h"

#define PLAIN_TEXT "text/plain; charset=utf-8"

/* Answers with the text, which is taken over. NULL: there is no memory, and the answer is 503. */
void plain_reply(struct exchange *x, int status, const char *type, char *text);

/* A contract's `fail`: the sentence, and nothing else. */
void plain_fail(struct exchange *x, const struct failure *why);
