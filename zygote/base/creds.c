/* Dropping privilege: see creds.h. */
#include "zygote/base/creds.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int creds_join_user_namespace(int user_namespace)
{
        return setns(user_namespace, CLONE_NEWUSER) < 0 ? -errno : 0;
}

/* Changes the ids of this thread only. libc's functions would change the ids of all threads, and abort if one thread
 * can't change. A thread that a preloaded module started has no rights, and must not get any when the zygote takes its
 * own up again. */
static int set_ids(unsigned uid, unsigned gid, unsigned saved_uid, unsigned saved_gid)
{
        if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, gid, gid, saved_gid) < 0 ||
            syscall(SYS_setresuid, uid, uid, saved_uid) < 0)
                return -errno;
        return 0;
}

int creds_become(unsigned uid, unsigned gid)
{
        return set_ids(uid, gid, uid, gid);
}

static int drop_bounding_set(unsigned long long keep)
{
        for (int cap = 0; cap < 64; cap++) {
                if (keep >> cap & 1)
                        continue;
                if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
                        continue;
                if (errno == EINVAL)
                        break; /* beyond the last capability that this kernel knows */
                return -errno;
        }
        return 0;
}

static int set_capabilities(unsigned long long keep)
{
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[2] = {
                { .effective = (__u32)keep, .permitted = (__u32)keep },
                { .effective = (__u32)(keep >> 32), .permitted = (__u32)(keep >> 32) },
        };
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
                return -errno;
        return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

int creds_drop_capabilities(unsigned long long keep)
{
        int r = drop_bounding_set(0);
        return r < 0 ? r : set_capabilities(keep);
}

int creds_limit_capabilities(unsigned long long keep)
{
        int r = drop_bounding_set(keep);
        return r < 0 ? r : set_capabilities(keep);
}

/* A change of user makes a process undumpable, and gives its /proc/self to root. */
static int become_dumpable(void)
{
        return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0 ? -errno : 0;
}

int creds_lay_down(unsigned uid)
{
        /* As long as root is the saved user, the permitted set stays. */
        int r = set_ids(uid, uid, 0, 0);
        return r < 0 ? r : become_dumpable();
}

int creds_take_up(void)
{
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[2];
        if (syscall(SYS_capget, &header, data) < 0)
                return -errno;
        for (int i = 0; i < 2; i++)
                data[i].effective = data[i].permitted;
        if (syscall(SYS_capset, &header, data) < 0)
                return -errno;
        int r = creds_become(0, 0);
        return r < 0 ? r : become_dumpable();
}

int creds_no_new_privileges(void)
{
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

int creds_prove(unsigned uid)
{
        unsigned real, effective, saved;
        if (syscall(SYS_getresuid, &real, &effective, &saved) < 0)
                return -errno;
        if (real != uid || effective != uid || saved != uid)
                return -ENOTRECOVERABLE;
        if (syscall(SYS_setresuid, 0, 0, 0) == 0)
                return -ENOTRECOVERABLE;

        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[2];
        if (syscall(SYS_capget, &header, data) < 0)
                return -errno;
        for (int i = 0; i < 2; i++)
                if (data[i].effective || data[i].permitted || data[i].inheritable)
                        return -ENOTRECOVERABLE;
        return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : -ENOTRECOVERABLE;
}
