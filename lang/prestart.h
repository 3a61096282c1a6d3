/* Programs that are started ahead of their job: in each sandbox, a child of the main process waits for the job.
 *
 * The program gets the sandbox's standard streams, and a socket as descriptor 3, whose number is in HATCHERY_JOB. It
 * warms itself up, writes 'R' and reads the job, one frame: 32 bits of length, big-endian, and then strings that each
 * end with NUL:
 *
 *   the name of the file to start; "echo", or "compiled" (its artifacts are there already), or ""; "merge" (standard
 *   error becomes standard output) or ""; the number of arguments, and the arguments; the request's variables as
 *   name=value, up to the end of the frame
 *
 * It answers with one byte. 'G': it takes the job, and waits for one byte 'S' before it runs anything of the job's
 * program. 'C': the job's program does not compile. The reason is then on the standard streams, and the exit status is
 * the compiler's. 'N': a program that runs already can't do this job. Such a job goes to the run line, and so does a
 * job whose warm program is dead. Without a run line, the same program is started afresh, with the request's variables,
 * the heap that its memory limit allows, and one more word, "fresh". A fresh program need not warm itself up, and may
 * not answer 'N'. */
#pragma once

#include "proto/base/err.h"

#include <stdbool.h>
#include <sys/types.h>

struct job;

struct prestart {
        pid_t pid;  /* of the program; 0: there is none */
        int sock;   /* owned */
        bool taken; /* it has the job */
};

/* Called in the zygote. Starts the program, and ends it when it is ready. So a program that can't start is reported
 * with its own message. */
int prestart_try(char *const *warm, struct err *e);

/* Returns when the program waits for its job. 0, or a negative errno; then there is no program. */
int prestart_start(struct prestart *p, char *const *warm);

/* Starts a program for this one job, with the job's variables. If a signal ends the program, this ends the calling
 * process in the same way. */
int prestart_start_fresh(struct prestart *p, char *const *line, const struct job *job);

/* Hands the job over. 0: p->taken says whether it was taken. Positive: the status of a compiler that refused the
 * program. If a signal ends the compiler, this ends the calling process in the same way. */
int prestart_offer(struct prestart *p, const struct job *job);

/* Ends a program that does not get the job. */
void prestart_end(struct prestart *p);

/* Lets a program run that has taken its job, and ends as the program ends: returns its exit status, or dies of the same
 * signal. The program handles signals for the process group; this process stops and goes on with it. */
int prestart_follow(struct prestart *p);
