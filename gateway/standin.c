/* Stands in for the worker until there is one: says 200 and nothing else, so that the supervisor can be tested. */
#include "gateway/confine.h"
#include "gateway/gateway.h"
#include "proto/base/log.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int gateway_main(const struct gateway_options *o)
{
        struct log log = { .who = "gateway", .level = o->log_level };
        struct err e = { 0 };
        unsigned top = 5;
        for (size_t i = 0; i < o->n_listeners; i++)
                if ((unsigned)o->listeners[i].fd >= top)
                        top = (unsigned)o->listeners[i].fd + 1;
        signal(SIGINT, SIG_IGN);
        signal(SIGPIPE, SIG_IGN);
        if (gateway_confine(top, o->uid, o->root_fd, &e) < 0 || gateway_confine_calls(&e) < 0) {
                log_error(&log, "%s", e.text);
                return 1;
        }
        for (;;) {
                struct pollfd fds[34] = { { .fd = o->control_fd, .events = POLLIN } };
                for (size_t i = 0; i < o->n_listeners; i++)
                        fds[i + 1] = (struct pollfd){ .fd = o->listeners[i].fd, .events = POLLIN };
                send(o->control_fd, "a", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
                if (poll(fds, o->n_listeners + 1, 1000) < 0)
                        return 1;
                if (fds[0].revents)
                        return 0;
                for (size_t i = 0; i < o->n_listeners; i++) {
                        int fd = fds[i + 1].revents ? accept4(fds[i + 1].fd, NULL, NULL, SOCK_CLOEXEC) : -1;
                        if (fd < 0)
                                continue;
                        char text[600], body[400];
                        ssize_t got = recv(fd, text, sizeof text, 0);
                        struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = "pool.sock" };
                        int s = socket(AF_UNIX, SOCK_STREAM, 0);
                        int r = connect(s, (struct sockaddr *)&sa, 2 + sizeof "pool.sock");
                        int n = snprintf(body, sizeof body, "{\"ready\":true,\"worker\":%u,\"pool\":%d,\"got\":%d}\n",
                                         o->worker, r < 0 ? errno : 0, (int)got);
                        close(s);
                        n = snprintf(text, sizeof text,
                                     "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", n, body);
                        send(fd, text, (size_t)n, MSG_NOSIGNAL);
                        close(fd);
                }
        }
}
