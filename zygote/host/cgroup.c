/* The host's cgroups: see cgroup.h. */
#include "zygote/host/cgroup.h"

#include "proto/base/own.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libcgroup.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct controller_row {
        enum cgroup_controller_bit bit;
        const char *name; /* v1's */
        const char *v2;
        bool required;
};

static const struct controller_row controllers[] = {
        { CGROUP_MEMORY, "memory", "memory", true }, { CGROUP_PIDS, "pids", "pids", true },
        { CGROUP_CPUACCT, "cpuacct", "", true }, /* v2 has no such controller: every group counts its time */
        { CGROUP_CPU, "cpu", "cpu", false },         { CGROUP_BLKIO, "blkio", "io", false },
};
enum { N_CONTROLLERS = sizeof controllers / sizeof controllers[0] };

/* The caller's own group in the hierarchy that /proc/self/cgroup lists with this controller; "" for v2. libcgroup's own
 * look-up is broken on v2 (2.0.2), so this reads the file for both. */
static int own_group(const char *controller, char *group, size_t size)
{
        FILE *f = fopen("/proc/self/cgroup", "re");
        if (!f)
                return -errno;

        int r = -ENOENT;
        char line[1024];
        while (r < 0 && fgets(line, sizeof line, f)) {
                line[strcspn(line, "\n")] = '\0';
                char *list = strchr(line, ':');
                char *path = list ? strchr(list + 1, ':') : NULL;
                if (!path)
                        continue;
                *path++ = '\0';
                list++;
                bool match = strcmp(list, controller) == 0;
                char *save = NULL;
                for (char *c = strtok_r(list, ",", &save); c && !match; c = strtok_r(NULL, ",", &save))
                        match = strcmp(c, controller) == 0;
                if (!match)
                        continue;
                int n = snprintf(group, size, "%s", path + strspn(path, "/"));
                r = n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
        }
        fclose(f);
        return r;
}

static int read_line(const char *path, char *text, size_t size)
{
        OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        ssize_t n = read(fd, text, size - 1);
        if (n < 0)
                return -errno;
        text[n] = '\0';
        text[strcspn(text, "\n")] = '\0';
        return 0;
}

