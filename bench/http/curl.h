/* Functions that the two parts of the libcurl plug-in share. */
#pragma once

#include "bench/http/client.h"

#include <curl/curl.h>

/* Options of every request. No proxy of the environment, no redirects: only the named server is measured. why has room
 * for CURL_ERROR_SIZE bytes. */
CURLcode curl_common(CURL *c, const char *url, struct curl_slist *headers, char *why);

/* The sentence about a failure. */
const char *curl_why(CURLcode code, const char *why);

int many_open(struct http_many **out, const struct http_many_options *o, struct err *e);
int many_ask(struct http_many *m, unsigned lane, const struct http_body *body, struct err *e);
int many_wait(struct http_many *m, struct err *e);
void many_free(struct http_many *m);
