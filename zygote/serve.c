/* The zygote's loop: see serve.h. */
#include "zygote/serve_parts.h"

#include "proto/base/own.h"
#include "zygote/hidden.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static uint64_t source_data(enum source source, uint32_t slot)
{
        return (uint64_t)source << 32 | slot;
}

int serve_watch(struct serve *s, int fd, enum source source, uint32_t slot, struct err *e)
{
        struct epoll_event event = { .events = EPOLLIN, .data.u64 = source_data(source, slot) };
        return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? err_set(e, errno, "epoll") : 0;
}

int serve_report(struct serve *s, const struct report *r, const int *fds, size_t n_fds, struct err *e)
{
        return channel_send(s->channel, r, sizeof *r, fds, n_fds, e);
}

static int on_channel(struct serve *s, struct err *e)
{
        struct order o;
        int fds[1] = { -1 };
        size_t n_fds = 0;

        int r = channel_recv(s->channel, &o, sizeof o, fds, 1, &n_fds, e);
        if (r < 0)
                return r == -EAGAIN ? 0 : r;
        if (r == 0) {
                s->done = true;
                return 0;
        }
        r = serve_on_order(s, &o, fds[0], n_fds, e);
        if (n_fds == 1)
                close(fds[0]);
        return r;
}

/* 1: a report was read; 0: there is none. */
static int take_boot_report(struct serve *s, struct err *e)
{
        struct boot_report b;
        int fds[BOOT_REPORT_FDS] = { -1, -1 };
        size_t n_fds = 0;

        int r = channel_recv(s->report_sock, &b, sizeof b, fds, BOOT_REPORT_FDS, &n_fds, e);
        if (r <= 0)
                return r == -EAGAIN ? 0 : r;
        OWN_FD int disk = fds[0], master = fds[1];
        struct tenant *sb = b.slot < CHANNEL_MAX_SLOTS ? &s->at[b.slot] : NULL;
        if (!sb || sb->state != TENANT_BOOTING || sb->id != b.sandbox)
                return 1; /* the slot was dropped meanwhile */
        if (b.step < boot_n_steps || n_fds == 0) {
                const char *step = b.step < boot_n_steps ? boot_steps[b.step].name : "report";
                log_warn(s->log, "slot %u: %s: %s", b.slot, step, strerror(err_told(b.error)));
                r = serve_fail(s, b.slot, b.sandbox, step, -err_told(b.error), e);
                return r < 0 ? r : 1;
        }

        tenant_leave_shelf(sb, s->maker);
        struct report warm = { .kind = REPORT_WARM, .slot = b.slot, .sandbox = b.sandbox };
        struct err why = { 0 };
        own_steal_fd(&disk);
        own_steal_fd(&master);
        r = tenant_warm(sb, s->maker, fds, &warm.warm.cpu_base_us, &why);
        warm.warm.gone_us = sb->gone_us;
        if (r < 0) {
                log_warn(s->log, "slot %u: %s", b.slot, why.text);
                r = serve_fail(s, b.slot, b.sandbox, "warm", r, e);
                return r < 0 ? r : 1;
        }
        warm.warm.memory_bytes = cgroup_slot_weigh(&sb->cell->cgroup);
        r = serve_report(s, &warm, sb->pool_fds, CHANNEL_WARM_FDS, e);
        for (size_t i = 0; i < CHANNEL_WARM_FDS; i++) {
                own_close(&sb->pool_fds[i]);
                sb->pool_fds[i] = -1;
        }
        return r < 0 ? r : 1;
}

/* Reads all reports: the report of a sandbox that has died since must be read before its death is handled. */
static int on_boot_report(struct serve *s, struct err *e)
{
        int r;
        do
                r = take_boot_report(s, e);
        while (r > 0);
        return r;
}

static int dispatch(struct serve *s, uint64_t data, struct err *e)
{
        uint32_t slot = (uint32_t)data;
        switch ((enum source)(data >> 32)) {
        case SOURCE_CHANNEL:
                return on_channel(s, e);
        case SOURCE_REPORT:
                return on_boot_report(s, e);
        case SOURCE_PROCESS:
                return serve_on_process(s, slot, e);
        case SOURCE_INIT:
                return serve_on_init(s, slot, e);
        }
        return err_say(e, EPROTO, "an event of an unknown kind");
}

/* Runs end before new ones are made: a death found in the same round as an order is reported first, because a client
 * waits for that answer. An earlier event of a round may free a slot, so events name their slot by number, not by
 * pointer. */
static int round_of_events(struct serve *s, struct err *e)
{
        enum { BATCH = 64 };
        struct epoll_event events[BATCH];
        static const enum source order[] = { SOURCE_REPORT, SOURCE_INIT, SOURCE_PROCESS, SOURCE_CHANNEL };

        int n = epoll_wait(s->epoll, events, BATCH, s->resting ? REST_LOOK_MS : LOOK_MS);
        if (n < 0)
                return errno == EINTR ? 0 : err_set(e, errno, "epoll_wait");
        for (size_t k = 0; k < sizeof order / sizeof order[0]; k++)
                for (int i = 0; i < n; i++) {
                        if (events[i].data.u64 >> 32 != order[k])
                                continue;
                        int r = dispatch(s, events[i].data.u64, e);
                        if (r < 0)
                                return r;
                }
        int r = serve_make_starved(s, e);
        if (r == 0)
                r = serve_make_rested(s, e);
        return r == 0 && n < BATCH ? serve_give_up_overdue(s, e) : r;
}

int serve_new(struct serve **out, const struct log *log, int channel, int report_sock, struct tenant_maker *maker,
              const char *ceilings, struct err *e)
{
        struct serve *s = hidden_new(sizeof *s);
        if (!s)
                return err_set(e, errno, "the zygote's table of slots");
        s->log = log;
        s->maker = maker;
        s->channel = channel;
        s->report_sock = report_sock;
        for (size_t i = 0; i < CHANNEL_MAX_SLOTS; i++)
                tenant_init(&s->at[i]);
        s->epoll = epoll_create1(EPOLL_CLOEXEC);
        int r = s->epoll < 0 ? err_set(e, errno, "epoll") : ceilings_from_arg(&s->ceilings, ceilings, e);
        if (r == 0)
                r = serve_watch(s, channel, SOURCE_CHANNEL, 0, e);
        if (r == 0)
                r = serve_watch(s, report_sock, SOURCE_REPORT, 0, e);
        if (r < 0) {
                serve_free(s);
                return r;
        }
        *out = s;
        return 0;
}

const struct ceilings *serve_ceilings(const struct serve *s)
{
        return &s->ceilings;
}

int serve_run(struct serve *s, struct err *e)
{
        int r = 0;
        while (r == 0 && !s->done)
                r = round_of_events(s, e);
        if (r == -EPIPE || r == -ECONNRESET)
                r = 0; /* the pool ended while a report was sent: the same as its end of file */
        for (size_t i = 0; i < CHANNEL_MAX_SLOTS; i++) {
                struct err why = { 0 };
                tenant_drop(&s->at[i], s->maker, &why);
                if (why.code)
                        log_warn(s->log, "dropping slot %zu: %s", i, why.text);
        }
        return r;
}

void serve_free(struct serve *s)
{
        if (!s)
                return;
        own_close(&s->epoll);
        hidden_free(s, sizeof *s);
}
