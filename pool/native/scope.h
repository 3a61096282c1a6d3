/* A scope: the caller of a request, and whether the request came on a trusted connection. Callers choose names, such as
 * run ids and idempotency keys. The same name in two scopes means two different things. A gateway names its callers
 * itself. Since trusted is part of the scope, a gateway that lies about its callers finds nothing of native clients. */
#pragma once

#include "pool/core/core.h"

#include <stdbool.h>

struct scope {
        struct caller caller;
        bool trusted; /* the request came on a trusted connection */
};
