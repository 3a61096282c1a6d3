/* Ends of sandboxes, slots and inits: see serve_parts.h. */
#include "proto/base/clock.h"
#include "zygote/serve_parts.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>

/* If everything of a GOING slot is dead, sends its last report, and makes the slot anew if that was ordered
 * meanwhile. */
static int bury(struct serve *s, uint32_t slot, struct err *e)
{
        struct tenant *sb = &s->at[slot];
        const struct report farewell = sb->farewell;
        const struct order next = sb->remake_order;
        const bool remake = sb->remake;
        struct err why = { 0 };

        bool gone = tenant_is_gone(sb);
        if (sb->pid == 0 && sb->pidfd >= 0)
                epoll_ctl(s->epoll, EPOLL_CTL_DEL, sb->pidfd, NULL); /* otherwise epoll would report it again and
                                                                      * again */
        if (!gone)
                return 0;
        if (sb->cell)
                epoll_ctl(s->epoll, EPOLL_CTL_DEL, sb->cell->init_pidfd, NULL);
        tenant_drop(sb, s->maker, &why);
        if (why.code)
                log_warn(s->log, "dropping slot %u: %s", slot, why.text);
        int r = farewell.kind ? serve_report(s, &farewell, NULL, 0, e) : 0;
        return r == 0 && remake ? serve_make(s, &next, -1, e) : r;
}

/* Gives the slot up. Its number, its uids and its cgroup are free again when all of its processes are dead. That can
 * take many seconds, as with hundreds of processes whose page tables are full. Other slots do not wait for it. */
int serve_let_go(struct serve *s, uint32_t slot, const struct report *farewell, struct err *e)
{
        struct tenant *sb = &s->at[slot];
        struct err why = { 0 };

        sb->farewell = *farewell;
        if (sb->state != TENANT_GOING && sb->cell) {
                epoll_ctl(s->epoll, EPOLL_CTL_DEL, sb->cell->init_sock, NULL);
                if (serve_watch(s, sb->cell->init_pidfd, SOURCE_INIT, slot, &why) < 0)
                        log_warn(s->log, "slot %u: %s", slot, why.text); /* then the slot is checked each second */
        }
        tenant_go(sb);
        return bury(s, slot, e);
}

/* One slot has failed: it is given up, the pool is told where and why, and the others live on. */
int serve_fail(struct serve *s, uint32_t slot, uint64_t id, const char *step, int error, struct err *e)
{
        struct report r = { .kind = REPORT_FAILED, .slot = slot, .sandbox = id };
        snprintf(r.failed.step, sizeof r.failed.step, "%s", step);
        r.failed.error = -error;
        s->at[slot].remake = false;
        return serve_let_go(s, slot, &r, e);
}

static int report_dead(struct serve *s, uint32_t slot, struct err *e)
{
        struct report r;
        tenant_report(&s->at[slot], &r);
        return serve_report(s, &r, NULL, 0, e);
}

int serve_on_process(struct serve *s, uint32_t slot, struct err *e)
{
        struct tenant *sb = &s->at[slot];
        if (sb->state == TENANT_GOING)
                return bury(s, slot, e);
        bool booting = sb->state == TENANT_BOOTING;
        int pidfd = sb->pidfd;
        /* epoll still reports a closed descriptor while a child that was just forked holds a copy. So the event may be
         * stale. */
        if (!tenant_reap(sb))
                return 0;
        epoll_ctl(s->epoll, EPOLL_CTL_DEL, pidfd, NULL);
        if (booting) {
                /* A boot report would have been read before this event, so there is none. */
                log_warn(s->log, "slot %u: a sandbox died while booting", slot);
                return serve_fail(s, slot, sb->id, "boot", -ECHILD, e);
        }
        return sb->state == TENANT_DEAD ? report_dead(s, slot, e) : 0;
}

static int init_lost(struct serve *s, uint32_t slot, struct err *e)
{
        struct tenant *sb = &s->at[slot];
        const char *step = sb->collecting ? "collect" : "release";
        log_error(s->log, "slot %u: init is gone", slot);
        epoll_ctl(s->epoll, EPOLL_CTL_DEL, sb->cell->init_sock, NULL);
        sb->init_lost = true;
        sb->collecting = sb->releasing = false;
        if (sb->remake) {
                uint64_t next = sb->remake_order.sandbox;
                return serve_fail(s, slot, next, step, -EPIPE, e);
        }
        if (sb->state == TENANT_REAPING) {
                tenant_swept(sb);
                return report_dead(s, slot, e);
        }
        return 0;
}

int serve_on_init(struct serve *s, uint32_t slot, struct err *e)
{
        struct tenant *sb = &s->at[slot];
        enum init_kind kind;
        if (!sb->cell)
                return 0;
        if (sb->state == TENANT_GOING)
                return bury(s, slot, e);
        int r = cell_hear(sb->cell, &kind, NULL);
        if (r == -EAGAIN)
                return 0;
        if (r == 1 && kind == INIT_KILLED) {
                bool reaping = sb->state == TENANT_REAPING;
                tenant_swept(sb);
                return reaping && sb->state == TENANT_DEAD ? report_dead(s, slot, e) : 0;
        }
        if (r == 1 && (kind == INIT_COLLECTED || kind == INIT_RELEASED)) {
                if (kind == INIT_COLLECTED)
                        sb->collecting = false;
                else
                        tenant_released(sb);
                struct order next = sb->remake_order;
                return sb->remake ? serve_make(s, &next, -1, e) : 0;
        }
        return init_lost(s, slot, e);
}

/* Gives up a slot if its sandbox or its init takes longer than it would take on any machine. */
int serve_give_up_overdue(struct serve *s, struct err *e)
{
        int64_t now = clock_ms();
        int r = 0;

        if (now < s->next_look_ms)
                return 0;
        bool was_asleep = now - s->next_look_ms > 3 * LOOK_MS; /* then the awaited processes may have slept, too */
        s->next_look_ms = now + LOOK_MS;
        if (was_asleep)
                return 0;
        for (uint32_t slot = 0; slot < CHANNEL_MAX_SLOTS && r == 0; slot++) {
                struct tenant *sb = &s->at[slot];
                if (sb->state == TENANT_GOING)
                        r = bury(s, slot, e);
                if (r < 0 || !tenant_is_overdue(sb, now))
                        continue;
                log_error(s->log, "slot %u: %s, and is killed", slot,
                          sb->state == TENANT_BOOTING ? "a sandbox does not come up" : "init does not answer");
                tenant_kill_init(sb);
                r = init_lost(s, slot, e);
        }
        return r;
}
