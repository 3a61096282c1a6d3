/* The zygote's loop: see serve.h. */
#include "zygote/serve.h"

#include "proto/own.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

enum { LOOK_MS = 1000 };

struct serve {
        const struct log *log;
        struct sandbox_maker *maker;
        int channel;
        int report_sock;
        int epoll; /* owned */
        bool done;
        bool starved;         /* a sandbox waits for a stage */
        int64_t next_look_ms; /* for sandboxes that are overdue */
        struct sandbox at[CHANNEL_MAX_SLOTS];
};

/* What an epoll event is about: a kind, and the slot. */
enum source { SOURCE_CHANNEL, SOURCE_REPORT, SOURCE_PROCESS, SOURCE_INIT };

static uint64_t source_data(enum source source, uint32_t slot)
{
        return (uint64_t)source << 32 | slot;
}

static int watch(struct serve *s, int fd, enum source source, uint32_t slot, struct err *e)
{
        struct epoll_event event = { .events = EPOLLIN, .data.u64 = source_data(source, slot) };
        return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? err_set(e, errno, "epoll") : 0;
}

static int report(struct serve *s, const struct report *r, const int *fds, size_t n_fds, struct err *e)
{
        return channel_send(s->channel, r, sizeof *r, fds, n_fds, e);
}

static int order_make(struct serve *s, const struct order *o, int fd, struct err *e);

/* If all of a slot that goes is dead, says farewell for it, and makes it anew if that was ordered meanwhile. */
static int bury(struct serve *s, uint32_t slot, struct err *e)
{
        struct sandbox *sb = &s->at[slot];
        const struct report farewell = sb->farewell;
        const struct order next = sb->remake_order;
        const bool remake = sb->remake;
        struct err why = { 0 };

        bool gone = sandbox_is_gone(sb);
        if (sb->pid == 0 && sb->pidfd >= 0)
                epoll_ctl(s->epoll, EPOLL_CTL_DEL, sb->pidfd, NULL); /* it would be told again and again */
        if (!gone)
                return 0;
        if (sb->slot)
                epoll_ctl(s->epoll, EPOLL_CTL_DEL, sb->slot->init_pidfd, NULL);
        sandbox_drop(sb, s->maker, &why);
        if (why.code)
                log_warn(s->log, "dropping slot %u: %s", slot, why.text);
        int r = farewell.kind ? report(s, &farewell, NULL, 0, e) : 0;
        return r == 0 && remake ? order_make(s, &next, -1, e) : r;
}

/* The slot goes. Its number, its uids and its cgroup are free when all of it is dead. That can take many seconds (think
 * of hundreds of processes with page tables full), and other slots do not wait for it. */
static int let_go(struct serve *s, uint32_t slot, const struct report *farewell, struct err *e)
{
        struct sandbox *sb = &s->at[slot];
        struct err why = { 0 };

        sb->farewell = *farewell;
        if (sb->state != SANDBOX_GOING && sb->slot) {
                epoll_ctl(s->epoll, EPOLL_CTL_DEL, sb->slot->init_sock, NULL);
                if (watch(s, sb->slot->init_pidfd, SOURCE_INIT, slot, &why) < 0)
                        log_warn(s->log, "slot %u: %s", slot, why.text); /* then it is looked at each second */
        }
        sandbox_go(sb);
        return bury(s, slot, e);
}

/* Something went wrong with one slot: it goes, the pool hears where and why, the others live on. */
static int report_failure(struct serve *s, uint32_t slot, uint64_t id, const char *step, int error, struct err *e)
{
        struct report r = { .kind = REPORT_FAILED, .slot = slot, .sandbox = id };
        snprintf(r.failed.step, sizeof r.failed.step, "%s", step);
        r.failed.error = -error;
        s->at[slot].remake = false;
        return let_go(s, slot, &r, e);
}

/* ---------------------------------------------------------------- the end of a sandbox */

