/* Making the bundle: see bundle.h. The bundle has the defaults of container engines: six namespaces, a read-only root,
 * no capability, no_new_privs, masked and read-only paths of /proc and /sys, no device but the usual ones, limits for
 * memory and processes. It has no system call filter. */
#include "bench/peers/bundle.h"

#include "bench/peers/commands.h"

#include <errno.h>
#include <ftw.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 256 };

static json_t *mount_of(const char *destination, const char *type, const char *source, const char *options)
{
        json_t *list = json_array();
        char words[128], *rest = NULL;
        snprintf(words, sizeof words, "%s", options);
        for (char *word = strtok_r(words, ",", &rest); word; word = strtok_r(NULL, ",", &rest))
                json_array_append_new(list, json_string(word));
        return json_pack("{s:s, s:s, s:s, s:o}", "destination", destination, "type", type, "source", source, "options",
                         list);
}

static json_t *mounts(void)
{
        json_t *list = json_array();
        json_array_append_new(list, mount_of("/proc", "proc", "proc", "nosuid,noexec,nodev"));
        json_array_append_new(list, mount_of("/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"));
        json_array_append_new(
                list, mount_of("/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620"));
        json_array_append_new(list, mount_of("/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=65536k"));
        json_array_append_new(list, mount_of("/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"));
        json_array_append_new(list, mount_of("/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro"));
        json_array_append_new(list, mount_of("/usr", "bind", "/usr", "rbind,nosuid,nodev,ro"));
        json_array_append_new(list, mount_of("/tmp", "tmpfs", "tmpfs", "nosuid,nodev,mode=1777,size=65536k"));

        enum peers_root kind;
        char target[64];
        const char *path;
        for (unsigned i = 0; (path = peers_root_entry(i, &kind, target, sizeof target)); i++)
                if (kind == PEERS_ROOT_FOLDER)
                        json_array_append_new(list, mount_of(path, "bind", path, "rbind,nosuid,nodev,ro"));
        return list;
}

static json_t *process(const struct program *program)
{
        return json_pack("{s:b, s:{s:i, s:i}, s:[s, s, s, s], s:[s, s], s:s, s:{s:[], s:[], s:[], s:[], s:[]}, s:b,"
                         " s:[{s:s, s:i, s:i}]}",
                         "terminal", 0, "user", "uid", 65534, "gid", 65534, "args", WORKLOAD_INTERPRETER, "-I", "-c",
                         program->code, "env", "PATH=/usr/bin:/bin", "LANG=C.UTF-8", "cwd", "/tmp", "capabilities",
                         "bounding", "effective", "inheritable", "permitted", "ambient", "noNewPrivileges", 1,
                         "rlimits", "type", "RLIMIT_NOFILE", "hard", 1024, "soft", 1024);
}

static json_t *confinement(void)
{
        json_t *namespaces = json_pack("[{s:s}, {s:s}, {s:s}, {s:s}, {s:s}, {s:s}]", "type", "pid", "type", "network",
                                       "type", "ipc", "type", "uts", "type", "mount", "type", "cgroup");
        json_t *resources = json_pack("{s:[{s:b, s:s}], s:{s:I}, s:{s:i}}", "devices", "allow", 0, "access", "rwm",
                                      "memory", "limit", (json_int_t)128 << 20, "pids", "limit", 64);
        json_t *masked = json_pack("[s, s, s, s, s, s, s, s, s, s]", "/proc/acpi", "/proc/asound", "/proc/kcore",
                                   "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
                                   "/proc/sched_debug", "/sys/firmware", "/proc/scsi");
        json_t *read_only =
                json_pack("[s, s, s, s, s]", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger");
        return json_pack("{s:o, s:o, s:o, s:o}", "namespaces", namespaces, "resources", resources, "maskedPaths",
                         masked, "readonlyPaths", read_only);
}

static int write_config(const char *folder, const struct program *program, struct err *e)
{
        char path[PATH_SIZE];
        snprintf(path, sizeof path, "%s/config.json", folder);
        json_t *config = json_pack("{s:s, s:o, s:{s:s, s:b}, s:s, s:o, s:o}", "ociVersion", "1.0.0", "process",
                                   process(program), "root", "path", "rootfs", "readonly", 1, "hostname", "sandbox",
                                   "mounts", mounts(), "linux", confinement());
        if (!config)
                return err_say(e, ENOMEM, "make the container's configuration");
        errno = 0;
        int written = json_dump_file(config, path, JSON_INDENT(1));
        int error = errno ? errno : EIO;
        json_decref(config);
        return written < 0 ? err_set(e, error, "write %s", path) : 0;
}

static int make_root(const char *folder, struct err *e)
{
        static const char *const folders[] = { "", "/usr", "/proc", "/dev", "/sys", "/tmp" };
        char path[PATH_SIZE], target[64];
        for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
                snprintf(path, sizeof path, "%s/rootfs%s", folder, folders[i]);
                if (mkdir(path, 0755) < 0)
                        return err_set(e, errno, "make %s", path);
        }
        enum peers_root kind;
        const char *entry;
        for (unsigned i = 0; (entry = peers_root_entry(i, &kind, target, sizeof target)); i++) {
                snprintf(path, sizeof path, "%s/rootfs%s", folder, entry);
                if (kind == PEERS_ROOT_LINK && symlink(target, path) < 0)
                        return err_set(e, errno, "make the link %s", path);
                if (kind == PEERS_ROOT_FOLDER && mkdir(path, 0755) < 0)
                        return err_set(e, errno, "make %s", path);
        }
        return 0;
}

int peers_bundle_make(char *folder, size_t size, const struct program *program, struct err *e)
{
        snprintf(folder, size, "/run/hatchery-bench-XXXXXX"); /* a tmpfs; crun's own state lies below it, too */
        if (!mkdtemp(folder)) {
                folder[0] = '\0';
                return err_set(e, errno, "make a folder for the container in /run");
        }
        /* The container's user `nobody` must be able to enter the folder. */
        if (chmod(folder, 0755) < 0)
                return err_set(e, errno, "open %s", folder);
        int r = make_root(folder, e);
        return r < 0 ? r : write_config(folder, program, e);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
        (void)st;
        (void)type;
        (void)at;
        return remove(path);
}

void peers_bundle_remove(const char *folder)
{
        if (nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0)
                fprintf(stderr, "hatchery-bench: could not remove %s\n", folder);
}
