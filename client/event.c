/* A client on a libevent base: see event.h. */
#include "client/event.h"

#include "proto/base/clock.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>

struct hatchery_event {
        struct hatchery_client *client;
        struct event readable;
        struct event timer;
        bool driving; /* a dispatch is under way */
        bool freed;   /* a callback of this dispatch freed it */
};

static void arm(struct hatchery_event *event)
{
        int ms = hatchery_client_timeout_ms(event->client);
        if (ms < 0) {
                evtimer_del(&event->timer);
                return;
        }
        const struct timeval delay = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
        evtimer_add(&event->timer, &delay);
}

static void drive(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        struct hatchery_event *event = arg;

        event->driving = true;
        hatchery_client_dispatch(event->client);
        event->driving = false;
        if (event->freed)
                free(event);
        else
                arm(event);
}

static void wake(void *arg)
{
        struct hatchery_event *event = arg;
        if (!event->driving)
                arm(event);
}

int hatchery_event_attach(struct hatchery_event **out, struct hatchery_client *c, struct event_base *base,
                          struct err *e)
{
        struct hatchery_event *event = calloc(1, sizeof *event);
        if (!event)
                return err_set(e, ENOMEM, "attach a client");
        event->client = c;
        if (event_assign(&event->readable, base, hatchery_client_fd(c), EV_READ | EV_PERSIST, drive, event) < 0 ||
            evtimer_assign(&event->timer, base, drive, event) < 0 || event_add(&event->readable, NULL) < 0) {
                free(event);
                return err_say(e, EINVAL, "libevent does not take the client");
        }
        hatchery_client_on_wake(c, wake, event);
        arm(event);
        *out = event;
        return HATCHERY_OK;
}

void hatchery_event_free(struct hatchery_event *event)
{
        if (!event)
                return;
        event_del(&event->readable);
        evtimer_del(&event->timer);
        hatchery_client_on_wake(event->client, NULL, NULL);
        if (event->driving)
                event->freed = true;
        else
                free(event);
}
