/* The HTTP client, over libcurl: see http.h. No proxy of the environment, no redirects: only the named server is
 * measured. */
#include "bench/peers/http.h"

#include "proto/base/own.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>

struct http {
        CURL *curl;
        struct curl_slist *headers;
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
        if (len > sizeof h->body - h->len)
                return 0;
        memcpy(h->body + h->len, data, len);
        h->len += len;
        return len;
}

static CURLcode set_options(struct http *h, const char *url)
{
        CURL *c = h->curl;
        CURLcode r = curl_easy_setopt(c, CURLOPT_URL, url);
        if (r == CURLE_OK)
                r = curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
        if (r == CURLE_OK)
                r = curl_easy_setopt(c, CURLOPT_PROXY, "");
        if (r == CURLE_OK)
                r = curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L); /* since there are several threads */
        if (r == CURLE_OK)
                r = curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)HTTP_LOST_S);
        if (r == CURLE_OK)
                r = curl_easy_setopt(c, CURLOPT_HTTPHEADER, h->headers);
        if (r == CURLE_OK)
                r = curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->why);
        if (r == CURLE_OK)
                r = curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
        if (r == CURLE_OK)
                r = curl_easy_setopt(c, CURLOPT_WRITEDATA, h);
        return r;
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

static int http_post(struct http *h, const char *body, size_t len, struct http_answer *a, struct err *e)
{
        h->len = 0;
        h->why[0] = '\0';
        CURLcode r = curl_easy_setopt(h->curl, CURLOPT_POSTFIELDSIZE, (long)len);
        if (r == CURLE_OK)
                r = curl_easy_setopt(h->curl, CURLOPT_POSTFIELDS, body);
        if (r == CURLE_OK)
                r = curl_easy_perform(h->curl);
        *a = (struct http_answer){ .body = h->body, .len = h->len };
        if (r == CURLE_OK)
                r = curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &a->status);
        if (r == CURLE_OK)
                return 0;
        return err_say(e, EIO, "%s", h->why[0] ? h->why : curl_easy_strerror(r));
}

/* Found by dlsym. */
extern const struct http_client hatchery_bench_http;
const struct http_client hatchery_bench_http = { start, http_open, http_post, http_free };
