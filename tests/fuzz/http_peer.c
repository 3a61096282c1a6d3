/* What fuzzers of HTTP share: see http_peer.h. */
#include "tests/fuzz/http_peer.h"

#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECES = 24 }; /* of an input, on average */

static int listen_somewhere(struct gateway *g)
{
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        g->address = (struct sockaddr_un){ .sun_family = AF_UNIX };
        int n = snprintf(g->address.sun_path + 1, sizeof g->address.sun_path - 1, "hatchery-fuzz-%d", (int)getpid());
        g->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
        FUZZ_CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&g->address, g->address_len) == 0 && listen(fd, 16) == 0);
        return fd;
}

void http_peer_start(struct gateway *g, const struct contract *contract)
{
        static struct log log = { .who = "fuzz", .level = LOG_LEVEL_WARN };
        static char *none[] = { NULL }; /* the server keeps it */
        char *names[] = { (char *)contract->name, NULL };
        struct gateway_listener listener = {
                .address = "127.0.0.1:80", .contracts = names, .hosts = none, .origins = none
        };
        const struct gateway_options options = {
                .listeners = &listener, .n_listeners = 1, .max_memory = 256 << 20, .max_request_bytes = 3000
        };
        struct err e = { 0 };

        (void)signal(SIGPIPE, SIG_IGN);
        g->log_fd = log.fd = memfd_create("log", MFD_CLOEXEC);
        g->base = event_base_new();
        listener.fd = listen_somewhere(g);
        FUZZ_CHECK(g->log_fd >= 0 && g->base);
        FUZZ_CHECK(http_server_new(&g->server, g, g->base, &log, &options, &contract, 1, &e) == 0);
        g->server->max_body = 3000; /* so that an input can be longer */
}

static bool read_some(struct http_talk *t)
{
        uint8_t bytes[16384];
        ssize_t n = read(t->fd, bytes, sizeof bytes);

        if (n <= 0) {
                t->closed |= n == 0 || (errno != EAGAIN && errno != EINTR);
                return false;
        }
        if (t->len + (size_t)n > t->room) {
                t->room = 2 * (t->len + (size_t)n);
                t->got = realloc(t->got, t->room);
                FUZZ_CHECK(t->got);
        }
        memcpy(t->got + t->len, bytes, (size_t)n);
        t->len += (size_t)n;
        return true;
}

void http_talk_pump(struct http_talk *t)
{
        for (int quiet = 0; quiet < 3;) {
                bool busy = event_base_get_num_events(t->gateway->base, EVENT_BASE_COUNT_ACTIVE) > 0;
                FUZZ_CHECK(event_base_loop(t->gateway->base, EVLOOP_NONBLOCK) >= 0);
                while (!t->closed && read_some(t))
                        busy = true;
                quiet = busy ? 0 : quiet + 1;
        }
}

void http_talk_begin(struct http_talk *t, struct gateway *g)
{
        *t = (struct http_talk){ .gateway = g, .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) };
        FUZZ_CHECK(t->fd >= 0 && connect(t->fd, (struct sockaddr *)&g->address, g->address_len) == 0);
        FUZZ_CHECK(evutil_make_socket_nonblocking(t->fd) == 0);
        http_talk_pump(t);
        FUZZ_CHECK(!t->closed && http_server_counts(g->server).connections == 1);
}

void http_talk_send(struct http_talk *t, const uint8_t *bytes, size_t len, uint8_t seed)
{
        uint32_t chance = seed;

        while (len > 0 && !t->closed) {
                chance = chance * 1664525 + 1013904223;
                size_t n = seed ? 1 + (chance >> 8) % (1 + 2 * len / PIECES) : len;
                n = n < len ? n : len;
                ssize_t sent = send(t->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
                FUZZ_CHECK(sent > 0 || errno == EAGAIN || errno == EPIPE || errno == ECONNRESET);
                if (sent > 0) {
                        bytes += sent;
                        len -= (size_t)sent;
                }
                http_talk_pump(t);
        }
}

void http_talk_end(struct http_talk *t)
{
        struct stat log;

        (void)shutdown(t->fd, SHUT_WR);
        http_talk_pump(t);
        struct http_counts n = http_server_counts(t->gateway->server);
        FUZZ_CHECK(t->closed);
        FUZZ_CHECK(n.connections == 0 && n.exchanges == 0 && n.held == 0);
        FUZZ_CHECK(fstat(t->gateway->log_fd, &log) == 0 && log.st_size == 0);
}

void http_talk_fini(struct http_talk *t)
{
        close(t->fd);
        free(t->got);
}
