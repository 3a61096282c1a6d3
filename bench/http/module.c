/* Loading the plug-in: see client.h. */
#include "bench/http/client.h"

#include <dlfcn.h>
#include <errno.h>

int http_client_load(const char *module, const struct http_client **client, struct err *e)
{
        void *handle = dlopen(module, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        const struct http_client *found = handle ? dlsym(handle, HTTP_SYMBOL) : NULL;
        if (!found) {
                const char *why = dlerror();
                err_say(e, ENOENT, "load the HTTP client: %s", why ? why : "it is not in its plug-in");
        }
        if (handle)
                dlclose(handle); /* the library stays, by RTLD_NODELETE */
        if (!found)
                return -e->code;
        *client = found;
        return found->start(e);
}
