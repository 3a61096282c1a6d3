/* Looking up names: see lookup.h. */
#include "client/lookup.h"

#include "client/address.h"
#include "proto/base/own.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* The owner and the thread both hold it; the last of the two frees it. */
struct lookup {
        atomic_int holders;
        atomic_bool done;
        int fd;
        int code; /* of getaddrinfo, once done */
        struct addrinfo *list;
        char host[ADDRESS_HOST_SIZE], port[ADDRESS_PORT_SIZE];
};

static void drop(struct lookup *l)
{
        if (atomic_fetch_sub(&l->holders, 1) > 1)
                return;
        if (l->list)
                freeaddrinfo(l->list);
        close(l->fd);
        free(l);
}

static void resolve(struct lookup *l, int flags)
{
        const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags };
        l->code = getaddrinfo(l->host, l->port, &hints, &l->list);
        if (l->code != 0)
                l->list = NULL;
}

static void end(struct lookup *l)
{
        const uint64_t one = 1;
        atomic_store(&l->done, true);
        while (write(l->fd, &one, sizeof one) < 0 && errno == EINTR)
                ;
}

static void *work(void *arg)
{
        struct lookup *l = arg;
        resolve(l, 0);
        end(l);
        drop(l);
        return NULL;
}

/* The thread blocks all signals, so they go to the program's own threads. */
static int start_thread(struct lookup *l, struct err *e)
{
        pthread_t thread;
        sigset_t all, before;

        sigfillset(&all);
        atomic_fetch_add(&l->holders, 1);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        int r = pthread_create(&thread, NULL, work, l);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (r != 0) {
                atomic_fetch_sub(&l->holders, 1);
                return err_set(e, r, "start a thread that looks up %s", l->host);
        }
        pthread_detach(thread);
        return 0;
}

int lookup_new(struct lookup **out, const char *host, const char *port, struct err *e)
{
        OWN_FD int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (fd < 0)
                return err_set(e, errno, "make an eventfd");
        struct lookup *l = calloc(1, sizeof *l);
        if (!l)
                return err_set(e, ENOMEM, "look up %s", host);
        l->holders = 1;
        l->fd = own_steal_fd(&fd);
        snprintf(l->host, sizeof l->host, "%s", host);
        snprintf(l->port, sizeof l->port, "%s", port);

        resolve(l, AI_NUMERICHOST);
        if (l->code == EAI_NONAME) {
                int r = start_thread(l, e);
                if (r < 0) {
                        drop(l);
                        return r;
                }
        } else {
                end(l);
        }
        *out = l;
        return 0;
}

void lookup_free(struct lookup *l)
{
        if (l)
                drop(l);
}

int lookup_fd(const struct lookup *l)
{
        return l->fd;
}

int lookup_take(struct lookup *l, struct addrinfo **list, struct err *e)
{
        if (!atomic_load(&l->done))
                return LOOKUP_PENDING;
        if (l->code != 0)
                return err_say(e, EHOSTUNREACH, "look up the address %s:%s: %s", l->host, l->port,
                               gai_strerror(l->code));
        *list = l->list;
        l->list = NULL;
        return 0;
}
