/* The way of a process from root down to the user of a sandbox. No step can be taken back. After a failure half-way the
 * process reports and dies. */
#pragma once

/* Joins the slot's user namespace. From here on root has no rights outside of it, and the capabilities that are left
 * count in that namespace alone. */
int creds_join_user_namespace(int user_namespace);

/* No supplementary groups, then gid, then uid: in the other order the uid's change would take away the right to the
 * rest. */
int creds_become(unsigned uid, unsigned gid);

/* Empties all five capability sets, the bounding set first, since that needs one of the others. Comes after the uid: a
 * change between uids that are not the namespace's root leaves capabilities as they are. keep is a mask of capabilities
 * (1 << CAP_X) that stay permitted and effective. */
int creds_drop_capabilities(unsigned long long keep);

/* Leaves only the capabilities in keep, in the bounding set too; for a process that stays root. */
int creds_limit_capabilities(unsigned long long keep);

/* Becomes this user, in the group of that number, with no capability in effect; what is permitted stays so, and
 * creds_take_up puts it into effect again and becomes root. /proc/self stays the process's own. */
int creds_lay_down(unsigned uid);
int creds_take_up(void);

/* No set-user-id program or file capability ever counts again; an unprivileged process needs it to load a filter. */
int creds_no_new_privileges(void);

/* Proves the drop by trying to take it back: -EPERM is 0 here, and success is -ENOTRECOVERABLE. */
int creds_prove(unsigned uid);