static int report_dead(struct serve *s, uint32_t slot, struct err *e)
{
        struct report r;
        sandbox_report(&s->at[slot], &r);
        return report(s, &r, NULL, 0, e);
}

static int on_process(struct serve *s, uint32_t slot, struct err *e)
{
        struct sandbox *sb = &s->at[slot];
        if (sb->state == SANDBOX_GOING)
                return bury(s, slot, e);
        bool booting = sb->state == SANDBOX_BOOTING;
        int pidfd = sb->pidfd;
        /* A registration outlives its descriptor while a newborn sibling still holds a copy: the event may be stale. */
        if (!sandbox_reap(sb))
                return 0;
        epoll_ctl(s->epoll, EPOLL_CTL_DEL, pidfd, NULL);
        if (booting) {
                /* Its report would have been read before: this one died without a word. */
                log_warn(s->log, "slot %u: a sandbox died while booting", slot);
                return report_failure(s, slot, sb->id, "boot", -ECHILD, e);
        }
        return sb->state == SANDBOX_DEAD ? report_dead(s, slot, e) : 0;
}

/* ---------------------------------------------------------------- orders */

static int order_make(struct serve *s, const struct order *o, int fd, struct err *e)
{
        struct sandbox *sb = &s->at[o->slot];
        const char *step = "";
        struct err why = { 0 };
        (void)fd;

        if (sb->state == SANDBOX_DEAD && !sb->collecting)
                sandbox_clear(sb);
        bool later = sb->state == SANDBOX_GOING || sb->collecting || sb->releasing;
        if (!later && stages_are_full(&s->maker->boot.stages))
                later = s->starved = true;
        if (later || sb->init_lost) { /* when it is gone, init has said that it has finished, or a stage is free */
                sb->remake = true;
                sb->remake_order = *o;
        }
        if (later)
                return 0;
        if (sb->init_lost) /* nothing can be forked into its pid namespace any more */
                return let_go(s, o->slot, &(const struct report){ .kind = 0 }, e);
        bool fresh = !sb->slot;
        int r = sandbox_make(sb, s->maker, o, &step, &why);
        if (r == 0)
                r = watch(s, sb->pidfd, SOURCE_PROCESS, o->slot, &why);
        if (r == 0 && fresh)
                r = watch(s, sb->slot->init_sock, SOURCE_INIT, o->slot, &why);
        if (r == 0)
                return 0;
        log_warn(s->log, "slot %u: %s: %s", o->slot, step, why.text);
        return report_failure(s, o->slot, o->sandbox, step, r, e);
}

/* Stages may be free again. */
static int make_starved(struct serve *s, struct err *e)
{
        int r = 0;
        for (uint32_t slot = 0; slot < CHANNEL_MAX_SLOTS && s->starved && r == 0; slot++) {
                struct sandbox *sb = &s->at[slot];
                if (!sb->remake || sb->state == SANDBOX_GOING || sb->collecting || sb->releasing)
                        continue;
                if (stages_are_full(&s->maker->boot.stages))
                        return 0;
                const struct order next = sb->remake_order;
                r = order_make(s, &next, -1, e);
        }
        s->starved = false;
        return r;
}

static int order_limit(struct serve *s, const struct order *o, int fd, struct err *e)
{
        struct report done = { .kind = REPORT_LIMITED, .slot = o->slot, .sandbox = o->sandbox };
        struct err why = { 0 };
        (void)fd;

        int r = sandbox_limit(&s->at[o->slot], s->maker, o, &why);
        if (r == 0)
                return report(s, &done, NULL, 0, e);
        log_warn(s->log, "slot %u: %s", o->slot, why.text);
        return report_failure(s, o->slot, o->sandbox, "limits", r, e);
}

static int order_kill(struct serve *s, const struct order *o, int fd, struct err *e)
{
        (void)fd, (void)e;
        sandbox_kill(&s->at[o->slot]);
        return 0;
}

