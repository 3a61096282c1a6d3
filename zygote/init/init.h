/* hatchery-init: pid 1 of a slot's pid namespace, a small static program that outlives the sandboxes of its slot. It
 * kills and reaps the processes that sandboxes leave behind, and reads their files for collection. It never runs a byte
 * of a sandbox's programs.
 *
 * It is root of the slot's user namespace, and has no rights outside of it. There it has two capabilities: CAP_KILL,
 * for processes of the sandbox's uid, and CAP_DAC_READ_SEARCH, for its files. Init's death kills the whole pid
 * namespace. The zygote starts it with one descriptor, a SOCK_SEQPACKET socket, and, in tests, the text of faults
 * (fault.h) as its argument. These packets pass: */
#pragma once

#include <stdint.h>

enum { INIT_FD = 3 };

enum init_kind {
        INIT_PROC = 1, /* from init, with one descriptor: a detached mount of the slot's /proc */
        INIT_UNSHARED, /* from init: it is in a user namespace of its own, which has no uids yet */
        INIT_MAPPED,   /* to init: now it has uids */
        INIT_READY,    /* from init: confined */
        INIT_FAILED,   /* from init, instead of one of the above: error says why, and init exits */
        INIT_KILL,     /* to init: kill everything else in the namespace */
        INIT_KILLED,   /* from init: nothing else is alive, and orphans are reaped */
        INIT_COLLECT,  /* to init, with two descriptors: the work directory, and the pool's socket (proto/ipc/collect.h)
                        */
        INIT_RELEASE,  /* to init, with one or two descriptors: the last references to a dead sandbox's file systems */
        INIT_RELEASED, /* from init: the file systems are taken down */
        INIT_COLLECTED, /* from init: it is done with both descriptors */
        INIT_RECLAIM,   /* to init, with one descriptor: memory.force_empty or memory.reclaim; INIT_RELEASED answers */
};

struct init_packet {
        uint32_t kind;
        int32_t error; /* negative errno */
        char step[32];
};
