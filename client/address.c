/* Parses a server's address, resolves its name, and connects within a bounded time. See address.h. */
#include "client/address.h"

#include "proto/base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#define UNIX_PREFIX "unix:"

/* With these values a dead machine is noticed after a minute, not after the kernel's two hours. */
enum { KEEPALIVE_IDLE_S = 30, KEEPALIVE_PAUSE_S = 10, KEEPALIVE_TRIES = 3 };

int address_failed(const char *address, int code, struct err *e)
{
        const char *advice = "";
        if (code == ECONNREFUSED || code == ENOENT)
                advice = "; is hatcheryd running?";
        else if (code == ETIMEDOUT)
                advice = "; is the address right, and does a firewall block the connection?";
        return err_say(e, code, "connect to %s: %s%s", address, strerror(code), advice);
}

bool address_is_local(const char *address)
{
        return strncmp(address, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0;
}

int address_local(const char *address, struct sockaddr_un *sa, struct err *e)
{
        const char *path = address + strlen(UNIX_PREFIX);
        size_t len = strlen(path);

        if (len == 0 || len >= sizeof sa->sun_path)
                return err_say(e, EINVAL, "the path of a unix socket has 1 to %zu bytes, not %zu: %s",
                               sizeof sa->sun_path - 1, len, address);
        memset(sa, 0, sizeof *sa);
        sa->sun_family = AF_UNIX;
        memcpy(sa->sun_path, path, len);
        return 0;
}

int address_check(const char *address, struct err *e)
{
        char host[ADDRESS_HOST_SIZE], port[ADDRESS_PORT_SIZE];
        struct sockaddr_un sa;

        return address_is_local(address) ? address_local(address, &sa, e) : address_split(address, host, port, e);
}

static int connect_unix(const char *address, int timeout_ms, struct err *e)
{
        struct sockaddr_un sa;
        int r = address_local(address, &sa, e);
        if (r < 0)
                return r;

        OWN_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return err_set(e, errno, "make a unix socket");

        /* A non-blocking connect to a unix socket with a full backlog fails at once and can't be waited for, so this
         * one blocks, with the send time-out as its bound. */
        struct timeval limit = { .tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000 };
        if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0)
                return err_set(e, errno, "set the time-out of a unix socket");
        while (connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0) {
                if (errno != EINTR)
                        return address_failed(address, errno == EAGAIN ? ETIMEDOUT : errno, e);
        }
        if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
                return err_set(e, errno, "make a unix socket non-blocking");
        return own_steal_fd(&fd);
}

int address_split(const char *address, char host[ADDRESS_HOST_SIZE], char port[ADDRESS_PORT_SIZE], struct err *e)
{
        const char *host_start = address;
        const char *colon = strrchr(address, ':');
        const char *host_end = colon;

        if (address[0] == '[') {
                const char *bracket = strchr(address, ']');
                if (!bracket || bracket[1] != ':')
                        colon = NULL;
                host_start = address + 1;
                host_end = bracket;
        } else if (colon && memchr(address, ':', (size_t)(colon - address))) {
                return err_say(e, EINVAL, "address %s: put an IPv6 address in brackets, as in [::1]:7070", address);
        }

        if (!colon || !host_end || host_end == host_start || colon[1] == '\0')
                return err_say(e, EINVAL, "address %s: expected HOST:PORT, [IPV6]:PORT or unix:PATH", address);
        if ((size_t)(host_end - host_start) >= ADDRESS_HOST_SIZE || strlen(colon + 1) >= ADDRESS_PORT_SIZE)
                return err_say(e, EINVAL,
                               "the address is too long: a host name has fewer than %d bytes, a port fewer than %d",
                               ADDRESS_HOST_SIZE, ADDRESS_PORT_SIZE);
        snprintf(host, ADDRESS_HOST_SIZE, "%.*s", (int)(host_end - host_start), host_start);
        snprintf(port, ADDRESS_PORT_SIZE, "%s", colon + 1);
        return 0;
}

/* Waits for a connect that is under way; 0 or an errno. */
static int await_connected(int fd, int timeout_ms)
{
        struct pollfd p = { .fd = fd, .events = POLLOUT };
        int n;
        do
                n = poll(&p, 1, timeout_ms);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return errno;
        if (n == 0)
                return ETIMEDOUT;

        int code = 0;
        socklen_t size = sizeof code;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0)
                return errno;
        return code;
}

/* A request is one write: waiting for more to join it would only delay it. Keep-alive notices that the server's machine
 * is gone. Without it, a client that only waits for an answer would never notice. */
int address_tune(int fd, struct err *e)
{
        static const struct {
                int level, name, value;
        } options[] = {
                { IPPROTO_TCP, TCP_NODELAY, 1 },
                { SOL_SOCKET, SO_KEEPALIVE, 1 },
                { IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S },
                { IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_PAUSE_S },
                { IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_TRIES },
        };
        for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
                if (setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof options[i].value) < 0)
                        return err_set(e, errno, "set an option of a socket");
        return 0;
}

/* Returns an owned descriptor or a negative errno. */
static int connect_one(const struct addrinfo *ai, int timeout_ms)
{
        OWN_FD int fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, ai->ai_protocol);
        if (fd < 0)
                return -errno;
        if (connect(fd, ai->ai_addr, ai->ai_addrlen) < 0) {
                int code = errno == EINPROGRESS || errno == EINTR ? await_connected(fd, timeout_ms) : errno;
                if (code != 0)
                        return -code;
        }

        int r = address_tune(fd, NULL);
        if (r < 0)
                return r;
        return own_steal_fd(&fd);
}

static int connect_tcp(const char *address, int timeout_ms, struct err *e)
{
        char host[ADDRESS_HOST_SIZE], port[ADDRESS_PORT_SIZE];
        int r = address_split(address, host, port, e);
        if (r < 0)
                return r;

        struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
        struct addrinfo *list = NULL;
        r = getaddrinfo(host, port, &hints, &list);
        if (r != 0)
                return err_say(e, EHOSTUNREACH, "look up the address %s: %s", address, gai_strerror(r));

        int fd = -EHOSTUNREACH;
        for (struct addrinfo *ai = list; ai && fd < 0; ai = ai->ai_next)
                fd = connect_one(ai, timeout_ms);
        freeaddrinfo(list);
        return fd < 0 ? address_failed(address, -fd, e) : fd;
}

int address_connect(const char *address, int timeout_ms, struct err *e)
{
        if (address_is_local(address))
                return connect_unix(address, timeout_ms, e);
        return connect_tcp(address, timeout_ms, e);
}
