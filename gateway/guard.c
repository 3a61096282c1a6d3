/* Host and Origin: see guard.h. */
#include "gateway/guard.h"

#include <errno.h>
#include <strings.h>

static bool same(struct span a, const char *b, size_t len)
{
        return a.len == len && strncasecmp((const char *)a.data, b, len) == 0;
}

/* HOST or HOST:PORT without the port; "[::1]" keeps its brackets. */
static struct span without_port(struct span host)
{
        const uint8_t *end = memrchr(host.data, ':', host.len);
        const uint8_t *bracket = memrchr(host.data, ']', host.len);

        if (end && (!bracket || end > bracket))
                host.len = (size_t)(end - host.data);
        return host;
}

static struct span address_host(const struct guard *g)
{
        return without_port(span_of_text(g->address));
}

void guard_init(struct guard *g, const char *address, char *const *hosts, char *const *origins)
{
        *g = (struct guard){ .address = address, .hosts = hosts, .origins = origins };
        struct span host = address_host(g);
        g->loopback = (host.len >= 4 && memcmp(host.data, "127.", 4) == 0) || same(host, "[::1]", 5) ||
                      same(host, "localhost", 9);
}

static bool host_is_ours(const struct guard *g, struct span host)
{
        static const char *const loopback[] = { "localhost", "127.0.0.1", "[::1]" };
        struct span name = without_port(host);
        struct span own = address_host(g);

        for (size_t i = 0; i < sizeof loopback / sizeof loopback[0]; i++)
                if (same(name, loopback[i], strlen(loopback[i])))
                        return true;
        if (same(name, (const char *)own.data, own.len))
                return true;
        for (size_t i = 0; g->hosts && g->hosts[i]; i++)
                if (same(name, g->hosts[i], strlen(g->hosts[i])) || same(host, g->hosts[i], strlen(g->hosts[i])))
                        return true;
        return false;
}

bool guard_names_origin(const struct guard *g, struct span origin)
{
        for (size_t i = 0; origin.data && g->origins && g->origins[i]; i++)
                if (same(origin, g->origins[i], strlen(g->origins[i])))
                        return true;
        return false;
}

/* Is origin http://HOST or https://HOST, where HOST is the request's header Host? */
static bool origin_is_host(struct span origin, struct span host)
{
        static const char *const schemes[] = { "http://", "https://" };

        for (size_t i = 0; host.len > 0 && i < sizeof schemes / sizeof schemes[0]; i++) {
                size_t n = strlen(schemes[i]);
                if (origin.len == n + host.len && strncasecmp((const char *)origin.data, schemes[i], n) == 0 &&
                    strncasecmp((const char *)origin.data + n, (const char *)host.data, host.len) == 0)
                        return true;
        }
        return false;
}

int guard_check(const struct guard *g, struct span host, struct span origin, struct failure *why)
{
        if (g->loopback && host.data && !host_is_ours(g, host)) {
                failure_set(why, 403, "PERMISSION_DENIED",
                            "the header Host must be a name of this server; \"hosts\" in its configuration adds names");
                return -EINVAL;
        }
        if (origin.data && !origin_is_host(origin, host) && !guard_names_origin(g, origin)) {
                failure_set(
                        why, 403, "PERMISSION_DENIED",
                        "web pages of this origin may not use the server; \"origins\" in its configuration adds them");
                return -EINVAL;
        }
        return 0;
}
