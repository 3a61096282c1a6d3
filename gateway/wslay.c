/* libwslay: see wslay.h. */
#include "gateway/wslay.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

bool wslay_load(struct wslay *w)
{
        static const struct {
                const char *name;
                size_t at;
        } functions[] = {
                { "wslay_event_context_server_init", offsetof(struct wslay, context_server_init) },
                { "wslay_event_context_free", offsetof(struct wslay, context_free) },
                { "wslay_event_config_set_max_recv_msg_length",
                  offsetof(struct wslay, config_set_max_recv_msg_length) },
                { "wslay_event_recv", offsetof(struct wslay, recv) },
                { "wslay_event_send", offsetof(struct wslay, send) },
                { "wslay_event_queue_msg", offsetof(struct wslay, queue_msg) },
                { "wslay_event_queue_close", offsetof(struct wslay, queue_close) },
                { "wslay_event_set_error", offsetof(struct wslay, set_error) },
                { "wslay_event_want_read", offsetof(struct wslay, want_read) },
                { "wslay_event_want_write", offsetof(struct wslay, want_write) },
                { "wslay_event_get_close_sent", offsetof(struct wslay, get_close_sent) },
        };

        *w = (struct wslay){ .library = dlopen("libwslay.so.1", RTLD_NOW | RTLD_LOCAL) };
        for (size_t i = 0; w->library && i < sizeof functions / sizeof functions[0]; i++) {
                void *found = dlsym(w->library, functions[i].name);
                memcpy((char *)w + functions[i].at, &found, sizeof found);
                if (!found)
                        wslay_unload(w);
        }
        return w->library != NULL;
}

void wslay_unload(struct wslay *w)
{
        if (w->library)
                dlclose(w->library);
        w->library = NULL;
}
