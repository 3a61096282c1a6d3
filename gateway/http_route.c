/* Finding the handler of a request by its path and method. */
#include "gateway/http_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

const char *route_match(const char *pattern, const char *path, size_t *len)
{
        const char *star = strchr(pattern, '*');
        size_t before = star ? (size_t)(star - pattern) : 0;

        *len = 0;
        if (!star)
                return strcmp(pattern, path) == 0 ? "" : NULL;
        if (strncmp(pattern, path, before) != 0)
                return NULL;
        *len = strcspn(path + before, "/");
        return *len > 0 && strcmp(path + before + *len, star + 1) == 0 ? path + before : NULL;
}

/* The length, in bytes, of the most leading segments that path has in common with one of the contract's routes. */
static size_t likeness(const struct contract *contract, const char *path)
{
        size_t most = 0;

        for (size_t i = 0; i < contract->n_routes; i++) {
                const char *pattern = contract->routes[i].path;
                size_t whole = 0;
                for (size_t n = 0; pattern[n] == path[n]; n++) {
                        if (pattern[n] == '\0' || pattern[n] == '/')
                                whole = n;
                        if (pattern[n] == '\0')
                                break;
                }
                most = whole > most ? whole : most;
        }
        return most;
}

/* The contract that gives an error for this path its shape. */
static const struct contract *nearest(const struct http_listener *l, const char *path)
{
        const struct contract *best = l->contracts[0];

        for (size_t i = 1; i < l->n_contracts; i++)
                if (likeness(l->contracts[i], path) > likeness(best, path))
                        best = l->contracts[i];
        return best;
}

static bool takes(const struct route *r, enum method verb)
{
        return (r->methods & verb) || (verb == METHOD_HEAD && (r->methods & METHOD_GET));
}

void route_allow(const struct http_listener *l, const char *path, char text[64])
{
        static const char *const names[] = { "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS" };
        unsigned methods = METHOD_OPTIONS;
        size_t n, len;
        int at = 0;

        for (size_t i = 0; i < l->n_contracts; i++)
                for (n = 0; n < l->contracts[i]->n_routes; n++)
                        if (route_match(l->contracts[i]->routes[n].path, path, &len))
                                methods |= l->contracts[i]->routes[n].methods;
        if (methods & METHOD_GET)
                methods |= METHOD_HEAD;
        text[0] = '\0';
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
                if (methods & (1U << i))
                        at += snprintf(text + at, 64 - (size_t)at, "%s%s", at > 0 ? ", " : "", names[i]);
}

/* Sets the contract and the route. True: the path is known, which means that a contract has it with any method. */
static bool find(struct conn *c, const char *path)
{
        const struct http_listener *l = c->listener;
        bool known = false;
        size_t len;

        for (size_t i = 0; i < l->n_contracts; i++)
                for (size_t n = 0; n < l->contracts[i]->n_routes; n++) {
                        const struct route *r = &l->contracts[i]->routes[n];
                        if (!route_match(r->path, path, &len))
                                continue;
                        if (!known || takes(r, c->verb))
                                c->contract = l->contracts[i];
                        known = true;
                        if (takes(r, c->verb)) {
                                c->route = r;
                                return true;
                        }
                }
        return known;
}

int route_find(struct conn *c, const struct head *h, struct failure *why)
{
        const uint8_t *query = memchr(h->target.data, '?', h->target.len);
        size_t len = query ? (size_t)(query - h->target.data) : h->target.len, decoded = 0;
        char *raw = strndup((const char *)h->target.data, len);
        char *path = raw ? evhttp_uridecode(raw, 0, &decoded) : NULL;
        int r = 0;

        c->route = NULL;
        c->contract = c->listener->contracts[0];
        if (!path) {
                failure_set(why, 503, "RESOURCE_EXHAUSTED", "there is no memory for the request");
                r = -EINVAL;
        } else if (strlen(path) != decoded) {
                failure_set(why, 400, "INVALID_ARGUMENT", "the path has a NUL character");
                r = -EINVAL;
        } else if (!find(c, path)) {
                c->contract = nearest(c->listener, path);
                failure_set(why, 404, "NOT_FOUND", "there is no such path");
                r = -EINVAL;
        } else if (!c->route && c->verb != METHOD_OPTIONS) {
                failure_set(why, 405, "UNIMPLEMENTED", "this path does not take the method %.*s", (int)h->method.len,
                            (const char *)h->method.data);
                r = -EINVAL;
        }
        free(raw);
        free(path);
        return r;
}
