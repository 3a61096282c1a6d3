/* Keeps sandboxes from locking an inode that the whole machine shares. The kernel has one inode for all eventfds,
 * epolls, timerfds and their like. A file lock on one of them is a lock on all of them. Two runs could send signs to
 * each other by such locks. A run that places tens of thousands of locks makes each close of such a descriptor hundreds
 * of times slower, on the whole host. The zygote locks the inode itself, so no program can place a lock. No honest
 * program needs one. */
#pragma once

#include "proto/base/err.h"

/* A descriptor to hold the locks with, or a negative errno. */
int guard_open(struct err *e);

/* Takes the locks if they are free. It is called again and again: another zygote or another server may hold them now,
 * and may end. */
void guard_hold(int guard);
