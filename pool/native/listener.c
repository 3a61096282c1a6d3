/* Accepting connections: see listener.h. */
#include "pool/native/listener.h"

#include "pool/native/connection.h"
#include "pool/native/native_parts.h"
#include "proto/base/peer.h"
#include "proto/ipc/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connections accepted in one batch, so that a flood of them does not make runs wait. */
enum { BATCH = 16, PAUSE_US = 100000 };

/* Descriptors that do not count as connections of clients. A slot needs those of its sandbox and of a collector. The
 * others are the pool's own, and those of connections that are only refused, because there is no room. */
enum { FILES_OF_SLOT = CHANNEL_WARM_FDS + 2, OTHER_FILES = 160 };

/* Listens again. If that fails, the next tick tries again. */
static void resume(struct listener *l)
{
        if (event_add(&l->readable, NULL) < 0)
                log_error(l->native->log, "a listening socket can't be watched; trying again");
}

void listener_tick(struct listener *l)
{
        if (l->fd >= 0 && !event_pending(&l->readable, EV_READ, NULL) && !timer_is_set(&l->pause))
                resume(l);
}

static void on_pause_over(void *arg)
{
        resume(arg);
}

/* The pool is out of descriptors or memory. The connection stays in the kernel's backlog, so to try again at once would
 * only use up the processor. */
static void pause_listener(struct listener *l, int error)
{
        log_warn(l->native->log, "accepting a connection: %s; trying again in 100 ms", strerror(error));
        event_del(&l->readable);
        if (timer_set(&l->pause, PAUSE_US) < 0)
                log_error(l->native->log, "a timer can't be set: connections are taken again at the next tick");
}

static bool is_of_user(int fd, uint32_t uid)
{
        struct ucred who;
        socklen_t len = sizeof who;

        return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && who.uid == uid;
}

static void take(struct listener *l, int client, const struct sockaddr_storage *address)
{
        const struct peer peer = peer_of_socket(client, address);

        if (!l->trusted || is_of_user(client, l->uid)) {
                connection_accept(l->native, client, &peer, l->trusted);
                return;
        }
        log_warn(l->native->log, "a connection to the gateway's socket comes from another user, and is refused");
        connection_turn_away(
                l->native, client, &peer, REFUSAL_PERMISSION_DENIED,
                "this socket is for the server's own gateway; connect to an address of the configuration's "
                "listen");
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
        (void)what;
        struct listener *l = arg;

        for (int i = 0; i < BATCH; i++) {
                struct sockaddr_storage address = { 0 };
                socklen_t len = sizeof address;
                int client = accept4(fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (client >= 0) {
                        take(l, client, &address);
                        continue;
                }
                if (errno == EINTR || errno == ECONNABORTED)
                        continue;
                if (errno != EAGAIN)
                        pause_listener(l, errno);
                return;
        }
}

int listener_init(struct listener *l, struct native *n, int fd, const struct trusted_listener *trusted, struct err *e)
{
        *l = (struct listener){ .native = n, .fd = fd, .trusted = trusted != NULL, .uid = trusted ? trusted->uid : 0 };
        if (evutil_make_socket_nonblocking(fd) < 0)
                return err_set(e, errno, "a listening socket");
        if (event_assign(&l->readable, n->base, fd, EV_READ | EV_PERSIST, on_readable, l) < 0 ||
            timer_init(&l->pause, n->base, LOOP_CLIENTS, on_pause_over, l) < 0 || event_add(&l->readable, NULL) < 0)
                return err_say(e, EIO, "a listening socket can't be watched");
        return 0;
}

unsigned listener_room(const struct native *n)
{
        const struct config *c = n->config;
        uint64_t others = OTHER_FILES + (n->n_trusted > 0 ? NATIVE_MAX_TRUSTED : 0);
        struct rlimit files;

        /* While generations change, two zygotes have warm sandboxes. */
        for (size_t i = 0; i < c->n_languages; i++)
                others += (uint64_t)(2 * c->languages[i].warm_max + c->languages[i].running) * FILES_OF_SLOT;
        if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur >= others + c->max_connections)
                return c->max_connections;
        uint32_t possible = files.rlim_cur > others ? (uint32_t)(files.rlim_cur - others) : 1;
        log_warn(
                n->log,
                "max_connections is %u, but the limit of descriptors is %llu, of which sandboxes need %llu: %u connections "
                "are possible; raise the limit (LimitNOFILE, ulimit -Hn)",
                c->max_connections, (unsigned long long)files.rlim_cur, (unsigned long long)others, possible);
        return possible;
}

void listener_fini(struct listener *l)
{
        if (!l->native || l->fd < 0)
                return;
        event_del(&l->readable);
        timer_stop(&l->pause);
        close(l->fd);
        l->fd = -1;
}
