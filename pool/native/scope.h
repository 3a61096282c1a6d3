/* Who asks: the caller of a request, and the way it came. What callers name, such as runs and idempotency keys, is kept
 * apart by scope. A trusted connection says itself who its callers are, so its names never meet those of others: a
 * gateway that lies about its callers finds nothing of native clients. */
#pragma once

#include "pool/core/core.h"

#include <stdbool.h>

struct scope {
        struct caller caller;
        bool trusted; /* it came on a trusted connection */
};
