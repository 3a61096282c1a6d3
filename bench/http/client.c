/* The plug-in, over libcurl, and its requests that come one at a time: see client.h. */
#include "bench/http/client.h"

#include "bench/http/curl.h"
#include "proto/base/own.h"

#include <errno.h>
#include <string.h>

struct http {
        CURL *curl;
        struct curl_slist *headers;
        const struct http_reader *reader; /* of the request in hand */
        size_t len;
        char body[HTTP_MAX_BODY];
        char why[CURL_ERROR_SIZE];
};

static int start(struct err *e)
{
        CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
        return code == CURLE_OK ? 0 : err_say(e, EIO, "start libcurl: %s", curl_easy_strerror(code));
}

static void http_free(struct http *h)
{
        if (!h)
                return;
        curl_slist_free_all(h->headers);
        curl_easy_cleanup(h->curl);
        free(h);
}

/* Returns less than len if the answer is longer than any right one: then libcurl gives up. */
static size_t take(char *data, size_t one, size_t n, void *argument)
{
        struct http *h = argument;
        size_t len = one * n;
        if (h->reader) {
                h->reader->take(h->reader->data, data, len);
                return len;
        }
        if (len > sizeof h->body - h->len)
                return 0;
        memcpy(h->body + h->len, data, len);
        h->len += len;
        return len;
}

CURLcode curl_common(CURL *c, const char *url, struct curl_slist *headers, char *why)
{
        CURLcode r = curl_easy_setopt(c, CURLOPT_URL, url);
        if (r == CURLE_OK)
                r = curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
        if (r == CURLE_OK)
                r = curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        if (r == CURLE_OK)
                r = curl_easy_setopt(c, CURLOPT_PROXY, "");
        if (r == CURLE_OK)
                r = curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L); /* since there are several threads */
        if (r == CURLE_OK)
                r = curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)HTTP_LOST_S);
        if (r == CURLE_OK)
                r = curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
        return r == CURLE_OK ? curl_easy_setopt(c, CURLOPT_ERRORBUFFER, why) : r;
}

const char *curl_why(CURLcode code, const char *why)
{
        return why[0] ? why : curl_easy_strerror(code);
}

static CURLcode set_options(struct http *h, const char *url)
{
        CURLcode r = curl_common(h->curl, url, h->headers, h->why);
        if (r == CURLE_OK)
                r = curl_easy_setopt(h->curl, CURLOPT_WRITEFUNCTION, take);
        return r == CURLE_OK ? curl_easy_setopt(h->curl, CURLOPT_WRITEDATA, h) : r;
}

static int http_open(struct http **out, const char *url, struct err *e)
{
        struct http *h = calloc(1, sizeof *h);
        if (!h)
                return err_set(e, ENOMEM, "hold an HTTP client");
        h->curl = curl_easy_init();
        h->headers = curl_slist_append(NULL, "Content-Type: application/json");
        CURLcode r = h->curl && h->headers ? set_options(h, url) : CURLE_OUT_OF_MEMORY;
        if (r != CURLE_OK) {
                http_free(h);
                return err_say(e, EIO, "make an HTTP client: %s", curl_easy_strerror(r));
        }
        *out = h;
        return 0;
}

static int http_post(struct http *h, const char *body, size_t len, const struct http_reader *reader,
                     struct http_answer *a, struct err *e)
{
        h->len = 0;
        h->why[0] = '\0';
        h->reader = reader;
        CURLcode r = curl_easy_setopt(h->curl, CURLOPT_POSTFIELDSIZE, (long)len);
        if (r == CURLE_OK)
                r = curl_easy_setopt(h->curl, CURLOPT_POSTFIELDS, body);
        if (r == CURLE_OK)
                r = curl_easy_perform(h->curl);
        *a = (struct http_answer){ .body = h->body, .len = h->len };
        if (r == CURLE_OK)
                r = curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &a->status);
        return r == CURLE_OK ? 0 : err_say(e, EIO, "%s", curl_why(r, h->why));
}

/* libcurl keeps each connection open. With FRESH_CONNECT the next request opens a new one and uses no kept one. */
static int http_hold(struct http *h, unsigned n, struct err *e)
{
        h->reader = NULL;
        h->why[0] = '\0';
        CURLcode r = curl_easy_setopt(h->curl, CURLOPT_HTTPGET, 1L);
        if (r == CURLE_OK)
                r = curl_easy_setopt(h->curl, CURLOPT_MAXCONNECTS, (long)n);
        if (r == CURLE_OK)
                r = curl_easy_setopt(h->curl, CURLOPT_FRESH_CONNECT, 1L);
        for (unsigned i = 0; r == CURLE_OK && i < n; i++) {
                long status = 0;
                h->len = 0;
                r = curl_easy_perform(h->curl);
                if (r == CURLE_OK)
                        r = curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
                if (r == CURLE_OK && status != 200)
                        return err_say(e, EPROTO, "connection %u of %u is answered with status %ld", i + 1, n, status);
        }
        return r == CURLE_OK ? 0 : err_say(e, EIO, "%s", curl_why(r, h->why));
}

/* Found by dlsym. */
extern const struct http_client hatchery_bench_http;
const struct http_client hatchery_bench_http = {
        .start = start,
        .open = http_open,
        .post = http_post,
        .hold = http_hold,
        .free = http_free,
        .many_open = many_open,
        .many_ask = many_ask,
        .many_wait = many_wait,
        .many_free = many_free,
};
