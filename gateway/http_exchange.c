/* The request of an exchange, and the exchange's life: see http.h. */
#include "gateway/http_internal.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* 00-TRACE-SPAN-FLAGS of the W3C, in small hexadecimal digits. TRACE or SPAN is invalid if it has only zeros. */
static bool is_traceparent(const char *text)
{
        static const char form[] = "00-hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh-hhhhhhhhhhhhhhhh-hh";

        if (strlen(text) != sizeof form - 1)
                return false;
        for (size_t i = 0; form[i]; i++) {
                bool digit = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
                if (form[i] == 'h' ? !digit : text[i] != form[i])
                        return false;
        }
        return strspn(text + 3, "0") < 32 && strspn(text + 36, "0") < 16;
}

static char *read_media_type(const char *header)
{
        size_t n = header ? strcspn(header, ";") : 0;
        while (n > 0 && (header[n - 1] == ' ' || header[n - 1] == '\t'))
                n--;
        char *type = strndup(header ? header : "", n);
        for (size_t i = 0; type && i < n; i++)
                type[i] = (char)tolower((unsigned char)type[i]);
        return type;
}

static char *read_segment(const struct conn *c, const char *path)
{
        size_t len = 0;
        const char *at = c->route ? route_match(c->route->path, path, &len) : "";
        return strndup(at ? at : "", len);
}

/* evhttp moves the body into a buffer of the request. The body's bytes stay counted as long as the exchange lives. */
static void count_body(struct exchange *x)
{
        x->body_held = evbuffer_get_length(evhttp_request_get_input_buffer(x->req));
        http_server_hold(x->conn->listener->server, (int64_t)x->body_held);
}

struct exchange *exchange_new(struct conn *c, struct evhttp_request *req)
{
        struct exchange *x = calloc(1, sizeof *x);
        const char *uri = evhttp_request_get_uri(req);

        if (!x)
                return NULL;
        x->conn = c;
        x->req = req;
        TAILQ_INIT(&x->query);
        char *raw = strndup(uri, strcspn(uri, "?"));
        x->path = raw ? evhttp_uridecode(raw, 0, NULL) : NULL;
        free(raw);
        x->segment = x->path ? read_segment(c, x->path) : NULL;
        x->media_type = read_media_type(exchange_header(x, "Content-Type"));
        const char *trace = exchange_header(x, "traceparent");
        if (trace && is_traceparent(trace))
                memcpy(x->trace, trace, strlen(trace) + 1);
        c->listener->server->n_exchanges++;
        count_body(x);
        if (!x->path || !x->segment || !x->media_type) {
                exchange_end(x);
                return NULL;
        }
        return x;
}

void exchange_end(struct exchange *x)
{
        struct conn *c = x->conn;

        c->x = NULL;
        c->listener->server->n_exchanges--;
        http_server_hold(c->listener->server, -(int64_t)x->body_held);
        evhttp_clear_headers(&x->query);
        free(x->path);
        free(x->segment);
        free(x->media_type);
        free(x);
}

void exchange_gone(struct exchange *x)
{
        /* evhttp takes an unanswered request off its connection, and does not free it. Otherwise evhttp frees the
         * request. */
        if (!evhttp_request_get_connection(x->req))
                evhttp_request_free(x->req);
        if (x->socket)
                websocket_gone(x->socket);
        void (*gone)(void *data) = x->gone; /* websocket_gone may have changed it */
        void *data = x->gone_data;
        exchange_end(x);
        if (gone)
                gone(data);
}

struct gateway *exchange_gateway(const struct exchange *x)
{
        return x->conn->listener->server->gateway;
}

const struct contract *exchange_contract(const struct exchange *x)
{
        return x->conn->contract;
}

bool exchange_is_alone(const struct exchange *x)
{
        const struct http_listener *l = x->conn->listener;

        for (size_t i = 0; i < l->n_contracts; i++)
                if (l->contracts[i] != x->conn->contract && strcmp(l->contracts[i]->name, "health") != 0)
                        return false;
        return true;
}

enum method exchange_method(const struct exchange *x)
{
        return x->conn->verb;
}

const char *exchange_path(const struct exchange *x)
{
        return x->path;
}

const char *exchange_segment(const struct exchange *x)
{
        return x->segment;
}

/* Adds "=" to names without it, and removes empty pairs: evhttp takes either for malformed. NULL: no memory. */
static char *with_values(const char *query)
{
        char *text = malloc(strlen(query) * 2 + 2);
        size_t n = 0;

        for (size_t len; text && *query; query += len + (query[len] == '&')) {
                len = strcspn(query, "&");
                if (len == 0)
                        continue;
                if (n > 0)
                        text[n++] = '&';
                memcpy(text + n, query, len);
                n += len;
                if (!memchr(query, '=', len))
                        text[n++] = '=';
        }
        if (text)
                text[n] = '\0';
        return text;
}

const char *exchange_query(const struct exchange *x, const char *name)
{
        struct evkeyvalq *query = (struct evkeyvalq *)&x->query;
        const char *text = strchr(evhttp_request_get_uri(x->req), '?');
        struct evkeyval *pair;

        if (!x->has_query && text) {
                char *pairs = with_values(text + 1);
                (void)(pairs && evhttp_parse_query_str(pairs, query)); /* a malformed query has no names */
                free(pairs);
                ((struct exchange *)x)->has_query = true;
        }
        TAILQ_FOREACH(pair, query, next)
        if (strcmp(pair->key, name) == 0)
                return pair->value;
        return NULL;
}

const char *exchange_header(const struct exchange *x, const char *name)
{
        const char *value = evhttp_find_header(evhttp_request_get_input_headers(x->req), name);
        return value ? value + strspn(value, " \t") : NULL; /* evhttp leaves a tab before the value */
}

struct span exchange_body(const struct exchange *x)
{
        struct evbuffer *body = evhttp_request_get_input_buffer(x->req);
        return (struct span){ evbuffer_pullup(body, -1), evbuffer_get_length(body) };
}

const char *exchange_media_type(const struct exchange *x)
{
        return x->media_type;
}

struct span exchange_peer(const struct exchange *x)
{
        return (struct span){ x->conn->peer.bytes, x->conn->peer.len };
}

const char *exchange_trace(const struct exchange *x)
{
        return x->trace;
}

size_t exchange_unsent(const struct exchange *x)
{
        return evbuffer_get_length(bufferevent_get_output(x->conn->bev));
}

void exchange_on_drained(struct exchange *x, void (*drained)(void *data), void *data)
{
        x->drained = drained;
        x->drained_data = data;
}

void exchange_on_gone(struct exchange *x, void (*gone)(void *data), void *data)
{
        x->gone = gone;
        x->gone_data = data;
}

void failure_set(struct failure *why, int status, const char *code, const char *format, ...)
{
        va_list args;

        why->status = status;
        why->code = code;
        why->retry_after_ms = 0;
        va_start(args, format);
        vsnprintf(why->message, sizeof why->message, format, args);
        va_end(args);
}
