/* libwslay, loaded while a worker starts. Debian has it as a shared library alone. If it were linked into the program,
 * each fork of a zygote would copy its mappings, and every sandbox would pay for that (cmake/archives.cmake). */
#pragma once

#include <stdbool.h>
#include <wslay/wslay.h>

/* The functions that websocket.c calls, named as in wslay without "wslay_event_". */
struct wslay {
        void *library;
        __typeof__(wslay_event_context_server_init) *context_server_init;
        __typeof__(wslay_event_context_free) *context_free;
        __typeof__(wslay_event_config_set_max_recv_msg_length) *config_set_max_recv_msg_length;
        __typeof__(wslay_event_recv) *recv;
        __typeof__(wslay_event_send) *send;
        __typeof__(wslay_event_queue_msg) *queue_msg;
        __typeof__(wslay_event_queue_close) *queue_close;
        __typeof__(wslay_event_set_error) *set_error;
        __typeof__(wslay_event_want_read) *want_read;
        __typeof__(wslay_event_want_write) *want_write;
        __typeof__(wslay_event_get_close_sent) *get_close_sent;
};

/* False: the library is not installed, and there are no WebSockets. */
bool wslay_load(struct wslay *w);
void wslay_unload(struct wslay *w);