static int order_collect(struct serve *s, const struct order *o, int fd, struct err *e)
{
        struct err why = { 0 };
        (void)e;
        if (fd < 0) /* it was lost on its way here */
                log_warn(s->log, "slot %u: collecting files: no descriptor is left", o->slot);
        else if (sandbox_collect(&s->at[o->slot], fd, &why) < 0)
                log_warn(s->log, "slot %u: collecting files: %s", o->slot,
                         why.text); /* the pool sees its socket close */
        return 0;
}

static int order_clear(struct serve *s, const struct order *o, int fd, struct err *e)
{
        (void)fd, (void)e;
        sandbox_clear(&s->at[o->slot]);
        return 0;
}

static int order_drop(struct serve *s, const struct order *o, int fd, struct err *e)
{
        struct report done = { .kind = REPORT_DROPPED, .slot = o->slot, .sandbox = o->sandbox };
        (void)fd;
        s->at[o->slot].remake = false;
        return let_go(s, o->slot, &done, e);
}

static int order_drain(struct serve *s, const struct order *o, int fd, struct err *e)
{
        (void)o, (void)fd, (void)e;
        s->done = true;
        return 0;
}

static int order_ping(struct serve *s, const struct order *o, int fd, struct err *e)
{
        struct report pong = { .kind = REPORT_PONG };
        (void)o, (void)fd;
        return report(s, &pong, NULL, 0, e);
}

/* The closed list. An order in a state that its row does not name is either about a sandbox that has meanwhile died,
 * which its number shows, or the pool is broken. */
struct order_row {
        const char *name;
        unsigned states; /* bits of enum sandbox_state */
        unsigned n_fds;
        bool same_sandbox; /* it is about the sandbox that is there, not about a next one */
        int (*carry_out)(struct serve *s, const struct order *o, int fd, struct err *e);
};

#define IN(state) (1u << SANDBOX_##state)

static const struct order_row order_table[] = {
        [ORDER_MAKE] = { "make", IN(NONE) | IN(DEAD) | IN(GOING), 0, false, order_make },
        [ORDER_LIMIT] = { "limit", IN(ALIVE), 0, true, order_limit },
        [ORDER_KILL] = { "kill", IN(BOOTING) | IN(ALIVE), 0, true, order_kill },
        [ORDER_COLLECT] = { "collect", IN(DEAD), 1, true, order_collect },
        [ORDER_CLEAR] = { "clear", IN(DEAD), 0, true, order_clear },
        [ORDER_DROP] = { "drop", IN(NONE) | IN(BOOTING) | IN(ALIVE) | IN(REAPING) | IN(DEAD) | IN(GOING), 0, false,
                         order_drop },
        [ORDER_DRAIN] = { "drain", ~0u, 0, false, order_drain },
        [ORDER_PING] = { "ping", ~0u, 0, false, order_ping },
};

static int on_order(struct serve *s, const struct order *o, int fd, size_t n_fds, struct err *e)
{
        if (o->kind < ORDER_MAKE || o->kind > ORDER_PING || o->slot >= CHANNEL_MAX_SLOTS)
                return err_say(e, EPROTO, "the pool sent order %u for slot %u", o->kind, o->slot);
        const struct order_row *row = &order_table[o->kind];
        struct sandbox *sb = &s->at[o->slot];

        if (n_fds != 0 && n_fds != row->n_fds)
                return err_say(e, EPROTO, "the pool sent the order %s with %zu descriptors", row->name, n_fds);
        if (row->same_sandbox && (sb->state == SANDBOX_NONE || sb->id != o->sandbox))
                return 0; /* late */
        if (!(row->states & 1u << sb->state)) {
                if (row->same_sandbox)
                        return 0; /* it died meanwhile; the pool will have read that by the time it wonders */
                return err_say(e, EPROTO, "the pool sent the order %s for slot %u in state %d", row->name, o->slot,
                               (int)sb->state);
        }
        return row->carry_out(s, o, fd, e);
}

