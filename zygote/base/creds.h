/* The way of a process from root down to the user of a sandbox. No step can be taken back. After a failure half-way the
 * process reports and dies. */
#pragma once

/* Joins the slot's user namespace. From here on root has no rights outside of it, and the capabilities that are left
 * count in that namespace alone. */
int creds_join_user_namespace(int user_namespace);

/* No supplementary groups, then gid, then uid: in the other order the uid's change would take away the right to the
 * rest. */
int creds_become(unsigned uid, unsigned gid);

/* Empties all five capability sets, the bounding set first, since that needs one of the others. It comes after the
 * change of uid: a change between uids other than the namespace's root leaves capabilities as they are. keep is a mask
 * of capabilities (1 << CAP_X) that stay permitted and effective. */
int creds_drop_capabilities(unsigned long long keep);

/* Leaves only the capabilities in keep, in the bounding set too; for a process that stays root. */
int creds_limit_capabilities(unsigned long long keep);

/* Becomes this user, in the group of that number, with no capability in effect; permitted capabilities stay permitted,
 * and creds_take_up puts them into effect again and becomes root. /proc/self stays the process's own. */
int creds_lay_down(unsigned uid);
int creds_take_up(void);

/* From here on set-user-id programs and file capabilities have no effect. An unprivileged process needs this to load a
 * filter. */
int creds_no_new_privileges(void);

/* Proves the loss of rights by trying to get them back: returns 0 if that fails with -EPERM, and -ENOTRECOVERABLE if it
 * succeeds. */
int creds_prove(unsigned uid);