static bool has_word(const char *text, const char *word)
{
        size_t len = strlen(word);
        for (const char *at = text; (at = strstr(at, word)); at += len)
                if ((at == text || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
                        return true;
        return false;
}

/* The v2 hierarchy's mount point: one of the two usual places. */
static int find_v2_mount(char *mount, size_t size)
{
        static const char *const usual[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
        for (size_t i = 0; i < 2; i++) {
                char probe[CGROUP_PATH_SIZE];
                snprintf(probe, sizeof probe, "%s/cgroup.controllers", usual[i]);
                if (access(probe, R_OK) == 0) {
                        snprintf(mount, size, "%s", usual[i]);
                        return 0;
                }
        }
        return -ENOENT;
}

/* Fills h for one controller, if it is on v2 and can be handed to children. */
static int locate_v2(struct cgroup_hierarchy *h, const char *controller)
{
        char path[2 * CGROUP_PATH_SIZE + 32], available[256];
        int r = find_v2_mount(h->mount, sizeof h->mount);
        if (r == 0)
                r = own_group("", h->group, sizeof h->group);
        if (r < 0)
                return r;
        h->v2 = true;
        if (!*controller)
                return 0;
        snprintf(path, sizeof path, "%s/%s/cgroup.controllers", h->mount, h->group);
        r = read_line(path, available, sizeof available);
        if (r < 0)
                return r;
        return has_word(available, controller) ? 0 : -ENOENT;
}

static int locate(struct cgroup_hierarchy *h, const struct controller_row *row)
{
        char *mount = NULL;

        memset(h, 0, sizeof *h);
        if (cgroup_get_subsys_mount_point(row->name, &mount) == 0 && mount) {
                char probe[CGROUP_PATH_SIZE + 32];
                snprintf(h->mount, sizeof h->mount, "%s", mount);
                free(mount);
                snprintf(probe, sizeof probe, "%s/cgroup.controllers", h->mount);
                if (access(probe, F_OK) != 0)
                        return own_group(row->name, h->group, sizeof h->group);
        }
        return locate_v2(h, row->v2);
}

int cgroup_find(struct cgroup_tree *tree, struct err *e)
{
        memset(tree, 0, sizeof *tree);
        int rc = cgroup_init();
        if (rc != 0)
                return err_say(e, ENOENT, "no cgroups: %s; mount /sys/fs/cgroup", cgroup_strerror(rc));

        for (size_t i = 0; i < N_CONTROLLERS; i++) {
                struct cgroup_hierarchy h;
                int r = locate(&h, &controllers[i]);
                if (r < 0 && controllers[i].required)
                        return err_say(e, ENOENT,
                                       "the cgroup controller %s is not available here; on cgroup v2 delegate it "
                                       "(systemd: Delegate=yes), on v1 mount it",
                                       controllers[i].name);
                if (r < 0)
                        continue;

                size_t k = 0;
                while (k < tree->n && strcmp(tree->at[k].mount, h.mount) != 0)
                        k++;
                if (k == tree->n && h.v2 && controllers[i].bit == CGROUP_BLKIO)
                        continue; /* if all else is on v1, each sandbox would have to be in one more group */
                if (k == tree->n)
                        tree->at[tree->n++] = h;
                tree->at[k].controllers |= controllers[i].bit;
        }
        return 0;
}

int cgroup_version(const struct cgroup_tree *tree, enum cgroup_controller_bit controller)
{
        for (size_t i = 0; i < tree->n; i++)
                if (tree->at[i].controllers & controller)
                        return tree->at[i].v2 ? 2 : 1;
        return 0;
}

static int write_file(const char *path, const char *text)
{
        OWN_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* Hands all of h's controllers on to the children of a group, or takes them back. */
static int hand_on(const struct cgroup_hierarchy *h, const char *group, bool enable)
{
        char path[2 * CGROUP_PATH_SIZE + 128];
        snprintf(path, sizeof path, "%s/%s/cgroup.subtree_control", h->mount, group);
        for (size_t i = 0; i < N_CONTROLLERS; i++) {
                const struct controller_row *row = &controllers[i];
                if (!(h->controllers & row->bit) || !*row->v2)
                        continue;
                char word[32];
                snprintf(word, sizeof word, "%c%s", enable ? '+' : '-', row->v2);
                int r = write_file(path, word);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int move_self(const struct cgroup_hierarchy *h, const char *group)
{
        char path[2 * CGROUP_PATH_SIZE + 128];
        snprintf(path, sizeof path, "%s/%s/cgroup.procs", h->mount, group);
        return write_file(path, "0");
}

static int step_back(const struct cgroup_hierarchy *h, const char *group, const char *leaf)
{
        char path[2 * CGROUP_PATH_SIZE + 128];
        int r = move_self(h, group);
        snprintf(path, sizeof path, "%s/%s", h->mount, leaf);
        return r == 0 && rmdir(path) < 0 ? -errno : r;
}

/* Moves the caller out of its own group into a leaf below it. */
static int step_aside(const struct cgroup_hierarchy *h, const char *name)
{
        char leaf[CGROUP_PATH_SIZE + 64], path[2 * CGROUP_PATH_SIZE + 128];
        snprintf(leaf, sizeof leaf, "%s/%s-main", h->group, name);
        snprintf(path, sizeof path, "%s/%s", h->mount, leaf);
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
                return -errno;
        int r = move_self(h, leaf);
        if (r == 0)
                r = hand_on(h, h->group, true);
        if (r < 0)
                step_back(h, h->group, leaf);
        return r;
}

/* Moves h's group up to the nearest one that can hand its controllers on. */
static int climb(struct cgroup_hierarchy *h)
{
        char group[CGROUP_PATH_SIZE];
        int r = -EBUSY;

        snprintf(group, sizeof group, "%s", h->group);
        while (r == -EBUSY && group[0] != '\0') {
                char *slash = strrchr(group, '/');
                *(slash ? slash : group) = '\0';
                r = hand_on(h, group, true);
        }
        if (r == 0) {
                h->is_elsewhere = true;
                snprintf(h->group, sizeof h->group, "%s", group);
        }
        return r;
}

/* v2 gives controllers only to the children of a group that holds no process itself (its root is exempt). A service is
 * alone in its group, so the server moves into a leaf below the group. A shell's group also holds the shell, so the
 * instance is made beside that group. */
static int prepare_v2_parent(struct cgroup_hierarchy *h, const char *name, struct err *e)
{
        int r = hand_on(h, h->group, true);
        if (r == -EBUSY)
                r = step_aside(h, name);
        if (r == -EBUSY)
                r = climb(h);
        if (r == -EBUSY)
                return err_say(
                        e, EBUSY,
                        "the cgroup %s/%s and those above it hold other processes, so their controllers can't be "
                        "handed on; start hatcheryd in a cgroup of its own (a unit with Delegate=yes)",
                        h->mount, h->group);
        return r < 0 ? err_set(e, -r, "enabling cgroup controllers below %s/%s", h->mount, h->group) : 0;
}

/* Undoes step_aside, if it was done. If another server below the same group still needs the controllers, the kernel
 * leaves them on, and the caller stays in its leaf. */
static int return_to_parent(const struct cgroup_hierarchy *h, struct err *e)
{
        char parent[CGROUP_PATH_SIZE], leaf[CGROUP_PATH_SIZE + 64], path[2 * CGROUP_PATH_SIZE + 128];
        snprintf(parent, sizeof parent, "%s", h->group);
        char *slash = strrchr(parent, '/');
        *(slash ? slash : parent) = '\0';
        snprintf(leaf, sizeof leaf, "%s-main", h->group);
        snprintf(path, sizeof path, "%s/%s", h->mount, leaf);
        if (h->is_elsewhere || access(path, F_OK) != 0)
                return 0;

        int r = hand_on(h, parent, false);
        if (r == -EBUSY)
                return 0;
        if (r == 0)
                r = step_back(h, parent, leaf);
        return r < 0 ? err_set(e, -r, "leaving the cgroup %s", path) : 0;
}

static int create_one(const struct cgroup_hierarchy *h, const char *group, struct err *e)
{
        struct cgroup *g = cgroup_new_cgroup(group);
        if (!g)
                return err_set(e, ENOMEM, "cgroup %s", group);

        int rc = 0;
        for (size_t i = 0; i < N_CONTROLLERS; i++) {
                const char *named = h->v2 ? controllers[i].v2 : controllers[i].name;
                if ((h->controllers & controllers[i].bit) && *named && !cgroup_add_controller(g, named))
                        rc = ECGFAIL;
        }
        if (rc == 0)
                rc = cgroup_create_cgroup(g, 1);
        cgroup_free(&g);
        return rc == 0 ? 0 : err_say(e, EIO, "creating the cgroup %s/%s: %s", h->mount, group, cgroup_strerror(rc));
}

static int create_instance_in(struct cgroup_hierarchy *h, const char *name, struct err *e)
{
        char group[CGROUP_PATH_SIZE];
        int r = h->v2 ? prepare_v2_parent(h, name, e) : 0;
        if (r < 0)
                return r;
        int n = snprintf(group, sizeof group, "%s%s%s", h->group, h->group[0] ? "/" : "", name);
        if (n < 0 || (size_t)n >= sizeof group)
                return err_set(e, ENAMETOOLONG, "cgroup %s/%s", h->group, name);

        r = create_one(h, group, e);
        if (r < 0)
                return r;
        snprintf(h->group, sizeof h->group, "%s", group);
        h->made = true;
        if (h->v2) {
                r = hand_on(h, group, true);
                if (r < 0)
                        err_set(e, -r, "enabling cgroup controllers below %s/%s", h->mount, group);
        }
        return r;
}

int cgroup_create_instance(struct cgroup_tree *tree, const char *name, struct err *e)
{
        for (size_t i = 0; i < tree->n;) {
                int r = create_instance_in(&tree->at[i], name, e);
                bool spare = tree->at[i].controllers == CGROUP_BLKIO;
                if (r < 0 && !spare)
                        return r;
                if (r < 0)
                        tree->at[i] = tree->at[--tree->n];
                else
                        i++;
        }
        return 0;
}

/* True if a process is in the group or below it. */
static bool populated(const char *path)
{
        char procs[2 * CGROUP_PATH_SIZE + 320], line[64] = "";
        snprintf(procs, sizeof procs, "%s/cgroup.procs", path);
        if (read_line(procs, line, sizeof line) == 0 && line[0] != '\0')
                return true;

        DIR *dir = opendir(path);
        bool found = false;
        for (struct dirent *d; dir && !found && (d = readdir(dir));) {
                if (d->d_type != DT_DIR || d->d_name[0] == '.')
                        continue;
                snprintf(procs, sizeof procs, "%s/%s", path, d->d_name);
                found = populated(procs);
        }
        if (dir)
                closedir(dir);
        return found;
}

static int remove_one(const struct cgroup_hierarchy *h, struct err *e)
{
        char path[2 * CGROUP_PATH_SIZE + 16];
        snprintf(path, sizeof path, "%s/%s", h->mount, h->group);
        if (access(path, F_OK) != 0)
                return 0;
        if (populated(path))
                return err_set(e, EBUSY, "removing the cgroup %s", path);

        struct cgroup *g = cgroup_new_cgroup(h->group);
        /* On v2 all controllers share one directory, and libcgroup would remove the directory once for each
         * controller. So only the first is named. */
        bool named = false;
        for (size_t k = 0; g && k < N_CONTROLLERS && !(h->v2 && named); k++) {
                const char *name = h->v2 ? controllers[k].v2 : controllers[k].name;
                if ((h->controllers & controllers[k].bit) && *name)
                        named = cgroup_add_controller(g, name) != NULL;
        }
        int rc = g ? cgroup_delete_cgroup_ext(g, CGFLAG_DELETE_RECURSIVE) : ECGFAIL;
        cgroup_free(&g);
        if (rc != 0)
                return err_say(e, EIO, "removing the cgroup %s: %s", path, cgroup_strerror(rc));
        return h->v2 ? return_to_parent(h, e) : 0;
}

int cgroup_remove_instance(const struct cgroup_tree *tree, struct err *e)
{
        int result = 0;
        for (size_t i = 0; i < tree->n; i++) {
                int r = tree->at[i].made ? remove_one(&tree->at[i], e) : 0;
                result = r < 0 ? r : result;
        }
        return result;
}

/* "7" or "init": the part after the prefix and a dash. */
static bool is_slot_name(const char *text)
{
        return strcmp(text, "init") == 0 || text[strspn(text, "0123456789")] == '\0';
}

int cgroup_remove_slots(const struct cgroup_tree *tree, const char *prefix, struct err *e)
{
        int result = 0;
        size_t len = strlen(prefix);
        for (size_t i = 0; i < tree->n; i++) {
                char path[2 * CGROUP_PATH_SIZE + 16];
                snprintf(path, sizeof path, "%s/%s", tree->at[i].mount, tree->at[i].group);
                DIR *dir = opendir(path);
                if (!dir)
                        continue;
                for (struct dirent *d; (d = readdir(dir));) {
                        if (d->d_type != DT_DIR || strncmp(d->d_name, prefix, len) != 0 || d->d_name[len] != '-' ||
                            !is_slot_name(d->d_name + len + 1))
                                continue;
                        if (unlinkat(dirfd(dir), d->d_name, AT_REMOVEDIR) < 0 && errno != ENOENT)
                                result = err_set(e, errno, "removing the cgroup %s/%s", path, d->d_name);
                }
                closedir(dir);
        }
        return result;
}