/* ---------------------------------------------------------------- events */

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
        r = on_order(s, &o, fds[0], n_fds, e);
        if (n_fds == 1)
                close(fds[0]);
        return r;
}

/* 1: one was read; 0: there is none. */
static int take_boot_report(struct serve *s, struct err *e)
{
        struct boot_report b;
        int tmpfs = -1;
        size_t n_fds = 0;

        int r = channel_recv(s->report_sock, &b, sizeof b, &tmpfs, 1, &n_fds, e);
        if (r <= 0)
                return r == -EAGAIN ? 0 : r;
        OWN_FD int owned = n_fds == 1 ? tmpfs : -1;
        struct sandbox *sb = b.slot < CHANNEL_MAX_SLOTS ? &s->at[b.slot] : NULL;
        if (!sb || sb->state != SANDBOX_BOOTING || sb->id != b.sandbox)
                return 1; /* dropped meanwhile */
        if (b.step < boot_n_steps || n_fds != 1) {
                const char *step = b.step < boot_n_steps ? boot_steps[b.step].name : "report";
                log_warn(s->log, "slot %u: %s: %s", b.slot, step, strerror(-b.error));
                r = report_failure(s, b.slot, b.sandbox, step, b.error ? b.error : -EPROTO, e);
                return r < 0 ? r : 1;
        }

        sandbox_leave_stage(sb, s->maker);
        struct report warm = { .kind = REPORT_WARM, .slot = b.slot, .sandbox = b.sandbox };
        struct err why = { 0 };
        r = sandbox_warm(sb, s->maker, own_steal_fd(&owned), &warm.warm.cpu_base_us, &why);
        warm.warm.gone_us = sb->gone_us;
        if (r < 0) {
                log_warn(s->log, "slot %u: %s", b.slot, why.text);
                r = report_failure(s, b.slot, b.sandbox, "warm", r, e);
                return r < 0 ? r : 1;
        }
        warm.warm.memory_bytes = cgroup_slot_weigh(&sb->slot->cgroup);
        r = report(s, &warm, sb->pool_fds, CHANNEL_WARM_FDS, e);
        for (size_t i = 0; i < CHANNEL_WARM_FDS; i++) {
                own_close(&sb->pool_fds[i]);
                sb->pool_fds[i] = -1;
        }
        return r < 0 ? r : 1;
}

/* All of them: one whose sandbox has died since must be read before its death is looked at. */
static int on_boot_report(struct serve *s, struct err *e)
{
        int r;
        do
                r = take_boot_report(s, e);
        while (r > 0);
        return r;
}

static int init_lost(struct serve *s, uint32_t slot, struct err *e)
{
        struct sandbox *sb = &s->at[slot];
        const char *step = sb->collecting ? "collect" : "release";
        log_error(s->log, "slot %u: init is gone", slot);
        epoll_ctl(s->epoll, EPOLL_CTL_DEL, sb->slot->init_sock, NULL);
        sb->init_lost = true;
        sb->collecting = sb->releasing = false;
        if (sb->remake) {
                uint64_t next = sb->remake_order.sandbox;
                return report_failure(s, slot, next, step, -EPIPE, e);
        }
        if (sb->state == SANDBOX_REAPING) {
                sandbox_swept(sb);
                return report_dead(s, slot, e);
        }
        return 0;
}

static int on_init(struct serve *s, uint32_t slot, struct err *e)
{
        struct sandbox *sb = &s->at[slot];
        enum init_kind kind;
        if (!sb->slot)
                return 0;
        if (sb->state == SANDBOX_GOING)
                return bury(s, slot, e);
        int r = slot_hear(sb->slot, &kind, NULL);
        if (r == -EAGAIN)
                return 0;
        if (r == 1 && kind == INIT_KILLED) {
                bool reaping = sb->state == SANDBOX_REAPING;
                sandbox_swept(sb);
                return reaping && sb->state == SANDBOX_DEAD ? report_dead(s, slot, e) : 0;
        }
        if (r == 1 && (kind == INIT_COLLECTED || kind == INIT_RELEASED)) {
                if (kind == INIT_COLLECTED)
                        sb->collecting = false;
                else
                        sandbox_released(sb);
                struct order next = sb->remake_order;
                return sb->remake ? order_make(s, &next, -1, e) : 0;
        }
        return init_lost(s, slot, e);
}

