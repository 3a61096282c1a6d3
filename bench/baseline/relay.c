/* The relay's process: see relay.h. */
#include "bench/baseline/relay.h"

#include "proto/base/io.h"
#include "proto/base/own.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHUNK = 64 << 10, PATIENCE_S = 10 };

static _Noreturn void pass_on(int from, int to)
{
        static char chunk[CHUNK];
        int r = 0;
        while (r == 0) {
                ssize_t n = read(from, chunk, sizeof chunk);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        break;
                r = io_write_all(to, chunk, (size_t)n);
        }
        _exit(r < 0);
}

/* Both ends of a TCP connection of this process to itself. */
static int connect_self(int *near, int *far, struct err *e)
{
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof address;
        const int on = 1;
        OWN_FD int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        OWN_FD int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (listener < 0 || client < 0 || bind(listener, (struct sockaddr *)&address, len) < 0 ||
            listen(listener, 1) < 0 || getsockname(listener, (struct sockaddr *)&address, &len) < 0 ||
            connect(client, (struct sockaddr *)&address, len) < 0)
                return err_set(e, errno, "connect to 127.0.0.1");
        OWN_FD int server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (server < 0 || setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
                return err_set(e, errno, "accept on 127.0.0.1");
        *near = own_steal_fd(&client);
        *far = own_steal_fd(&server);
        return 0;
}

int relay_start(struct relay *r, struct err *e)
{
        const struct timeval patience = { .tv_sec = PATIENCE_S };
        int ends[2];
        *r = (struct relay){ .pipe = -1, .socket = -1 };
        OWN_FD int in = -1;
        OWN_FD int out = -1;
        int error = connect_self(&in, &out, e);
        if (error < 0)
                return error;
        if (setsockopt(in, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0 || pipe2(ends, O_CLOEXEC) < 0)
                return err_set(e, errno, "make a pipe");
        OWN_FD int from = ends[0];
        OWN_FD int to = ends[1];
        r->pid = fork();
        if (r->pid < 0)
                return err_set(e, errno, "start a relay");
        if (r->pid == 0) {
                /* No other descriptor may stay open: a copy of the write end would keep the relay's own input from
                 * ending. */
                if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || dup2(from, 0) < 0 || dup2(out, 1) < 0 ||
                    close_range(3, ~0U, 0) < 0)
                        _exit(126);
                pass_on(0, 1);
        }
        r->socket = own_steal_fd(&in);
        r->pipe = own_steal_fd(&to);
        return 0;
}

void relay_stop(struct relay *r)
{
        if (r->pid <= 0)
                return;
        close(r->pipe);
        close(r->socket);
        while (waitpid(r->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        r->pid = 0;
}
