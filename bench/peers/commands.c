/* The command lines of bubblewrap, crun, nsjail and isolate: see commands.h.
 *
 * Common to all: every namespace the peer knows, the host's /usr read-only and nothing else of the host, an
 * unprivileged user without capabilities, a writable /tmp in memory, an empty environment but for PATH and LANG. A
 * system call filter, and limits that need a control group made by others, are left out where the peer does not provide
 * them by itself. Both would make a peer slower. */
#include "bench/peers/commands.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOX_PATH "/usr/bin:/bin"
#define BOX_LANG "C.UTF-8"

static const char *const root_path[PEERS_LINKS] = { "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32" };

const char *peers_root_entry(unsigned i, enum peers_root *kind, char *target, size_t size)
{
        struct stat st;
        if (i >= PEERS_LINKS)
                return NULL;
        *kind = PEERS_ROOT_NOTHING;
        if (lstat(root_path[i], &st) == 0 && S_ISDIR(st.st_mode))
                *kind = PEERS_ROOT_FOLDER;
        ssize_t len = readlink(root_path[i], target, size - 1);
        if (len >= 0) {
                target[len] = '\0';
                *kind = PEERS_ROOT_LINK;
        }
        return root_path[i];
}

static void add(struct peers_argv *a, const char *const *words)
{
        for (; *words && a->n < PEERS_MAX_ARGS; words++)
                a->arg[a->n++] = *words;
}

#define ADD(argv, ...) add(argv, (const char *const[]){ __VA_ARGS__, NULL })

static void add_program(struct peers_argv *a, const struct program *program)
{
        ADD(a, WORKLOAD_INTERPRETER, "-I", "-c", program->code);
}

static void fill_bubblewrap(struct peers_commands *c, const struct peers_lane *lane)
{
        struct peers_argv *a = &c->run;
        enum peers_root kind;
        const char *path;
        ADD(a, peers_place(lane), "--unshare-all", "--ro-bind", "/usr", "/usr");
        for (unsigned i = 0; (path = peers_root_entry(i, &kind, c->link[i], sizeof c->link[i])); i++) {
                if (kind == PEERS_ROOT_LINK)
                        ADD(a, "--symlink", c->link[i], path);
                else if (kind == PEERS_ROOT_FOLDER)
                        ADD(a, "--ro-bind", path, path);
        }
        ADD(a, "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--chdir", "/tmp");
        ADD(a, "--die-with-parent", "--new-session", "--hostname", "sandbox");
        ADD(a, "--uid", "65534", "--gid", "65534", "--cap-drop", "ALL");
        ADD(a, "--clearenv", "--setenv", "PATH", BOX_PATH, "--setenv", "LANG", BOX_LANG, "--");
        add_program(a, lane->program);
}

/* The bundle (bundle.c) describes the container. `run` also deletes it. */
static void fill_crun(struct peers_commands *c, const struct peers_lane *lane)
{
        snprintf(c->id, sizeof c->id, "hatchery-bench-%d-%u", (int)getpid(), lane->number);
        snprintf(c->root, sizeof c->root, "%s/state", lane->peers->folder);
        ADD(&c->run, peers_place(lane), "--root", c->root, "run", "--bundle", lane->peers->folder, c->id);
        ADD(&c->undo, peers_place(lane), "--root", c->root, "delete", "--force", c->id);
}

/* By default, nsjail makes all namespaces and a new session, and limits address space, files and time. The user is
 * `nobody` outside the jail, too. By default it would be the user who starts nsjail, and that is root here. */
static void fill_nsjail(struct peers_commands *c, const struct peers_lane *lane)
{
        struct peers_argv *a = &c->run;
        enum peers_root kind;
        const char *path;
        char target[sizeof c->link[0]];
        ADD(a, peers_place(lane), "--mode", "o", "--really_quiet", "--user", "65534:65534", "--group", "65534:65534");
        ADD(a, "--hostname", "sandbox", "--time_limit", "10", "--bindmount_ro", "/usr");
        for (unsigned i = 0; (path = peers_root_entry(i, &kind, target, sizeof target)); i++)
                if (kind != PEERS_ROOT_NOTHING)
                        ADD(a, "--bindmount_ro", path); /* links are followed, so this works with every version */
        ADD(a, "--bindmount_ro", "/dev/null", "--bindmount_ro", "/dev/urandom");
        ADD(a, "--tmpfsmount", "/tmp", "--cwd", "/tmp");
        ADD(a, "--env", "PATH=" BOX_PATH, "--env", "LANG=" BOX_LANG, "--");
        add_program(a, lane->program);
}

/* The full cycle of isolate for each run, because a used box is not a new one. */
static void fill_isolate(struct peers_commands *c, const struct peers_lane *lane)
{
        snprintf(c->id, sizeof c->id, "--box-id=%u", lane->number);
        ADD(&c->before, peers_place(lane), c->id, "--init");
        ADD(&c->run, peers_place(lane), c->id, "--silent", "--processes=64", "--wall-time=10");
        ADD(&c->run, "--env=PATH=" BOX_PATH, "--env=LANG=" BOX_LANG, "--run", "--");
        add_program(&c->run, lane->program);
        ADD(&c->after, peers_place(lane), c->id, "--cleanup");
        ADD(&c->undo, peers_place(lane), c->id, "--cleanup");
}

void peers_commands_fill(struct peers_commands *c, const struct peers_lane *lane)
{
        memset(c, 0, sizeof *c);
        switch (lane->id) {
        case PEER_BUBBLEWRAP:
                fill_bubblewrap(c, lane);
                break;
        case PEER_CRUN:
                fill_crun(c, lane);
                break;
        case PEER_NSJAIL:
                fill_nsjail(c, lane);
                break;
        case PEER_ISOLATE:
                fill_isolate(c, lane);
                break;
        default: /* the others are servers */
                break;
        }
}
