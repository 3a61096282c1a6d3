/* Keeps sandboxes from locking what the whole machine shares. The kernel has one inode for all eventfds, epolls,
 * timerfds and their like; file locks on one of these are locks on all of them, everybody's. Two runs could tell each
 * other something by them, and a run that places tens of thousands makes every close of such a descriptor, on the whole
 * host, hundreds of times slower. Whoever holds the inode locked alone keeps all others from placing any. No program
 * has a reason to. */
#pragma once

#include "proto/base/err.h"

/* A descriptor to hold the locks with, or a negative errno. */
int guard_open(struct err *e);

/* Takes the locks where they are free. Called again and again: another zygote or another server may be the one that
 * holds them now, and may end. */
void guard_hold(int guard);
