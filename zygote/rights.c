/* The rights of a zygote: see rights.h. */
#include "zygote/rights.h"

#include "zygote/base/creds.h"
#include "zygote/sandbox/seccomp.h"

#include <errno.h>
#include <linux/bpf_common.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* The capabilities for making sandboxes, and no more. hatchery-init also starts with no more than these. */
static const int kept_capabilities[] = {
        CAP_SYS_ADMIN,  /* namespaces and mounts */
        CAP_SYS_CHROOT, /* the same: a process that changes its mount namespace changes its root */
        CAP_SYS_PTRACE, /* to open the namespaces of an init and the mounts of a sandbox */
        CAP_SETUID,
        CAP_SETGID,
        CAP_SETPCAP,
        CAP_KILL,  /* these four: changing to another user, and killing its processes */
        CAP_CHOWN, /* the work directory and the pipes */
        /* The work directory again, which its program may have closed to others. (A capability to read would be enough,
         * but in tests that take walls down, root lays out the programs.) */
        CAP_DAC_OVERRIDE,
};

static int limit_capabilities(struct err *e)
{
        unsigned long long keep = 0;
        for (size_t i = 0; i < sizeof kept_capabilities / sizeof kept_capabilities[0]; i++)
                keep |= 1ull << kept_capabilities[i];
        int r = creds_limit_capabilities(keep);
        return r < 0 ? err_set(e, -r, "dropping capabilities") : 0;
}

/* Shared with the process that makes the filter. */
struct making {
        int result;
        struct err error;
        unsigned short length;
        struct sock_filter code[BPF_MAXINSNS];
};

static void make_filter(struct making *m, const char *const *extra)
{
        struct seccomp_program outer;
        m->result = seccomp_program_build(&outer, SECCOMP_OUTER, extra, &m->error);
        if (m->result < 0)
                return;
        m->length = outer.length;
        memcpy(m->code, outer.code, outer.length * sizeof outer.code[0]);
        seccomp_program_fini(&outer);
}

/* Makes the filter in a process of its own. Here it would leave 400 KiB of free memory, and the interpreter's heap
 * would grow around that. */
static int make_apart(struct making *m, const char *const *extra, struct err *e)
{
        m->result = err_say(&m->error, ECHILD, "the process that makes the filter died");
        pid_t pid = fork();
        if (pid < 0)
                return err_set(e, errno, "a process to make the filter");
        if (pid == 0) {
                make_filter(m, extra);
                _exit(0);
        }
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
        if (m->result < 0)
                *e = m->error;
        return m->result;
}

static int limit_system_calls(const char *const *extra, const struct faults *faults, struct err *e)
{
        int r;

        /* A sandbox inherits this half of the filter. So a test that leaves out the filter leaves out this half, too.
         */
        if (faults_find(faults, "system calls", &r) == FAULT_SKIP)
                return 0;
        struct making *m = mmap(NULL, sizeof *m, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (m == MAP_FAILED)
                return err_set(e, errno, "memory for the filter");
        r = make_apart(m, extra, e);
        if (r == 0) {
                const struct seccomp_program outer = { .code = m->code, .length = m->length };
                r = seccomp_program_load(&outer);
                if (r < 0)
                        err_set(e, -r, "loading the zygote's seccomp filter");
        }
        munmap(m, sizeof *m);
        return r;
}

/* A test uses this to see what the interpreter's start could do with the zygote's rights. */
static bool keeps_rights(const struct faults *faults)
{
        int error;
        return faults_find(faults, "rights", &error) == FAULT_SKIP;
}

int rights_leave_network(const struct faults *faults, struct err *e)
{
        int error;
        if (faults_find(faults, "network namespace", &error) == FAULT_SKIP)
                return 0;
        return unshare(CLONE_NEWNET) < 0 ? err_set(e, errno, "an empty network") : 0;
}

int rights_limit(const char *const *extra_calls, const struct faults *faults, struct err *e)
{
        int r = limit_capabilities(e);
        return r < 0 ? r : limit_system_calls(extra_calls, faults, e);
}

int rights_lay_down(uint32_t uid, const struct faults *faults, struct err *e)
{
        if (keeps_rights(faults))
                return 0;
        int r = creds_lay_down(uid);
        return r < 0 ? err_set(e, -r, "laying down rights") : 0;
}

int rights_take_up(const struct faults *faults, struct err *e)
{
        if (keeps_rights(faults))
                return 0;
        int r = creds_take_up();
        return r < 0 ? err_set(e, -r, "taking up rights") : 0;
}