/* Whoever does not come to an end in a time that would be enough on any machine is not waited for. */
static int give_up_overdue(struct serve *s, struct err *e)
{
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        int64_t now = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
        int r = 0;

        if (now < s->next_look_ms)
                return 0;
        bool was_asleep = now - s->next_look_ms > 3 * LOOK_MS; /* then so were those that it waits for, perhaps */
        s->next_look_ms = now + LOOK_MS;
        if (was_asleep)
                return 0;
        for (uint32_t slot = 0; slot < CHANNEL_MAX_SLOTS && r == 0; slot++) {
                struct sandbox *sb = &s->at[slot];
                if (sb->state == SANDBOX_GOING)
                        r = bury(s, slot, e);
                if (r < 0 || !sandbox_is_overdue(sb, now))
                        continue;
                log_error(s->log, "slot %u: %s, and is killed", slot,
                          sb->state == SANDBOX_BOOTING ? "a sandbox does not come up" : "init does not answer");
                sandbox_kill_init(sb);
                r = init_lost(s, slot, e);
        }
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
                return on_process(s, slot, e);
        case SOURCE_INIT:
                return on_init(s, slot, e);
        }
        return err_say(e, EPROTO, "an event of no kind");
}

/* Runs end before new ones are made: a death found in the same round as an order is reported first, because somebody
 * waits for that answer. Within a round nothing of a later event may be stale, so a slot's events are looked up, not
 * pointed to. */
static int round_of_events(struct serve *s, struct err *e)
{
        enum { BATCH = 64 };
        struct epoll_event events[BATCH];
        static const enum source order[] = { SOURCE_REPORT, SOURCE_INIT, SOURCE_PROCESS, SOURCE_CHANNEL };

        int n = epoll_wait(s->epoll, events, BATCH, LOOK_MS);
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
        int r = make_starved(s, e);
        return r == 0 && n < BATCH ? give_up_overdue(s, e) : r;
}

int serve_new(struct serve **out, const struct log *log, int channel, int report_sock, struct sandbox_maker *maker,
              struct err *e)
{
        struct serve *s = calloc(1, sizeof *s);
        if (!s)
                return err_set(e, ENOMEM, "the zygote's table of slots");
        s->log = log;
        s->maker = maker;
        s->channel = channel;
        s->report_sock = report_sock;
        for (size_t i = 0; i < CHANNEL_MAX_SLOTS; i++)
                sandbox_init(&s->at[i]);
        s->epoll = epoll_create1(EPOLL_CLOEXEC);
        int r = s->epoll < 0 ? err_set(e, errno, "epoll") : 0;
        if (r == 0)
                r = watch(s, channel, SOURCE_CHANNEL, 0, e);
        if (r == 0)
                r = watch(s, report_sock, SOURCE_REPORT, 0, e);
        if (r < 0) {
                serve_free(s);
                return r;
        }
        *out = s;
        return 0;
}

int serve_run(struct serve *s, struct err *e)
{
        int r = 0;
        while (r == 0 && !s->done)
                r = round_of_events(s, e);
        if (r == -EPIPE || r == -ECONNRESET)
                r = 0; /* the pool ended while it was being told something: the same as its end of file */
        for (size_t i = 0; i < CHANNEL_MAX_SLOTS; i++) {
                struct err why = { 0 };
                sandbox_drop(&s->at[i], s->maker, &why);
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
        free(s);
}
