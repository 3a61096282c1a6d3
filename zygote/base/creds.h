/* The way of a process from root down to the user of a sandbox. Only creds_lay_down can be undone. After a failure
 * half-way the process reports and dies. */
#pragma once

/* Joins the slot's user namespace. From here on root has no rights outside of it, and the capabilities that are left
 * count in that namespace alone. */
int creds_join_user_namespace(int user_namespace);

/* Removes the supplementary groups, then sets the gid, then the uid. In another order, the change of the uid would take
 * away the right to change the groups. */
int creds_become(unsigned uid, unsigned gid);

/* Empties all five capability sets, the bounding set first, since emptying that one needs a capability. To be called
 * after the change of uid. That change alone is not enough: the kernel takes capabilities away only if the old uid is
 * the namespace's root. keep is a mask of capabilities (1 << CAP_X) that stay permitted and effective. */
int creds_drop_capabilities(unsigned long long keep);

/* Leaves only the capabilities in keep, in the bounding set too; for a process that stays root. */
int creds_limit_capabilities(unsigned long long keep);

/* creds_lay_down becomes this user, with a gid of the same number. No capability is effective then, but permitted
 * capabilities stay permitted. creds_take_up makes the permitted capabilities effective again, and becomes root. After
 * both, the process still owns its /proc/self. */
int creds_lay_down(unsigned uid);
int creds_take_up(void);

/* From here on set-user-id programs and file capabilities have no effect. An unprivileged process needs this to load a
 * filter. */
int creds_no_new_privileges(void);

/* Proves the loss of rights: tries to become root, and looks at the ids, capabilities and no_new_privs. Returns
 * -ENOTRECOVERABLE if a right is left. */
int creds_prove(unsigned uid);
