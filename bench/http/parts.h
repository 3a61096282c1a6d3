/* What the load generators over HTTP share. */
#pragma once

#include "bench/http/load.h"

enum { HTTP_URL_SIZE = 512 };

struct http_question {
        char *text;
        struct http_body body; /* of text */
        char url[HTTP_URL_SIZE];
};

/* query: "", or what follows the path. q is released by http_question_fini in every case. */
int http_question_init(struct http_question *q, const struct http_asking *a, const char *query, struct err *e);
void http_question_fini(struct http_question *q);
