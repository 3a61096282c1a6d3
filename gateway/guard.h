/* Who may use a listener: a web page that a user happens to open must not. Browsers add headers that pages can't forge,
 * and these are checked.
 *
 * A server on a loopback address is reached by every page in a browser on that machine. A page whose own name resolves
 * to 127.0.0.1 sends that name as Host. So there, Host must be a name that is meant for this server. On all listeners,
 * a page of another origin is refused, unless the configuration names its origin. */
#pragma once

#include "gateway/http.h"

/* Made once for a listener; all pointers are borrowed. */
struct guard {
        bool loopback; /* Host is checked */
        const char *address;
        char *const *hosts;
        char *const *origins;
};

/* address: "127.0.0.1:8060", "[::1]:8060". hosts and origins end with NULL. */
void guard_init(struct guard *g, const char *address, char *const *hosts, char *const *origins);

/* -EINVAL: the request is refused, and why says so. Spans without data: there is no such header. */
int guard_check(const struct guard *g, struct span host, struct span origin, struct failure *why);

/* Does the configuration name this origin? Then answers tell the browser so (CORS). */
bool guard_names_origin(const struct guard *g, struct span origin);
