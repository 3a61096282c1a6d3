/* The tenant of one slot: the zygote's data about a sandbox, beside the cell that it lives in (cell.h). An explicit
 * state machine.
 *
 *   NONE --make--> BOOTING --boot report--> ALIVE --main process exits--> REAPING --nothing left--> DEAD --make-->
 *   BOOTING
 *
 * Any state may end in GOING: everything is killed and the slot is given up. The state is NONE when everything is dead.
 *
 * REAPING is passed at once when the kernel's count of processes says that the main process was the last; otherwise
 * init kills and reaps the rest first. The zygote does not know whether an ALIVE sandbox waits or runs: the pool does.
 */
#pragma once

#include "proto/base/err.h"
#include "proto/ipc/channel.h"
#include "proto/ipc/patience.h"
#include "zygote/cell.h"
#include "zygote/sandbox/boot.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum tenant_state { TENANT_NONE, TENANT_BOOTING, TENANT_ALIVE, TENANT_REAPING, TENANT_DEAD, TENANT_GOING };

struct tenant {
        enum tenant_state state;
        struct cell *cell; /* owned; NULL in NONE */
        uint64_t id;
        pid_t pid;    /* of the main process, until it is reaped */
        int pidfd;    /* owned, as the descriptors below; -1 */
        int disk;     /* the tmpfs, from warm to the next make */
        int shelf;    /* BOOTING: where its descriptors are; -1 */
        int mount_ns; /* held, so that the mounts are taken down after the answer, and not within the main process's
                         death */
        int pool_fds[CHANNEL_WARM_FDS];         /* the pool's ends, until they are sent */
        int64_t memory_bytes, disk_bytes, pids; /* the limits it was made with */
        bool kill_sent;                         /* init is killing; INIT_KILLED will follow */
        bool swept_again;
        bool collecting; /* init is reading files; INIT_COLLECTED will follow */
        bool releasing;  /* init is taking down file systems; INIT_RELEASED will follow */
        bool reclaimed;  /* init was asked to have the kernel free what the run left charged to its group */
        bool init_lost;
        int64_t ended_us;  /* when the main process was reaped, on CLOCK_MONOTONIC, as all times here */
        int64_t gone_us;   /* when nothing was left of the sandbox before; 0: not yet */
        bool has_terminal; /* the order asked for a terminal */
        bool prestarts;    /* a program is started ahead in it, which takes longer than all else */
        int64_t left_ms;   /* DEAD: the time since which its slot waits for leftovers in the kernel; 0: it does not
                            * wait */
        int64_t asked_ms;  /* when the awaited boot, killing or teardown began */
        int64_t looked_since_ms;  /* the asked_ms that patience belongs to */
        struct patience patience; /* how long to wait for the awaited process */
        struct report farewell;   /* GOING: sent when it is gone; kind 0: nothing */
        bool remake; /* an ORDER_MAKE came while it was GOING, while init was busy with one of the above, while no shelf
                      * was free, or while leftovers were in the kernel */
        struct order remake_order;
        int wait_status;
};

void tenant_init(struct tenant *s);

/* The data that a zygote's children get, besides the interpreter. This data lies on the first stack or on the heap; all
 * other data of the zygote lies in hidden memory (hidden.h, aside.h). */
struct birth {
        struct boot_settings settings;
        uint64_t tid_address; /* where libc keeps the main thread's tid, for a fork that libc does not see */
        struct {
                uint64_t head;
                size_t size;
        } robust_list;
        struct clone_args args; /* from here on: for the next child */
        struct boot boot;
        struct cell_birth init;
};

/* Everything that sandboxes are made from; owned by the zygote. */
struct tenant_maker {
        struct birth *birth;
        struct shelves shelves;
        struct cell_maker cells;
        int guard; /* for guard_hold */
};

/* Forks a new sandbox into the slot. It first makes the slot if there is none, or takes down the rest of a DEAD
 * sandbox. On error *step names the step (static text), the state is NONE, and the slot is gone. */
int tenant_make(struct tenant *s, struct tenant_maker *maker, const struct order *order, const char **step,
                struct err *e);

/* A DEAD sandbox's slot may get the next sandbox when the kernel has no leftovers of it (leftover.h). The wait is
 * bounded: a slot in which leftovers stay is retired. */
enum tenant_rest { TENANT_RESTS, TENANT_WAITS, TENANT_STAYS };
enum tenant_rest tenant_rest(struct tenant *s, const struct tenant_maker *maker);

/* To be called when the child has its own copies of the descriptors on its shelf, or is dead. */
void tenant_leave_shelf(struct tenant *s, struct tenant_maker *maker);

/* The boot report has come: BOOTING to ALIVE, pool_fds are complete and *cpu_base_us is set. Takes ownership of the
 * report's descriptors; -1: there is none. */
int tenant_warm(struct tenant *s, const struct tenant_maker *maker, const int fds[BOOT_REPORT_FDS],
                uint64_t *cpu_base_us, struct err *e);

/* Sets the limits that the kernel keeps, for a sandbox that is alive. */
int tenant_limit(struct tenant *s, const struct tenant_maker *maker, const struct order *order, struct err *e);

/* Sends the signal to the process group of an ALIVE sandbox's main process, as a terminal would. */
int tenant_signal(const struct tenant *s, int number, struct err *e);

/* Starts to kill everything; the pidfd and init report the end. */
void tenant_kill(struct tenant *s);

/* If the main process is dead, reaps it: BOOTING or ALIVE to REAPING, or straight to DEAD. False: the main process is
 * alive. */
bool tenant_reap(struct tenant *s);

/* Init has said INIT_KILLED: REAPING to DEAD. */
void tenant_swept(struct tenant *s);

/* Fills the report of a DEAD sandbox. */
void tenant_report(const struct tenant *s, struct report *r);

/* Hands the dead sandbox's work directory and the pool's socket (borrowed) to init. */
int tenant_collect(struct tenant *s, int pool_sock, struct err *e);

/* To be called each second. True if a boot, a killing or a teardown has taken more processor time than it can need; now
 * is CLOCK_MONOTONIC in ms. */
bool tenant_is_overdue(struct tenant *s, int64_t now);

/* Kills an init that does not answer, and with it all that is left in its slot. */
void tenant_kill_init(struct tenant *s);

/* Has init take down a DEAD sandbox's file systems, if it still has any: releasing is then set. */
void tenant_clear(struct tenant *s);

/* Init has sent INIT_RELEASED. If the run has left much memory charged to its group, init reclaims that next: releasing
 * stays set, and init sends INIT_RELEASED again. */
void tenant_released(struct tenant *s);

/* Kills everything without waiting: any state to GOING. */
void tenant_go(struct tenant *s);

/* Reaps dead processes of a GOING tenant; true when none is left. tenant_drop then waits for nothing. */
bool tenant_is_gone(struct tenant *s);

/* Takes down everything, living or dead, and the slot, and waits for it: any state to NONE. */
void tenant_drop(struct tenant *s, struct tenant_maker *maker, struct err *e);
