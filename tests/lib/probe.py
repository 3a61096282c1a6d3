"""The view from inside a sandbox, for all languages: a C program that reports it, and the expected report.

The program prints a line `WHAT NAME VALUE` for each fact that it reads and each call that it tries.
A call's value is ok, or the name of its error. The same source is compiled by gcc, translated by
libtcc, or sent as a finished program."""

import subprocess
import tempfile
from pathlib import Path

# Calls that every sandbox refuses. With these arguments they would do the host no harm, even if the
# kernel let them through.
PROBE = r"""
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void said(const char *what, const char *name, long got)
{
        printf("%s %s %s\n", what, name, got >= 0 ? "ok" : strerrorname_np(errno));
        fflush(stdout);
}

static void status(const char *path, const char *what)
{
        char line[4096];
        FILE *f = fopen(path, "r");
        while (f && fgets(line, sizeof line, f)) {
                char *colon = strchr(line, ':');
                if (!colon)
                        continue;
                *colon = '\0';
                printf("%s %s %s", what, line, colon + 2);
        }
        if (f)
                fclose(f);
}

/* A process each: what gets through would change those that follow. */
static void call(const char *name, long nr, long a, long b, long c, long d, long e)
{
        fflush(stdout);
        int self = getpid();
        pid_t pid = fork();
        if (pid == 0) {
                long r = syscall(nr, a, b, c, d, e);
                if (getpid() != self && getppid() == self) /* and not a child that the call has made */
                        said("call", name, r);
                _exit(0);
        }
        int end = 0;
        waitpid(pid, &end, 0);
        if (WIFSIGNALED(end))
                printf("call %s signal %d\n", name, WTERMSIG(end));
}

static void calls(void)
{
        static const long clone_args[11] = { 0x10000000, 0, 0, 0, SIGCHLD };
        static const int bpf_map[18] = { 2, 4, 4, 1, 0 };
        static long pages[512];
        call("mount", SYS_mount, (long)"x", (long)"/tmp", (long)"tmpfs", 0, 0);
        call("bind-mount", SYS_mount, (long)"/usr", (long)"/tmp", 0, 4096, 0);
        call("umount", SYS_umount2, (long)"/tmp", 2, 0, 0, 0);
        call("fsopen", 430, (long)"tmpfs", 0, 0, 0, 0);
        call("open_tree", 428, -100, (long)"/usr", 1, 0, 0);
        call("pivot_root", SYS_pivot_root, (long)"/tmp", (long)"/tmp", 0, 0, 0);
        call("chroot", SYS_chroot, (long)"/tmp", 0, 0, 0, 0);
        call("ptrace", SYS_ptrace, 0, 0, 0, 0, 0);
        call("seize", SYS_ptrace, 0x4206, getpid(), 0, 0, 0);
        call("process_vm_readv", SYS_process_vm_readv, getpid(), 0, 0, 0, 0);
        call("unshare-user", SYS_unshare, 0x10000000, 0, 0, 0, 0);
        call("unshare-mount", SYS_unshare, 0x20000, 0, 0, 0, 0);
        call("unshare-net", SYS_unshare, 0x40000000, 0, 0, 0, 0);
        call("unshare-pid", SYS_unshare, 0x20000000, 0, 0, 0, 0);
        call("clone-user", SYS_clone, 0x10000000 | SIGCHLD, 0, 0, 0, 0);
        call("clone3", 435, (long)clone_args, sizeof clone_args, 0, 0, 0);
        call("setns", SYS_setns, open("/proc/self/ns/net", O_RDONLY), 0, 0, 0, 0);
        call("bpf", SYS_bpf, 0, (long)bpf_map, sizeof bpf_map, 0, 0);
        call("perf_event_open", SYS_perf_event_open, (long)pages, 0, -1, -1, 0);
        call("keyctl", SYS_keyctl, 0, -3, 1, 0, 0);
        call("add_key", SYS_add_key, (long)"user", (long)"x", (long)"x", 1, -3);
        call("io_uring", 425, 4, (long)pages, 0, 0, 0);
        call("userfaultfd", SYS_userfaultfd, 1, 0, 0, 0, 0);
        call("pidfd_getfd", 438, syscall(434, getpid(), 0), 0, 0, 0, 0);
        call("name_to_handle_at", SYS_name_to_handle_at, -100, (long)"/usr", (long)pages, (long)pages + 2048, 0);
        call("open_by_handle_at", SYS_open_by_handle_at, 0, (long)pages, 0, 0, 0);
        call("personality", SYS_personality, 0x0040000, 0, 0, 0, 0);
        call("syslog", SYS_syslog, 3, (long)pages, sizeof pages, 0, 0);
        call("setuid", SYS_setuid, 0, 0, 0, 0, 0);
        call("setgid", SYS_setgid, 0, 0, 0, 0, 0);
        call("setgroups", SYS_setgroups, 1, (long)pages, 0, 0, 0);
        call("kill-init", SYS_kill, 1, SIGKILL, 0, 0, 0);
        call("mknod", SYS_mknod, (long)"/tmp/null", S_IFCHR | 0666, 1 << 8 | 3, 0, 0);
        call("inet", SYS_socket, AF_INET, SOCK_STREAM, 0, 0, 0);
        call("inet6", SYS_socket, AF_INET6, SOCK_DGRAM, 0, 0, 0);
        call("netlink", SYS_socket, AF_NETLINK, SOCK_RAW, 0, 0, 0);
        call("packet", SYS_socket, AF_PACKET, SOCK_RAW, 0, 0, 0);
        call("vsock", SYS_socket, 40, SOCK_STREAM, 0, 0, 0);
        call("alg", SYS_socket, 38, SOCK_SEQPACKET, 0, 0, 0);
}

static void network(void)
{
        char line[512];
        FILE *f = fopen("/proc/self/net/dev", "r");
        while (f && fgets(line, sizeof line, f)) {
                char *colon = strchr(line, ':');
                if (!colon)
                        continue;
                *colon = '\0';
                printf("device %s\n", line + strspn(line, " "));
        }
        if (f)
                fclose(f);
        f = fopen("/proc/self/net/fib_trie", "r"); /* what is up has an address */
        while (f && fgets(line, sizeof line, f)) {
                char *address = strstr(line, "|-- ");
                if (address)
                        printf("address %s", address + 4);
        }
        if (f)
                fclose(f);
}

static void processes(void)
{
        DIR *proc = opendir("/proc");
        for (struct dirent *d; proc && (d = readdir(proc));)
                if (d->d_name[0] >= '0' && d->d_name[0] <= '9') {
                        char path[300], name[64] = "";
                        struct stat st = { 0 };
                        snprintf(path, sizeof path, "/proc/%s/comm", d->d_name);
                        FILE *f = fopen(path, "r");
                        if (!f || !fgets(name, sizeof name, f) || stat(path, &st) < 0)
                                snprintf(name, sizeof name, "?\n");
                        if (f)
                                fclose(f);
                        printf("process %s %d %s", d->d_name, (int)st.st_uid, name);
                }
        closedir(proc);
}

int main(int argc, char **argv)
{
        static const char *const folders[] = { "/", "/usr", "/usr/bin", "/usr/lib", "/etc", "/var", "/home", "/proc", "/proc/1",
                "/dev", "/hatchery", "/hatchery/lang", "/hatchery/packages", "/hatchery/prepared", "/lib", "/bin", "/run", "/sys" };
        static const char *const own[] = { "/home/sandbox", "/tmp", "/dev/shm" };
        char path[300];
        for (int fd = 0; fd < 1024; fd++)
                if (fcntl(fd, F_GETFD) >= 0) {
                        struct stat st;
                        fstat(fd, &st);
                        printf("descriptor %d %s\n", fd, S_ISFIFO(st.st_mode) ? "pipe" : S_ISSOCK(st.st_mode) ? "socket" :
                               S_ISREG(st.st_mode) ? "file" : S_ISDIR(st.st_mode) ? "directory" : "other");
                }
        status("/proc/self/status", "status");
        network();
        processes();
        for (int i = 1; i < argc; i++)
                said("host", argv[i], access(argv[i], F_OK));
        for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
                snprintf(path, sizeof path, "%s/hatchery-probe", folders[i]);
                said("write", folders[i], open(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
        }
        for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
                snprintf(path, sizeof path, "%s/hatchery-probe", own[i]);
                said("own", own[i], open(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
        }
        calls();
        return 0;
}
"""


def program():
    """The compiled probe, as a file of a request that needs no compiler."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "probe"
        subprocess.run(["gcc", "-O1", "-std=gnu17", "-xc", "-o", target, "-"], input=PROBE.encode(), check=True)
        return target.read_bytes(), 0o755


def rows(text):
    """The probe's lines as {what: {name: value}}."""
    found = {}
    for line in text.splitlines():
        what, name, value = (line.split(None, 2) + ["", ""])[:3]
        found.setdefault(what, {})[name] = value.strip()
    return found
