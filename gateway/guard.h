/* Who may use a listener. A web page that a user happens to open must not use it. Browsers add headers that pages can't
 * forge, and guard_check checks these headers.
 *
 * Every page in a browser can reach a server on a loopback address of the browser's machine. A page whose own name
 * resolves to 127.0.0.1 sends that name as Host. So on a loopback address, Host must be a name that is meant for this
 * server. On all listeners, a page of another origin is refused, unless the configuration names its origin. */
#pragma once

#include "gateway/http.h"

/* Each listener has one guard. All pointers are borrowed. */
struct guard {
        bool loopback; /* the address is a loopback address, so Host is checked */
        const char *address;
        char *const *hosts;
        char *const *origins;
};

/* address: "127.0.0.1:8060", "[::1]:8060". hosts and origins end with NULL. */
void guard_init(struct guard *g, const char *address, char *const *hosts, char *const *origins);

/* -EINVAL: the request is refused, and why has the reason. A span without data: there is no such header. */
int guard_check(const struct guard *g, struct span host, struct span origin, struct failure *why);

/* Does the configuration name this origin? If so, answers allow the browser to show them to the page (CORS). */
bool guard_names_origin(const struct guard *g, struct span origin);
