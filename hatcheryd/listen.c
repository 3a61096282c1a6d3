/* Listening sockets: see listen.h. */
#include "hatcheryd/listen.h"

#include "proto/base/own.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { BACKLOG = 4096 };

/* Removes a socket file that has no listener, because a killed server left it. */
static int remove_stale(const struct sockaddr_un *address, struct err *e)
{
        struct stat st = { 0 };
        if (lstat(address->sun_path, &st) < 0)
                return errno == ENOENT ? 0 : err_set(e, errno, "%s", address->sun_path);
        if (!S_ISSOCK(st.st_mode))
                return err_say(e, EEXIST, "%s exists and is no socket", address->sun_path);
        OWN_FD int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (probe >= 0 && connect(probe, (const struct sockaddr *)address, sizeof *address) == 0)
                return err_say(e, EADDRINUSE, "another server listens on %s", address->sun_path);
        return unlink(address->sun_path) < 0 ? err_set(e, errno, "unlink %s", address->sun_path) : 0;
}

static int open_unix(struct listen_socket *l, const char *path, struct err *e)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        if (*path == '\0' || strlen(path) >= sizeof address.sun_path || strlen(path) >= sizeof l->path)
                return err_say(e, EINVAL, "\"%s\" is no path for a unix socket (1 to 107 bytes)", path);
        snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
        int r = remove_stale(&address, e);
        if (r < 0)
                return r;

        OWN_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || chmod(path, 0660) < 0 ||
            listen(fd, BACKLOG) < 0)
                return err_set(e, errno, "listen on unix:%s", path);
        snprintf(l->path, sizeof l->path, "%s", path);
        snprintf(l->name, sizeof l->name, "unix:%.100s", path);
        l->fd = own_steal_fd(&fd);
        return 0;
}

/* Splits "HOST:PORT" in two, and removes brackets around an IPv6 address. */
static int split(const char *address, char *host, size_t size, const char **port, struct err *e)
{
        const char *colon = strrchr(address, ':');
        const char *start = address;
        size_t len = colon ? (size_t)(colon - address) : 0;
        if (len >= 2 && address[0] == '[' && address[len - 1] == ']') {
                start++;
                len -= 2;
        }
        if (!colon || len == 0 || len >= size || colon[1] == '\0')
                return err_say(e, EINVAL, "\"%s\" is no address; use HOST:PORT, [IPV6]:PORT or unix:PATH", address);
        memcpy(host, start, len);
        host[len] = '\0';
        *port = colon + 1;
        return 0;
}

static int name_socket(int fd, char name[LISTEN_NAME_SIZE], struct err *e)
{
        struct sockaddr_storage bound = { 0 };
        socklen_t size = sizeof bound;
        char host[64], port[16];
        if (getsockname(fd, (struct sockaddr *)&bound, &size) < 0 ||
            getnameinfo((struct sockaddr *)&bound, size, host, sizeof host, port, sizeof port,
                        NI_NUMERICHOST | NI_NUMERICSERV) != 0)
                return err_set(e, errno, "the address of a listener");
        snprintf(name, LISTEN_NAME_SIZE, bound.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
        return 0;
}

/* Resolves address. The first result is used. The caller frees the results by freeaddrinfo. */
static int resolve(struct addrinfo **found, const char *address, struct err *e)
{
        char host[256] = "";
        const char *port = "";
        int r = split(address, host, sizeof host, &port, e);
        if (r < 0)
                return r;

        char *end;
        unsigned long number = strtoul(port, &end, 10);
        if (*port < '0' || *port > '9' || *end != '\0' || number > 65535)
                return err_say(e, EINVAL, "\"%s\": a port is a number from 0 to 65535", address);

        struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
        int rc = getaddrinfo(host, port, &hints, found);
        return rc == 0 ? 0 : err_say(e, EINVAL, "\"%s\": %s", address, gai_strerror(rc));
}

/* before, after: the socket options that are set before and after the socket is bound; 0: none. */
static int bind_tcp(const struct sockaddr *sa, socklen_t size, int before, int after)
{
        OWN_FD int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int one = 1;
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
            (before && setsockopt(fd, SOL_SOCKET, before, &one, sizeof one) < 0) || bind(fd, sa, size) < 0 ||
            (after && setsockopt(fd, SOL_SOCKET, after, &one, sizeof one) < 0) || listen(fd, BACKLOG) < 0)
                return -errno;
        return own_steal_fd(&fd);
}

static int open_tcp(struct listen_socket *l, const char *address, struct err *e)
{
        struct addrinfo *found = NULL;
        int r = resolve(&found, address, e);
        if (r < 0)
                return r;
        l->fd = bind_tcp(found->ai_addr, found->ai_addrlen, 0, 0);
        freeaddrinfo(found);
        if (l->fd < 0) {
                r = err_set(e, -l->fd, "listen on %s", address);
                l->fd = -1;
                return r;
        }
        return name_socket(l->fd, l->name, e);
}

/* The first socket is bound without SO_REUSEPORT. With SO_REUSEPORT, the kernel would let two servers of root bind the
 * same address, without an error. */
int listen_open_shared(int *fds, size_t n, char name[LISTEN_NAME_SIZE], const char *address, struct err *e)
{
        struct sockaddr_storage bound = { 0 };
        socklen_t size = sizeof bound;
        struct addrinfo *found = NULL;

        for (size_t i = 0; i < n; i++)
                fds[i] = -1;
        int r = resolve(&found, address, e);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n && r >= 0; i++) {
                r = i == 0 ? bind_tcp(found->ai_addr, found->ai_addrlen, 0, SO_REUSEPORT)
                           : bind_tcp((struct sockaddr *)&bound, size, SO_REUSEPORT, 0);
                if (r >= 0)
                        fds[i] = r;
                if (i == 0 && r >= 0 && getsockname(fds[0], (struct sockaddr *)&bound, &size) < 0)
                        r = -errno;
        }
        freeaddrinfo(found);
        if (r >= 0)
                return name_socket(fds[0], name, e);
        for (size_t i = 0; i < n; i++) {
                own_close(&fds[i]);
                fds[i] = -1;
        }
        return err_set(e, -r, "listen on %s", address);
}

int listen_open(struct listen_socket *l, const char *address, struct err *e)
{
        *l = (struct listen_socket){ .fd = -1 };
        if (strncmp(address, "unix:", 5) == 0)
                return open_unix(l, address + 5, e);
        return open_tcp(l, address, e);
}

void listen_close(struct listen_socket *l)
{
        own_close(&l->fd);
        l->fd = -1;
        if (l->path[0])
                unlink(l->path);
        l->path[0] = '\0';
}
